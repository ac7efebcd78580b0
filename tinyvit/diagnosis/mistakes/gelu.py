"""GELU: mistakes that are often made."""

from ..mistake import Mistake

_PHI = "0.5 * (1 + erf(x * sqrt(1 / 2)))"
_ERF = "erf(x * sqrt(1 / 2))"
_U = "u = sqrt(2 / pi) * (x + 0.044715 * x * x * x)"
_TANH = "0.5 * (1 + xp.tanh(u))"
_OUT = "return x * gate"
_DPHI = "dgate = xp.exp(-0.5 * x * x) * sqrt(1 / (2 * pi))"
_DTANH = "dgate = 2 * gate * (1 - gate) * du"
_DX = "return dout * (gate + x * dgate)"
_UNPACK = "x, gate, approximate = cache"
_BRANCH = 'if approximate == "none":'

FORWARD = (
    Mistake(
        "other_forward",
        _PHI,
        "0.5 * (1 + xp.tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x)))",
        "this is the tanh form: here the exact one is asked for, with erf",
    ),
    Mistake(
        "other_forward",
        _TANH,
        _PHI,
        "this is the exact form, with erf: here the tanh form is asked for",
    ),
    Mistake(
        "missing_factor",
        _ERF,
        "erf(x)",
        "x is not divided by sqrt(2) inside erf: Phi(x) = (1 + erf(x / sqrt(2))) / 2",
    ),
    Mistake(
        "scale",
        _PHI,
        "1 + erf(x * sqrt(1 / 2))",
        "the 1/2 is missing: Phi(x) = (1 + erf(x / sqrt(2))) / 2 goes from 0 to 1",
    ),
    Mistake(
        "scale",
        _TANH,
        "1 + xp.tanh(u)",
        "the 1/2 is missing: gate = (1 + tanh(u)) / 2 goes from 0 to 1",
    ),
    Mistake(
        "wrong_constant",
        "(x + 0.044715 * x * x * x)",
        "(x + 0.44715 * x * x * x)",
        "the constant is 0.44715: it should be 0.044715",
    ),
    Mistake(
        "missing_term",
        "(x + 0.044715 * x * x * x)",
        "x",
        "the term 0.044715 x^3 is missing in u",
    ),
    Mistake(
        "missing_factor",
        "sqrt(2 / pi)",
        "1",
        "the factor sqrt(2 / pi) is missing in u",
    ),
    Mistake(
        "missing_term",
        _PHI,
        "erf(x * sqrt(1 / 2))",
        "erf stands where Phi belongs: Phi(x) = (1 + erf(x / sqrt(2))) / 2",
    ),
    Mistake(
        "missing_term",
        _TANH,
        "xp.tanh(u)",
        "tanh(u) is the gate: it should be (1 + tanh(u)) / 2, which goes from 0 to 1",
    ),
    Mistake(
        "other_forward",
        _OUT,
        "return x / (1 + xp.exp(-1.702 * x))",
        "this is the form x * sigmoid(1.702 x): here erf or tanh is asked for",
    ),
    Mistake(
        "other_forward",
        _OUT,
        "return x / (1 + xp.exp(-x))",
        "this is SiLU, x * sigmoid(x): GELU is x * Phi(x)",
    ),
    Mistake(
        "other_forward",
        _OUT,
        "return xp.maximum(x, 0)",
        "this is ReLU, max(x, 0): GELU is x * Phi(x)",
    ),
    Mistake(
        "missing_factor",
        _OUT,
        "return gate",
        "the factor x is missing: out = x * gate",
    ),
    Mistake(
        "wrong_factor",
        _ERF,
        "erf(x * sqrt(2))",
        "x is multiplied by sqrt(2) inside erf: it should be divided by it",
    ),
    Mistake(
        "wrong_constant",
        _ERF,
        "erf(x / 2)",
        "x is divided by 2 inside erf: it should be sqrt(2)",
    ),
    Mistake(
        "missing_factor",
        _PHI,
        "0.5 + erf(x * sqrt(1 / 2))",
        "the 1/2 belongs to erf as well: Phi(x) = (1 + erf(x / sqrt(2))) / 2",
    ),
    Mistake(
        "missing_factor",
        _PHI,
        "1 + 0.5 * erf(x * sqrt(1 / 2))",
        "the 1/2 belongs to the 1 as well: Phi(x) = (1 + erf(x / sqrt(2))) / 2",
    ),
    Mistake(
        "missing_factor",
        _TANH,
        "0.5 + xp.tanh(u)",
        "the 1/2 belongs to tanh as well: gate = (1 + tanh(u)) / 2",
    ),
    Mistake(
        "other_forward",
        _ERF,
        "xp.tanh(x * sqrt(1 / 2))",
        "tanh stands where erf belongs: Phi(x) = (1 + erf(x / sqrt(2))) / 2",
    ),
    Mistake(
        "wrong_constant",
        "(x + 0.044715 * x * x * x)",
        "(x + 0.04715 * x * x * x)",
        "the constant is 0.04715: it should be 0.044715",
    ),
    Mistake(
        "missing_factor",
        "(x + 0.044715 * x * x * x)",
        "(x + x * x * x)",
        "the factor 0.044715 before x^3 is missing in u",
    ),
    Mistake(
        "wrong_factor",
        "(x + 0.044715 * x * x * x)",
        "(x + 0.044715 * x * x)",
        "x^2 stands where x^3 belongs: u = sqrt(2 / pi) * (x + 0.044715 x^3)",
    ),
    Mistake(
        "wrong_factor",
        "(x + 0.044715 * x * x * x)",
        "(x + (0.044715 * x) ** 3)",
        "the constant is raised to the third power, too: it is 0.044715 * x^3",
    ),
    Mistake(
        "wrong_factor",
        _U,
        "u = sqrt(2 / pi) * x + 0.044715 * x * x * x",
        "sqrt(2 / pi) multiplies x only: it belongs to x^3 as well",
    ),
    Mistake(
        "wrong_constant",
        "sqrt(2 / pi)",
        "2 / pi",
        "2 / pi stands where sqrt(2 / pi) belongs",
    ),
    Mistake(
        "wrong_constant",
        "sqrt(2 / pi)",
        "sqrt(1 / (2 * pi))",
        "u is half as large as it should be: check sqrt(2 / pi); and gate is sigmoid(2u)",
    ),
)

BACKWARD = (
    Mistake(
        "missing_term",
        _DX,
        "return dout * gate",
        "the term x * dgate/dx is missing: out = x * gate is a product, and gate depends on x",
    ),
    Mistake(
        "missing_term",
        _DX,
        "return dout * x * dgate",
        "the term gate is missing: out = x * gate is a product, and x is a factor of it",
    ),
    Mistake(
        "missing_factor",
        _DX,
        "return dout * (gate + dgate)",
        "the factor x before dgate/dx is missing: dx = dout * (gate + x * dgate/dx)",
    ),
    Mistake(
        "sign",
        _DX,
        "return dout * (gate - x * dgate)",
        "x * dgate/dx is subtracted: dx = dout * (gate + x * dgate/dx)",
    ),
    Mistake(
        "wrong_constant",
        "xp.exp(-0.5 * x * x)",
        "xp.exp(-x * x)",
        "the 1/2 in the exponent is missing: phi(x) = exp(-x^2 / 2) / sqrt(2 pi)",
    ),
    Mistake(
        "wrong_constant",
        "3 * 0.044715 * x * x",
        "0.044715 * x * x",
        "the 3 is missing in du/dx: the slope of x^3 is 3 x^2",
    ),
    Mistake(
        "wrong_constant",
        "3 * 0.044715 * x * x",
        "2 * 0.044715 * x * x",
        "2 stands where 3 belongs in du/dx: the slope of x^3 is 3 x^2",
    ),
    Mistake(
        "missing_term",
        "(1 + 3 * 0.044715 * x * x)",
        "1",
        "the term 3 * 0.044715 x^2 is missing in du/dx: u holds x^3, too",
    ),
    Mistake(
        "missing_factor",
        _DTANH,
        "dgate = 2 * gate * (1 - gate)",
        "the factor du/dx is missing in dgate/dx: u depends on x (chain rule)",
    ),
    Mistake(
        "wrong_constant",
        _DTANH,
        "dgate = gate * (1 - gate) * du",
        "dgate/dx is twice too small: with tanh = 2 gate - 1 it is 2 gate (1 - gate) du/dx",
    ),
    Mistake(
        "wrong_constant",
        _DTANH,
        "dgate = 4 * gate * (1 - gate) * du",
        "dgate/dx is twice too large: the 1/2 of (1 + tanh(u)) / 2 is missing",
    ),
    Mistake(
        "other_forward",
        _UNPACK,
        f"{_UNPACK}\n"
        '    if approximate == "none":\n'
        '        approximate = "tanh"\n'
        '        gate = gelu_forward(x, "tanh")[1][1]',
        "this is the gradient of the tanh form: the forward is the exact one, with erf",
    ),
    Mistake(
        "other_forward",
        _UNPACK,
        f"{_UNPACK}\n"
        '    if approximate == "tanh":\n'
        '        approximate = "none"\n'
        '        gate = gelu_forward(x, "none")[1][1]',
        "this is the gradient of the exact form, with erf: the forward is the tanh form",
    ),
    Mistake(
        "other_forward",
        _BRANCH,
        "if False:",
        "dgate/dx is that of the tanh form, 2 gate (1 - gate) du/dx: the forward is the exact one",
    ),
    Mistake(
        "other_forward",
        _BRANCH,
        "if True:",
        "dgate/dx is the bell curve, as for erf: the forward is the tanh form",
    ),
    Mistake(
        "wrong_constant",
        _DX,
        "return dout * (2 * gate + x * dgate)",
        "the 1/2 of gate is missing, so it is twice too large: gate goes from 0 to 1",
    ),
    Mistake(
        "wrong_constant",
        "sqrt(1 / (2 * pi))",
        "sqrt(1 / pi)",
        "dgate/dx is sqrt(2) times too large: its factor is 1 / sqrt(2 pi), not 1 / sqrt(pi)",
    ),
    Mistake(
        "wrong_constant",
        "sqrt(1 / (2 * pi))",
        "sqrt(2 / pi)",
        "dgate/dx is twice too large: the 1/2 of (1 + erf) / 2 is missing",
    ),
    Mistake(
        "wrong_constant",
        "sqrt(1 / (2 * pi))",
        "2 / sqrt(pi)",
        "dgate/dx is the slope of erf: the 1/2 and the 1 / sqrt(2) inside erf are missing",
    ),
    Mistake(
        "wrong_constant",
        "sqrt(1 / (2 * pi))",
        "(1 / (2 * pi))",
        "the root over 2 pi is missing: phi(x) = exp(-x^2 / 2) / sqrt(2 pi)",
    ),
    Mistake(
        "wrong_factor",
        _DTANH,
        "dgate = (1 - gate) * du",
        "tanh is not squared: the slope of tanh(u) is 1 - tanh(u)^2",
    ),
    Mistake(
        "wrong_variable",
        _DTANH,
        "dgate = 0.5 * (1 - gate * gate) * du",
        "1 - gate^2 stands where 1 - tanh(u)^2 belongs: tanh(u) = 2 gate - 1",
    ),
    Mistake(
        "wrong_variable",
        _DX,
        "return dout * x * gate",
        "dout is multiplied by the forward's value x * gate: it should be the slope",
    ),
    Mistake(
        "missing_factor",
        _DX,
        "return dout * gate + x * dgate",
        "dout multiplies gate only: it belongs to x * dgate/dx as well",
    ),
    Mistake(
        "other_forward",
        _DX,
        "s = 1 / (1 + xp.exp(-1.702 * x))\n    return dout * (s + 1.702 * x * s * (1 - s))",
        "this is the gradient of x * sigmoid(1.702 x): the forward is with erf or tanh",
    ),
    Mistake(
        "other_forward",
        _DX,
        "s = 1 / (1 + xp.exp(-x))\n    return dout * (s + x * s * (1 - s))",
        "this is the gradient of SiLU, x * sigmoid(x): the forward is GELU",
    ),
    Mistake(
        "other_forward",
        _DX,
        "return dout * (x > 0)",
        "this is the gradient of ReLU: the forward is GELU",
    ),
    Mistake(
        "sign",
        "xp.exp(-0.5 * x * x)",
        "xp.exp(0.5 * x * x)",
        "the minus in the exponent is missing: phi(x) = exp(-x^2 / 2) / sqrt(2 pi)",
    ),
    Mistake(
        "wrong_factor",
        "xp.exp(-0.5 * x * x)",
        "xp.exp(-0.5 * x)",
        "x is not squared in the exponent: phi(x) = exp(-x^2 / 2) / sqrt(2 pi)",
    ),
    Mistake(
        "wrong_constant",
        "sqrt(1 / (2 * pi))",
        "(0.5 / sqrt(pi))",
        "x * dgate/dx is sqrt(2) times too small: x / sqrt(2) for x, or 2 sqrt(pi) for sqrt(2 pi)",
    ),
    Mistake(
        "other_forward",
        _DPHI,
        "gate = 0.5 * (1 + erf(x))\n        dgate = xp.exp(-x * x) / sqrt(pi)",
        "this is the gradient with erf(x): x is divided by sqrt(2) inside erf",
    ),
    Mistake(
        "missing_factor",
        _DPHI,
        f"gate = 0.5 * (1 + erf(x))\n        {_DPHI}",
        "gate is taken with erf(x): x is divided by sqrt(2) inside erf",
    ),
    Mistake(
        "wrong_constant",
        "3 * 0.044715 * x * x",
        "3 * 0.44715 * x * x",
        "the constant is 0.44715: it should be 0.044715",
    ),
    Mistake(
        "missing_term",
        "(1 + 3 * 0.044715 * x * x)",
        "(3 * 0.044715 * x * x)",
        "the 1 is missing in du/dx: u holds x itself, whose slope is 1",
    ),
    Mistake(
        "wrong_variable",
        _DX,
        "return dout * (1 - gate + x * dgate)",
        "1 - gate stands where gate belongs",
    ),
    Mistake(
        "wrong_variable",
        _DTANH,
        "dgate = 0.5 * (2 * gate - 1) * du",
        "tanh(u) stands where its slope 1 - tanh(u)^2 belongs",
    ),
    Mistake(
        "other_forward",
        _DTANH,
        "gate = 0.5 * (1 + xp.tanh(sqrt(2 / pi) * x))\n"
        "        dgate = 2 * gate * (1 - gate) * sqrt(2 / pi)",
        "the term 0.044715 x^3 is missing in u, and its slope in du/dx",
    ),
    Mistake(
        "wrong_cache",
        _UNPACK,
        f"{_UNPACK}\n    x = x * gate",
        "out stands where x belongs: dgate/dx and the factor before it need the forward's input",
    ),
)
