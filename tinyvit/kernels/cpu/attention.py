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
    gather=None,
):
    """As `ops.attention_forward`.

    queries : how many of the first tokens look around; None is all. The output has these alone.
    gather : where x is a part of the tokens only: called with the part's keys and values, it
        returns those of all tokens (B, N, 2D); there is no backward then
    """
    D, h = x.shape[-1], num_heads
    if D % h:
        raise ValueError(f"width {D} is not divisible by {h} heads")
    if queries is None and gather is None:
        qkv, qkv_cache = linear_forward(x, qkv_weight, qkv_bias)
        q, k, v = split_heads(qkv, 3, h)
    else:
        q_bias, kv_bias = (None, None) if qkv_bias is None else (qkv_bias[:D], qkv_bias[D:])
        q, q_cache = linear_forward(x[:, :queries], qkv_weight[:D], q_bias)
        kv, kv_cache = linear_forward(x, qkv_weight[D:], kv_bias)
        kv = kv if gather is None else gather(kv)
        (q,), (k, v), qkv_cache = split_heads(q, 1, h), split_heads(kv, 2, h), (q_cache, kv_cache)

    B, h, Q, d = q.shape
    q *= d**-0.5
    attn = np.matmul(q, k.swapaxes(-1, -2), out=empty((B, h, Q, k.shape[2]), q.dtype))
    softmax_in_place(attn)
    dropped, drop_cache = dropout_forward(attn, attn_drop_rate, rng)
    context = empty((B, Q, D), q.dtype)
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
        dqueries, dkv = empty((B, Q, D), dout.dtype), empty((B, N, 2 * D), dout.dtype)
        (dq,), (dk, dv) = split_heads(dqueries, 1, h), split_heads(dkv, 2, h)

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
        q_cache, kv_cache = cache["qkv_cache"]
        dqkv_weight = empty((3 * D, D), dout.dtype) if out[0] is None else out[0]
        dx_queries, _, dq_bias = linear_backward(dqueries, q_cache, dqkv_weight[:D])
        dx, _, dkv_bias = linear_backward(dkv, kv_cache, dqkv_weight[D:])
        dx[:, :Q] += dx_queries
        dqkv_bias = None if dq_bias is None else np.concatenate([dq_bias, dkv_bias])
    return dx, dqkv_weight, dqkv_bias, dproj_weight, dproj_bias


def split_heads(x, parts, num_heads):
    """See (B, N, parts * D) as `parts` arrays (B, h, N, d), without copying."""
    B, N, width = x.shape
    return x.reshape(B, N, parts, num_heads, width // parts // num_heads).transpose(2, 0, 3, 1, 4)
