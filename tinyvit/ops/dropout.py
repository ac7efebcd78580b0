"""Dropout: in training, set a random share of the values to zero."""

from ..backend import get_array_module


def dropout_forward(x, drop_rate, rng=None):
    """Drop each value with probability `drop_rate`, and scale up what stays.

        out = x * keep,   keep = 1 / (1 - drop_rate) with probability 1 - drop_rate, else 0

    x : array of any shape
    drop_rate : share of the values to drop, 0 <= drop_rate < 1
    rng : numpy.random.Generator that draws the mask; None (evaluation) drops nothing

    Returns
        out : the shape of x; its expectation is x
        cache : what `dropout_backward` needs: the mask, or None
    Raises ValueError for a rate outside [0, 1).

    Source: Srivastava et al. 2014, Journal of Machine Learning Research 15.
    """
    if not 0 <= drop_rate < 1:
        raise ValueError(f"drop rate {drop_rate} is outside [0, 1): 0.1 drops a tenth")
    if rng is None or drop_rate == 0:
        return x, (None,)
    xp = get_array_module(x)
    kept = xp.asarray(rng.random(x.shape) >= drop_rate)
    keep = kept.astype(x.dtype) / (1 - drop_rate)
    return x * keep, (keep,)


def dropout_backward(dout, cache):
    """Gradient of dropout.

        dx = dout * keep

    dout : gradient of the loss with respect to out, the shape of x
    cache : from `dropout_forward`

    Returns
        dx : the shape of x

    Derivation: once drawn, the mask is a constant. What was dropped had no part in the loss.
    """
    (keep,) = cache
    return dout if keep is None else dout * keep  # forward: out = x * keep
