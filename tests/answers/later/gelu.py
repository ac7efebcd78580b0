"""Later answers to the exercise gelu, written after the diagnosis was finished."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "product_rule": """
from math import erf, pi

import numpy as np


def normal_cdf(x):
    values = [(1 + erf(v / 2**0.5)) / 2 for v in x.reshape(-1).tolist()]
    return np.array(values, dtype=x.dtype).reshape(x.shape)


def normal_pdf(x):
    return np.exp(-(x**2) / 2) / (2 * pi) ** 0.5


def gelu_forward(x, approximate="none"):
    if approximate == "none":
        return x * normal_cdf(x), {"x": x}
    th = np.tanh((2 / pi) ** 0.5 * (x + 0.044715 * x**3))
    return x / 2 * (1 + th), {"x": x, "tanh": th}


def gelu_backward(dout, cache):
    x = cache["x"]
    if "tanh" not in cache:
        derivative = normal_cdf(x) + x * normal_pdf(x)
        return derivative * dout
    th = cache["tanh"]
    inside = (2 / pi) ** 0.5 * (1 + 0.134145 * x**2)
    derivative = (1 + th) / 2 + x / 2 * (1 - th**2) * inside
    return derivative * dout
""",
    "two_ways_of_x": """
import math

import numpy as np


def gelu_backward(dout, cache):
    z, phi, approximate = cache
    d_direct = dout * phi
    d_phi = dout * z
    if approximate == "none":
        density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
        d_through = d_phi * density
    else:
        t = 2 * phi - 1
        d_t = 0.5 * d_phi
        d_u = d_t * (1 - t * t)
        d_through = d_u * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z * z)
    return d_direct + d_through
""",
}

WRONG = [
    ("product_rule", "only the cdf", "missing_term", "normal_cdf(x) + x * normal_pdf(x)", "normal_cdf(x)"),
    ("product_rule", "x in front of the density forgotten", "missing_factor", "x * normal_pdf(x)", "normal_pdf(x)"),
    ("product_rule", "minus the density", "sign", "normal_cdf(x) + x * normal_pdf(x)", "normal_cdf(x) - x * normal_pdf(x)"),
    ("product_rule", "density: not halved in the exponent", "wrong_constant missing_factor", "np.exp(-(x**2) / 2)", "np.exp(-(x**2))"),
    ("product_rule", "dout forgotten", "missing_factor", "        return derivative * dout\n    th", "        return derivative\n    th"),
    ("product_rule", "tanh: the 1/2 before the second term forgotten", "wrong_constant missing_factor", "x / 2 * (1 - th**2)", "x * (1 - th**2)"),
    ("product_rule", "tanh: 1 - tanh, no square", "wrong_factor missing_factor", "(1 - th**2) * inside", "(1 - th) * inside"),
    ("product_rule", "forward: erf of x, no root of 2", "wrong_constant missing_factor", "erf(v / 2**0.5)", "erf(v)"),
    ("product_rule", "forward: the 1 before erf forgotten", "missing_term", "(1 + erf(v / 2**0.5)) / 2", "erf(v / 2**0.5) / 2"),
    ("product_rule", "forward, tanh: the cube is a square", "wrong_factor wrong_constant missing_factor", "0.044715 * x**3", "0.044715 * x**2"),
    ("two_ways_of_x", "only the way through the gate", "missing_term fork", "return d_direct + d_through", "return d_through"),
    ("two_ways_of_x", "d_phi: z forgotten", "missing_factor", "d_phi = dout * z", "d_phi = dout"),
    ("two_ways_of_x", "the gate for the density", "wrong_variable", "d_phi * density", "d_phi * phi"),
    ("two_ways_of_x", "tanh: 3 forgotten in the cube's slope", "wrong_constant missing_factor", "(1 + 3 * 0.044715", "(1 + 0.044715"),
]  # fmt: skip
