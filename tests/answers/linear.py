"""Answers of students to the exercise linear: right ones, and wrong ones with what is wrong."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "loops": """
import numpy as np


def linear_forward(x, weight, bias):
    I, O = x.shape[-1], weight.shape[0]
    flat = x.reshape(-1, I)
    out = np.zeros((len(flat), O), x.dtype)
    for r in range(len(flat)):
        for o in range(O):
            out[r, o] = np.sum(flat[r] * weight[o])
            if bias is not None:
                out[r, o] += bias[o]
    return out.reshape(x.shape[:-1] + (O,)), (x, weight, bias)


def linear_backward(dout, cache):
    x, weight, bias = cache
    O, I = weight.shape
    flat, g = x.reshape(-1, I), dout.reshape(-1, O)
    dflat = np.zeros_like(flat)
    dweight = np.zeros_like(weight)
    dbias = np.zeros(O, weight.dtype)
    for r in range(len(flat)):
        for o in range(O):
            dflat[r] += g[r, o] * weight[o]
            dweight[o] += g[r, o] * flat[r]
            dbias[o] += g[r, o]
    if bias is None:
        dbias = None
    return dflat.reshape(x.shape), dweight, dbias
""",
    "einsum": """
import numpy as np


def linear_backward(dout, cache):
    x, W, b = cache
    dx = np.einsum("...o,oi->...i", dout, W)
    g, z = dout.reshape(-1, len(W)), x.reshape(-1, W.shape[1])
    dW = np.einsum("ro,ri->oi", g, z)
    db = None
    if b is not None:
        db = np.einsum("ro->o", g)
    return dx, dW, db
""",
    "course": """
import numpy as np


def linear_forward(x, weight, bias):
    out = x.dot(weight.T)
    if bias is not None:
        out = out + bias
    cache = (x, weight.T, bias is not None)
    return out, cache


def linear_backward(dout, cache):
    x, w, has_bias = cache
    X = x.reshape(-1, x.shape[-1])
    G = dout.reshape(X.shape[0], -1)
    dx = G.dot(w.T).reshape(x.shape)
    dw = X.T.dot(G)
    db = np.sum(G, axis=0) if has_bias else None
    return dx, dw.T, db
""",
    "tensordot": """
import numpy as np


def linear_forward(x, weight, bias):
    y = np.tensordot(x, weight, axes=(-1, 1))
    y = y if bias is None else y + bias
    return y, {"input": x, "W": weight, "b": bias}


def linear_backward(dout, cache):
    x, W = cache["input"], cache["W"]
    lead = tuple(range(dout.ndim - 1))
    dW = np.tensordot(dout, x, axes=(lead, lead))
    dx = np.tensordot(dout, W, axes=1)
    db = dout.sum(lead) if cache["b"] is not None else None
    return dx, dW, db
""",
    "stacked": """
import numpy as np


def linear_backward(dout, cache):
    x, W, b = cache
    dx = dout @ W
    per_image = np.swapaxes(dout, -1, -2) @ x
    while per_image.ndim > 2:
        per_image = per_image.sum(axis=0)
    db = dout
    while db.ndim > 1:
        db = db.sum(axis=0)
    return dx, per_image, None if b is None else db
""",
    "outer": """
import numpy as np


def linear_backward(dout, cache):
    x, weight, bias = cache
    dx = np.empty_like(x)
    dweight = np.zeros_like(weight)
    total = np.zeros(weight.shape[0], weight.dtype)
    for place in np.ndindex(*x.shape[:-1]):
        dx[place] = weight.T @ dout[place]
        dweight += np.outer(dout[place], x[place])
        total += dout[place]
    return (dx, dweight, total) if bias is not None else (dx, dweight, None)
""",
    "bias_as_column": """
import numpy as np


def linear_forward(x, weight, bias):
    if bias is None:
        return x @ weight.T, (x, weight, False)
    ones = np.ones_like(x[..., :1])
    big_x = np.concatenate([x, ones], axis=-1)
    big_w = np.concatenate([weight, bias[:, None]], axis=1)
    return big_x @ big_w.T, (big_x, big_w, True)


def linear_backward(dout, cache):
    big_x, big_w, has_bias = cache
    rows = big_x.reshape(-1, big_x.shape[-1])
    g = dout.reshape(len(rows), -1)
    dbig_x = (g @ big_w).reshape(big_x.shape)
    dbig_w = g.T @ rows
    if not has_bias:
        return dbig_x, dbig_w, None
    return dbig_x[..., :-1], dbig_w[:, :-1], dbig_w[:, -1]
""",
    "forward": """
import numpy as np


def linear_forward(x, weight, bias):
    y = np.sum(x[..., None, :] * weight, axis=-1)
    if bias is not None:
        y = y + bias
    return y, (x, weight, bias)
""",
}

WRONG = [
    ("loops", "dweight of the last row only", "incomplete", "dweight[o] += g", "dweight[o] = g"),
    ("loops", "dbias of the last row only", "incomplete", "dbias[o] += g", "dbias[o] = g"),
    ("loops", "dx of the last output only", "incomplete", "dflat[r] += g", "dflat[r] = g"),
    ("loops", "the last row forgotten", "incomplete", "dbias = np.zeros(O, weight.dtype)\n    for r in range(len(flat)):", "dbias = np.zeros(O, weight.dtype)\n    for r in range(len(flat) - 1):"),
    ("loops", "dx: the wrong sign", "sign", "dflat[r] += g", "dflat[r] -= g"),
    ("loops", "dbias: weighted with the input", "wrong_factor extra_term wrong_variable", "dbias[o] += g[r, o]", "dbias[o] += g[r, o] * flat[r, 0]"),
    ("loops", "forward: the bias subtracted", "sign", "out[r, o] += bias[o]", "out[r, o] -= bias[o]"),
    ("loops", "forward: the mean, not the sum", "sum_mean scale", "np.sum(flat[r] * weight[o])", "np.mean(flat[r] * weight[o])"),
    ("loops", "forward: the bias overwrites", "missing_term", "out[r, o] += bias[o]", "out[r, o] = bias[o]"),
    ("einsum", "dweight: rows and columns exchanged by a reshape", "transposed wrong_order", 'np.einsum("ro,ri->oi", g, z)', 'np.einsum("ro,ri->io", g, z).reshape(W.shape)'),
    ("einsum", "dweight: divided by the rows", "scale sum_mean", 'np.einsum("ro,ri->oi", g, z)', 'np.einsum("ro,ri->oi", g, z) / len(g)'),
    ("einsum", "dweight: divided by the batch", "scale", 'np.einsum("ro,ri->oi", g, z)', 'np.einsum("ro,ri->oi", g, z) / len(x)'),
    ("einsum", "dbias: the mean over the rows", "scale sum_mean", 'np.einsum("ro->o", g)', 'np.einsum("ro->o", g) / len(g)'),
    ("einsum", "dweight: of the first row only", "incomplete", "g, z)", "g[:1], z[:1])"),
    ("einsum", "dx and dweight twice as large", "scale", "return dx, dW, db", "return 2 * dx, 2 * dW, db"),
    ("einsum", "dweight: the weight as a factor too many", "wrong_factor", "return dx, dW, db", "return dx, W * dW, db"),
    ("einsum", "dx: the rows' order turned round", "wrong_order", '"...o,oi->...i", dout, W', '"...o,oi->...i", dout[::-1], W'),
    ("course", "dx: the weight reshaped, not transposed", "transposed wrong_order", "G.dot(w.T)", "G.dot(w.reshape(w.shape[::-1]))"),
    ("course", "dweight: reshaped, not transposed", "transposed wrong_order", "dw.T, db", "dw.reshape(w.T.shape), db"),
    ("course", "dbias: the mean", "scale sum_mean", "np.sum(G, axis=0)", "np.mean(G, axis=0)"),
    ("course", "dbias: the first image only", "incomplete", "np.sum(G, axis=0)", "np.sum(dout[:1].reshape(-1, G.shape[1]), axis=0)"),
    ("course", "dx: the sign", "sign", "return dx, dw.T", "return -dx, dw.T"),
    ("course", "dweight: the sign", "sign", "return dx, dw.T", "return dx, -dw.T"),
    ("course", "forward: the bias twice", "extra_term wrong_constant", "out = out + bias", "out = out + 2 * bias"),
    ("course", "forward: the bias forgotten", "missing_term", "out = out + bias", "out = out + 0 * bias"),
    ("course", "the cache holds x with its negative values cut off", "wrong_cache wrong_variable", "cache = (x, weight.T", "cache = (np.maximum(x, 0), weight.T"),
    ("course", "dweight: divided by the width of the input", "scale", "dw = X.T.dot(G)", "dw = X.T.dot(G) / X.shape[1]"),
    ("tensordot", "dbias: the mean over the rows", "scale sum_mean", "db = dout.sum(lead)", "db = dout.mean(lead)"),
    ("tensordot", "dbias: all outputs together", "wrong_axis", "dout.sum(lead)", "np.full(len(W), dout.sum())"),
    ("tensordot", "dx: the weight turned round", "wrong_order", "np.tensordot(dout, W, axes=1)", "np.tensordot(dout, W[::-1], axes=1)"),
    ("stacked", "dweight: the mean over the images", "scale sum_mean", "per_image = per_image.sum(axis=0)", "per_image = per_image.mean(axis=0)"),
    ("stacked", "dweight: of the first image only", "incomplete", "per_image = per_image.sum(axis=0)", "per_image = per_image[0]"),
    ("stacked", "dweight: of the last image only", "incomplete", "per_image = per_image.sum(axis=0)", "per_image = per_image[-1]"),
    ("stacked", "dbias: of the first row only", "incomplete", "db = db.sum(axis=0)", "db = db[0]"),
    ("stacked", "dbias: the mean over every axis", "scale sum_mean", "db = db.sum(axis=0)", "db = db.mean(axis=0)"),
    ("outer", "dweight: the outer product exchanged, then reshaped", "transposed wrong_order", "np.outer(dout[place], x[place])", "np.outer(x[place], dout[place]).reshape(weight.shape)"),
    ("outer", "dweight: subtracted", "sign", "dweight += np", "dweight -= np"),
    ("bias_as_column", "dbias: the first column, not the last", "wrong_variable wrong_order", "dbig_w[:, -1]\n", "dbig_w[:, 0]\n"),
    ("bias_as_column", "dweight: shifted by one column", "wrong_order", "dbig_w[:, :-1]", "dbig_w[:, 1:]"),
    ("bias_as_column", "dx: shifted by one column", "wrong_order", "dbig_x[..., :-1]", "dbig_x[..., 1:]"),
    ("bias_as_column", "forward: the column is of zeros", "missing_term wrong_constant", "np.ones_like(x", "np.zeros_like(x"),
    ("forward", "forward: the mean over the inputs", "sum_mean scale", "y = np.sum(x", "y = np.mean(x"),
    ("forward", "forward: divided by the root of the inputs", "scale", "y = y + bias", "y = (y + bias) / x.shape[-1] ** 0.5"),
]  # fmt: skip
