"""LayerNorm: other ways to write it."""

import numpy as np

given = None  # the forward's arguments, put here before each call


def through_each_step(dout, cache):
    """Back through each step of the forward, one after the other."""
    xhat, std, weight = cache
    D = xhat.shape[-1]
    tokens = tuple(range(dout.ndim - 1))
    dbias = dout.sum(axis=tokens)
    dweight = (dout * xhat).sum(axis=tokens)
    dxhat = dout * weight
    centred = given.x - given.x.mean(axis=-1, keepdims=True)
    dcentred = dxhat / std
    dinverse = (dxhat * centred).sum(axis=-1, keepdims=True)
    dstd = -dinverse / std**2
    dvar = 0.5 * dstd / std
    dsquares = dvar / D
    dcentred = dcentred + 2 * centred * dsquares
    dmean = -dcentred.sum(axis=-1, keepdims=True)
    dx = dcentred + dmean / D
    return dx, dweight, dbias


def in_three_parts(dout, cache):
    """x by itself, through the variance and through the mean, as in the paper on BatchNorm."""
    x, weight, eps = given.x, given.weight, given.eps
    D = x.shape[-1]
    mean = x.mean(axis=-1, keepdims=True)
    var = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    xhat = (x - mean) / np.sqrt(var + eps)
    tokens = tuple(range(dout.ndim - 1))
    dbias = dout.sum(axis=tokens)
    dweight = (dout * xhat).sum(axis=tokens)
    dxhat = dout * weight
    dvar = (dxhat * (x - mean) * -0.5 * (var + eps) ** -1.5).sum(axis=-1, keepdims=True)
    dmean = (-dxhat / np.sqrt(var + eps)).sum(axis=-1, keepdims=True)
    dmean = dmean + dvar * (-2 * (x - mean)).mean(axis=-1, keepdims=True)
    itself = dxhat / np.sqrt(var + eps)
    through_var = dvar * 2 * (x - mean) / D
    through_mean = dmean / D
    return itself + through_var + through_mean, dweight, dbias


def with_sums(dout, cache):
    """With sums for means: everything times D, and divided by it at the end."""
    xhat, std, weight = cache
    D = xhat.shape[-1]
    rows = dout.reshape(-1, D)
    dbias = rows.sum(axis=0)
    dweight = (rows * xhat.reshape(-1, D)).sum(axis=0)
    dxhat = dout * weight
    total = dxhat.sum(axis=-1, keepdims=True)
    along_xhat = (dxhat * xhat).sum(axis=-1, keepdims=True)
    dx = (D * dxhat - total - xhat * along_xhat) / (D * std)
    return dx, dweight, dbias


def with_one_over_std(dout, cache):
    """With rstd = 1 / std, whose derivative is rstd^3."""
    xhat, std, weight = cache
    rstd = 1 / std
    centred = xhat * std
    tokens = tuple(range(dout.ndim - 1))
    dbias = dout.sum(axis=tokens)
    dweight = (dout * xhat).sum(axis=tokens)
    dxhat = dout * weight
    drstd = (dxhat * centred).sum(axis=-1, keepdims=True)
    dvar = -0.5 * rstd**3 * drstd
    dmean = -(rstd * dxhat).mean(axis=-1, keepdims=True)
    dx = rstd * dxhat + dmean + 2 * centred * dvar / xhat.shape[-1]
    return dx, dweight, dbias


def through_the_jacobian(dout, cache):
    """Through the Jacobian matrix of each token."""
    xhat, std, weight = cache
    D = xhat.shape[-1]
    tokens = tuple(range(dout.ndim - 1))
    dbias = dout.sum(axis=tokens)
    dweight = (dout * xhat).sum(axis=tokens)
    dxhat = dout * weight
    outer = xhat[..., :, None] * xhat[..., None, :]
    jacobian = np.eye(D) - 1 / D - outer / D
    dx = (jacobian @ dxhat[..., None])[..., 0] / std
    return dx, dweight, dbias


def with_rstd(x, weight, bias, eps=1e-6):
    """With NumPy's var, and a product with 1 / std."""
    mean = x.mean(axis=-1, keepdims=True)
    var = x.var(axis=-1, keepdims=True)
    rstd = 1 / np.sqrt(var + eps)
    xhat = (x - mean) * rstd
    return xhat * weight + bias, None


def from_sums(x, weight, bias, eps=1e-6):
    """Mean and variance as sums divided by D."""
    D = x.shape[-1]
    mean = x.sum(axis=-1, keepdims=True) / D
    centred = x - mean
    var = (centred**2).sum(axis=-1, keepdims=True) / D
    xhat = centred / (var + eps) ** 0.5
    return weight * xhat + bias, None


def from_mean_square(x, weight, bias, eps=1e-6):
    """The variance as the mean of squares less the square of the mean."""
    mean = x.mean(axis=-1, keepdims=True)
    square = (x**2).mean(axis=-1, keepdims=True)
    var = square - mean**2
    std = np.sqrt(var + eps)
    return weight * (x - mean) / std + bias, None


FORWARD = (with_rstd, from_sums, from_mean_square)
BACKWARD = (through_each_step, in_three_parts, with_sums, with_one_over_std, through_the_jacobian)
