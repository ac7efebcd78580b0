"""Exercise: AdamW.

after lesson 13 · adamw: easy, 15 minutes

The optimiser that trains nearly every Transformer. Write one step: two
running means, their correction, and the weight decay beside the gradient.
Everything is a flat vector, so it is a few lines of arithmetic. Watch that
the decay does not pass through m and v, and that the arrays you are given
stay as they are.

Check:  tinyvit check adamw.py
Stuck:  tinyvit exercise hint adamw
"""

from math import sqrt

import numpy as np


def adamw(
    params, grads, m, v, *, step, lr, decay, beta1=0.9, beta2=0.999, eps=1e-8
):
    """One AdamW step.

        m = beta1 m + (1 - beta1) g             running mean of the gradient
        v = beta2 v + (1 - beta2) g^2           running mean of its square
        params = (1 - lr decay) params - lr mhat / (sqrt(vhat) + eps)
        mhat = m / (1 - beta1^step),   vhat = v / (1 - beta2^step)

    params, grads, m, v : (P,) m and v start as zeros
    step : number of this step, 1 for the first
    lr : learning rate
    decay : weight decay, a number or (P,) one for each parameter

    Returns params, m, v: new arrays.

    Source: Loshchilov, Hutter 2019 (arXiv 1711.05101), algorithm 2, with the decay multiplied by
    the learning rate as PyTorch does.
    """
    raise NotImplementedError("write adamw")
