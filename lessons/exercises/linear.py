"""Exercise: Linear.

after lesson 2 · forward: easy, 10 minutes · backward: medium, 25 minutes

The layer that holds nearly all parameters: out = x @ weight.T + bias. Write
it for any number of leading axes, then its three gradients. Watch two things:
every row of x uses the same weight, and the bias may be None.
Forward and backward are separate tasks: write either first. What you have not
written is taken from the textbook.

Check:  tinyvit check linear.py
Stuck:  tinyvit exercise hint linear
"""

import numpy as np


def linear_forward(x, weight, bias):
    """Multiply every row of x by a weight matrix and add a bias.

        out = x @ weight.T + bias

    x : (..., I) any number of leading axes
    weight : (O, I)
    bias : (O,) or None

    Returns
        out : (..., O)
        cache : what `linear_backward` needs
            The textbook's is a tuple:
            x : (..., I)
            weight : (O, I)
            bias : (O,) or None
            With a backward of your own, keep what it needs.

    Source: the layout (O, I) is PyTorch's `nn.Linear`.
    """
    raise NotImplementedError("write linear_forward")


def linear_backward(dout, cache):
    """Gradients of the linear layer.

    dout : (..., O) gradient of the loss with respect to out
    cache : from `linear_forward`: a tuple
        x : (..., I)
        weight : (O, I)
        bias : (O,) or None
        Your own forward may keep something else: then it is your own cache that you get.

    Returns
        dx : (..., I)
        dweight : (O, I)
        dbias : (O,), or None if there was no bias
    """
    raise NotImplementedError("write linear_backward")
