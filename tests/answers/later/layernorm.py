"""Later answers to the exercise layernorm, written after the diagnosis was finished."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "centred_and_inverse": """
import numpy as np


def layernorm_forward(x, weight, bias, eps=1e-6):
    d = x.shape[-1]
    mu = np.einsum("...d->...", x)[..., None] / d
    xc = x - mu
    var = np.einsum("...d,...d->...", xc, xc)[..., None] / d
    inv = 1 / np.sqrt(var + eps)
    return xc * inv * weight + bias, (xc, inv, weight)


def layernorm_backward(dout, cache):
    xc, inv, gamma = cache
    d = xc.shape[-1]
    others = tuple(range(xc.ndim - 1))
    grad_beta = dout.sum(others)
    grad_gamma = (dout * xc * inv).sum(others)
    dy = dout * gamma
    dinv = (dy * xc).sum(-1, keepdims=True)
    dvar = -0.5 * inv**3 * dinv
    dxc = dy * inv + 2 / d * xc * dvar
    dx = dxc - dxc.mean(-1, keepdims=True)
    return dx, grad_gamma, grad_beta
""",
    "tokens_as_columns": """
import numpy as np


def layernorm_backward(dout, cache):
    xhat, std, weight = cache
    D = weight.shape[0]
    Z = xhat.reshape(-1, D).T
    G = dout.reshape(-1, D).T
    A = weight[:, None] * G
    dX = A - A.mean(axis=0) - Z * np.mean(A * Z, axis=0)
    dX = dX / std.reshape(-1)
    return dX.T.reshape(dout.shape), np.sum(G * Z, axis=1), np.sum(G, axis=1)
""",
}

WRONG = [
    ("centred_and_inverse", "grad_gamma: only centred, not divided by std", "missing_factor wrong_variable", "(dout * xc * inv)", "(dout * xc)"),
    ("centred_and_inverse", "grad_gamma: averaged over the tokens", "scale sum_mean", "(dout * xc * inv).sum", "(dout * xc * inv).mean"),
    ("centred_and_inverse", "gamma forgotten on the way to x", "missing_factor", "dy = dout * gamma", "dy = dout"),
    ("centred_and_inverse", "the minus of the inverse root forgotten", "sign", "dvar = -0.5", "dvar = 0.5"),
    ("centred_and_inverse", "the 2 of the square forgotten", "wrong_constant missing_factor", "2 / d * xc", "1 / d * xc"),
    ("centred_and_inverse", "1/d of the variance forgotten", "sum_mean missing_factor", "2 / d * xc", "2 * xc"),
    ("centred_and_inverse", "the variance taken for a constant", "missing_term fork", "dxc = dy * inv + 2 / d * xc * dvar", "dxc = dy * inv"),
    ("centred_and_inverse", "the mean taken for a constant", "missing_term fork", "dx = dxc - dxc.mean(-1, keepdims=True)", "dx = dxc"),
    ("centred_and_inverse", "grad_beta and grad_gamma returned the other way round", "swapped", "return dx, grad_gamma, grad_beta", "return dx, grad_beta, grad_gamma"),
    ("centred_and_inverse", "forward: the gain forgotten", "missing_factor", "xc * inv * weight + bias", "xc * inv + bias"),
    ("centred_and_inverse", "forward: the variance of x not centred", "wrong_variable missing_term", 'np.einsum("...d,...d->...", xc, xc)', 'np.einsum("...d,...d->...", x, x)'),
    ("centred_and_inverse", "forward: d - 1 in the variance", "sum_mean wrong_constant", "xc, xc)[..., None] / d", "xc, xc)[..., None] / (d - 1)"),
    ("tokens_as_columns", "the mean over the tokens", "wrong_axis", "A - A.mean(axis=0)", "A - A.mean(axis=1, keepdims=True)"),
    ("tokens_as_columns", "the last term without Z in front", "missing_factor", "- Z * np.mean(A * Z, axis=0)", "- np.mean(A * Z, axis=0)"),
]  # fmt: skip
