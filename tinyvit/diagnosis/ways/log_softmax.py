"""Log-softmax: other ways to write it."""

import numpy as np

given = None  # the forward's arguments, put here before each call


def through_each_step(dout, cache):
    """Back through log, sum and exp, one after the other."""
    shifted = given.x - given.x.max(axis=-1, keepdims=True)
    exps = np.exp(shifted)
    total = exps.sum(axis=-1, keepdims=True)
    dlog_total = -dout.sum(axis=-1, keepdims=True)
    dtotal = dlog_total / total
    dexps = dtotal * np.ones_like(exps)
    dshifted = dexps * exps
    return dout + dshifted


def through_the_jacobian(dout, cache):
    """Through the Jacobian matrix of each row."""
    (out,) = cache
    K = out.shape[-1]
    probs = np.exp(out)
    jacobian = np.eye(K) - probs[..., None, :]
    return (dout[..., None, :] @ jacobian)[..., 0, :]


def through_softmax(dout, cache):
    """Back through the log, then through softmax."""
    (out,) = cache
    probs = np.exp(out)
    dprobs = dout / probs
    total = (dprobs * probs).sum(axis=-1, keepdims=True)
    return probs * (dprobs - total)


def with_softmax_again(dout, cache):
    """With softmax computed again from x."""
    exps = np.exp(given.x - given.x.max(axis=-1, keepdims=True))
    probs = exps / exps.sum(axis=-1, keepdims=True)
    total = dout.sum(axis=-1, keepdims=True)
    return dout - probs * total


def log_of_softmax(x):
    """The log of softmax."""
    exps = np.exp(x - x.max(axis=-1, keepdims=True))
    total = exps.sum(axis=-1, keepdims=True)
    probs = exps / total
    return np.log(probs), None


def less_log_sum_exp(x):
    """x less the log of the sum of exps."""
    highest = x.max(axis=-1, keepdims=True)
    total = np.exp(x - highest).sum(axis=-1, keepdims=True)
    log_total = highest + np.log(total)
    return x - log_total, None


FORWARD = (log_of_softmax, less_log_sum_exp)
BACKWARD = (through_each_step, through_the_jacobian, through_softmax, with_softmax_again)
