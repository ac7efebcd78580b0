"""Softmax: turn scores into weights that are positive and sum to 1."""

from ..backend import get_array_module


def softmax_forward(x):
    """Softmax over the last axis.

        out_i = exp(x_i) / sum_j exp(x_j)

    x : (..., K) scores

    Returns
        out : (..., K), each row positive and summing to 1
        cache : what `softmax_backward` needs

    The row's maximum is subtracted first: the result is the same, and exp cannot overflow.
    """
    xp = get_array_module(x)
    exps = xp.exp(x - x.max(axis=-1, keepdims=True))
    out = exps / exps.sum(axis=-1, keepdims=True)
    return out, (out,)


def softmax_backward(dout, cache):
    """Gradient of softmax.

        dx = out * (dout - sum_j dout_j out_j)

    dout : (..., K) gradient of the loss with respect to out
    cache : from `softmax_forward`

    Returns
        dx : (..., K)

    Derivation: the Jacobian is d out_j / d x_i = out_j (1[i = j] - out_i), so
        dx_i = sum_j dout_j out_j (1[i = j] - out_i) = out_i (dout_i - sum_j dout_j out_j)
    It mixes the whole row: each weight grows only at the cost of the others.
    """
    (out,) = cache
    s = (dout * out).sum(axis=-1, keepdims=True)
    return out * (dout - s)  # forward: out = exps / exps.sum()
