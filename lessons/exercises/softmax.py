"""Exercise: Softmax.

after lesson 5 · forward: easy, 10 minutes · backward: medium, 30 minutes

Softmax makes shares of scores: positive, and each row sums to 1. Write it so
that scores of 1000 do not overflow, then its gradient. Watch the gradient:
every score moves every share of its row. Scores may have any number of
leading axes.
Forward and backward are separate tasks: write either first. What you have not
written is taken from the textbook.

Check:  tinyvit check softmax.py
Stuck:  tinyvit exercise hint softmax
"""

import numpy as np


def softmax_forward(x):
    """Softmax over the last axis.

        out_i = exp(x_i) / sum_j exp(x_j)

    x : (..., K) scores

    Returns
        out : (..., K), each row positive and summing to 1
        cache : what `softmax_backward` needs
            The textbook's is a tuple of one:
            out : (..., K) the softmax of x
            With a backward of your own, keep what it needs.

    The row's maximum is subtracted first: the result is the same, and exp cannot overflow.
    """
    raise NotImplementedError("write softmax_forward")


def softmax_backward(dout, cache):
    """Gradient of softmax.

    dout : (..., K) gradient of the loss with respect to out
    cache : from `softmax_forward`: a tuple of one
        out : (..., K) the softmax of x
        Your own forward may keep something else: then it is your own cache that you get.

    Returns
        dx : (..., K)
    """
    raise NotImplementedError("write softmax_backward")
