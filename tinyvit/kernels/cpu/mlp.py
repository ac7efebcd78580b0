"""Fast `ops.mlp`: on the fast linear layer and GELU; ReLU in the place of its input."""

import numpy as np

from ...ops import dropout_backward, dropout_forward
from .gelu import gelu_backward, gelu_forward
from .linear import linear_backward, linear_forward

APPROXIMATE = {"gelu": "none", "gelu_tanh": "tanh"}


def mlp_forward(
    x, fc1_weight, fc1_bias, fc2_weight, fc2_bias, activation="gelu", drop_rate=0.0, rng=None
):
    """As `ops.mlp_forward`."""
    hidden, fc1_cache = linear_forward(x, fc1_weight, fc1_bias)
    if activation in APPROXIMATE:
        active, gelu_cache = gelu_forward(hidden, APPROXIMATE[activation])
    elif activation == "relu":
        active, gelu_cache = np.maximum(hidden, 0, out=hidden), None
    else:
        raise ValueError(f"activation {activation!r} is not known: use gelu, gelu_tanh or relu")
    dropped, drop_cache = dropout_forward(active, drop_rate, rng)
    out, fc2_cache = linear_forward(dropped, fc2_weight, fc2_bias)
    return out, (fc1_cache, gelu_cache, drop_cache, fc2_cache)


def mlp_backward(dout, cache, out=(None, None)):
    """As `ops.mlp_backward`.

    out : where to write dfc1_weight and dfc2_weight; None takes new arrays
    """
    fc1_cache, gelu_cache, drop_cache, fc2_cache = cache
    ddropped, *dfc2 = linear_backward(dout, fc2_cache, out[1])
    dactive = dropout_backward(ddropped, drop_cache)
    if gelu_cache is None:
        dropped, *_ = fc2_cache
        dhidden = np.multiply(dactive, dropped > 0, out=dactive)
    else:
        dhidden = gelu_backward(dactive, gelu_cache)
    return *linear_backward(dhidden, fc1_cache, out[0]), *dfc2
