"""Fast `ops.layernorm`, alone and with the residual addition before it: layernorm.cu."""

from math import gcd

import cupy
import numpy as np

from .source import BF16, BLOCK, kernel, real_of, vector

STATIC_SHARED = 48 << 10  # bytes that a block may always have
BLOCKS = 512  # of the backward: each leaves one row of sums


def layernorm_forward(x, weight, bias, eps=1e-6):
    """As `ops.layernorm_forward`."""
    x = cupy.ascontiguousarray(x)
    rows = x.reshape(-1, x.shape[-1])
    weight, bias = map(cupy.ascontiguousarray, (weight, bias))
    out, _, stats = add_layernorm(rows, None, None, weight, bias, eps)
    return out.reshape(x.shape), (x, stats, weight)


def layernorm_backward(dout, cache):
    """As `ops.layernorm_backward`."""
    x, stats, weight = cache
    rows, drows = (cupy.ascontiguousarray(a).reshape(-1, a.shape[-1]) for a in (x, dout))
    sums = cupy.empty((blocks(len(rows)), 3, x.shape[-1]), x.dtype)
    dx = add_layernorm_backward(drows, rows, stats, weight, None, sums, cupy.empty_like(rows))
    dweight, dbias, _ = sums.sum(axis=0)
    return dx.reshape(x.shape), dweight, dbias


def add_layernorm(x, branch, branch_bias, weight, bias, eps, out=None):
    """Add a branch to the residual stream, and normalise.

        total = x + (branch + branch_bias);   out = layernorm(total)

    x : (R, D) residual; its rows may lie further apart
    branch : (R, D), or None where there is nothing to add
    branch_bias : (D,) or None
    out : (R, D) where to write, in the type of the activations; None takes a new array of x's type

    Returns out, total (x itself without a branch), stats (R, 2): mean and 1 / std.
    Raises ValueError for tokens too wide for the backward's sums.
    """
    R, D = x.shape
    if 3 * D * x.itemsize > STATIC_SHARED:
        most = STATIC_SHARED // 3 // x.itemsize
        raise ValueError(f"layernorm over {D} features: the kernel takes up to {most}")
    out = cupy.empty(x.shape, x.dtype) if out is None else out
    total = x if branch is None else cupy.empty(x.shape, x.dtype)
    stats = cupy.empty((R, 2), x.dtype)
    _kernel("layernorm_forward", out.dtype, x, branch, total, out).rows(
        R,
        *(x, row_stride(x), branch, branch_bias, weight, bias),
        *(None if branch is None else total, out, stats, R, float(eps)),
    )
    return out, total, stats


def add_layernorm_backward(dout, total, stats, weight, dresidual, sums, dbranch):
    """Gradient of `add_layernorm`.

    dout : (R, D)
    total, stats : from the forward
    weight : (D,)
    dresidual : (R, D) gradient that reaches total past the norm, or None
    sums : (blocks(R), 3, D) is given what adds up to dweight, dbias and dbranch_bias
    dbranch : (R, D) is given the gradient of the branch, in the type of the activations

    Returns dtotal (R, D), the same numbers in the type that is computed with; where that is
    the activations', it is dbranch.
    """
    R, D = total.shape
    stored = dbranch.dtype == BF16
    dtotal = cupy.empty(dbranch.shape, real_of(dbranch.dtype)) if stored else dbranch
    arrays = total, dout, dresidual, dtotal, dbranch
    _kernel("layernorm_backward", dbranch.dtype, *arrays)(
        (len(sums),),
        (BLOCK,),
        *(dout, total, row_stride(total), stats, weight, dresidual),
        *(dtotal, dbranch if stored else None, sums, R),
    )
    return dtotal


def _kernel(name, dtype, x, *others):
    """The kernel for rows of x, each lane of which takes neighbours if every lane gets some."""
    D = x.shape[-1]
    width = gcd(D, int(row_stride(x)), 4) if D % 64 == 0 else 1
    width = width if D % 128 == 0 else min(width, 2)
    return kernel("layernorm", name, dtype, D=D, VECTOR=vector(width, x, *others))


def blocks(rows):
    """How many rows of sums the backward leaves."""
    return min(BLOCKS, -(-rows // (BLOCK // 32)))


def row_stride(x):
    """Numbers from one row of a matrix to the next."""
    return np.int64(x.strides[0] // x.itemsize)
