"""LayerNorm's gain and shift, folded into the linear layer that follows.

    (gain * xhat + shift) @ weight.T + bias = xhat @ folded.T + moved
    folded = weight * gain,   moved = bias + weight @ shift

Once for a weight matrix instead of once for every token. Moreover the mean of each row of `folded`
is taken away: xhat has mean 0, so the output stays the same, and the gradient that comes back
through `folded` has mean 0 already, as LayerNorm's backward wants it.
"""

import numpy as np

from .linear import times_vector


def fold(weight, bias, gain, shift):
    """Fold a LayerNorm into a linear layer.

    weight : (..., O, D)
    bias : (..., O) or None
    gain, shift : (D,) LayerNorm's weight and bias

    Returns folded (..., O, D) and moved (..., O)
    """
    folded = weight * gain
    folded -= times_vector(weight, gain / len(gain))[..., None]  # the means of its rows
    moved = times_vector(weight, shift)
    if bias is not None:
        moved += bias
    return folded, moved


def unfold(dfolded, dmoved, weight, gain, shift):
    """Gradients of weight, gain and shift; that of the bias is `dmoved`.

    dfolded : (O, D), the gradient of `folded`; becomes that of the weight

    Derivation: dfolded = dout.T @ xhat, whose rows have mean 0 because xhat has: taking away the
    mean passes it on as it is. The rest is a product and a sum.
    """
    dgain = np.einsum("oi,oi->i", dfolded, weight)
    dshift = dmoved @ weight
    dweight = dfolded
    dweight *= gain
    dweight += dmoved[:, None] * shift
    return dweight, dgain, dshift
