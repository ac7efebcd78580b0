"""Answers of students to the exercise drop_path: right ones, and wrong ones with what is wrong."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "images": """
import numpy as np


def drop_path_forward(x, drop_rate, rng=None):
    if rng is None or drop_rate == 0:
        return x, None
    draws = rng.random(x.shape[0])
    out = np.zeros_like(x)
    for b in range(len(x)):
        if draws[b] >= drop_rate:
            out[b] = x[b] / (1 - drop_rate)
    return out, (draws, drop_rate)


def drop_path_backward(dout, cache):
    if cache is None:
        return dout
    draws, drop_rate = cache
    dx = np.zeros_like(dout)
    for b in range(len(dout)):
        if draws[b] >= drop_rate:
            dx[b] = dout[b] / (1 - drop_rate)
    return dx
""",
    "given_mask": """
def drop_path_backward(dout, cache):
    factor = cache[0]
    if factor is None:
        factor = 1.0
    dx = dout * factor
    return dx
""",
    "selected": """
import numpy as np


def drop_path_forward(x, drop_rate, rng=None):
    if rng is None:
        rows = np.arange(len(x))
        drop_rate = 0
    else:
        rows = np.flatnonzero(rng.random(len(x)) >= drop_rate)
    out = np.zeros_like(x)
    out[rows] = x[rows] / (1 - drop_rate)
    return out, {"rows": rows, "kept": 1 - drop_rate}


def drop_path_backward(dout, cache):
    rows = cache["rows"]
    dx = np.zeros_like(dout)
    dx[rows] = dout[rows] / cache["kept"]
    return dx
""",
    "einsum": """
import numpy as np


def drop_path_forward(x, drop_rate, rng=None):
    keep = np.ones(len(x), x.dtype)
    if rng is not None and drop_rate > 0:
        keep = (rng.random(len(x)) >= drop_rate) / (1 - drop_rate)
    return np.einsum("b...,b->b...", x, keep.astype(x.dtype)), keep


def drop_path_backward(dout, cache):
    keep = cache.astype(dout.dtype)
    return np.einsum("b...,b->b...", dout, keep)
""",
    "forward": """
import numpy as np


def drop_path_forward(x, drop_rate, rng=None):
    if rng is None or not drop_rate:
        return x, (None,)
    stays = rng.random(x.shape[0]) >= drop_rate
    shape = (len(x),) + (1,) * (x.ndim - 1)
    keep = np.where(stays, 1 / (1 - drop_rate), 0).astype(x.dtype).reshape(shape)
    return keep * x, (keep,)
""",
}

WRONG = [
    ("images", "not scaled up", "scale missing_factor", "dx[b] = dout[b] / (1 - drop_rate)", "dx[b] = dout[b]"),
    ("images", "scaled down", "wrong_factor scale", "dx[b] = dout[b] / (1 - drop_rate)", "dx[b] = dout[b] * (1 - drop_rate)"),
    ("images", "the share that is dropped", "wrong_variable scale wrong_factor", "dx[b] = dout[b] / (1 - drop_rate)", "dx[b] = dout[b] / drop_rate"),
    ("images", "the sign", "sign", "dx[b] = dout[b] / (1 - drop_rate)", "dx[b] = -dout[b] / (1 - drop_rate)"),
    ("images", "the dropped ones learn", "wrong_factor wrong_variable", "if draws[b] >= drop_rate:\n            dx", "if draws[b] < drop_rate:\n            dx"),
    ("images", "all of them learn", "missing_factor", "if draws[b] >= drop_rate:\n            dx", "if True:\n            dx"),
    ("images", "the last images forgotten", "incomplete", "for b in range(len(dout)):", "for b in range(len(dout) // 2):"),
    ("images", "the gradient of another image", "wrong_order", "dx[b] = dout[b] / (1", "dx[b] = dout[b - 1] / (1"),
    ("images", "divided by the batch", "scale", "return dx", "return dx / len(dx)"),
    ("images", "the cache holds other draws", "wrong_cache", "return out, (draws, drop_rate)", "return out, (rng.random(len(x)), drop_rate)"),
    ("images", "the cache holds the share that is kept", "wrong_cache wrong_factor", "return out, (draws, drop_rate)", "return out, (draws, 1 - drop_rate)"),
    ("images", "forward: not scaled up", "missing_factor scale other_forward", "out[b] = x[b] / (1 - drop_rate)", "out[b] = x[b]"),
    ("images", "forward: the rate taken as what is kept", "other_forward wrong_factor", "if draws[b] >= drop_rate:\n            out", "if draws[b] < drop_rate:\n            out"),
    ("given_mask", "the mask forgotten", "missing_factor", "dx = dout * factor", "dx = dout * 1.0"),
    ("given_mask", "not scaled up", "scale missing_factor", "dx = dout * factor", "dx = dout * (factor != 0)"),
    ("given_mask", "the mask squared", "wrong_factor scale", "dx = dout * factor", "dx = dout * factor**2"),
    ("selected", "the first ones, not the kept ones", "wrong_order wrong_variable", "dx[rows] = dout[rows]", "dx[: len(rows)] = dout[rows]"),
    ("selected", "times what is kept", "wrong_factor scale", 'dout[rows] / cache["kept"]', 'dout[rows] * cache["kept"]'),
    ("selected", "the dropped ones keep theirs", "extra_term missing_factor", "dx = np.zeros_like(dout)", "dx = dout.copy()"),
    ("einsum", "the mask from the end", "wrong_order", "cache.astype(dout.dtype)", "cache.astype(dout.dtype)[::-1]"),
    ("einsum", "the mask's mean for all", "sum_mean wrong_variable", "cache.astype(dout.dtype)", "np.full_like(cache, cache.mean(), dtype=dout.dtype)"),
    ("forward", "forward: one draw for all images", "wrong_axis other_forward wrong_variable missing_factor", "stays = rng.random(x.shape[0]) >= drop_rate", "stays = np.repeat(rng.random() >= drop_rate, len(x))"),
    ("forward", "forward: scaled down", "wrong_factor scale", "1 / (1 - drop_rate), 0)", "1 - drop_rate, 0)"),
]  # fmt: skip
