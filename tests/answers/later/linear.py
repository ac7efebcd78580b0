"""Later answers to the exercise linear, written after the diagnosis was finished."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "flag": """
import numpy as np


def linear_forward(x, weight, bias):
    y = np.matmul(x, weight.transpose())
    if bias is None:
        return y, (x, weight, False)
    y = y + bias
    return y, (x, weight, True)


def linear_backward(dout, cache):
    x, W, use_bias = cache
    n_out, n_in = W.shape
    rows_in = x.reshape(-1, n_in)
    rows_out = dout.reshape(-1, n_out)
    grad_x = np.matmul(dout, W)
    grad_W = np.matmul(rows_in.T, rows_out).T
    grad_b = None
    if use_bias:
        grad_b = rows_out.sum(0)
    return grad_x, grad_W, grad_b
""",
    "image_by_image": """
import numpy as np


def linear_backward(dout, cache):
    a, w, b = cache
    images = a.reshape(len(a), -1, a.shape[-1])
    deltas = dout.reshape(len(a), -1, dout.shape[-1])
    da = np.zeros_like(images)
    dw = np.zeros_like(w)
    db = np.zeros(len(w), w.dtype)
    for n in range(len(images)):
        da[n] = deltas[n] @ w
        dw += deltas[n].T @ images[n]
        db += np.ones(len(deltas[n])) @ deltas[n]
    return da.reshape(a.shape), dw, None if b is None else db
""",
}

WRONG = [
    ("flag", "grad_W: only reshaped to the weight's shape", "transposed wrong_order", "np.matmul(rows_in.T, rows_out).T", "np.matmul(rows_in.T, rows_out).reshape(W.shape)"),
    ("flag", "grad_W: the mean over all the rows", "scale sum_mean", "np.matmul(rows_in.T, rows_out).T", "np.matmul(rows_in.T, rows_out).T / len(rows_in)"),
    ("flag", "grad_b: mean in place of sum", "scale sum_mean", "rows_out.sum(0)", "rows_out.mean(0)"),
    ("flag", "grad_b: as many rows as there are images", "incomplete", "rows_out.sum(0)", "rows_out[: len(x)].sum(0)"),
    ("flag", "grad_b: 1 a row, dout forgotten", "missing_factor wrong_variable", "rows_out.sum(0)", "np.ones_like(rows_out).sum(0)"),
    ("flag", "grad_W and grad_x: the minus of the descent is in them", "sign", "return grad_x, grad_W, grad_b", "return -grad_x, -grad_W, grad_b"),
    ("flag", "grad_x: dout forgotten", "missing_factor", "np.matmul(dout, W)", "np.matmul(np.ones_like(dout), W)"),
    ("flag", "grad_x: the 2 of a squared error", "scale", "np.matmul(dout, W)", "2 * np.matmul(dout, W)"),
    ("flag", "forward: the weight reshaped, not transposed", "transposed wrong_order", "weight.transpose()", "weight.reshape(weight.shape[::-1])"),
    ("flag", "forward: minus the bias", "sign", "y = y + bias", "y = y - bias"),
    ("flag", "forward: times the bias", "wrong_factor other_forward", "y = y + bias", "y = y * bias"),
    ("image_by_image", "dw: set anew for each image", "incomplete", "dw += deltas", "dw = deltas"),
    ("image_by_image", "db: made and never filled", "incomplete missing_term", "db += np.ones(len(deltas[n])) @ deltas[n]", "db += 0.0"),
    ("image_by_image", "dw: each image divided by the batch", "scale", "dw += deltas[n].T @ images[n]", "dw += deltas[n].T @ images[n] / len(a)"),
]  # fmt: skip
