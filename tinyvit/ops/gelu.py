"""GELU: a smooth gate that lets large values through and stops very negative ones."""

from math import pi, sqrt

from ..backend import erf, get_array_module


def gelu_forward(x, approximate="none"):
    """Gaussian error linear unit, exact or in its tanh form.

        none: out = x * Phi(x),   Phi(x) = (1 + erf(x / sqrt(2))) / 2
        tanh: out = x * (1 + tanh(u)) / 2,   u = sqrt(2 / pi) * (x + 0.044715 x^3)

    x : array of any shape
    approximate : "none" or "tanh"; the two differ by up to 4.73e-4, near |x| = 2.7

    Returns
        out : the shape of x
        cache : what `gelu_backward` needs
    Raises ValueError for another `approximate`.

    Source: Hendrycks, Gimpel 2016 (arXiv 1606.08415), section 2.
    """
    xp = get_array_module(x)
    if approximate == "none":
        gate = 0.5 * (1 + erf(x * sqrt(1 / 2)))
    elif approximate == "tanh":
        u = sqrt(2 / pi) * (x + 0.044715 * x * x * x)
        gate = 0.5 * (1 + xp.tanh(u))
    else:
        raise ValueError(f'approximate={approximate!r} is not known: use "none" or "tanh"')
    return x * gate, (x, gate, approximate)


def gelu_backward(dout, cache):
    """Gradient of GELU.

        dx = dout * (gate + x * dgate/dx)

    dout : gradient of the loss with respect to out, the shape of x
    cache : from `gelu_forward`

    Returns
        dx : the shape of x

    Derivation: out = x * gate(x), a product.
        none: gate = Phi(x), whose derivative is the bell curve phi(x) = exp(-x^2 / 2) / sqrt(2 pi)
        tanh: gate = (1 + tanh(u)) / 2; tanh' = 1 - tanh^2 and tanh = 2 gate - 1 give
              dgate/dx = 2 gate (1 - gate) du/dx,   du/dx = sqrt(2 / pi) (1 + 3 * 0.044715 x^2)
    """
    x, gate, approximate = cache
    xp = get_array_module(x)
    if approximate == "none":
        dgate = xp.exp(-0.5 * x * x) * sqrt(1 / (2 * pi))  # forward: gate = Phi(x)
    else:
        du = sqrt(2 / pi) * (1 + 3 * 0.044715 * x * x)  # forward: u = ... (x + 0.044715 x^3)
        dgate = 2 * gate * (1 - gate) * du  # forward: gate = 0.5 * (1 + tanh(u))
    return dout * (gate + x * dgate)  # forward: out = x * gate
