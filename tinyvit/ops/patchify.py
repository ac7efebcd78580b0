"""Patchify: cut each image into a row of patches."""


def patchify_forward(images, patch_size):
    """Cut images into non-overlapping square patches, each flattened to a vector.

        patches[b, n, (c, i, j)] = images[b, c, row(n) * P + i, col(n) * P + j]

    images : (B, C, H, W)
    patch_size : P, side of a patch [pixels]; must divide H and W.

    Returns
        patches : (B, N, C*P*P), N = (H/P) * (W/P), left to right, then top to bottom
        cache : what `patchify_backward` needs
    Raises ValueError when P does not divide H and W.

    Source: Dosovitskiy et al. 2021 (arXiv 2010.11929), section 3.1, x -> x_p.
    """
    B, C, H, W = images.shape
    P = patch_size
    if H % P or W % P:
        fits = [p for p in range(2, min(H, W) + 1) if H % p == 0 and W % p == 0]
        raise ValueError(
            f"image {H}x{W} is not divisible by patch size {P}: try {_one_of(fits or [1])}"
        )
    rows, cols = H // P, W // P
    x = images.reshape(B, C, rows, P, cols, P)
    x = x.transpose(0, 2, 4, 1, 3, 5)  # (B, C, rows, P, cols, P) -> (B, rows, cols, C, P, P)
    patches = x.reshape(B, rows * cols, C * P * P)  # -> (B, N, C*P*P)
    return patches, (images.shape, P)


def patchify_backward(dpatches, cache):
    """Put each patch's gradient back where the patch was cut.

    dpatches : (B, N, C*P*P) gradient of the loss with respect to the patches
    cache : from `patchify_forward`

    Returns
        dimages : (B, C, H, W)

    Derivation: every pixel lands in exactly one place of one patch, so its gradient is the one
    found there. The walk is the forward one, taken backwards.
    """
    (B, C, H, W), P = cache
    dx = dpatches.reshape(B, H // P, W // P, C, P, P)  # forward: patches = x.reshape(B, N, C*P*P)
    dx = dx.transpose(0, 3, 1, 4, 2, 5)  # forward: x = x.transpose(0, 2, 4, 1, 3, 5)
    return dx.reshape(B, C, H, W)  # forward: x = images.reshape(B, C, rows, P, cols, P)


def _one_of(numbers):
    *others, last = map(str, numbers)
    return f"{', '.join(others)} or {last}" if others else last
