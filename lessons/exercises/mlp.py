"""Exercise: MLP.

after lesson 8 · forward: easy, 10 minutes · backward: medium, 20 minutes

Each token goes by itself through a wide hidden layer and back. Put it
together from linear, GELU, ReLU and dropout, which are imported below.
Dropout comes after the activation. Watch the order of the gradients that you
return, and which activation was taken.
Forward and backward are separate tasks: write either first. What you have not
written is taken from the textbook.

Check:  tinyvit check mlp.py
Stuck:  tinyvit exercise hint mlp
"""

import numpy as np

from tinyvit.ops import (
    dropout_backward,
    dropout_forward,
    gelu_backward,
    gelu_forward,
    linear_backward,
    linear_forward,
    relu_backward,
    relu_forward,
)


def mlp_forward(
    x,
    fc1_weight,
    fc1_bias,
    fc2_weight,
    fc2_bias,
    activation="gelu",
    drop_rate=0.0,
    rng=None,
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
            The textbook's is a tuple:
            fc1_cache : what `linear_forward` returned as its cache
            activation : "gelu", "gelu_tanh" or "relu"
            activation_cache : `gelu_forward`'s or `relu_forward`'s
            drop_cache : `dropout_forward`'s
            fc2_cache : `linear_forward`'s
            With a backward of your own, keep what it needs.
    Raises ValueError for another activation.

    Source: Dosovitskiy et al. 2021 (arXiv 2010.11929), section 3.1, and equation 3.
    """
    raise NotImplementedError("write mlp_forward")


def mlp_backward(dout, cache):
    """Gradients of the MLP.

    dout : (..., D) gradient of the loss with respect to out
    cache : from `mlp_forward`: a tuple
        fc1_cache : what `linear_forward` returned as its cache
        activation : "gelu", "gelu_tanh" or "relu"
        activation_cache : `gelu_forward`'s or `relu_forward`'s
        drop_cache : `dropout_forward`'s
        fc2_cache : `linear_forward`'s
        Your own forward may keep something else: then it is your own cache that you get.

    Returns
        dx : (..., D)
        dfc1_weight : (M, D)
        dfc1_bias : (M,), or None if there was no bias
        dfc2_weight : (D, M)
        dfc2_bias : (D,), or None if there was no bias
    """
    raise NotImplementedError("write mlp_backward")
