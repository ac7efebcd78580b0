"""GELU: other ways to write it."""

import math
from math import pi, sqrt

import numpy as np

erf = np.vectorize(math.erf)

given = None  # the forward's arguments, put here before each call


def through_erf_and_tanh(dout, cache):
    """With the derivatives of erf and tanh, a line for each step."""
    x = given.x
    if given.approximate == "none":
        z = x / sqrt(2)
        gate = 0.5 * (1 + erf(z))
        derf = 2 / sqrt(pi) * np.exp(-(z**2))
        dgate = 0.5 * derf / sqrt(2)
    else:
        u = sqrt(2 / pi) * (x + 0.044715 * x**3)
        du = sqrt(2 / pi) * (1 + 3 * 0.044715 * x**2)
        t = np.tanh(u)
        gate = 0.5 * (1 + t)
        dgate = 0.5 * (1 - t**2) * du
    slope = gate + x * dgate
    return dout * slope


def with_bell_curve_and_cosh(dout, cache):
    """With the bell curve, and 1 / cosh^2 as the derivative of tanh."""
    x, gate, approximate = cache
    if approximate == "none":
        pdf = np.exp(-(x**2) / 2) / sqrt(2 * pi)
        return dout * (gate + x * pdf)
    u = sqrt(2 / pi) * (x + 0.044715 * x**3)
    du = sqrt(2 / pi) + 3 * sqrt(2 / pi) * 0.044715 * x**2
    dtanh = 1 / np.cosh(u) ** 2
    left = 0.5 * (1 + np.tanh(u))
    right = 0.5 * x * dtanh * du
    return dout * (left + right)


def in_two_products(dout, cache):
    """dx and dgate of the product x gate; the tanh form's gate is a sigmoid."""
    x, gate, approximate = cache
    dx = dout * gate
    dgate = dout * x
    if approximate == "none":
        dz = dgate / sqrt(pi) * np.exp(-x * x / 2)
        return dx + dz / sqrt(2)
    v = 2 * sqrt(2 / pi) * (x + 0.044715 * x**3)
    sigmoid = 1 / (1 + np.exp(-v))
    dv = dgate * sigmoid * (1 - sigmoid)
    dcube = dv * 2 * sqrt(2 / pi) * 0.044715
    return dx + dv * 2 * sqrt(2 / pi) + dcube * 3 * x**2


def step_by_step(x, approximate="none"):
    """A line for each step."""
    if approximate == "none":
        z = x / sqrt(2)
        cdf = (1 + erf(z)) / 2
        return x * cdf, None
    cube = x**3
    inner = x + 0.044715 * cube
    t = np.tanh(sqrt(2 / pi) * inner)
    return 0.5 * x * (1 + t), None


def with_a_sigmoid(x, approximate="none"):
    """The tanh form's gate as a sigmoid; the exact form in two terms."""
    if approximate == "none":
        half = 0.5 * x
        return half + half * erf(x / sqrt(2)), None
    v = 2 * sqrt(2 / pi) * (x + 0.044715 * x**3)
    return x / (1 + np.exp(-v)), None


FORWARD = (step_by_step, with_a_sigmoid)
BACKWARD = (through_erf_and_tanh, with_bell_curve_and_cosh, in_two_products)
