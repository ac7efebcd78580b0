"""Fast `ops.linear`: the product is cuBLAS's, on a handle that a CUDA graph can record."""

import cupy

from .products import multiply


def linear_forward(x, weight, bias):
    """As `ops.linear_forward`."""
    rows = x.reshape(-1, x.shape[-1])
    out = multiply(rows, weight.T, cupy.empty((len(rows), len(weight)), x.dtype))
    if bias is not None:
        out += bias
    return out.reshape(*x.shape[:-1], len(weight)), (x, weight, bias)


def linear_backward(dout, cache):
    """As `ops.linear_backward`."""
    x, weight, bias = cache
    rows = x.reshape(-1, x.shape[-1])
    drows = dout.reshape(-1, dout.shape[-1])
    dx = multiply(drows, weight, cupy.empty(rows.shape, x.dtype))
    dweight = multiply(drows.T, rows, cupy.empty(weight.shape, x.dtype))
    dbias = None if bias is None else drows.sum(axis=0)
    return dx.reshape(x.shape), dweight, dbias
