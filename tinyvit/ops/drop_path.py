"""Drop path (stochastic depth): in training, skip a whole branch for a random share of images."""

from ..backend import get_array_module


def drop_path_forward(x, drop_rate, rng=None):
    """Drop all of an image's branch with probability `drop_rate`, and scale up what stays.

        out[b] = x[b] * keep[b],   keep = 1 / (1 - drop_rate) with probability 1 - drop_rate, else 0

    x : (B, ...) a residual branch, before it is added
    drop_rate : share of the images whose branch is dropped, 0 <= drop_rate < 1
    rng : numpy.random.Generator that draws the mask; None (evaluation) drops nothing

    Returns
        out : the shape of x; its expectation is x
        cache : what `drop_path_backward` needs: the mask (B, 1, ...), or None
    Raises ValueError for a rate outside [0, 1).

    Source: Huang et al. 2016 (arXiv 1603.09382), section 3.
    """
    if not 0 <= drop_rate < 1:
        raise ValueError(f"drop rate {drop_rate} is outside [0, 1): 0.1 drops a tenth")
    if rng is None or drop_rate == 0:
        return x, (None,)
    xp = get_array_module(x)
    kept = xp.asarray(rng.random(x.shape[0]) >= drop_rate)
    keep = kept.astype(x.dtype) / (1 - drop_rate)
    keep = keep.reshape(-1, *[1] * (x.ndim - 1))  # (B,) -> (B, 1, ...)
    return x * keep, (keep,)


def drop_path_backward(dout, cache):
    """Gradient of drop path.

        dx[b] = dout[b] * keep[b]

    dout : (B, ...) gradient of the loss with respect to out
    cache : from `drop_path_forward`

    Returns
        dx : (B, ...)

    Derivation: once drawn, the mask is a constant. A branch that was skipped learns nothing.
    """
    (keep,) = cache
    return dout if keep is None else dout * keep  # forward: out = x * keep
