"""Log-softmax: the logarithm of softmax, computed without ever leaving the log."""

from ..backend import get_array_module


def log_softmax_forward(x):
    """Log-softmax over the last axis.

        out_i = x_i - log(sum_j exp(x_j))

    x : (..., K) scores

    Returns
        out : (..., K) log-probabilities [nats], none above 0
        cache : what `log_softmax_backward` needs

    The row's maximum is subtracted first: the result is the same, and exp cannot overflow.
    """
    xp = get_array_module(x)
    shifted = x - x.max(axis=-1, keepdims=True)
    out = shifted - xp.log(xp.exp(shifted).sum(axis=-1, keepdims=True))
    return out, (out,)


def log_softmax_backward(dout, cache):
    """Gradient of log-softmax.

        dx = dout - softmax(x) * sum_j dout_j

    dout : (..., K) gradient of the loss with respect to out
    cache : from `log_softmax_forward`

    Returns
        dx : (..., K)

    Derivation: d out_j / d x_i = 1[i = j] - softmax(x)_i, so
        dx_i = dout_i - softmax(x)_i sum_j dout_j,   and softmax(x) = exp(out)
    """
    (out,) = cache
    xp = get_array_module(out)
    return dout - xp.exp(out) * dout.sum(axis=-1, keepdims=True)  # forward: out = x - log(sum)
