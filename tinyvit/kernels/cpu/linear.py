"""Fast `ops.linear`: the product is written where it is needed, sums are matrix products."""

import numpy as np

from .buffers import empty


def linear_forward(x, weight, bias):
    """As `ops.linear_forward`."""
    rows = x.reshape(-1, x.shape[-1])
    out = np.matmul(rows, weight.T, out=empty((len(rows), len(weight)), x.dtype))
    if bias is not None:
        out += bias
    return out.reshape(*x.shape[:-1], len(weight)), (x, weight, bias)


def linear_backward(dout, cache, out=None):
    """As `ops.linear_backward`.

    out : (O, I) where to write dweight; None takes a new array
    """
    x, weight, bias = cache
    rows = x.reshape(-1, x.shape[-1])
    drows = dout.reshape(-1, dout.shape[-1])
    dx = np.matmul(drows, weight, out=empty(rows.shape, dout.dtype))
    out = empty(weight.shape, dout.dtype) if out is None else out
    dweight = np.matmul(drows.T, rows, out=out)
    dbias = None if bias is None else sum_rows(drows)
    return dx.reshape(x.shape), dweight, dbias


def sum_rows(rows):
    """Sum over the rows of a matrix (R, D), as a product with ones: BLAS adds several at a time."""
    return np.ones(len(rows), rows.dtype) @ rows


def times_vector(rows, vector):
    """Product of matrices (..., R, D) with a vector (D,), without BLAS's false alarms.

    For short rows OpenBLAS may compute with what happens to lie behind the vector. It throws the
    result away, but the processor remembers where it was no number, and NumPy would warn.
    """
    with np.errstate(invalid="ignore"):
        return rows @ vector
