"""Later answers to the exercise drop_path, written after the diagnosis was finished."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "factors": """
import numpy as np


def drop_path_forward(x, drop_rate, rng=None):
    n = x.shape[0]
    if rng is None or drop_rate == 0:
        factor = np.ones(n, x.dtype)
    else:
        alive = rng.random(n) >= drop_rate
        factor = alive / (1 - drop_rate)
    spread = factor.reshape((n,) + (1,) * (x.ndim - 1))
    return spread * x, (spread, drop_rate)


def drop_path_backward(dout, cache):
    spread, drop_rate = cache
    return spread * dout
""",
    "rows": """
import numpy as np


def drop_path_forward(x, drop_rate, rng=None):
    train = rng is not None and drop_rate > 0
    gone = rng.random(len(x)) < drop_rate if train else np.zeros(len(x), bool)
    keep_prob = 1 - drop_rate if train else 1
    y = x / keep_prob
    y[gone] = 0
    return y, {"gone": gone, "keep_prob": keep_prob}


def drop_path_backward(dout, cache):
    dx = dout / cache["keep_prob"]
    dx[cache["gone"]] = 0
    return dx
""",
}

WRONG = [
    ("factors", "the factor forgotten", "missing_factor", "return spread * dout", "return 1.0 * dout"),
    ("factors", "divided by the factor where it is not zero", "wrong_factor scale", "return spread * dout", "return np.where(spread > 0, dout / np.maximum(spread, 1), 0)"),
    ("factors", "zeros and ones, not scaled", "scale missing_factor", "return spread * dout", "return (spread > 0) * dout"),
    ("factors", "applied twice", "wrong_factor scale", "return spread * dout", "return spread * spread * dout"),
    ("factors", "the factors of the images in turned-round order", "wrong_order", "return spread * dout", "return spread[::-1] * dout"),
    ("factors", "the first image's factor for all", "wrong_variable wrong_axis incomplete", "return spread * dout", "return spread[-1] * dout"),
    ("factors", "minus", "sign", "return spread * dout", "return -(spread * dout)"),
    ("factors", "forward: not scaled up", "missing_factor scale other_forward", "factor = alive / (1 - drop_rate)", "factor = alive * 1.0"),
    ("factors", "forward: the dropped ones live", "other_forward wrong_factor", "alive = rng.random(n) >= drop_rate", "alive = rng.random(n) < drop_rate"),
    ("rows", "gone ones not zeroed", "missing_factor extra_term", '    dx[cache["gone"]] = 0\n', ""),
    ("rows", "the others zeroed", "wrong_factor wrong_variable", '    dx[cache["gone"]] = 0\n', '    dx[~cache["gone"]] = 0\n'),
    ("rows", "gone ones' gradient not scaled and not zeroed", "extra_term missing_factor", 'dx[cache["gone"]] = 0', 'dx[cache["gone"]] = dout[cache["gone"]]'),
    ("rows", "times keep_prob", "wrong_factor scale", 'dout / cache["keep_prob"]', 'dout * cache["keep_prob"]'),
    ("factors", "forward: divided by the rate that is dropped", "wrong_factor scale wrong_variable", "factor = alive / (1 - drop_rate)", "factor = alive / drop_rate"),
]  # fmt: skip
