"""Fast `ops.block`: residuals are added in place, and only for the tokens that are wanted."""

from ...ops import (
    drop_path_backward,
    drop_path_forward,
    dropout_backward,
    dropout_forward,
)
from .attention import attention_backward, attention_forward
from .fold import fold, unfold
from .layernorm import (
    layernorm_backward,
    layernorm_forward,
    normalize_backward,
    normalize_forward,
)
from .mlp import mlp_backward, mlp_forward

MLP = ("mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias")
ATTENTION = ("attn.qkv.weight", "attn.qkv.bias", "attn.proj.weight", "attn.proj.bias")
FOLDS = 5  # tokens for each feature from which folding a LayerNorm costs less than it saves


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
    queries=None,
    all_reduce=None,
):
    """As `ops.block_forward`.

    queries : how many of the first tokens are wanted; None is all. The output has these alone:
        the other tokens still serve as keys and values.
    all_reduce : where `params` hold some of the heads and of the hidden features only: called
        with what these give a branch's output, it returns the sum over all of them; there is no
        backward then
    """
    if norm not in ("pre", "post"):
        raise ValueError(f'norm={norm!r} is not known: use "pre" or "post"')
    cache = {"norm": norm, "names": tuple(params)}

    def layernorm(name, x):
        weights = params[f"{name}.weight"], params[f"{name}.bias"]
        out, cache[name] = layernorm_forward(x, *weights, eps)
        return out

    def enter(norm_name, linear_name, x):
        """What goes into a branch, and the weights of its first layer."""
        layer = params[f"{linear_name}.weight"], params.get(f"{linear_name}.bias")
        if norm == "post":
            return x, *layer
        if x.size < FOLDS * x.shape[-1] ** 2:
            return layernorm(norm_name, x), *layer
        gain, shift = params[f"{norm_name}.weight"], params[f"{norm_name}.bias"]
        xhat, cache[norm_name] = normalize_forward(x, eps)
        cache[linear_name] = layer[0], gain, shift
        return xhat, *fold(*layer, gain, shift)

    def drop(i, x):
        x, cache[f"drop{i}"] = dropout_forward(x, drop_rate, rng)
        x, cache[f"path{i}"] = drop_path_forward(x, drop_path_rate, rng)
        return x

    inner, *qkv = enter("norm1", "attn.qkv", x)
    proj = params["attn.proj.weight"], params["attn.proj.bias"]
    out, cache["attn"] = attention_forward(
        inner, *qkv, *proj, num_heads, attn_drop_rate, rng, queries=queries
    )
    out = drop(1, all_reduce(out) if all_reduce else out)
    out += x[:, :queries]
    x = out if norm == "pre" else layernorm("norm1", out)

    inner, *fc1 = enter("norm2", "mlp.fc1", x)
    fc2 = params["mlp.fc2.weight"], params["mlp.fc2.bias"]
    out, cache["mlp"] = mlp_forward(inner, *fc1, *fc2, activation, drop_rate, rng)
    out = drop(2, all_reduce(out) if all_reduce else out)
    out += x
    return (out if norm == "pre" else layernorm("norm2", out)), cache


def block_backward(dout, cache, out=None):
    """As `ops.block_backward`.

    out : dict with the keys of params, where to write the gradients of weight matrices; None
        takes new arrays
    """
    grads, out = {}, out or {}

    def dlayernorm(name, dx):
        dx, grads[f"{name}.weight"], grads[f"{name}.bias"] = layernorm_backward(dx, cache[name])
        return dx

    def dleave(norm_name, linear_name, dx):
        """From the gradient of a branch's input to that of x; `enter` backwards."""
        if not pre:
            return dx
        if linear_name not in cache:
            return dlayernorm(norm_name, dx)
        weight, bias = f"{linear_name}.weight", f"{linear_name}.bias"
        grads[weight], grads[f"{norm_name}.weight"], grads[f"{norm_name}.bias"] = unfold(
            grads[weight], grads[bias], *cache[linear_name]
        )
        return normalize_backward(dx, cache[norm_name])

    def ddrop(i, dx):
        return dropout_backward(drop_path_backward(dx, cache[f"path{i}"]), cache[f"drop{i}"])

    pre = cache["norm"] == "pre"
    dout = dout if pre else dlayernorm("norm2", dout)
    dx, *dweights = mlp_backward(ddrop(2, dout), cache["mlp"], _weights(MLP, out))
    grads |= zip(MLP, dweights, strict=True)
    dx = dleave("norm2", "mlp.fc1", dx)
    dx += dout

    dout = dx if pre else dlayernorm("norm1", dx)
    dx, *dweights = attention_backward(ddrop(1, dout), cache["attn"], _weights(ATTENTION, out))
    grads |= zip(ATTENTION, dweights, strict=True)
    dx = dleave("norm1", "attn.qkv", dx)
    dx[:, : dout.shape[1]] += dout
    return dx, {name: grads[name] for name in cache["names"]}


def _weights(names, arrays):
    return [arrays.get(name) for name in names if name.endswith("weight")]
