"""Exercise: Log-softmax.

after lesson 10 · forward: easy, 10 minutes · backward: medium, 20 minutes

The logarithm of softmax, which the loss needs. Write it so that neither
scores of 1000 nor shares near 0 do harm, then its gradient. Watch the
forward: a logarithm taken of a finished softmax can be the logarithm of 0.
Forward and backward are separate tasks: write either first. What you have not
written is taken from the textbook.

Check:  tinyvit check log_softmax.py
Stuck:  tinyvit exercise hint log_softmax
"""

import numpy as np


def log_softmax_forward(x):
    """Log-softmax over the last axis.

        out_i = x_i - log(sum_j exp(x_j))

    x : (..., K) scores

    Returns
        out : (..., K) log-probabilities [nats], none above 0
        cache : what `log_softmax_backward` needs
            The textbook's is a tuple of one:
            out : (..., K) the log-softmax of x
            With a backward of your own, keep what it needs.

    The row's maximum is subtracted first: the result is the same, and exp cannot overflow.
    """
    raise NotImplementedError("write log_softmax_forward")


def log_softmax_backward(dout, cache):
    """Gradient of log-softmax.

    dout : (..., K) gradient of the loss with respect to out
    cache : from `log_softmax_forward`: a tuple of one
        out : (..., K) the log-softmax of x
        Your own forward may keep something else: then it is your own cache that you get.

    Returns
        dx : (..., K)
    """
    raise NotImplementedError("write log_softmax_backward")
