"""Fast `optim`: in place, and in pieces that stay in the cache."""

from math import sqrt

import numpy as np

from .buffers import empty

PIECE = 1 << 18  # numbers: long enough that threads do not wait for each other's Python


def add_up(grads):
    """Add vectors in order, in the place of the first.

    grads : list of (P,)

    Returns the sum of the squares of the result, a float.
    """
    squares = 0.0
    for piece in _pieces(len(grads[0])):
        total = grads[0][piece]
        for other in grads[1:]:
            total += other[piece]
        squares += float(total @ total)
    return squares


def adamw(params, grads, m, v, *, scale, step, lr, decay, beta1=0.9, beta2=0.999, eps=1e-8):
    """As `optim.adamw` with the gradient `scale * grads`; params, m and v are changed.

    scale : number; below 1 where the gradient is clipped
    decay : (P,)
    """
    step_size = lr / (1 - beta1**step)
    unbias = 1 / sqrt(1 - beta2**step)
    for piece in _pieces(len(params)):
        p, g, mean, square, pull = (vector[piece] for vector in (params, grads, m, v, decay))
        work = empty(p.shape, p.dtype)
        mean *= beta1
        mean += np.multiply(g, (1 - beta1) * scale, out=work)
        square *= beta2
        np.multiply(g, g, out=work)
        work *= (1 - beta2) * scale * scale
        square += work
        p -= np.multiply(np.multiply(pull, lr, out=work), p, out=work)
        rms = np.sqrt(square, out=work)
        rms *= unbias
        rms += eps
        change = np.divide(mean, rms, out=work)
        change *= step_size
        p -= change


def moving_average(average, params, decay, step):
    """As `optim.moving_average`, in the place of `average`."""
    d = min(decay, (1 + step) / (10 + step))
    for piece in _pieces(len(params)):
        work = np.multiply(params[piece], 1 - d, out=empty(params[piece].shape, params.dtype))
        average[piece] *= d
        average[piece] += work


def _pieces(length):
    return (slice(start, min(start + PIECE, length)) for start in range(0, length, PIECE))
