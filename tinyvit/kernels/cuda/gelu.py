"""Fast `ops.gelu`, and any activation of the MLP with the bias before it: gelu.cu."""

import cupy

from .source import kernel, vector

ACTIVATIONS = ("gelu", "gelu_tanh", "relu")
APPROXIMATE = {"none": "gelu", "tanh": "gelu_tanh"}
GROUPS = 512  # of rows at most, in the backward: each leaves one row of sums


def gelu_forward(x, approximate="none"):
    """As `ops.gelu_forward`."""
    if approximate not in APPROXIMATE:
        raise ValueError(f'approximate={approximate!r} is not known: use "none" or "tanh"')
    x = cupy.ascontiguousarray(x)
    activation = APPROXIMATE[approximate]
    return activate(x, None, activation), (x, activation)


def gelu_backward(dout, cache):
    """As `ops.gelu_backward`."""
    x, activation = cache
    dout = cupy.ascontiguousarray(dout)
    return activate_backward(dout, x, None, activation, None)


def activate(x, bias, activation, out=None):
    """Activation of x + bias.

    x : (..., M)
    bias : (M,) or None
    activation : one of `ACTIVATIONS`
    out : where to write, the shape of x; None takes a new array

    Returns out.
    """
    out = cupy.empty(x.shape, x.dtype) if out is None else out
    M = x.shape[-1]
    function, count = _kernel("gelu_forward", activation, M, x, out)
    function.elements(x.size // count, x, bias, out, x.size, M)
    return out


def activate_backward(dout, x, bias, activation, sums, out=None):
    """Gradient of `activate`.

    dout, x : (..., M)
    sums : (groups, M) is given what adds up to the gradient of the bias; None where nobody asks
    out : where to write dx; None takes a new array

    Returns dx.
    """
    M = x.shape[-1]
    out = cupy.empty(x.shape, x.dtype) if out is None else out
    count_of_groups = groups(x.size // M) if sums is None else len(sums)
    function, count = _kernel("gelu_backward", activation, M, x, dout, out)
    grid = -(-M // (32 * count)), count_of_groups
    function(grid, (32, 8), dout, x, bias, out, sums, x.size // M, M)
    return out


def groups(rows):
    """How many rows of sums the backward should leave."""
    return min(GROUPS, -(-rows // 8))


def _kernel(name, activation, width, x, *others):
    """The kernel, and how many neighbours each of its threads takes."""
    count = vector(width, x, *others)
    macros = {"ACTIVATION": ACTIVATIONS.index(activation), "VECTOR": count}
    return kernel("gelu", name, x.dtype, **macros), count
