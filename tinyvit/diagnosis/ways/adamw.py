"""AdamW: other ways to write it."""

from math import sqrt

import numpy as np


def with_hats(params, grads, m, v, *, step, lr, decay, beta1=0.9, beta2=0.999, eps=1e-8):
    """As in the paper: mhat, vhat, then the step and the decay together."""
    m = beta1 * m + (1 - beta1) * grads
    v = beta2 * v + (1 - beta2) * grads**2
    mhat = m / (1 - beta1**step)
    vhat = v / (1 - beta2**step)
    update = mhat / (np.sqrt(vhat) + eps) + decay * params
    params = params - lr * update
    return params, m, v


def decay_first(params, grads, m, v, *, step, lr, decay, beta1=0.9, beta2=0.999, eps=1e-8):
    """The weights shrink first, then they take Adam's step."""
    params = params * (1 - lr * decay)
    m = m * beta1 + grads * (1 - beta1)
    v = v * beta2 + grads * grads * (1 - beta2)
    mhat = m / (1 - beta1**step)
    vhat = v / (1 - beta2**step)
    params = params - lr * mhat / (np.sqrt(vhat) + eps)
    return params, m, v


def with_corrections(params, grads, m, v, *, step, lr, decay, beta1=0.9, beta2=0.999, eps=1e-8):
    """As PyTorch does: corrections of the step size and of the root."""
    m = m + (1 - beta1) * (grads - m)
    v = v + (1 - beta2) * (grads**2 - v)
    correction1 = 1 - beta1**step
    correction2 = 1 - beta2**step
    step_size = lr / correction1
    root = np.sqrt(v) / sqrt(correction2) + eps
    params = params - lr * decay * params
    params = params - step_size * (m / root)
    return params, m, v


FUNCTION = (with_hats, decay_first, with_corrections)
