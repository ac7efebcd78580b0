"""Drop path: other ways to write it."""

import numpy as np

given = None  # the forward's arguments, put here before each call


def mask_and_rate(dout, cache):
    """The mask, and the division by what is kept, in two steps."""
    (keep,) = cache
    if keep is None:
        return dout
    mask = np.where(keep > 0, 1.0, 0.0)
    kept_rate = 1 - given.drop_rate
    dx = dout * mask
    return dx / kept_rate


def step_by_step(x, drop_rate, rng=None):
    """The mask, and the division by what is kept, in two steps."""
    if rng is None:
        return x, None
    mask = np.where(rng.random(len(x)) >= drop_rate, 1.0, 0.0)
    mask = mask.reshape(-1, *[1] * (x.ndim - 1))
    kept_rate = 1 - drop_rate
    out = x * mask
    return out / kept_rate, None


FORWARD = (step_by_step,)
BACKWARD = (mask_and_rate,)
