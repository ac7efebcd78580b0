"""Answers of students to the exercise log_softmax: right ones, and wrong ones with what is wrong."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "lse": """
import numpy as np


def log_softmax_forward(x):
    c = np.max(x, axis=-1, keepdims=True)
    lse = c + np.log(np.sum(np.exp(x - c), axis=-1, keepdims=True))
    y = x - lse
    return y, np.exp(y)


def log_softmax_backward(dout, cache):
    probs = cache
    total = np.sum(dout, axis=-1, keepdims=True)
    dx = dout - probs * total
    return dx
""",
    "jacobian": """
import numpy as np


def log_softmax_backward(dout, cache):
    (logp,) = cache
    K = logp.shape[-1]
    dx = np.empty_like(dout)
    for place in np.ndindex(*logp.shape[:-1]):
        p = np.exp(logp[place])
        J = np.eye(K) - np.outer(np.ones(K), p)
        dx[place] = J.T @ dout[place]
    return dx
""",
    "loops": """
import math

import numpy as np


def log_softmax_forward(x):
    K = x.shape[-1]
    rows = x.reshape(-1, K)
    out = np.empty_like(rows)
    for r, row in enumerate(rows):
        biggest = max(row)
        log_total = math.log(sum(math.exp(v - biggest) for v in row))
        for k in range(K):
            out[r, k] = row[k] - biggest - log_total
    out = out.reshape(x.shape)
    return out, {"out": out}


def log_softmax_backward(dout, cache):
    p = np.exp(cache["out"])
    dx = dout.copy()
    for place in np.ndindex(*dout.shape[:-1]):
        for i in range(dout.shape[-1]):
            for g in dout[place]:
                dx[place][i] -= p[place][i] * g
    return dx
""",
    "steps": """
import numpy as np


def log_softmax_forward(x):
    shifted = x - x.max(-1, keepdims=True)
    e = np.exp(shifted)
    s = e.sum(-1, keepdims=True)
    return shifted - np.log(s), (e, s)


def log_softmax_backward(dout, cache):
    e, s = cache
    dlog = -dout.sum(axis=-1, keepdims=True)
    ds = dlog / s
    de = ds * np.ones_like(e)
    dshifted = dout + de * e
    return dshifted
""",
    "from_softmax": """
import numpy as np

from tinyvit.ops import softmax_backward, softmax_forward


def log_softmax_forward(x):
    p, cache = softmax_forward(x)
    return np.log(p), (p, cache)


def log_softmax_backward(dout, cache):
    p, inner = cache
    return softmax_backward(dout / p, inner)
""",
    "forward": """
import numpy as np


def log_softmax_forward(x):
    out = x - np.logaddexp.reduce(x, axis=-1, keepdims=True)
    return out, (out,)
""",
}

WRONG = [
    ("lse", "the sum over the wrong axis", "wrong_axis", "np.sum(dout, axis=-1", "np.sum(dout, axis=-2"),
    ("lse", "the sum over the whole array", "wrong_axis", "np.sum(dout, axis=-1, keepdims=True)", "np.sum(dout)"),
    ("lse", "the mean, not the sum", "sum_mean", "total = np.sum", "total = np.mean"),
    ("lse", "added", "sign", "dout - probs * total", "dout + probs * total"),
    ("lse", "the second term forgotten", "missing_term elementwise", "dout - probs * total", "dout * 1.0"),
    ("lse", "the first term forgotten", "missing_term", "dout - probs * total", "-probs * total"),
    ("lse", "softmax forgotten", "missing_factor", "dout - probs * total", "dout - total"),
    ("lse", "dout forgotten in the sum, as for a one-hot", "missing_factor", "dout - probs * total", "dout - probs"),
    ("lse", "dout for its sum", "elementwise wrong_variable", "dout - probs * total", "dout - probs * dout"),
    ("lse", "softmax's gradient", "other_forward", "dout - probs * total", "probs * (dout - (dout * probs).sum(axis=-1, keepdims=True))"),
    ("lse", "the whole sign", "sign", "dout - probs * total", "probs * total - dout"),
    ("lse", "divided by the rows", "scale", "return dx", "return dx / len(dx)"),
    ("lse", "the sum weighted with softmax", "wrong_factor extra_term", "np.sum(dout, axis", "np.sum(dout * probs, axis"),
    ("lse", "the cache holds the logarithms", "wrong_cache wrong_variable", "return y, np.exp(y)", "return y, y"),
    ("lse", "the cache holds the exponentials, not divided", "wrong_cache missing_factor", "return y, np.exp(y)", "return y, np.exp(x - c)"),
    ("lse", "forward: the maximum not put back", "missing_term", "lse = c + np.log", "lse = np.log"),
    ("lse", "forward: over the wrong axis", "wrong_axis", "np.sum(np.exp(x - c), axis=-1", "np.sum(np.exp(x - c), axis=-2"),
    ("jacobian", "the Jacobian not transposed", "transposed", "J.T @", "J @"),
    ("jacobian", "the ones on the diagonal times p", "wrong_variable wrong_factor extra_term", "np.eye(K) -", "np.diag(p) -"),
    ("jacobian", "the last row left zero", "incomplete", "np.empty_like(dout)\n    for place in np.ndindex(*logp.shape[:-1]):", "np.zeros_like(dout)\n    for place in np.ndindex(*logp[..., :-1, 0].shape):"),
    ("jacobian", "the logarithm in place of the probability", "wrong_variable missing_factor", "p = np.exp(logp[place])", "p = logp[place]"),
    ("loops", "the last only is subtracted", "incomplete", "for g in dout[place]:", "for g in dout[place][-1:]:"),
    ("loops", "forward: the logarithm of base 2", "wrong_constant other_forward", "math.log(sum", "math.log2(sum"),
    ("loops", "forward: the mean in the logarithm", "sum_mean", "math.log(sum(math.exp(v - biggest) for v in row))", "math.log(sum(math.exp(v - biggest) for v in row) / K)"),
    ("steps", "the derivative of the logarithm forgotten", "missing_factor", "ds = dlog / s", "ds = dlog"),
    ("steps", "the derivative of exp forgotten", "missing_factor", "dout + de * e", "dout + de"),
    ("steps", "x is used twice, the first forgotten", "fork missing_term", "dout + de * e", "de * e"),
    ("steps", "the sign of the logarithm's way", "sign", "dlog = -dout", "dlog = dout"),
    ("from_softmax", "1/p forgotten", "missing_factor other_forward", "dout / p", "dout"),
    ("from_softmax", "times p", "wrong_factor", "dout / p", "dout * p"),
]  # fmt: skip
