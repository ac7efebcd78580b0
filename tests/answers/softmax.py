"""Answers of students to the exercise softmax: right ones, and wrong ones with what is wrong."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "jacobian": """
import numpy as np


def softmax_backward(dout, cache):
    (p,) = cache
    K = p.shape[-1]
    rows = p.reshape(-1, K)
    grads = dout.reshape(-1, K)
    dx = np.zeros_like(rows)
    for r, (s, g) in enumerate(zip(rows, grads)):
        s = s.reshape(-1, 1)
        J = np.diagflat(s) - np.dot(s, s.T)
        dx[r] = J @ g
    return dx.reshape(p.shape)
""",
    "jacobian_batched": """
import numpy as np


def softmax_backward(dout, cache):
    p = cache[0]
    K = p.shape[-1]
    J = p[..., :, None] * np.eye(K) - p[..., :, None] * p[..., None, :]
    return np.einsum("...ij,...j->...i", J, dout)
""",
    "short": """
import numpy as np


def softmax_forward(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    y = e / np.sum(e, axis=-1, keepdims=True)
    return y, y


def softmax_backward(dout, cache):
    y = cache
    dx = y * dout
    dx = dx - y * np.sum(y * dout, axis=-1, keepdims=True)
    return dx
""",
    "loops": """
import math

import numpy as np


def softmax_forward(x):
    out = np.empty_like(x)
    for place in np.ndindex(*x.shape[:-1]):
        biggest = max(x[place])
        total = 0.0
        for value in x[place]:
            total += math.exp(value - biggest)
        for k, value in enumerate(x[place]):
            out[place][k] = math.exp(value - biggest) / total
    return out, {"out": out}


def softmax_backward(dout, cache):
    y = cache["out"]
    K = y.shape[-1]
    dx = np.zeros_like(y)
    for place in np.ndindex(*y.shape[:-1]):
        p, g = y[place], dout[place]
        for i in range(K):
            for j in range(K):
                if i == j:
                    dx[place][i] += g[j] * p[i] * (1 - p[i])
                else:
                    dx[place][i] += -g[j] * p[i] * p[j]
    return dx
""",
    "through_exp": """
import numpy as np


def softmax_forward(x):
    top = x.max(axis=-1, keepdims=True)
    e = np.exp(x - top)
    s = e.sum(axis=-1, keepdims=True)
    return e / s, (e, s)


def softmax_backward(dout, cache):
    e, s = cache
    # out = e / s
    de = dout / s
    ds = -(dout * e).sum(axis=-1, keepdims=True) / s**2
    # s = sum(e), so e is used twice
    de = de + ds
    # e = exp(x - top)
    dx = de * e
    return dx
""",
    "logs": """
import numpy as np


def softmax_forward(x):
    top = np.amax(x, axis=-1, keepdims=True)
    lse = top + np.log(np.exp(x - top).sum(axis=-1, keepdims=True))
    out = np.exp(x - lse)
    return out, (out,)
""",
    "from_log_softmax": """
import numpy as np

from tinyvit.ops import log_softmax_backward, log_softmax_forward


def softmax_forward(x):
    logp, cache = log_softmax_forward(x)
    p = np.exp(logp)
    return p, (p, cache)


def softmax_backward(dout, cache):
    p, log_cache = cache
    dlogp = dout * p
    return log_softmax_backward(dlogp, log_cache)
""",
    "matmul": """
def softmax_backward(dout, cache):
    (p,) = cache
    dot = (dout[..., None, :] @ p[..., :, None])[..., 0]
    return (dout - dot) * p
""",
    "float32": """
import numpy as np


def softmax_forward(x):
    z = x.astype(np.float32)
    e = np.exp(z - z.max(-1)[..., None])
    p = e / e.sum(-1)[..., None]
    return p.astype(x.dtype), p


def softmax_backward(dout, cache):
    p = cache
    g = dout.astype(np.float32)
    weighted = g * p
    return (weighted - p * weighted.sum(-1)[..., None]).astype(dout.dtype)
""",
}

WRONG = [
    ("jacobian", "the diagonal of the Jacobian only", "elementwise missing_term", "np.diagflat(s) - np.dot(s, s.T)", "np.diagflat(s * (1 - s))"),
    ("jacobian", "the diagonal without the outer product", "missing_term elementwise", "np.diagflat(s) - np.dot(s, s.T)", "np.diagflat(s)"),
    ("jacobian", "the outer product without the diagonal", "missing_term", "np.diagflat(s) - np.dot(s, s.T)", "-np.dot(s, s.T)"),
    ("jacobian", "the outer product added", "sign", "np.diagflat(s) - ", "np.diagflat(s) + "),
    ("jacobian", "1 on the diagonal, not s", "missing_factor wrong_variable", "np.diagflat(s) -", "np.eye(K) -"),
    ("jacobian", "the whole sign", "sign", "np.diagflat(s) - np.dot(s, s.T)", "np.dot(s, s.T) - np.diagflat(s)"),
    ("jacobian", "the last row left zero", "incomplete", "in enumerate(zip(rows, grads)):", "in enumerate(zip(rows[:-1], grads)):"),
    ("jacobian", "the first row only", "incomplete", "in enumerate(zip(rows, grads)):", "in enumerate(zip(rows[:1], grads)):"),
    ("jacobian", "dx = J @ s, not J @ dout", "wrong_variable", "J @ g", "J @ s[:, 0]"),
    ("jacobian_batched", "the square of the diagonal", "wrong_factor wrong_variable missing_term", "p[..., :, None] * np.eye(K) -", "p[..., :, None] ** 2 * np.eye(K) -"),
    ("short", "the sum over the wrong axis", "wrong_axis", "np.sum(y * dout, axis=-1", "np.sum(y * dout, axis=-2"),
    ("short", "the sum over the first axis", "wrong_axis", "np.sum(y * dout, axis=-1", "np.sum(y * dout, axis=0"),
    ("short", "the sum over the whole array", "wrong_axis", "np.sum(y * dout, axis=-1, keepdims=True)", "np.sum(y * dout)"),
    ("short", "the mean, not the sum", "sum_mean", "np.sum(y * dout", "np.mean(y * dout"),
    ("short", "out forgotten in the sum", "missing_factor wrong_variable", "np.sum(y * dout, ", "np.sum(dout, "),
    ("short", "dout forgotten in the sum", "missing_factor wrong_variable", "np.sum(y * dout, ", "np.sum(y, "),
    ("short", "out forgotten in front of the sum", "missing_factor", "dx - y * np.sum", "dx - np.sum"),
    ("short", "out forgotten in the first term", "missing_factor", "dx = y * dout\n", "dx = dout\n"),
    ("short", "the sum is added", "sign", "dx - y *", "dx + y *"),
    ("short", "the term of the sum forgotten", "missing_term elementwise", "dx = dx - y * np.sum(y * dout, axis=-1, keepdims=True)", "dx = 1.0 * dx"),
    ("short", "the derivative of the sigmoid", "elementwise", "dx = dx - y * np.sum(y * dout, axis=-1, keepdims=True)", "dx = dx * (1 - y)"),
    ("short", "divided by the number of rows", "scale", "return dx", "return dx / len(dx)"),
    ("short", "twice as large", "scale", "return dx", "return 2 * dx"),
    ("short", "divided by K", "scale", "return dx", "return dx / dx.shape[-1]"),
    ("short", "log-softmax's gradient", "other_forward", "dx - y * np.sum(y * dout, axis=-1, keepdims=True)", "dout - y * np.sum(dout, axis=-1, keepdims=True)"),
    ("short", "softmax minus target, as if cross-entropy came next", "other_forward", "dx - y * np.sum(y * dout, axis=-1, keepdims=True)", "y - dout"),
    ("short", "the cache holds x", "wrong_cache wrong_variable", "return y, y\n", "return y, x\n"),
    ("short", "the cache holds the exponentials", "wrong_cache wrong_variable", "return y, y\n", "return y, e\n"),
    ("short", "forward: over the wrong axis", "wrong_axis", "e / np.sum(e, axis=-1,", "e / np.sum(e, axis=-2,"),
    ("short", "forward: over the whole array", "wrong_axis", "e / np.sum(e, axis=-1, keepdims=True)", "e / np.sum(e)"),
    ("short", "forward: the mean, not the sum", "sum_mean scale", "e / np.sum(e", "e / np.mean(e"),
    ("short", "forward: the maximum subtracted above the line only", "missing_term wrong_variable", "y = e / np.sum(e,", "y = e / np.sum(np.exp(x),"),
    ("loops", "wrong sign beside the diagonal", "sign", "+= -g[j] * p[i] * p[j]", "+= g[j] * p[i] * p[j]"),
    ("loops", "g[i] for g[j]", "wrong_variable elementwise", "+= -g[j] * p[i] * p[j]", "+= -g[i] * p[i] * p[j]"),
    ("loops", "not added up over j", "incomplete", "+= -g[j]", "= -g[j]"),
    ("loops", "beside the diagonal as on it", "wrong_factor wrong_variable", "-g[j] * p[i] * p[j]", "-g[j] * p[i] * (1 - p[j])"),
    ("loops", "1 - p forgotten on the diagonal", "missing_factor missing_term", "* p[i] * (1 - p[i])", "* p[i]"),
    ("loops", "forward: the last value left out of the sum", "incomplete missing_term", "for value in x[place]:", "for value in x[place][:-1]:"),
    ("loops", "forward: the power of 2", "wrong_constant other_forward", "math.exp(value - biggest) / total", "2 ** (value - biggest) / total"),
    ("through_exp", "e is used twice, forgotten", "fork missing_term elementwise", "de = de + ds", "de = de + 0 * ds"),
    ("through_exp", "e is used twice, the first forgotten", "fork missing_term", "de = de + ds", "de = ds"),
    ("through_exp", "sign of the quotient rule", "sign", "ds = -(dout", "ds = (dout"),
    ("through_exp", "the square of the quotient rule forgotten", "wrong_factor missing_factor", "/ s**2", "/ s"),
    ("through_exp", "e forgotten in the quotient rule", "missing_factor", "ds = -(dout * e)", "ds = -(dout)"),
    ("through_exp", "the derivative of exp forgotten", "missing_factor", "dx = de * e", "dx = de * 1.0"),
    ("through_exp", "out for the exponentials", "wrong_variable wrong_factor", "dx = de * e", "dx = de * e / s"),
    ("logs", "forward: log-softmax returned", "other_forward", "out = np.exp(x - lse)", "out = x - lse"),
    ("from_log_softmax", "the factor of exp's derivative forgotten", "missing_factor other_forward", "dlogp = dout * p", "dlogp = dout"),
    ("from_log_softmax", "divided, not multiplied", "wrong_factor", "dlogp = dout * p", "dlogp = dout / p"),
    ("matmul", "out forgotten in front", "missing_factor", "(dout - dot) * p", "dout - dot"),
    ("matmul", "the other way round", "sign", "(dout - dot) * p", "(dot - dout) * p"),
]  # fmt: skip
