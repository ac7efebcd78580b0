"""Exercise: Drop path.

after lesson 9 · forward: easy, 10 minutes · backward: easy, 5 minutes

In training, a whole branch is skipped for a random share of the images. Draw
the mask as `rng.random(x.shape[0]) >= drop_rate` (True is kept): then your
result can be compared. Watch the shapes: one number an image, for any number
of axes behind. With rng None or rate 0 nothing is dropped, scaled or drawn.
Forward and backward are separate tasks: write either first. What you have not
written is taken from the textbook.

Check:  tinyvit check drop_path.py
Stuck:  tinyvit exercise hint drop_path
"""

import numpy as np


def drop_path_forward(x, drop_rate, rng=None):
    """Drop all of an image's branch with probability `drop_rate`, and scale up what stays.

        out[b] = x[b] * keep[b],   keep = 1 / (1 - drop_rate) with probability 1 - drop_rate, else 0

    x : (B, ...) a residual branch, before it is added
    drop_rate : share of the images whose branch is dropped, 0 <= drop_rate < 1
    rng : numpy.random.Generator that draws the mask; None (evaluation) drops nothing

    Returns
        out : the shape of x; its expectation is x
        cache : what `drop_path_backward` needs: the mask (B, 1, ...), or None
            The textbook's is a tuple of one:
            keep : (B, 1, ...); 1 / (1 - drop_rate) where kept, else 0; or None
            With a backward of your own, keep what it needs.
    Raises ValueError for a rate outside [0, 1).

    Source: Huang et al. 2016 (arXiv 1603.09382), section 3.
    """
    raise NotImplementedError("write drop_path_forward")


def drop_path_backward(dout, cache):
    """Gradient of drop path.

    dout : (B, ...) gradient of the loss with respect to out
    cache : from `drop_path_forward`: a tuple of one
        keep : (B, 1, ...); 1 / (1 - drop_rate) where kept, else 0; or None
        Your own forward may keep something else: then it is your own cache that you get.

    Returns
        dx : (B, ...)
    """
    raise NotImplementedError("write drop_path_backward")
