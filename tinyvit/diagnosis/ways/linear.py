"""Linear: other ways to write it."""


def batched(dout, cache):
    """A product for each image, then a sum over the batch."""
    x, weight, bias = cache
    dx = dout @ weight
    products = dout.swapaxes(-1, -2) @ x
    dweight = products.reshape(-1, *weight.shape).sum(axis=0)
    dbias = None if bias is None else dout.sum(axis=tuple(range(dout.ndim - 1)))
    return dx, dweight, dbias


def with_products_and_sums(dout, cache):
    """With elementwise products and sums instead of matrix products."""
    x, weight, bias = cache
    dx = (dout[..., :, None] * weight).sum(axis=-2)
    products = dout[..., :, None] * x[..., None, :]
    dweight = products.reshape(-1, *weight.shape).sum(axis=0)
    dbias = None if bias is None else dout.reshape(-1, dout.shape[-1]).sum(axis=0)
    return dx, dweight, dbias


def turned(dout, cache):
    """Each product the other way round, and its result transposed."""
    x, weight, bias = cache
    rows = x.reshape(-1, x.shape[-1])
    drows = dout.reshape(-1, dout.shape[-1])
    dx = (weight.T @ drows.T).T.reshape(x.shape)
    dweight = (rows.T @ drows).T
    dbias = None if bias is None else drows.sum(axis=0)
    return dx, dweight, dbias


def in_one_product(x, weight, bias):
    """With x as it is, whatever its leading axes."""
    out = x @ weight.T
    if bias is not None:
        out = out + bias
    return out, None


def products_and_sums(x, weight, bias):
    """With elementwise products and sums instead of a matrix product."""
    products = x[..., None, :] * weight
    out = products.sum(axis=-1)
    if bias is not None:
        out = out + bias
    return out, None


FORWARD = (in_one_product, products_and_sums)
BACKWARD = (batched, with_products_and_sums, turned)
