"""Answers of students to the exercise gelu: right ones, and wrong ones with what is wrong."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "two_functions": """
import math

import numpy as np

erf = np.vectorize(math.erf)


def gelu_forward(x, approximate="none"):
    if approximate == "none":
        cdf = 0.5 * (1.0 + erf(x / math.sqrt(2.0)).astype(x.dtype))
        out = x * cdf
    else:
        out = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return out, (x, approximate)


def gelu_backward(dout, cache):
    x, approximate = cache
    if approximate == "none":
        cdf = 0.5 * (1.0 + erf(x / math.sqrt(2.0)).astype(x.dtype))
        pdf = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
        return dout * (cdf + x * pdf)
    c = math.sqrt(2 / math.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    left = 0.5 * (1 + t)
    right = 0.5 * x * (1 - t**2) * c * (1 + 3 * 0.044715 * x**2)
    return dout * (left + right)
""",
    "given_gate": """
import numpy as np


def gelu_backward(dout, cache):
    x, Phi, kind = cache
    if kind == "tanh":
        inner = 0.7978845608028654 * (1 + 0.134145 * x**2)
        slope = 2 * Phi * (1 - Phi) * inner
    else:
        slope = 0.3989422804014327 * np.exp(-x * x / 2)
    dx = Phi * dout
    dx = dx + x * slope * dout
    return dx
""",
    "elements": """
import math

import numpy as np


def slope_exact(z):
    cumulative = (1 + math.erf(z / math.sqrt(2))) / 2
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return cumulative + z * density


def slope_tanh(z):
    k = math.sqrt(2 / math.pi)
    u = k * (z + 0.044715 * z**3)
    du = k * (1 + 0.134145 * z**2)
    sech = 1 / math.cosh(u)
    return (1 + math.tanh(u)) / 2 + z / 2 * sech * sech * du


def gelu_backward(dout, cache):
    x, _, approximate = cache
    slope = slope_tanh if approximate == "tanh" else slope_exact
    dx = np.empty_like(x)
    for place in np.ndindex(*x.shape):
        dx[place] = dout[place] * slope(x[place])
    return dx
""",
    "saves_derivative": """
import math

import numpy as np


def gelu_forward(x, approximate="none"):
    if approximate == "tanh":
        a, b = math.sqrt(2 / math.pi), 0.044715
        t = np.tanh(a * x + a * b * x**3)
        dt = (1 - t * t) * (a + 3 * a * b * x**2)
        y = (x + x * t) / 2
        dy = (1 + t + x * dt) / 2
    else:
        e = np.array([math.erf(v / 2**0.5) for v in x.ravel()], x.dtype).reshape(x.shape)
        de = 2 / math.sqrt(math.pi) * np.exp(-x * x / 2) / 2**0.5
        y = (x + x * e) / 2
        dy = (1 + e + x * de) / 2
    return y, dy


def gelu_backward(dout, cache):
    return dout * cache
""",
    "sigmoid": """
import math

import numpy as np

from tinyvit.backend import erf


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def gelu_forward(x, approximate="none"):
    if approximate == "tanh":
        # (1 + tanh(u)) / 2 is the sigmoid of 2u
        gate = sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    else:
        gate = 0.5 + 0.5 * erf(x / math.sqrt(2))
    return x * gate, {"x": x, "gate": gate, "how": approximate}


def gelu_backward(dout, cache):
    x, gate = cache["x"], cache["gate"]
    dgate = x * dout
    dx = gate * dout
    if cache["how"] == "tanh":
        dz = dgate * gate * (1 - gate)
        dx = dx + dz * 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    else:
        derf = 0.5 * dgate
        dx = dx + derf * math.sqrt(2 / math.pi) * np.exp(-0.5 * x**2)
    return dx
""",
    "steps": """
import math

import numpy as np


def gelu_forward(x, approximate="none"):
    if approximate == "none":
        z = x / math.sqrt(2)
        f = np.vectorize(math.erf, otypes=[x.dtype])(z)
    else:
        z = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
        f = np.tanh(z)
    one = 1 + f
    half = one / 2
    return half * x, (x, z, f, half, approximate)


def gelu_backward(dout, cache):
    x, z, f, half, approximate = cache
    # out = half * x
    dhalf = dout * x
    dx = dout * half
    # half = one / 2, one = 1 + f
    df = dhalf / 2
    if approximate == "none":
        dz = df * 2 / math.sqrt(math.pi) * np.exp(-(z**2))
        dx = dx + dz / math.sqrt(2)
    else:
        dz = df * (1 - f**2)
        dinner = dz * math.sqrt(2 / math.pi)
        dx = dx + dinner
        dx = dx + dinner * 0.044715 * 3 * x**2
    return dx
""",
    "forward": """
import math

import numpy as np


def gelu_forward(x, approximate="none"):
    if approximate == "none":
        tail = np.array([math.erfc(-v / math.sqrt(2)) for v in x.flat])
        gate = tail.reshape(x.shape).astype(x.dtype) / 2
    else:
        u = math.sqrt(2 / math.pi) * x * (1 + 0.044715 * x**2)
        gate = np.exp(u) / (np.exp(u) + np.exp(-u))
    return gate * x, (x, gate, approximate)
""",
    "float32": """
import math

import numpy as np


def gelu_backward(dout, cache):
    x, gate, approximate = cache
    z = x.astype(np.float32)
    g = gate.astype(np.float32)
    if approximate == "none":
        bell = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    else:
        bell = (2 * g - 2 * g * g) * math.sqrt(2 / math.pi) * (1 + 0.134145 * z * z)
    return (dout.astype(np.float32) * (g + z * bell)).astype(dout.dtype)
""",
}

WRONG = [
    ("two_functions", "exact: the gate only, no product rule", "missing_term", "return dout * (cdf + x * pdf)", "return dout * cdf"),
    ("two_functions", "exact: the gate forgotten", "missing_term", "return dout * (cdf + x * pdf)", "return dout * (x * pdf)"),
    ("two_functions", "exact: x forgotten", "missing_factor", "(cdf + x * pdf)", "(cdf + pdf)"),
    ("two_functions", "exact: subtracted", "sign", "(cdf + x * pdf)", "(cdf - x * pdf)"),
    ("two_functions", "exact: dout forgotten", "missing_factor", "return dout * (cdf + x * pdf)", "return cdf + x * pdf"),
    ("two_functions", "exact: 1/2 in the exponent forgotten", "wrong_constant missing_factor", "np.exp(-(x**2) / 2)", "np.exp(-(x**2))"),
    ("two_functions", "exact: the square in the exponent forgotten", "wrong_factor missing_factor", "np.exp(-(x**2) / 2)", "np.exp(-np.abs(x) / 2)"),
    ("two_functions", "exact: the root of 2 pi forgotten", "wrong_constant missing_factor", "/ math.sqrt(2 * math.pi)", "/ (2 * math.pi)"),
    ("two_functions", "exact: the root of pi, not of 2 pi", "wrong_constant", "/ math.sqrt(2 * math.pi)", "/ math.sqrt(math.pi)"),
    ("two_functions", "exact: not divided by the root of 2 pi", "missing_factor wrong_constant", "np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)", "np.exp(-(x**2) / 2)"),
    ("two_functions", "exact: the slope of the tanh form", "other_forward", 'x, approximate = cache\n    if approximate == "none":', 'x, approximate = cache\n    if approximate == "never":'),
    ("two_functions", "tanh: the slope of the exact form", "other_forward", 'x, approximate = cache\n    if approximate == "none":', "x, approximate = cache\n    if True:"),
    ("two_functions", "tanh: 3 forgotten", "wrong_constant missing_factor", "1 + 3 * 0.044715", "1 + 0.044715"),
    ("two_functions", "tanh: 0.44715 for 0.044715", "wrong_constant", "1 + 3 * 0.044715", "1 + 3 * 0.44715"),
    ("two_functions", "tanh: x for its square", "wrong_factor missing_factor", "0.044715 * x**2)", "0.044715 * x)"),
    ("two_functions", "tanh: the root of 2/pi forgotten", "missing_factor", "(1 - t**2) * c *", "(1 - t**2) *"),
    ("two_functions", "tanh: the square of tanh forgotten", "wrong_factor missing_factor", "1 - t**2", "1 - t"),
    ("two_functions", "tanh: 1 + tanh squared", "sign", "1 - t**2", "1 + t**2"),
    ("two_functions", "tanh: the derivative of the inside forgotten", "missing_factor missing_term", " * (1 + 3 * 0.044715 * x**2)\n", "\n"),
    ("two_functions", "tanh: the second term without x", "missing_factor", "right = 0.5 * x *", "right = 0.5 *"),
    ("two_functions", "tanh: the second term forgotten", "missing_term", "dout * (left + right)", "dout * left"),
    ("two_functions", "tanh: the first term forgotten", "missing_term", "dout * (left + right)", "dout * right"),
    ("two_functions", "tanh: 1/2 forgotten in the first term", "wrong_constant missing_factor", "left = 0.5 * (1 + t)", "left = 1 + t"),
    ("two_functions", "tanh: 1/2 forgotten in the second term", "wrong_constant missing_factor", "right = 0.5 * x", "right = x"),
    ("two_functions", "forward: 0.44715 for 0.044715", "wrong_constant", "out = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715", "out = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.44715"),
    ("two_functions", "forward: 1/2 forgotten in the tanh form", "scale missing_factor", "out = 0.5 * x * (1", "out = x * (1"),
    ("two_functions", "forward: x forgotten", "missing_factor", "out = x * cdf", "out = cdf * 1.0"),
    ("given_gate", "the first term overwritten", "fork missing_term", "dx = dx + x * slope * dout", "dx = x * slope * dout"),
    ("given_gate", "exact: exp(+x^2 / 2)", "sign", "np.exp(-x * x / 2)", "np.exp(x * x / 2)"),
    ("given_gate", "exact: exp(-x / 2)", "wrong_factor missing_factor", "np.exp(-x * x / 2)", "np.exp(-x / 2)"),
    ("given_gate", "exact: x forgotten", "missing_factor", "dx + x * slope * dout", "dx + slope * dout"),
    ("given_gate", "tanh: 2 of the gate forgotten", "wrong_constant missing_factor", "2 * Phi * (1 - Phi)", "Phi * (1 - Phi)"),
    ("given_gate", "tanh: 1 - gate forgotten", "missing_factor", "2 * Phi * (1 - Phi)", "2 * Phi"),
    ("given_gate", "tanh: the derivative of tanh taken of the gate", "wrong_variable wrong_factor", "2 * Phi * (1 - Phi)", "0.5 * (1 - Phi**2)"),
    ("given_gate", "the gate's slope squared x", "wrong_factor", "x * slope * dout", "x**2 * slope * dout"),
    ("given_gate", "dout forgotten in the second term", "missing_factor", "x * slope * dout", "x * slope"),
    ("given_gate", "1 - gate for gate", "wrong_factor wrong_variable", "dx = Phi * dout", "dx = (1 - Phi) * dout"),
    ("given_gate", "twice as large", "scale", "return dx", "return 2 * dx"),
    ("given_gate", "the sign of all", "sign", "return dx", "return -dx"),
    ("elements", "exact: the root of 2 forgotten in erf", "wrong_constant missing_factor", "math.erf(z / math.sqrt(2))", "math.erf(z)"),
    ("elements", "tanh: sech not squared", "wrong_factor missing_factor", "sech * sech", "sech"),
    ("elements", "tanh: cosh for 1 / cosh", "wrong_factor", "1 / math.cosh(u)", "math.cosh(u)"),
    ("elements", "the first row only", "incomplete", "dx = np.empty_like(x)\n    for place in np.ndindex(*x.shape):", "dx = np.zeros_like(x)\n    for place in np.ndindex(1, *x.shape[1:]):"),
    ("elements", "exact: 1 + erf not halved", "wrong_constant missing_factor", "(1 + math.erf(z / math.sqrt(2))) / 2", "1 + math.erf(z / math.sqrt(2))"),
    ("elements", "the density at dout", "wrong_variable", "dout[place] * slope(x[place])", "dout[place] * slope(dout[place])"),
    ("saves_derivative", "tanh: 1 forgotten in the derivative", "missing_term", "dy = (1 + t + x * dt) / 2", "dy = (t + x * dt) / 2"),
    ("saves_derivative", "exact: the 1/sqrt(2) of the inside forgotten", "missing_factor wrong_constant", " / 2**0.5\n        y", "\n        y"),
    ("saves_derivative", "exact: the 2/sqrt(pi) of erf forgotten", "missing_factor wrong_constant", "de = 2 / math.sqrt(math.pi) * np", "de = np"),
    ("saves_derivative", "the cache holds the output", "wrong_cache wrong_variable", "return y, dy", "return y, y"),
    ("sigmoid", "tanh: the 2 inside forgotten", "wrong_constant missing_factor scale", "dz * 2 * math.sqrt", "dz * math.sqrt"),
    ("sigmoid", "tanh: the sigmoid's derivative forgotten", "missing_factor", "dgate * gate * (1 - gate)", "dgate"),
    ("sigmoid", "forward: tanh form: the 2 forgotten", "wrong_constant missing_factor other_forward", "sigmoid(2 * math", "sigmoid(math"),
    ("sigmoid", "forward: the quick form x sigmoid(1.702 x)", "other_forward", "0.5 + 0.5 * erf(x / math.sqrt(2))", "sigmoid(1.702 * x)"),
    ("sigmoid", "forward: the root of 2 forgotten", "wrong_constant missing_factor", "erf(x / math.sqrt(2))", "erf(x)"),
    ("steps", "x is used twice, the first forgotten", "fork missing_term", "dx = dx + dz / math.sqrt(2)", "dx = dz / math.sqrt(2)"),
    ("steps", "tanh: the cube's way forgotten", "fork missing_term", "        dx = dx + dinner * 0.044715 * 3 * x**2\n", ""),
    ("steps", "tanh: the straight way forgotten", "fork missing_term", "        dx = dx + dinner\n", ""),
    ("steps", "the cache holds z for x", "wrong_cache wrong_variable wrong_constant", "half * x, (x, z,", "half * x, (z, z,"),
    ("steps", "halved twice", "wrong_constant scale", "df = dhalf / 2", "df = dhalf / 4"),
    ("forward", "forward: the sign inside erfc", "sign", "math.erfc(-v", "math.erfc(v"),
    ("forward", "forward: tanh form: x for its square", "wrong_factor missing_factor", "0.044715 * x**2", "0.044715 * x"),
]  # fmt: skip
