"""Answers of students to the exercise relu: right ones, and wrong ones with what is wrong."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "where": """
import numpy as np


def relu_forward(x):
    return np.where(x > 0, x, 0), x


def relu_backward(dout, cache):
    x = cache
    return np.where(x > 0, dout, 0)
""",
    "copy": """
def relu_forward(x):
    out = x.copy()
    out[x <= 0] = 0
    return out, (out,)


def relu_backward(dout, cache):
    out = cache[0]
    dx = dout.copy()
    dx[out == 0] = 0
    return dx
""",
    "given_mask": """
import numpy as np


def relu_backward(dout, cache):
    (mask,) = cache
    dx = np.zeros_like(dout)
    dx[mask] = dout[mask]
    return dx
""",
    "halves": """
import numpy as np


def relu_forward(x):
    out = (x + abs(x)) / 2
    return out, {"x": x}


def relu_backward(dout, cache):
    x = cache["x"]
    return dout * (1 + np.sign(x)) / 2
""",
    "elements": """
import numpy as np


def relu_backward(dout, cache):
    positive = cache[0].ravel()
    flat = []
    for g, keep in zip(dout.ravel(), positive):
        flat.append(g if keep else 0.0)
    return np.array(flat, dout.dtype).reshape(dout.shape)
""",
    "forward": """
import numpy as np


def relu_forward(x):
    mask = x > 0
    return x * mask, (mask,)
""",
}

WRONG = [
    ("where", "no mask", "missing_factor", "np.where(x > 0, dout, 0)", "dout * 1.0"),
    ("where", "x in place of dout", "wrong_variable", "np.where(x > 0, dout, 0)", "np.where(x > 0, x, 0)"),
    ("where", "the mask of dout, not of x", "wrong_variable", "np.where(x > 0, dout, 0)", "np.where(dout > 0, dout, 0)"),
    ("where", "1 in place of dout", "missing_factor", "np.where(x > 0, dout, 0)", "np.where(x > 0, 1.0, 0)"),
    ("where", "the negative half lets through", "sign wrong_factor", "np.where(x > 0, dout, 0)", "np.where(x < 0, dout, 0)"),
    ("where", "negative on the left", "extra_term sign other_forward", "np.where(x > 0, dout, 0)", "np.where(x > 0, dout, -dout)"),
    ("where", "multiplied by x", "wrong_factor extra_term", "np.where(x > 0, dout, 0)", "np.where(x > 0, dout * x, 0)"),
    ("where", "the sign", "sign", "np.where(x > 0, dout, 0)", "np.where(x > 0, -dout, 0)"),
    ("where", "the leaky one's slope", "other_forward extra_term", "np.where(x > 0, dout, 0)", "np.where(x > 0, dout, 0.01 * dout)"),
    ("where", "the border at 1", "wrong_constant", "np.where(x > 0, dout, 0)", "np.where(x > 1, dout, 0)"),
    ("where", "cut off at 1 in the backward only", "other_forward extra_term", "np.where(x > 0, dout, 0)", "np.where((x > 0) & (x < 1), dout, 0)"),
    ("where", "forward: the leaky one", "other_forward extra_term", "np.where(x > 0, x, 0)", "np.where(x > 0, x, 0.1 * x)"),
    ("where", "forward: the step", "missing_factor other_forward", "np.where(x > 0, x, 0)", "np.where(x > 0, 1.0, 0)"),
    ("where", "the first image only", "incomplete", "np.where(x > 0, dout, 0)", "np.concatenate([np.where(x > 0, dout, 0)[:1], 0 * dout[1:]])"),
    ("copy", "the mask turned round", "wrong_factor sign", "dx[out == 0] = 0", "dx[out > 0] = 0"),
    ("copy", "the mask of >= 0 on the output", "missing_factor wrong_factor", "dx[out == 0] = 0", "dx[out < 0] = 0"),
    ("copy", "the cache holds the input", "wrong_cache missing_factor", "return out, (out,)", "return out, (x,)"),
    ("copy", "forward: the absolute value", "other_forward sign", "out[x <= 0] = 0", "out[x <= 0] *= -1"),
    ("given_mask", "the mean of the gradient where it passes", "wrong_variable sum_mean", "dout[mask]\n", "dout[mask].mean()\n"),
    ("given_mask", "twice as large", "scale", "= dout[mask]\n", "= 2 * dout[mask]\n"),
    ("given_mask", "divided by the batch", "scale", "return dx", "return dx / len(dx)"),
    ("halves", "the 2 forgotten", "scale wrong_constant", "(1 + np.sign(x)) / 2", "(1 + np.sign(x))"),
    ("halves", "the 1 forgotten", "missing_term", "(1 + np.sign(x)) / 2", "np.sign(x) / 2"),
    ("halves", "forward: the 2 forgotten", "scale wrong_constant", "(x + abs(x)) / 2", "x + abs(x)"),
]  # fmt: skip
