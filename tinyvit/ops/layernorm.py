"""LayerNorm: give every token mean 0 and variance 1, then a learned gain and shift."""

from ..backend import get_array_module


def layernorm_forward(x, weight, bias, eps=1e-6):
    """Normalise the last axis of x, then scale and shift each feature.

        out = weight * xhat + bias,   xhat = (x - mean) / sqrt(var + eps)

    x : (..., D); mean and variance are taken over the D features of one token
    weight : (D,) gain
    bias : (D,) shift
    eps : keeps a constant token from dividing by zero [variance of x]

    Returns
        out : (..., D)
        cache : what `layernorm_backward` needs

    Source: Ba, Kiros, Hinton 2016 (arXiv 1607.06450), equation 4; eps of the ViT authors' code.
    """
    xp = get_array_module(x)
    mean = x.mean(axis=-1, keepdims=True)
    centred = x - mean
    var = (centred * centred).mean(axis=-1, keepdims=True)  # divided by D, not D - 1
    std = xp.sqrt(var + eps)
    xhat = centred / std
    out = weight * xhat + bias
    return out, (xhat, std, weight)


def layernorm_backward(dout, cache):
    """Gradients of LayerNorm.

        dx = (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)) / std

    dout : (..., D) gradient of the loss with respect to out
    cache : from `layernorm_forward`

    Returns
        dx : (..., D)
        dweight : (D,)
        dbias : (D,)

    Derivation: x reaches xhat on three ways: by itself, through the mean, through the variance.
        by itself:             dxhat / std
        through the mean:     -mean(dxhat) / std          a common shift of x changes nothing
        through the variance: -xhat mean(dxhat xhat) / std   nor does a common stretch
    """
    xhat, std, weight = cache
    tokens = tuple(range(dout.ndim - 1))
    dbias = dout.sum(axis=tokens)  # forward: out = weight * xhat + bias
    dweight = (dout * xhat).sum(axis=tokens)  # forward: out = weight * xhat + bias
    dxhat = dout * weight  # forward: out = weight * xhat + bias
    mean_dxhat = dxhat.mean(axis=-1, keepdims=True)
    mean_dxhat_xhat = (dxhat * xhat).mean(axis=-1, keepdims=True)
    dx = (dxhat - mean_dxhat - xhat * mean_dxhat_xhat) / std  # forward: xhat = (x - mean) / std
    return dx, dweight, dbias
