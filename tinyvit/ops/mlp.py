"""MLP: each token by itself through a wide hidden layer and back."""

from .dropout import dropout_backward, dropout_forward
from .gelu import gelu_backward, gelu_forward
from .linear import linear_backward, linear_forward
from .relu import relu_backward, relu_forward


def mlp_forward(
    x, fc1_weight, fc1_bias, fc2_weight, fc2_bias, activation="gelu", drop_rate=0.0, rng=None
):
    """Two linear layers with an activation between them.

        out = activation(x @ fc1_weight.T + fc1_bias) @ fc2_weight.T + fc2_bias

    x : (..., D)
    fc1_weight : (M, D), M usually 4D
    fc1_bias : (M,) or None
    fc2_weight : (D, M)
    fc2_bias : (D,) or None
    activation : "gelu", "gelu_tanh" or "relu"
    drop_rate : share of the hidden values dropped in training
    rng : numpy.random.Generator for that; None drops nothing

    Returns
        out : (..., D)
        cache : what `mlp_backward` needs
    Raises ValueError for another activation.

    Source: Dosovitskiy et al. 2021 (arXiv 2010.11929), section 3.1, and equation 3.
    """
    hidden, fc1_cache = linear_forward(x, fc1_weight, fc1_bias)
    if activation == "gelu":
        active, activation_cache = gelu_forward(hidden)
    elif activation == "gelu_tanh":
        active, activation_cache = gelu_forward(hidden, approximate="tanh")
    elif activation == "relu":
        active, activation_cache = relu_forward(hidden)
    else:
        raise ValueError(f"activation {activation!r} is not known: use gelu, gelu_tanh or relu")
    dropped, drop_cache = dropout_forward(active, drop_rate, rng)
    out, fc2_cache = linear_forward(dropped, fc2_weight, fc2_bias)
    return out, (fc1_cache, activation, activation_cache, drop_cache, fc2_cache)


def mlp_backward(dout, cache):
    """Gradients of the MLP.

    dout : (..., D) gradient of the loss with respect to out
    cache : from `mlp_forward`

    Returns
        dx : (..., D)
        dfc1_weight : (M, D)
        dfc1_bias : (M,), or None if there was no bias
        dfc2_weight : (D, M)
        dfc2_bias : (D,), or None if there was no bias

    Derivation: the chain rule and nothing else: the backwards of the four steps, last step first.
    """
    fc1_cache, activation, activation_cache, drop_cache, fc2_cache = cache
    ddropped, dfc2_weight, dfc2_bias = linear_backward(
        dout, fc2_cache
    )  # forward: out = fc2(dropped)
    dactive = dropout_backward(ddropped, drop_cache)  # forward: dropped = dropout(active)
    backward = relu_backward if activation == "relu" else gelu_backward
    dhidden = backward(dactive, activation_cache)  # forward: active = activation(hidden)
    dx, dfc1_weight, dfc1_bias = linear_backward(dhidden, fc1_cache)  # forward: hidden = fc1(x)
    return dx, dfc1_weight, dfc1_bias, dfc2_weight, dfc2_bias
