"""ReLU: let positive values through, stop the others."""

from ..backend import get_array_module


def relu_forward(x):
    """Rectified linear unit.

        out = max(x, 0)

    x : array of any shape

    Returns
        out : the shape of x
        cache : what `relu_backward` needs

    Source: Nair, Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".
    """
    xp = get_array_module(x)
    return xp.maximum(x, 0), (x > 0,)


def relu_backward(dout, cache):
    """Gradient of ReLU.

        dx = dout where x > 0, else 0

    dout : gradient of the loss with respect to out, the shape of x
    cache : from `relu_forward`

    Returns
        dx : the shape of x

    Derivation: the slope is 1 right of 0 and 0 left of it. At 0 itself there is none; 0 is taken,
    as everywhere.
    """
    (positive,) = cache
    return dout * positive  # forward: out = max(x, 0)
