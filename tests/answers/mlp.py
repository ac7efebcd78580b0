"""Answers of students to the exercise mlp: right ones, and wrong ones with what is wrong."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "pairs": """
from tinyvit.ops import (
    gelu_backward,
    gelu_forward,
    linear_backward,
    linear_forward,
    relu_backward,
    relu_forward,
)


def mlp_forward(x, fc1_weight, fc1_bias, fc2_weight, fc2_bias, activation="gelu"):
    a, cache1 = linear_forward(x, fc1_weight, fc1_bias)
    if activation == "relu":
        b, cache2 = relu_forward(a)
    elif activation == "gelu_tanh":
        b, cache2 = gelu_forward(a, "tanh")
    else:
        b, cache2 = gelu_forward(a)
    c, cache3 = linear_forward(b, fc2_weight, fc2_bias)
    return c, (activation, cache1, cache2, cache3)


def mlp_backward(dout, cache):
    activation, cache1, cache2, cache3 = cache
    db, dw2, dbias2 = linear_backward(dout, cache3)
    if activation == "relu":
        da = relu_backward(db, cache2)
    else:
        da = gelu_backward(db, cache2)
    dx, dw1, dbias1 = linear_backward(da, cache1)
    return dx, dw1, dbias1, dw2, dbias2
""",
    "by_hand": """
import math

import numpy as np

erf = np.vectorize(math.erf, otypes=[float])


def slope(z, kind):
    if kind == "relu":
        return (z > 0).astype(z.dtype)
    if kind == "gelu":
        bell = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        return (1 + erf(z / math.sqrt(2))) / 2 + z * bell
    u = math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)
    du = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z**2)
    return 0.5 * (1 + np.tanh(u)) + 0.5 * z * (1 - np.tanh(u) ** 2) * du


def act(z, kind):
    if kind == "relu":
        return np.maximum(z, 0)
    if kind == "gelu":
        return z * (1 + erf(z / math.sqrt(2))) / 2
    return 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


def mlp_forward(x, fc1_weight, fc1_bias, fc2_weight, fc2_bias, activation="gelu"):
    z = x @ fc1_weight.T
    if fc1_bias is not None:
        z = z + fc1_bias
    a = act(z, activation)
    out = a @ fc2_weight.T
    if fc2_bias is not None:
        out = out + fc2_bias
    return out, (x, fc1_weight, fc1_bias, fc2_weight, fc2_bias, z, a, activation)


def mlp_backward(dout, cache):
    x, W1, b1, W2, b2, z, a, activation = cache
    flat = dout.reshape(-1, dout.shape[-1])
    dW2 = flat.T @ a.reshape(-1, a.shape[-1])
    db2 = None if b2 is None else flat.sum(0)
    da = dout @ W2
    dz = da * slope(z, activation)
    dz_flat = dz.reshape(-1, dz.shape[-1])
    dW1 = dz_flat.T @ x.reshape(-1, x.shape[-1])
    db1 = None if b1 is None else dz_flat.sum(0)
    dx = dz @ W1
    return dx, dW1, db1, dW2, db2
""",
    "given_cache": """
import numpy as np

from tinyvit.ops import dropout_backward, gelu_backward, relu_backward


def mlp_backward(dout, cache):
    (x, w1, b1), kind, act_cache, drop_cache, (h, w2, b2) = cache
    dw2 = np.einsum("...o,...i->...oi", dout, h).reshape(-1, *w2.shape).sum(0)
    dh = np.einsum("...o,oi->...i", dout, w2)
    dh = dropout_backward(dh, drop_cache)
    back = {"relu": relu_backward}.get(kind, gelu_backward)
    dz = back(dh, act_cache)
    dw1 = np.einsum("...o,...i->...oi", dz, x).reshape(-1, *w1.shape).sum(0)
    dx = np.einsum("...o,oi->...i", dz, w1)
    axes = tuple(range(dout.ndim - 1))
    db1 = dz.sum(axes) if b1 is not None else None
    db2 = dout.sum(axes) if b2 is not None else None
    return dx, dw1, db1, dw2, db2
""",
    "rows": """
import numpy as np

from tinyvit.ops import gelu_backward, gelu_forward, relu_backward, relu_forward


def mlp_forward(
    x, fc1_weight, fc1_bias, fc2_weight, fc2_bias, activation="gelu", drop_rate=0.0, rng=None
):
    rows = x.reshape(-1, x.shape[-1])
    hidden = np.dot(rows, fc1_weight.T)
    if fc1_bias is not None:
        hidden = hidden + fc1_bias
    if activation == "relu":
        active, inner = relu_forward(hidden)
    else:
        how = "none" if activation == "gelu" else "tanh"
        active, inner = gelu_forward(hidden, approximate=how)
    keep = np.ones_like(active)
    if rng is not None and drop_rate > 0:
        drawn = rng.random(x.shape[:-1] + hidden.shape[1:]).reshape(hidden.shape)
        keep = (drawn >= drop_rate) / (1 - drop_rate)
    active = active * keep
    out = np.dot(active, fc2_weight.T)
    if fc2_bias is not None:
        out = out + fc2_bias
    cache = {"rows": rows, "inner": inner, "active": active, "keep": keep}
    cache["weights"] = fc1_weight, fc2_weight
    cache["biases"] = fc1_bias, fc2_bias
    cache["relu"] = activation == "relu"
    return out.reshape(x.shape), cache


def mlp_backward(dout, cache):
    rows, active = cache["rows"], cache["active"]
    w1, w2 = cache["weights"]
    b1, b2 = cache["biases"]
    g = dout.reshape(rows.shape)
    drows = np.zeros_like(rows)
    dw1, dw2 = np.zeros_like(w1), np.zeros_like(w2)
    dactive = np.zeros_like(active)
    for r in range(len(g)):
        dw2 += np.outer(g[r], active[r])
        dactive[r] = w2.T @ g[r]
    dactive = dactive * cache["keep"]
    if cache["relu"]:
        dhidden = relu_backward(dactive, cache["inner"])
    else:
        dhidden = gelu_backward(dactive, cache["inner"])
    for r in range(len(g)):
        dw1 += np.outer(dhidden[r], rows[r])
        drows[r] = w1.T @ dhidden[r]
    db1 = None if b1 is None else dhidden.sum(axis=0)
    db2 = None if b2 is None else g.sum(axis=0)
    return drows.reshape(dout.shape), dw1, db1, dw2, db2
""",
    "forward": """
import numpy as np

from tinyvit.ops import gelu_forward, relu_forward


def mlp_forward(x, fc1_weight, fc1_bias, fc2_weight, fc2_bias, activation="gelu"):
    h = np.einsum("...i,oi->...o", x, fc1_weight)
    h = h if fc1_bias is None else h + fc1_bias
    if activation == "relu":
        a, act_cache = relu_forward(h)
    else:
        a, act_cache = gelu_forward(h, {"gelu": "none", "gelu_tanh": "tanh"}[activation])
    y = np.einsum("...i,oi->...o", a, fc2_weight)
    y = y if fc2_bias is None else y + fc2_bias
    first, second = (x, fc1_weight, fc1_bias), (a, fc2_weight, fc2_bias)
    return y, (first, activation, act_cache, (None,), second)
""",
}

WRONG = [
    ("pairs", "the activation's backward left out", "missing_factor", "        da = gelu_backward(db, cache2)\n", "        da = db\n"),
    ("pairs", "relu: the activation's backward left out", "missing_factor", "        da = relu_backward(db, cache2)\n", "        da = db\n"),
    ("pairs", "the biases' gradients: the mean over the rows", "scale sum_mean", "return dx, dw1, dbias1, dw2, dbias2", "n = dout[..., 0].size\n    dbias1, dbias2 = (None if g is None else g / n for g in (dbias1, dbias2))\n    return dx, dw1, dbias1, dw2, dbias2"),
    ("pairs", "the first layer gets the gradient of the activation's output", "wrong_variable missing_factor", "linear_backward(da, cache1)", "linear_backward(db, cache1)"),
    ("pairs", "the sign of dx", "sign", "return dx, dw1, dbias1", "return -dx, dw1, dbias1"),
    ("pairs", "the gradient scaled by the batch", "scale", "linear_backward(dout, cache3)", "linear_backward(dout / len(dout), cache3)"),
    ("pairs", "the residual added: it belongs to the block", "extra_term", "return dx, dw1, dbias1", "return dx + dout, dw1, dbias1"),
    ("pairs", "gelu_tanh: forward is the exact one", "other_forward", 'gelu_forward(a, "tanh")', "gelu_forward(a)"),
    ("pairs", "forward: the tanh form for gelu", "other_forward", "b, cache2 = gelu_forward(a)\n", 'b, cache2 = gelu_forward(a, approximate="tanh")\n'),
    ("by_hand", "dW1 with dout, not x", "wrong_variable", "dW1 = dz_flat.T @ x.reshape(-1, x.shape[-1])", "dW1 = dz_flat.T @ dout.reshape(-1, x.shape[-1])"),
    ("by_hand", "dW2 with z, before the activation", "wrong_variable missing_factor", "a.reshape(-1, a.shape[-1])", "z.reshape(-1, a.shape[-1])"),
    ("by_hand", "the slope taken at the activation's output", "wrong_variable", "slope(z, activation)", "slope(a, activation)"),
    ("by_hand", "the slope taken of da", "wrong_variable", "slope(z, activation)", "slope(da, activation)"),
    ("by_hand", "the activation, not its slope", "wrong_factor wrong_variable", "da * slope(z, activation)", "da * act(z, activation)"),
    ("by_hand", "da forgotten", "missing_factor", "dz = da * slope", "dz = slope"),
    ("by_hand", "db1 of the gradient before the activation", "wrong_variable missing_factor", "dz_flat.sum(0)", "da.reshape(dz_flat.shape).sum(0)"),
    ("by_hand", "db1: the mean", "scale sum_mean", "dz_flat.sum(0)", "dz_flat.mean(0)"),
    ("by_hand", "db2: the mean", "scale sum_mean", "flat.sum(0)\n    da", "flat.mean(0)\n    da"),
    ("by_hand", "db2 of the first row", "incomplete", "flat.sum(0)\n    da", "flat[0]\n    da"),
    ("by_hand", "dW2 exchanged, then reshaped", "transposed wrong_order", "dW2 = flat.T @ a.reshape(-1, a.shape[-1])", "dW2 = (a.reshape(-1, a.shape[-1]).T @ flat).reshape(W2.shape)"),
    ("by_hand", "dW1 exchanged, then reshaped", "transposed wrong_order", "dW1 = dz_flat.T @ x.reshape(-1, x.shape[-1])", "dW1 = (x.reshape(-1, x.shape[-1]).T @ dz_flat).reshape(W1.shape)"),
    ("by_hand", "da through the other weight", "wrong_variable transposed", "da = dout @ W2", "da = dout @ W1.T"),
    ("by_hand", "dx through the other weight", "wrong_variable transposed", "dx = dz @ W1", "dx = dz @ W2.T"),
    ("by_hand", "the weights' gradients exchanged", "swapped", "return dx, dW1, db1, dW2, db2", "return dx, dW2.T, db1, dW1.T, db2"),
    ("by_hand", "dW1 divided by the batch", "scale", "return dx, dW1, db1", "return dx, dW1 / len(x), db1"),
    ("by_hand", "gelu: the slope is the gate only", "missing_term", "/ 2 + z * bell", "/ 2"),
    ("by_hand", "gelu: 1/2 in the exponent forgotten", "wrong_constant missing_factor", "np.exp(-z * z / 2)", "np.exp(-z * z)"),
    ("by_hand", "gelu_tanh: 3 forgotten", "wrong_constant missing_factor", "1 + 3 * 0.044715", "1 + 0.044715"),
    ("by_hand", "relu: slope 1 everywhere", "missing_factor", "return (z > 0).astype(z.dtype)", "return np.ones_like(z)"),
    ("by_hand", "the cache holds a for z", "wrong_cache wrong_variable", "fc2_bias, z, a, activation)", "fc2_bias, a, a, activation)"),
    ("by_hand", "forward: the first bias forgotten", "missing_term", "z = z + fc1_bias", "z = z + 0 * fc1_bias"),
    ("by_hand", "forward: an activation after the second layer too", "extra_term other_forward", "out = out + fc2_bias\n", "out = out + fc2_bias\n    out = act(out, activation)\n"),
    ("given_cache", "dx: the gradient of the second layer's way only", "missing_factor wrong_variable", 'np.einsum("...o,oi->...i", dz, w1)', 'np.einsum("...o,oi->...i", dh, w1)'),
    ("given_cache", "dw2: the first image only", "incomplete", "dout, h)", "dout[:1], h[:1])"),
    ("given_cache", "dw1: the mean over the rows", "scale sum_mean", "reshape(-1, *w1.shape).sum(0)", "reshape(-1, *w1.shape).mean(0)"),
    ("given_cache", "dw1: the sign", "sign", "return dx, dw1", "return dx, -dw1"),
    ("given_cache", "relu's slope whatever the activation", "other_forward wrong_variable", "dz = back(dh, act_cache)", "dz = dh * (act_cache[0] > 0)"),
    ("rows", "the last row forgotten", "incomplete", "for r in range(len(g)):\n        dw1", "for r in range(len(g) - 1):\n        dw1"),
    ("rows", "dw1 of the last row only", "incomplete", "dw1 += np", "dw1 = np"),
    ("rows", "dw2 with x, not dout", "wrong_variable", "np.outer(g[r], active[r])", "np.outer(rows[r], active[r])"),
    ("rows", "twice the gradient of the hidden", "scale wrong_constant", "dactive[r] = w2.T", "dactive[r] = 2 * w2.T"),
    ("forward", "forward: the second bias subtracted", "sign", "y + fc2_bias", "y - fc2_bias"),
    ("forward", "forward: the second bias forgotten", "missing_term", "y + fc2_bias", "y + 0 * fc2_bias"),
    ("forward", "forward: no activation", "missing_factor other_forward", "    first, second =", "    y = (h @ fc2_weight.T) if fc2_bias is None else h @ fc2_weight.T + fc2_bias\n    first, second ="),
]  # fmt: skip
