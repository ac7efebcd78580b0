"""Later answers to the exercise relu, written after the diagnosis was finished."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "maximum": """
import numpy as np


def relu_forward(x):
    out = np.maximum(0, x)
    return out, {"x": x, "out": out}


def relu_backward(dout, cache):
    x = cache["x"]
    slope = np.zeros_like(x)
    slope[x > 0] = 1
    return slope * dout
""",
    "sign": """
import numpy as np


def relu_forward(x):
    y = x * np.heaviside(x, 0)
    return y, y


def relu_backward(dout, cache):
    y = cache
    return dout * np.sign(y)
""",
}

WRONG = [
    ("maximum", "dout forgotten", "missing_factor", "return slope * dout", "return slope"),
    ("maximum", "the output's gradient passed on as it is", "missing_factor", "return slope * dout", "return 1.0 * dout"),
    ("maximum", "1 where x is negative", "wrong_factor sign wrong_variable", "slope[x > 0] = 1", "slope[x < 0] = 1"),
    ("maximum", "the place of dout's positive values", "wrong_variable", "slope[x > 0] = 1", "slope[dout > 0] = 1"),
    ("maximum", "the slope is x, not 1", "wrong_factor wrong_variable extra_term", "slope[x > 0] = 1", "slope[x > 0] = x[x > 0]"),
    ("maximum", "-1 left of 0", "extra_term sign other_forward", "slope = np.zeros_like(x)", "slope = -np.ones_like(x)"),
    ("maximum", "forward: the minimum", "other_forward sign", "np.maximum(0, x)", "np.minimum(0, x)"),
    ("maximum", "forward: nothing is cut off below -1", "other_forward wrong_constant extra_term", "np.maximum(0, x)", "np.maximum(-1, x)"),
    ("sign", "the value, not its sign", "wrong_factor wrong_variable", "dout * np.sign(y)", "dout * y"),
    ("sign", "minus", "sign", "dout * np.sign(y)", "-dout * np.sign(y)"),
    ("sign", "the cache holds the input", "wrong_cache wrong_variable", "return y, y", "return y, x"),
    ("sign", "half of it, as at 0", "scale wrong_constant", "dout * np.sign(y)", "0.5 * dout * np.sign(y)"),
    ("maximum", "forward: cut off at 1 too", "other_forward", "np.maximum(0, x)", "np.clip(x, 0, 1)"),
]  # fmt: skip
