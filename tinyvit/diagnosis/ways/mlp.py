"""MLP: other ways to write it."""

from math import pi, sqrt

import numpy as np

from ...ops import dropout_backward, dropout_forward
from .gelu import erf


def row_by_row(dout, cache):
    """All products written out on rows; the activation's derivative from its input."""
    fc1_cache, activation, activation_cache, drop_cache, fc2_cache = cache
    x, fc1_weight, fc1_bias = fc1_cache
    dropped, fc2_weight, fc2_bias = fc2_cache
    M, D = fc1_weight.shape

    drows = dout.reshape(-1, D)
    dfc2_weight = drows.T @ dropped.reshape(-1, M)
    dfc2_bias = None if fc2_bias is None else drows.sum(axis=0)
    dactive = dropout_backward(dout @ fc2_weight, drop_cache)
    hidden = x @ fc1_weight.T
    if fc1_bias is not None:
        hidden = hidden + fc1_bias
    if activation == "relu":
        slope = np.where(hidden > 0, 1.0, 0.0)
    elif activation == "gelu":
        cdf = 0.5 * (1 + erf(hidden / sqrt(2)))
        pdf = np.exp(-0.5 * hidden**2) / sqrt(2 * pi)
        slope = cdf + hidden * pdf
    else:
        t = np.tanh(sqrt(2 / pi) * (hidden + 0.044715 * hidden**3))
        du = sqrt(2 / pi) * (1 + 3 * 0.044715 * hidden**2)
        slope = 0.5 * (1 + t) + 0.5 * hidden * (1 - t**2) * du
    dhidden = dactive * slope
    dhidden_rows = dhidden.reshape(-1, M)
    dfc1_weight = dhidden_rows.T @ x.reshape(-1, D)
    dfc1_bias = None if fc1_bias is None else dhidden_rows.sum(axis=0)
    dx = dhidden @ fc1_weight
    return dx, dfc1_weight, dfc1_bias, dfc2_weight, dfc2_bias


def batched(dout, cache):
    """A product for each image, then a sum over the batch; the activation's gate from the cache."""
    fc1_cache, activation, activation_cache, drop_cache, fc2_cache = cache
    x, fc1_weight, fc1_bias = fc1_cache
    dropped, fc2_weight, fc2_bias = fc2_cache
    tokens = tuple(range(dout.ndim - 1))

    products = dout.swapaxes(-1, -2) @ dropped
    dfc2_weight = products.reshape(-1, *fc2_weight.shape).sum(axis=0)
    dfc2_bias = None if fc2_bias is None else dout.sum(axis=tokens)
    ddropped = dout @ fc2_weight
    dactive = dropout_backward(ddropped, drop_cache)
    if activation == "relu":
        dhidden = dactive * activation_cache[0]
    else:
        hidden, gate = activation_cache[:2]
        if activation == "gelu":
            dgate = np.exp(-(hidden**2) / 2) / sqrt(2 * pi)
        else:
            dgate = 2 * gate * (1 - gate) * sqrt(2 / pi) * (1 + 3 * 0.044715 * hidden**2)
        dhidden = dactive * gate + dactive * hidden * dgate
    dx = dhidden @ fc1_weight
    products = dhidden.swapaxes(-1, -2) @ x
    dfc1_weight = products.reshape(-1, *fc1_weight.shape).sum(axis=0)
    dfc1_bias = None if fc1_bias is None else dhidden.sum(axis=tokens)
    return dx, dfc1_weight, dfc1_bias, dfc2_weight, dfc2_bias


def written_out(
    x, fc1_weight, fc1_bias, fc2_weight, fc2_bias, activation="gelu", drop_rate=0.0, rng=None
):
    """Both products and the activation written out."""
    hidden = x @ fc1_weight.T
    if fc1_bias is not None:
        hidden = hidden + fc1_bias
    if activation == "relu":
        active = np.where(hidden > 0, hidden, 0)
    elif activation == "gelu":
        cdf = 0.5 * (1 + erf(hidden / sqrt(2)))
        active = hidden * cdf
    else:
        u = sqrt(2 / pi) * (hidden + 0.044715 * hidden**3)
        active = 0.5 * hidden * (1 + np.tanh(u))
    active = dropout_forward(active, drop_rate, rng)[0]
    out = active @ fc2_weight.T
    if fc2_bias is not None:
        out = out + fc2_bias
    return out, None


FORWARD = (written_out,)
BACKWARD = (row_by_row, batched)
