"""Exercise: ReLU.

after lesson 7 · forward: easy, 5 minutes · backward: easy, 5 minutes

The simplest activation, and a good first exercise: positive values pass, the
others become 0. Write it, and its gradient. Watch that the gradient asks for
the sign of x, not of dout. At x = 0 the gradient is 0.
Forward and backward are separate tasks: write either first. What you have not
written is taken from the textbook.

Check:  tinyvit check relu.py
Stuck:  tinyvit exercise hint relu
"""

import numpy as np


def relu_forward(x):
    """Rectified linear unit.

        out = max(x, 0)

    x : array of any shape

    Returns
        out : the shape of x
        cache : what `relu_backward` needs
            The textbook's is a tuple of one:
            positive : bool, the shape of x; True where x > 0
            With a backward of your own, keep what it needs.

    Source: Nair, Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".
    """
    raise NotImplementedError("write relu_forward")


def relu_backward(dout, cache):
    """Gradient of ReLU.

    dout : gradient of the loss with respect to out, the shape of x
    cache : from `relu_forward`: a tuple of one
        positive : bool, the shape of x; True where x > 0
        Your own forward may keep something else: then it is your own cache that you get.

    Returns
        dx : the shape of x
    """
    raise NotImplementedError("write relu_backward")
