"""Max pooling: keep the largest value of each small square."""

from ..backend import get_array_module


def maxpool2d_forward(x, size):
    """Maximum over non-overlapping squares.

        out[b, c, y, x] = max over i, j < size of x[b, c, y*size + i, x*size + j]

    x : (B, C, H, W); rows and columns that do not fill a square are left out
    size : side of a square [pixels]

    Returns
        out : (B, C, H // size, W // size)
        cache : what `maxpool2d_backward` needs
    Raises ValueError when no square fits.
    """
    B, C, H, W = x.shape
    rows, cols = H // size, W // size
    if rows < 1 or cols < 1:
        raise ValueError(f"a pooling square {size}x{size} does not fit in {H}x{W}")
    squares = x[:, :, : rows * size, : cols * size].reshape(B, C, rows, size, cols, size)
    squares = squares.transpose(0, 1, 2, 4, 3, 5)  # -> (B, C, rows, cols, size, size)
    squares = squares.reshape(B, C, rows, cols, size * size)
    winner = squares.argmax(axis=-1)  # the first of equal values
    return squares.max(axis=-1), (winner, x.shape, size)


def maxpool2d_backward(dout, cache):
    """Gradient of max pooling.

    dout : (B, C, H // size, W // size) gradient of the loss with respect to out
    cache : from `maxpool2d_forward`

    Returns
        dx : (B, C, H, W), zero but at each square's winner

    Derivation: a small change of the largest value changes the maximum by as much; a small change
    of any other value changes nothing. Of equal largest values the first one is the winner.
    """
    winner, (B, C, H, W), size = cache
    xp = get_array_module(dout)
    _, _, rows, cols = dout.shape
    won = winner[..., None] == xp.arange(size * size)  # (B, C, rows, cols, size*size)
    dsquares = dout[..., None] * won  # forward: out = squares.max(axis=-1)
    dsquares = dsquares.reshape(B, C, rows, cols, size, size)
    dsquares = dsquares.transpose(0, 1, 2, 4, 3, 5)  # -> (B, C, rows, size, cols, size)
    dx = xp.zeros((B, C, H, W), dout.dtype)
    dx[:, :, : rows * size, : cols * size] = dsquares.reshape(B, C, rows * size, cols * size)
    return dx
