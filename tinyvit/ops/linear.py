"""Linear: the matrix product that holds nearly all of a Transformer's parameters."""


def linear_forward(x, weight, bias):
    """Multiply every row of x by a weight matrix and add a bias.

        out = x @ weight.T + bias

    x : (..., I) any number of leading axes
    weight : (O, I)
    bias : (O,) or None

    Returns
        out : (..., O)
        cache : what `linear_backward` needs

    Source: the layout (O, I) is PyTorch's `nn.Linear`.
    """
    rows = x.reshape(-1, x.shape[-1])  # (..., I) -> (R, I): one large product beats many small
    out = rows @ weight.T
    if bias is not None:
        out = out + bias
    return out.reshape(*x.shape[:-1], weight.shape[0]), (x, weight, bias)


def linear_backward(dout, cache):
    """Gradients of the linear layer.

        dx = dout @ weight        dweight = dout.T @ x        dbias = sum of dout over the rows

    dout : (..., O) gradient of the loss with respect to out
    cache : from `linear_forward`

    Returns
        dx : (..., I)
        dweight : (O, I)
        dbias : (O,), or None if there was no bias

    Derivation: out[r, o] = sum_i x[r, i] weight[o, i] + bias[o].
        dx[r, i]      = sum_o dout[r, o] weight[o, i]
        dweight[o, i] = sum_r dout[r, o] x[r, i]          every row used the same weight: add
        dbias[o]      = sum_r dout[r, o]
    """
    x, weight, bias = cache
    rows = x.reshape(-1, x.shape[-1])  # (..., I) -> (R, I)
    drows = dout.reshape(-1, dout.shape[-1])  # (..., O) -> (R, O)
    dx = (drows @ weight).reshape(x.shape)  # forward: out = rows @ weight.T
    dweight = drows.T @ rows  # forward: out = rows @ weight.T
    dbias = None if bias is None else drows.sum(axis=0)  # forward: out = out + bias
    return dx, dweight, dbias
