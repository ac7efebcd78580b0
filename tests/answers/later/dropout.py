"""Later answers to the exercise dropout, written after the diagnosis was finished."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "where": """
import numpy as np


def dropout_forward(x, drop_rate, rng=None):
    if rng is None:
        drop_rate = 0.0
        dropped = np.zeros(x.shape, bool)
    else:
        dropped = rng.random(x.shape) < drop_rate
    p_keep = 1.0 - drop_rate
    out = np.where(dropped, 0.0, x / p_keep)
    return out, (dropped, p_keep)


def dropout_backward(dout, cache):
    dropped, p_keep = cache
    dx = dout / p_keep
    dx = np.where(dropped, 0.0, dx)
    return dx
""",
    "training_flag": """
def dropout_forward(x, drop_rate, rng=None):
    training = rng is not None and drop_rate > 0
    if not training:
        return x * 1.0, {"training": False}
    kept = (rng.random(x.shape) >= drop_rate).astype(x.dtype)
    mask = kept * (1 / (1 - drop_rate))
    return mask * x, {"training": True, "mask": mask, "kept": kept, "x": x}


def dropout_backward(dout, cache):
    if not cache["training"]:
        return dout * 1.0
    return cache["mask"] * dout
""",
}

WRONG = [
    ("where", "dropped ones not set to zero", "missing_factor", "dx = np.where(dropped, 0.0, dx)", "dx = 1.0 * dx"),
    ("where", "not divided by p_keep", "scale missing_factor", "dx = dout / p_keep", "dx = 1.0 * dout"),
    ("where", "times p_keep", "wrong_factor scale", "dx = dout / p_keep", "dx = dout * p_keep"),
    ("where", "the two sides of where exchanged", "wrong_factor wrong_variable", "dx = np.where(dropped, 0.0, dx)", "dx = np.where(dropped, dx, 0.0)"),
    ("where", "dropped ones get dout as it is", "extra_term missing_factor", "dx = np.where(dropped, 0.0, dx)", "dx = np.where(dropped, dout, dx)"),
    ("where", "minus", "sign", "dx = dout / p_keep", "dx = -dout / p_keep"),
    ("where", "the cache holds the rate that is dropped", "wrong_cache wrong_factor", "return out, (dropped, p_keep)", "return out, (dropped, drop_rate or 1.0)"),
    ("where", "forward: not divided", "missing_factor scale other_forward", "np.where(dropped, 0.0, x / p_keep)", "np.where(dropped, 0.0, x)"),
    ("where", "forward: divided by the rate that is dropped", "wrong_factor other_forward wrong_variable", "x / p_keep)", "x / (drop_rate or 1))"),
    ("training_flag", "the gradient as without dropout", "missing_factor", 'return cache["mask"] * dout', "return 1.0 * dout"),
    ("training_flag", "the mask of zeros and ones", "scale missing_factor", 'return cache["mask"] * dout', 'return cache["kept"] * dout'),
    ("training_flag", "the mask itself, dout forgotten", "missing_factor", 'return cache["mask"] * dout', 'return 1.0 * cache["mask"]'),
    ("training_flag", "times x, dout forgotten", "wrong_variable", 'return cache["mask"] * dout', 'return cache["mask"] * cache["x"]'),
    ("training_flag", "forward: the rate taken for what is kept", "other_forward wrong_factor", "rng.random(x.shape) >= drop_rate", "rng.random(x.shape) < drop_rate"),
]  # fmt: skip
