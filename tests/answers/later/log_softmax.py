"""Later answers to the exercise log_softmax, written after the diagnosis was finished."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "saved_probabilities": """
import numpy as np


def log_softmax_forward(x):
    z = x - np.amax(x, axis=-1, keepdims=True)
    up = np.exp(z)
    total = np.sum(up, axis=-1, keepdims=True)
    return z - np.log(total), {"p": up / total}


def log_softmax_backward(dout, cache):
    p = cache["p"]
    dx = dout - p * np.sum(dout, axis=-1, keepdims=True)
    return dx
""",
    "from_x_alone": """
import numpy as np


def log_softmax_forward(x):
    top = x.max(axis=-1)[..., None]
    return x - top - np.log(np.exp(x - top).sum(axis=-1))[..., None], x


def log_softmax_backward(dout, cache):
    x = cache
    e = np.exp(x - x.max(axis=-1)[..., None])
    s = e.sum(axis=-1)[..., None]
    # out = x - log(s)
    dlog = -dout.sum(axis=-1)[..., None]
    ds = dlog / s
    de = ds * np.ones_like(e)
    dx = dout + de * e
    return dx
""",
}

WRONG = [
    ("saved_probabilities", "p forgotten", "missing_factor", "dout - p * np.sum", "dout - np.sum"),
    ("saved_probabilities", "plus", "sign", "dx = dout - p", "dx = dout + p"),
    ("saved_probabilities", "axis 0", "wrong_axis", "np.sum(dout, axis=-1", "np.sum(dout, axis=0"),
    ("saved_probabilities", "the mean of dout", "sum_mean", "np.sum(dout,", "np.mean(dout,"),
    ("saved_probabilities", "p times its own dout", "elementwise wrong_variable", "p * np.sum(dout, axis=-1, keepdims=True)", "p * dout"),
    ("saved_probabilities", "softmax's backward", "other_forward", "dout - p * np.sum(dout, axis=-1, keepdims=True)", "p * (dout - np.sum(p * dout, axis=-1, keepdims=True))"),
    ("saved_probabilities", "the cache holds up, not divided by the total", "wrong_cache missing_factor", '{"p": up / total}', '{"p": up}'),
    ("saved_probabilities", "forward: the total over all rows", "wrong_axis", "np.sum(up, axis=-1, keepdims=True)", "np.sum(up)"),
    ("saved_probabilities", "forward: the log forgotten", "missing_factor other_forward", "z - np.log(total)", "z - total"),
    ("from_x_alone", "1/s of the logarithm forgotten", "missing_factor", "ds = dlog / s", "ds = dlog"),
    ("from_x_alone", "the minus of the logarithm's way", "sign", "dlog = -dout.sum", "dlog = dout.sum"),
    ("from_x_alone", "x's own way forgotten", "fork missing_term", "dx = dout + de * e", "dx = de * e"),
    ("from_x_alone", "the way through the logarithm forgotten", "fork missing_term elementwise", "dx = dout + de * e", "dx = dout.copy()"),
    ("saved_probabilities", "forward: minus the logarithm", "sign", "return z - np.log(total)", "return np.log(total) - z"),
]  # fmt: skip
