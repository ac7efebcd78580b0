"""ReLU: other ways to write it."""

import numpy as np

given = None  # the forward's arguments, put here before each call


def with_a_slope(dout, cache):
    """With the slope, 1 or 0, from x."""
    x = given.x
    slope = np.where(x > 0, 1.0, 0.0)
    return slope * dout


def with_the_sign(dout, cache):
    """With the slope from the sign of x."""
    sign = np.sign(given.x)
    slope = (sign + abs(sign)) / 2
    return dout * slope


def with_a_mask(x):
    """x times a mask."""
    mask = (x > 0).astype(x.dtype)
    return x * mask, None


def half_of_both(x):
    """Half of x and its size together."""
    return (x + abs(x)) / 2, None


FORWARD = (with_a_mask, half_of_both)
BACKWARD = (with_a_slope, with_the_sign)
