"""Fast `ops.mlp`: the hidden layer's bias and activation in one launch."""

import cupy

from ...ops import dropout_backward, dropout_forward
from .gelu import ACTIVATIONS, activate, activate_backward, groups
from .linear import linear_backward, linear_forward


def mlp_forward(
    x, fc1_weight, fc1_bias, fc2_weight, fc2_bias, activation="gelu", drop_rate=0.0, rng=None
):
    """As `ops.mlp_forward`."""
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation {activation!r} is not known: use gelu, gelu_tanh or relu")
    fc1_bias = None if fc1_bias is None else cupy.ascontiguousarray(fc1_bias)
    hidden, fc1_cache = linear_forward(x, fc1_weight, None)
    active = activate(hidden, fc1_bias, activation)
    dropped, drop_cache = dropout_forward(active, drop_rate, rng)
    out, fc2_cache = linear_forward(dropped, fc2_weight, fc2_bias)
    return out, (fc1_cache, hidden, fc1_bias, activation, drop_cache, fc2_cache)


def mlp_backward(dout, cache):
    """As `ops.mlp_backward`."""
    fc1_cache, hidden, fc1_bias, activation, drop_cache, fc2_cache = cache
    ddropped, *dfc2 = linear_backward(dout, fc2_cache)
    dactive = dropout_backward(ddropped, drop_cache)
    M = hidden.shape[-1]
    sums = cupy.empty((groups(hidden.size // M), M), hidden.dtype)
    dhidden = activate_backward(dactive, hidden, fc1_bias, activation, sums)
    dx, dfc1_weight, _ = linear_backward(dhidden, fc1_cache)
    return dx, dfc1_weight, None if fc1_bias is None else sums.sum(axis=0), *dfc2
