"""Convolution: the same small filter at every place of the image."""

from ..backend import get_array_module


def conv2d_forward(images, weight, bias, stride=1, padding=0):
    """Two-dimensional convolution (cross-correlation, as in every deep-learning library).

        out[b, o, y, x] = bias[o]
            + sum_{c, i, j} weight[o, c, i, j] * images[b, c, y*s + i, x*s + j]

    images : (B, C, H, W)
    weight : (O, C, kh, kw)
    bias : (O,) or None
    stride : s, step between neighbouring windows [pixels]
    padding : zeros added on each side first [pixels]

    Returns
        out : (B, O, H', W'), H' = (H + 2 padding - kh) // s + 1, W' likewise
        cache : what `conv2d_backward` needs
    Raises ValueError when the filter is larger than the padded image.

    Every window is copied into one row of a matrix ("im2col"); then convolution is one product.

    Source: LeCun et al. 1998, "Gradient-based learning applied to document recognition".
    """
    xp = get_array_module(images)
    B, C, H, W = images.shape
    out_chans, _, kh, kw = weight.shape
    rows = (H + 2 * padding - kh) // stride + 1
    cols = (W + 2 * padding - kw) // stride + 1
    if rows < 1 or cols < 1:
        raise ValueError(
            f"filter {kh}x{kw} is larger than image {H}x{W} with {padding} pixels of padding"
        )
    padded = xp.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = xp.empty((B, rows, cols, C, kh, kw), images.dtype)
    for i in range(kh):
        for j in range(kw):
            seen = padded[:, :, i : i + rows * stride : stride, j : j + cols * stride : stride]
            windows[..., i, j] = seen[:, :, :rows, :cols].transpose(0, 2, 3, 1)
    windows = windows.reshape(B * rows * cols, C * kh * kw)
    out = windows @ weight.reshape(out_chans, -1).T  # (B*H'*W', C*kh*kw) @ (C*kh*kw, O)
    if bias is not None:
        out = out + bias
    out = out.reshape(B, rows, cols, out_chans).transpose(0, 3, 1, 2)  # -> (B, O, H', W')
    return out, (windows, images.shape, weight, bias is not None, stride, padding)


def conv2d_backward(dout, cache):
    """Gradients of the convolution.

    dout : (B, O, H', W') gradient of the loss with respect to out
    cache : from `conv2d_forward`

    Returns
        dimages : (B, C, H, W)
        dweight : (O, C, kh, kw)
        dbias : (O,), or None if there was no bias

    Derivation: as a product, out = windows @ weight.T, so dwindows = dout @ weight and
    dweight = dout.T @ windows. A pixel lies in up to kh * kw windows: it adds up the gradients
    from all of them, at the places they were copied from.
    """
    windows, (B, C, H, W), weight, has_bias, stride, padding = cache
    xp = get_array_module(dout)
    out_chans, _, kh, kw = weight.shape
    _, _, rows, cols = dout.shape
    drows = dout.transpose(0, 2, 3, 1).reshape(-1, out_chans)  # (B, O, H', W') -> (B*H'*W', O)
    dbias = drows.sum(axis=0) if has_bias else None  # forward: out = out + bias
    dweight = (drows.T @ windows).reshape(weight.shape)  # forward: out = windows @ weight.T
    dwindows = drows @ weight.reshape(out_chans, -1)  # forward: out = windows @ weight.T
    dwindows = dwindows.reshape(B, rows, cols, C, kh, kw)
    dpadded = xp.zeros((B, C, H + 2 * padding, W + 2 * padding), dout.dtype)
    for i in range(kh):
        for j in range(kw):
            seen = dpadded[:, :, i : i + rows * stride : stride, j : j + cols * stride : stride]
            seen[:, :, :rows, :cols] += dwindows[..., i, j].transpose(0, 3, 1, 2)
    dimages = dpadded[:, :, padding : padding + H, padding : padding + W]  # forward: pad(images)
    return dimages, dweight, dbias
