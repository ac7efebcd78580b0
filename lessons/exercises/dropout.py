"""Exercise: Dropout.

after lesson 9 · forward: easy, 10 minutes · backward: easy, 5 minutes

In training, a random share of the values is set to zero, so that the model
leans on none of them. Draw the mask as `rng.random(x.shape) >= drop_rate`
(True is kept): then your result can be compared. Watch evaluation: with rng
None or rate 0 nothing is dropped, scaled or drawn.
Forward and backward are separate tasks: write either first. What you have not
written is taken from the textbook.

Check:  tinyvit check dropout.py
Stuck:  tinyvit exercise hint dropout
"""

import numpy as np


def dropout_forward(x, drop_rate, rng=None):
    """Drop each value with probability `drop_rate`, and scale up what stays.

        out = x * keep,   keep = 1 / (1 - drop_rate) with probability 1 - drop_rate, else 0

    x : array of any shape
    drop_rate : share of the values to drop, 0 <= drop_rate < 1
    rng : numpy.random.Generator that draws the mask; None (evaluation) drops nothing

    Returns
        out : the shape of x; its expectation is x
        cache : what `dropout_backward` needs: the mask, or None
            The textbook's is a tuple of one:
            keep : the shape of x; 1 / (1 - drop_rate) where kept, else 0; or None
            With a backward of your own, keep what it needs.
    Raises ValueError for a rate outside [0, 1).

    Source: Srivastava et al. 2014, Journal of Machine Learning Research 15.
    """
    raise NotImplementedError("write dropout_forward")


def dropout_backward(dout, cache):
    """Gradient of dropout.

    dout : gradient of the loss with respect to out, the shape of x
    cache : from `dropout_forward`: a tuple of one
        keep : the shape of x; 1 / (1 - drop_rate) where kept, else 0; or None
        Your own forward may keep something else: then it is your own cache that you get.

    Returns
        dx : the shape of x
    """
    raise NotImplementedError("write dropout_backward")
