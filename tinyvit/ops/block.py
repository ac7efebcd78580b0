"""Block: attention and MLP, each on a residual branch; a Transformer is a stack of these."""

from .attention import attention_backward, attention_forward
from .drop_path import drop_path_backward, drop_path_forward
from .dropout import dropout_backward, dropout_forward
from .layernorm import layernorm_backward, layernorm_forward
from .mlp import mlp_backward, mlp_forward


def block_forward(
    x,
    params,
    num_heads,
    *,
    norm="pre",
    activation="gelu",
    eps=1e-6,
    drop_rate=0.0,
    attn_drop_rate=0.0,
    drop_path_rate=0.0,
    rng=None,
):
    """One Transformer encoder block.

        pre:  x = x + attention(norm1(x));   out = x + mlp(norm2(x))
        post: x = norm1(x + attention(x));   out = norm2(x + mlp(x))

    x : (B, N, D)
    params : dict: norm1.weight, norm1.bias, attn.qkv.weight, attn.qkv.bias (may be missing),
        attn.proj.weight, attn.proj.bias, norm2.weight, norm2.bias, mlp.fc1.weight, mlp.fc1.bias,
        mlp.fc2.weight, mlp.fc2.bias
    num_heads : h, must divide D
    norm : "pre" (ViT) or "post" (the Transformer of 2017)
    activation : "gelu", "gelu_tanh" or "relu"
    eps : LayerNorm's
    drop_rate, attn_drop_rate, drop_path_rate : dropout of hidden values and branch outputs, of
        attention weights, of whole branches; in training only
    rng : numpy.random.Generator for these; None is evaluation

    Returns
        out : (B, N, D)
        cache : a dict: what `block_backward` needs; cache["attn"] is attention's own
    Raises ValueError for another `norm`.

    Source: pre: Dosovitskiy et al. 2021 (arXiv 2010.11929), equations 2 and 3; post: Vaswani et
    al. 2017 (arXiv 1706.03762), section 3.1.
    """
    if norm not in ("pre", "post"):
        raise ValueError(f'norm={norm!r} is not known: use "pre" or "post"')
    p, cache = params, {"norm": norm}

    def norm1(x):
        x, cache["norm1"] = layernorm_forward(x, p["norm1.weight"], p["norm1.bias"], eps)
        return x

    def attention(x):
        weights = p["attn.qkv.weight"], p.get("attn.qkv.bias")
        weights += p["attn.proj.weight"], p["attn.proj.bias"]
        x, cache["attn"] = attention_forward(x, *weights, num_heads, attn_drop_rate, rng)
        x, cache["drop1"] = dropout_forward(x, drop_rate, rng)
        x, cache["path1"] = drop_path_forward(x, drop_path_rate, rng)
        return x

    def norm2(x):
        x, cache["norm2"] = layernorm_forward(x, p["norm2.weight"], p["norm2.bias"], eps)
        return x

    def mlp(x):
        weights = p["mlp.fc1.weight"], p["mlp.fc1.bias"], p["mlp.fc2.weight"], p["mlp.fc2.bias"]
        x, cache["mlp"] = mlp_forward(x, *weights, activation, drop_rate, rng)
        x, cache["drop2"] = dropout_forward(x, drop_rate, rng)
        x, cache["path2"] = drop_path_forward(x, drop_path_rate, rng)
        return x

    if norm == "pre":
        x = x + attention(norm1(x))
        out = x + mlp(norm2(x))
    else:
        x = norm1(x + attention(x))
        out = norm2(x + mlp(x))
    return out, cache


def block_backward(dout, cache):
    """Gradients of the block.

    dout : (B, N, D) gradient of the loss with respect to out
    cache : from `block_forward`

    Returns
        dx : (B, N, D)
        grads : dict with the keys, shapes and order of params

    Derivation: in x + f(x), x feeds two ways, so their gradients add: dx = dout + f_backward(dout).
    The first of them is why deep stacks learn: through it the gradient reaches the first block
    untouched (pre-norm), or only rescaled by each norm on the way (post-norm).
    """
    grads = {}

    def dnorm1(dx):
        dx, grads["norm1.weight"], grads["norm1.bias"] = layernorm_backward(dx, cache["norm1"])
        return dx

    def dattention(dx):
        dx = drop_path_backward(dx, cache["path1"])
        dx = dropout_backward(dx, cache["drop1"])
        dx, *dweights = attention_backward(dx, cache["attn"])
        grads["attn.qkv.weight"], grads["attn.qkv.bias"] = dweights[:2]
        grads["attn.proj.weight"], grads["attn.proj.bias"] = dweights[2:]
        return dx

    def dnorm2(dx):
        dx, grads["norm2.weight"], grads["norm2.bias"] = layernorm_backward(dx, cache["norm2"])
        return dx

    def dmlp(dx):
        dx = drop_path_backward(dx, cache["path2"])
        dx = dropout_backward(dx, cache["drop2"])
        dx, *dweights = mlp_backward(dx, cache["mlp"])
        grads["mlp.fc1.weight"], grads["mlp.fc1.bias"] = dweights[:2]
        grads["mlp.fc2.weight"], grads["mlp.fc2.bias"] = dweights[2:]
        return dx

    if cache["norm"] == "pre":
        dx = dout + dnorm2(dmlp(dout))  # forward: out = x + mlp(norm2(x)); x fed both
        dx = dx + dnorm1(dattention(dx))  # forward: x = x + attention(norm1(x)); x fed both
    else:
        dx = dnorm2(dout)  # forward: out = norm2(x + mlp(x))
        dx = dx + dmlp(dx)  # forward: x + mlp(x); x fed both
        dx = dnorm1(dx)  # forward: x = norm1(x + attention(x))
        dx = dx + dattention(dx)  # forward: x + attention(x); x fed both
    return dx, {name: grads[name] for name in BLOCK_PARAMS if grads[name] is not None}


BLOCK_PARAMS = (
    *("norm1.weight", "norm1.bias"),
    *("attn.qkv.weight", "attn.qkv.bias", "attn.proj.weight", "attn.proj.bias"),
    *("norm2.weight", "norm2.bias"),
    *("mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias"),
)
