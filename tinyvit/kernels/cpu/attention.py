"""Fast `ops.attention`: softmax in place, and only for the tokens whose output is wanted."""

import numpy as np

from ...ops import dropout_backward, dropout_forward
from .buffers import empty
from .linear import linear_backward, linear_forward
from .softmax import softmax_in_place


def attention_forward(
    x,
    qkv_weight,
    qkv_bias,
    proj_weight,
    proj_bias,
    num_heads,
    attn_drop_rate=0.0,
    rng=None,
    *,
    queries=None,
):
    """As `ops.attention_forward`.

    qkv_weight, qkv_bias : also (3, E, D) and (3, E), the rows of some of the heads: E features of
        q, of k and of v. proj_weight is (D, E) then, and there is no backward
    queries : how many of the first tokens look around; None is all. The output has these alone.
    """
    weights = qkv_weight.reshape(3, -1, x.shape[-1])  # of q, k and v
    E, h = weights.shape[1], num_heads
    if E % h:
        raise ValueError(f"width {E} is not divisible by {h} heads")
    if queries is None and qkv_weight.ndim == 2:
        qkv, qkv_cache = linear_forward(x, qkv_weight, qkv_bias)
        q, k, v = split_heads(qkv, 3, h)
    else:
        biases = (None, None, None) if qkv_bias is None else qkv_bias.reshape(3, E)
        inputs = x[:, :queries], x, x
        layers = [linear_forward(*args) for args in zip(inputs, weights, biases, strict=True)]
        q, k, v = (split_heads(out, 1, h)[0] for out, _ in layers)
        qkv_cache = [layer_cache for _, layer_cache in layers]

    B, h, Q, d = q.shape
    q *= d**-0.5
    attn = np.matmul(q, k.swapaxes(-1, -2), out=empty((B, h, Q, k.shape[2]), q.dtype))
    softmax_in_place(attn)
    dropped, drop_cache = dropout_forward(attn, attn_drop_rate, rng)
    context = empty((B, Q, E), q.dtype)
    np.matmul(dropped, v, out=split_heads(context, 1, h)[0])
    out, proj_cache = linear_forward(context, proj_weight, proj_bias)

    cache = {"q": q, "k": k, "v": v, "attn": attn, "dropped": dropped, "context": context}
    cache |= {"qkv_cache": qkv_cache, "drop_cache": drop_cache, "proj_cache": proj_cache}
    return out, cache


def attention_backward(dout, cache, out=(None, None)):
    """As `ops.attention_backward`.

    out : where to write dqkv_weight and dproj_weight; None takes new arrays
    """
    q, k, v, attn, dropped = (cache[name] for name in ("q", "k", "v", "attn", "dropped"))
    B, h, Q, d = q.shape
    N, D = k.shape[2], h * d

    dcontext, dproj_weight, dproj_bias = linear_backward(dout, cache["proj_cache"], out[1])
    (dcontext,) = split_heads(dcontext, 1, h)
    shared = isinstance(cache["qkv_cache"][0], np.ndarray)  # one linear layer made q, k and v
    if shared:
        dqkv = empty((B, N, 3 * D), dout.dtype)
        dq, dk, dv = split_heads(dqkv, 3, h)
    else:
        dparts = [empty((B, n, D), dout.dtype) for n in (Q, N, N)]
        dq, dk, dv = (split_heads(dpart, 1, h)[0] for dpart in dparts)

    np.matmul(dropped.swapaxes(-1, -2), dcontext, out=dv)
    dscores = np.matmul(dcontext, v.swapaxes(-1, -2), out=empty(attn.shape, dout.dtype))
    dscores = dropout_backward(dscores, cache["drop_cache"])
    dscores -= np.vecdot(dscores, attn)[..., None]
    dscores *= attn
    np.matmul(dscores, k, out=dq)
    dq *= d**-0.5
    np.matmul(dscores.swapaxes(-1, -2), q, out=dk)  # q holds the factor d^-1/2 already

    if shared:
        dx, dqkv_weight, dqkv_bias = linear_backward(dqkv, cache["qkv_cache"], out[0])
    else:
        dqkv_weight = empty((3 * D, D), dout.dtype) if out[0] is None else out[0]
        outs = dqkv_weight.reshape(3, D, D)
        layers = map(linear_backward, dparts, cache["qkv_cache"], outs)
        (dx_queries, dx, dx_values), _, dbiases = zip(*layers, strict=True)
        dx += dx_values
        dx[:, :Q] += dx_queries
        dqkv_bias = None if dbiases[0] is None else np.concatenate(dbiases)
    return dx, dqkv_weight, dqkv_bias, dproj_weight, dproj_bias


def split_heads(x, parts, num_heads):
    """See (B, N, parts * D) as `parts` arrays (B, h, N, d), without copying."""
    B, N, width = x.shape
    return x.reshape(B, N, parts, num_heads, width // parts // num_heads).transpose(2, 0, 3, 1, 4)
