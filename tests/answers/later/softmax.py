"""Later answers to the exercise softmax, written after the diagnosis was finished."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "reciprocal": """
import numpy as np


def softmax_forward(x):
    num = np.exp(x - np.max(x, axis=-1, keepdims=True))
    den = np.sum(num, axis=-1, keepdims=True)
    inv = 1.0 / den
    return num * inv, (num, den, inv)


def softmax_backward(dout, cache):
    num, den, inv = cache
    # out = num * inv
    dnum = dout * inv
    dinv = np.sum(dout * num, axis=-1, keepdims=True)
    # inv = 1 / den
    dden = -dinv / den**2
    # den = sum(num)
    dnum += dden * np.ones_like(num)
    # num = exp(...)
    return dnum * num
""",
    "weighted": """
import numpy as np


def softmax_backward(dout, cache):
    probs = cache[0]
    weighted = dout * probs
    total = np.einsum("...k->...", weighted)
    return weighted - np.einsum("...,...k->...k", total, probs)
""",
    "kronecker": """
import numpy as np


def softmax_forward(x):
    rows = x.reshape(-1, x.shape[-1])
    y = np.empty_like(rows)
    for n, row in enumerate(rows):
        up = np.exp(row - row.max())
        y[n] = up / up.sum()
    return y.reshape(x.shape), y


def softmax_backward(dout, cache):
    y = cache
    n_rows, k = y.shape
    g = dout.reshape(n_rows, k)
    dx = np.zeros_like(y)
    for n in range(n_rows):
        for i in range(k):
            for j in range(k):
                delta = 1.0 if i == j else 0.0
                dx[n, i] += y[n, j] * (delta - y[n, i]) * g[n, j]
    return dx.reshape(dout.shape)
""",
}

WRONG = [
    ("reciprocal", "the minus of 1 / den forgotten", "sign", "dden = -dinv", "dden = dinv"),
    ("reciprocal", "the way through den never added", "fork missing_term", "dnum += dden", "dden = dden"),
    ("reciprocal", "dinv: summed over the rows", "wrong_axis", "dinv = np.sum(dout * num, axis=-1", "dinv = np.sum(dout * num, axis=-2"),
    ("reciprocal", "dinv: averaged", "sum_mean", "dinv = np.sum(", "dinv = np.mean("),
    ("reciprocal", "dinv: num forgotten", "missing_factor", "dinv = np.sum(dout * num,", "dinv = np.sum(dout,"),
    ("reciprocal", "forward: the sum of each column", "wrong_axis", "den = np.sum(num, axis=-1", "den = np.sum(num, axis=-2"),
    ("reciprocal", "forward: exp of minus x", "sign", "x - np.max(x, axis=-1, keepdims=True)", "np.min(x, axis=-1, keepdims=True) - x"),
    ("weighted", "the total not shared out by the probabilities", "missing_factor", 'np.einsum("...,...k->...k", total, probs)', "total[..., None]"),
    ("weighted", "plus the total", "sign", "return weighted -", "return weighted +"),
    ("weighted", "p (1 - p) as for one number", "elementwise", 'weighted - np.einsum("...,...k->...k", total, probs)', "weighted - weighted * probs"),
    ("weighted", "only the first term", "missing_term elementwise", 'weighted - np.einsum("...,...k->...k", total, probs)', "weighted"),
    ("kronecker", "delta is 1 everywhere", "extra_term elementwise wrong_constant", "1.0 if i == j else 0.0", "1.0"),
    ("kronecker", "the gradient of place i", "wrong_variable elementwise", "* g[n, j]", "* g[n, i]"),
    ("kronecker", "forward: divided by the mean", "sum_mean scale", "up / up.sum()", "up / up.mean()"),
]  # fmt: skip
