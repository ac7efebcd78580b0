"""Exercise: LayerNorm.

after lesson 4 · forward: easy, 10 minutes · backward: hard, 40 minutes

LayerNorm gives every token mean 0 and variance 1, then a learned gain and
shift. Write it, and its three gradients. Watch dx: each x changes the mean
and the variance of its token too, and with them all of its xhat.
Forward and backward are separate tasks: write either first. What you have not
written is taken from the textbook.

Check:  tinyvit check layernorm.py
Stuck:  tinyvit exercise hint layernorm
"""

import numpy as np


def layernorm_forward(x, weight, bias, eps=1e-6):
    """Normalise the last axis of x, then scale and shift each feature.

        out = weight * xhat + bias,   xhat = (x - mean) / sqrt(var + eps)

    x : (..., D); mean and variance are taken over the D features of one token
    weight : (D,) gain
    bias : (D,) shift
    eps : keeps a constant token from dividing by zero [variance of x]

    Returns
        out : (..., D)
        cache : what `layernorm_backward` needs
            The textbook's is a tuple:
            xhat : (..., D) the normalised x
            std : (..., 1) sqrt(var + eps) of each token
            weight : (D,)
            With a backward of your own, keep what it needs.

    Source: Ba, Kiros, Hinton 2016 (arXiv 1607.06450), equation 4; eps of the ViT authors' code.
    """
    raise NotImplementedError("write layernorm_forward")


def layernorm_backward(dout, cache):
    """Gradients of LayerNorm.

    dout : (..., D) gradient of the loss with respect to out
    cache : from `layernorm_forward`: a tuple
        xhat : (..., D) the normalised x
        std : (..., 1) sqrt(var + eps) of each token
        weight : (D,)
        Your own forward may keep something else: then it is your own cache that you get.

    Returns
        dx : (..., D)
        dweight : (D,)
        dbias : (D,)
    """
    raise NotImplementedError("write layernorm_backward")
