"""Fast `ops.block`: the residual addition and the norm after it are one launch."""

import cupy

from ...ops import drop_path_backward, drop_path_forward, dropout_backward, dropout_forward
from .attention import attention_backward, attention_forward
from .layernorm import add_layernorm, add_layernorm_backward, blocks
from .mlp import mlp_backward, mlp_forward

ATTENTION = ("attn.qkv.weight", "attn.qkv.bias", "attn.proj.weight", "attn.proj.bias")
MLP = ("mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias")


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
    """As `ops.block_forward`."""
    if norm not in ("pre", "post"):
        raise ValueError(f'norm={norm!r} is not known: use "pre" or "post"')
    cache = {"norm": norm, "names": tuple(params)}

    def add_norm(name, x, branch):
        """layernorm(x + branch), and x + branch."""
        shape = x.shape
        x, branch = (
            a if a is None else cupy.ascontiguousarray(a).reshape(-1, shape[-1])
            for a in (x, branch)
        )
        weight, bias = (cupy.ascontiguousarray(params[f"{name}.{w}"]) for w in ("weight", "bias"))
        out, total, stats = add_layernorm(x, branch, None, weight, bias, eps)
        cache[name] = total, stats, weight
        return out.reshape(shape), total.reshape(shape)

    def attention(x):
        weights = [params.get(name) for name in ATTENTION]
        x, cache["attn"] = attention_forward(x, *weights, num_heads, attn_drop_rate, rng)
        return drop(1, x)

    def mlp(x):
        weights = [params[name] for name in MLP]
        x, cache["mlp"] = mlp_forward(x, *weights, activation, drop_rate, rng)
        return drop(2, x)

    def drop(i, x):
        x, cache[f"drop{i}"] = dropout_forward(x, drop_rate, rng)
        x, cache[f"path{i}"] = drop_path_forward(x, drop_path_rate, rng)
        return x

    if norm == "pre":
        inner, _ = add_norm("norm1", x, None)
        inner, x = add_norm("norm2", x, attention(inner))
        out = x + mlp(inner)
    else:
        x, _ = add_norm("norm1", x, attention(x))
        out, _ = add_norm("norm2", x, mlp(x))
    return out, cache


def block_backward(dout, cache):
    """As `ops.block_backward`."""
    grads = {}

    def dadd_norm(name, dout, dresidual):
        total, stats, weight = cache[name]
        rows = [
            a if a is None else cupy.ascontiguousarray(a).reshape(total.shape)
            for a in (dout, dresidual)
        ]
        sums = cupy.empty((blocks(len(total)), 3, total.shape[-1]), total.dtype)
        dx = cupy.empty_like(total)
        add_layernorm_backward(rows[0], total, stats, weight, rows[1], sums, dx)
        grads[f"{name}.weight"], grads[f"{name}.bias"], _ = sums.sum(axis=0)
        return dx.reshape(dout.shape)

    def dattention(dx):
        dx, *dweights = attention_backward(ddrop(1, dx), cache["attn"])
        grads.update(zip(ATTENTION, dweights, strict=True))
        return dx

    def dmlp(dx):
        dx, *dweights = mlp_backward(ddrop(2, dx), cache["mlp"])
        grads.update(zip(MLP, dweights, strict=True))
        return dx

    def ddrop(i, dx):
        return dropout_backward(drop_path_backward(dx, cache[f"path{i}"]), cache[f"drop{i}"])

    if cache["norm"] == "pre":
        dx = dadd_norm("norm2", dmlp(dout), dout)
        dx = dadd_norm("norm1", dattention(dx), dx)
    else:
        dx = dadd_norm("norm2", dout, None)
        dx = dadd_norm("norm1", dx + dmlp(dx), None)
        dx = dx + dattention(dx)
    return dx, {name: grads[name] for name in cache["names"]}
