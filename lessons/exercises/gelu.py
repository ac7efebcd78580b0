"""Exercise: GELU.

after lesson 7 · forward: easy, 10 minutes · backward: medium, 25 minutes

GELU is a smooth gate: large values pass, very negative ones are stopped.
Write both forms, the exact one and the tanh one, and their gradient. NumPy
has no erf: tinyvit's is imported below. Watch that the gradient belongs to
the form that the forward took.
Forward and backward are separate tasks: write either first. What you have not
written is taken from the textbook.

Check:  tinyvit check gelu.py
Stuck:  tinyvit exercise hint gelu
"""

from math import pi, sqrt

import numpy as np

from tinyvit.backend import erf


def gelu_forward(x, approximate="none"):
    """Gaussian error linear unit, exact or in its tanh form.

        none: out = x * Phi(x),   Phi(x) = (1 + erf(x / sqrt(2))) / 2
        tanh: out = x * (1 + tanh(u)) / 2,   u = sqrt(2 / pi) * (x + 0.044715 x^3)

    x : array of any shape
    approximate : "none" or "tanh"; the two differ by up to 4.73e-4, near |x| = 2.7

    Returns
        out : the shape of x
        cache : what `gelu_backward` needs
            The textbook's is a tuple:
            x : the input
            gate : the shape of x; Phi(x), or (1 + tanh(u)) / 2
            approximate : "none" or "tanh"
            With a backward of your own, keep what it needs.
    Raises ValueError for another `approximate`.

    Source: Hendrycks, Gimpel 2016 (arXiv 1606.08415), section 2.
    """
    raise NotImplementedError("write gelu_forward")


def gelu_backward(dout, cache):
    """Gradient of GELU.

    dout : gradient of the loss with respect to out, the shape of x
    cache : from `gelu_forward`: a tuple
        x : the input
        gate : the shape of x; Phi(x), or (1 + tanh(u)) / 2
        approximate : "none" or "tanh"
        Your own forward may keep something else: then it is your own cache that you get.

    Returns
        dx : the shape of x
    """
    raise NotImplementedError("write gelu_backward")
