"""Answers of students to the exercise dropout: right ones, and wrong ones with what is wrong."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "mask_and_rate": """
def dropout_forward(x, drop_rate, rng=None):
    if rng is None or drop_rate == 0:
        return x, (None, 0.0)
    mask = rng.random(x.shape) >= drop_rate
    out = x * mask / (1 - drop_rate)
    return out, (mask, drop_rate)


def dropout_backward(dout, cache):
    mask, drop_rate = cache
    if mask is None:
        return dout
    return dout * mask / (1 - drop_rate)
""",
    "dictionary": """
import numpy as np


def dropout_forward(x, drop_rate, rng=None):
    scale = np.ones_like(x)
    if rng is not None and drop_rate > 0:
        scale[rng.random(x.shape) < drop_rate] = 0
        scale /= 1 - drop_rate
    return x * scale, {"scale": scale}


def dropout_backward(dout, cache):
    return dout * cache["scale"]
""",
    "given_mask": """
import numpy as np


def dropout_backward(dout, cache):
    keep = cache[0]
    if keep is None:
        return dout.copy()
    dx = np.zeros_like(dout)
    dx[keep != 0] = dout[keep != 0] * keep.max()
    return dx
""",
    "elements": """
import numpy as np


def dropout_forward(x, drop_rate, rng=None):
    if rng is None:
        return x.copy(), None
    draws = rng.random(x.shape)
    out = np.zeros_like(x)
    kept = []
    for place in np.ndindex(*x.shape):
        if draws[place] >= drop_rate:
            out[place] = x[place] / (1 - drop_rate)
            kept.append(place)
    return out, (kept, drop_rate)


def dropout_backward(dout, cache):
    if cache is None:
        return dout.copy()
    kept, drop_rate = cache
    dx = np.zeros_like(dout)
    for place in kept:
        dx[place] = dout[place] / (1 - drop_rate)
    return dx
""",
    "forward": """
import numpy as np


def dropout_forward(x, drop_rate, rng=None):
    if rng is None or drop_rate == 0.0:
        return x, (None,)
    factor = np.where(rng.random(x.shape) < drop_rate, 0.0, 1 / (1 - drop_rate))
    factor = factor.astype(x.dtype)
    return np.multiply(x, factor), (factor,)
""",
}

WRONG = [
    ("mask_and_rate", "the mask forgotten", "missing_factor", "return dout * mask / (1 - drop_rate)", "return dout / (1 - drop_rate)"),
    ("mask_and_rate", "not scaled up", "scale missing_factor", "return dout * mask / (1 - drop_rate)", "return dout * mask"),
    ("mask_and_rate", "scaled down, not up", "wrong_factor scale", "return dout * mask / (1 - drop_rate)", "return dout * mask * (1 - drop_rate)"),
    ("mask_and_rate", "the rate that is dropped, not that is kept", "wrong_factor scale wrong_variable", "return dout * mask / (1 - drop_rate)", "return dout * mask / drop_rate"),
    ("mask_and_rate", "mask and scale forgotten", "missing_factor", "return dout * mask / (1 - drop_rate)", "return dout * 1.0"),
    ("mask_and_rate", "the mask turned round", "wrong_factor wrong_variable", "return dout * mask / (1 - drop_rate)", "return dout * ~mask / (1 - drop_rate)"),
    ("mask_and_rate", "scaled twice", "scale wrong_factor", "return dout * mask / (1 - drop_rate)", "return dout * mask / (1 - drop_rate) ** 2"),
    ("mask_and_rate", "the sign", "sign", "return dout * mask / (1 - drop_rate)", "return -dout * mask / (1 - drop_rate)"),
    ("mask_and_rate", "divided by the share kept in this draw", "wrong_factor scale", "return dout * mask / (1 - drop_rate)", "return dout * mask / mask.mean()"),
    ("mask_and_rate", "the cache holds the rate that is kept", "wrong_cache wrong_factor", "return out, (mask, drop_rate)", "return out, (mask, 1 - drop_rate)"),
    ("mask_and_rate", "the cache holds another draw", "wrong_cache", "return out, (mask, drop_rate)", "return out, (rng.random(x.shape) >= drop_rate, drop_rate)"),
    ("mask_and_rate", "forward: not scaled up", "missing_factor scale other_forward", "out = x * mask / (1 - drop_rate)", "out = x * mask"),
    ("mask_and_rate", "forward: the rate taken as what is kept", "other_forward wrong_factor", "rng.random(x.shape) >= drop_rate", "rng.random(x.shape) < drop_rate"),
    ("mask_and_rate", "forward: scaled down", "wrong_factor scale", "out = x * mask / (1 - drop_rate)", "out = x * mask * (1 - drop_rate)"),
    ("dictionary", "another random mask", "wrong_variable wrong_cache", 'dout * cache["scale"]', 'dout * np.random.default_rng(5).permutation(cache["scale"].ravel()).reshape(dout.shape)'),
    ("dictionary", "the output's gradient divided, where kept", "wrong_factor", 'dout * cache["scale"]', 'dout * (cache["scale"] > 0) / np.maximum(cache["scale"], 1)'),
    ("dictionary", "the cache holds the scaled input", "wrong_cache wrong_variable wrong_factor", '{"scale": scale}', '{"scale": x * scale}'),
    ("dictionary", "the mask squared", "wrong_factor scale", 'dout * cache["scale"]', 'dout * cache["scale"] ** 2'),
    ("given_mask", "not scaled up", "scale missing_factor", " * keep.max()", ""),
    ("given_mask", "the dropped ones get the gradient", "wrong_factor wrong_variable", "dx[keep != 0] = dout[keep != 0]", "dx[keep == 0] = dout[keep == 0]"),
    ("given_mask", "dropped ones keep theirs", "extra_term missing_factor", "dx = np.zeros_like(dout)", "dx = dout.copy()"),
    ("given_mask", "the first row only", "incomplete", "return dx", "dx[1:] = 0\n    return dx"),
    ("elements", "the second half of the kept values forgotten", "incomplete", "for place in kept:", "for place in kept[: len(kept) // 2]:"),
    ("elements", "the scale is 1 + rate", "wrong_constant sign scale", "dx[place] = dout[place] / (1 - drop_rate)", "dx[place] = dout[place] * (1 + drop_rate)"),
    ("forward", "forward: dropped values not zero", "wrong_constant extra_term", "< drop_rate, 0.0,", "< drop_rate, 1.0,"),
]  # fmt: skip
