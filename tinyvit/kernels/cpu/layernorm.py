"""Fast `ops.layernorm`: sums by BLAS, everything else in place."""

import numpy as np

from .buffers import empty
from .linear import sum_rows, times_vector

FAR_FROM_ZERO = 1e6  # mean^2 / variance from which the rounding of the mean shows in xhat


def layernorm_forward(x, weight, bias, eps=1e-6):
    """As `ops.layernorm_forward`."""
    xhat, cache = normalize_forward(x, eps)
    out = np.multiply(xhat, weight, out=empty(x.shape, x.dtype))
    out += bias
    return out, (*cache, weight)


def layernorm_backward(dout, cache):
    """As `ops.layernorm_backward`; mean(dxhat * xhat) is (dout * xhat) @ weight / D."""
    xhat, inverse, weight = cache
    D = dout.shape[-1]
    rows = dout.reshape(-1, D)
    dbias = sum_rows(rows)
    scratch = np.multiply(rows, xhat, out=empty(rows.shape, dout.dtype))
    dweight = sum_rows(scratch)
    mean_dxhat = times_vector(rows, weight / D)
    mean_dxhat_xhat = times_vector(scratch, weight / D)
    dx = np.multiply(rows, weight, out=empty(rows.shape, dout.dtype))
    dx -= mean_dxhat[:, None]
    dx -= np.multiply(xhat, mean_dxhat_xhat[:, None], out=scratch)
    dx *= inverse
    return dx.reshape(dout.shape), dweight, dbias


def normalize_forward(x, eps):
    """LayerNorm without gain and shift.

    Returns xhat, the shape of x, and a cache: xhat (R, D), 1 / std (R, 1).
    """
    D = x.shape[-1]
    rows = x.reshape(-1, D)
    ones = np.ones(D, x.dtype)
    mean = times_vector(rows, ones)
    mean /= D
    xhat = np.subtract(rows, mean[:, None], out=empty(rows.shape, x.dtype))
    var = np.vecdot(xhat, xhat)
    var /= D
    if (mean * mean > FAR_FROM_ZERO * var).any():  # a constant row, say: centre once more
        rest = times_vector(xhat, ones)
        rest /= D
        xhat -= rest[:, None]
        var = np.vecdot(xhat, xhat)
        var /= D
    var += eps
    std = np.sqrt(var, out=var)
    inverse = np.reciprocal(std, out=std)[:, None]
    xhat *= inverse
    return xhat.reshape(x.shape), (xhat, inverse)


def normalize_backward(dxhat, cache):
    """Gradient of x, where every row of `dxhat` has mean 0 already (see `fold`)."""
    xhat, inverse = cache
    rows = dxhat.reshape(xhat.shape)
    mean_dxhat_xhat = np.vecdot(rows, xhat)
    mean_dxhat_xhat /= xhat.shape[-1]
    dx = np.multiply(xhat, mean_dxhat_xhat[:, None], out=empty(xhat.shape, dxhat.dtype))
    np.subtract(rows, dx, out=dx)
    dx *= inverse
    return dx.reshape(dxhat.shape)
