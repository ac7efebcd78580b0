"""Multi-head self-attention: every token looks at every token, with h pairs of eyes."""

from ..backend import get_array_module
from .dropout import dropout_backward, dropout_forward
from .linear import linear_backward, linear_forward
from .softmax import softmax_backward, softmax_forward


def attention_forward(
    x, qkv_weight, qkv_bias, proj_weight, proj_bias, num_heads, attn_drop_rate=0.0, rng=None
):
    """Multi-head self-attention.

        q, k, v = split(x @ qkv_weight.T + qkv_bias)            for each head, d = D / h
        attn    = softmax(q @ k.T / sqrt(d))
        out     = concat_heads(attn @ v) @ proj_weight.T + proj_bias

    x : (B, N, D)
    qkv_weight : (3D, D), rows: q of every head, then k, then v
    qkv_bias : (3D,) or None
    proj_weight : (D, D)
    proj_bias : (D,) or None
    num_heads : h, must divide D
    attn_drop_rate : share of the attention weights set to zero in training
    rng : numpy.random.Generator for that; None drops nothing

    Returns
        out : (B, N, D)
        cache : a dict: what `attention_backward` needs; also to look at: q, k, v, attn, context
    Raises ValueError when h does not divide D.

    Source: Vaswani et al. 2017 (arXiv 1706.03762), equation 1 and section 3.2.2.
    """
    B, N, D = x.shape
    h = num_heads
    if D % h:
        raise ValueError(f"width {D} is not divisible by {h} heads")
    d = D // h
    scale = d**-0.5

    qkv, qkv_cache = linear_forward(x, qkv_weight, qkv_bias)
    qkv = qkv.reshape(B, N, 3, h, d).transpose(2, 0, 3, 1, 4)  # (B, N, 3D) -> (3, B, h, N, d)
    q, k, v = qkv[0], qkv[1], qkv[2]  # (B, h, N, d) each
    scores = (q @ k.swapaxes(-1, -2)) * scale  # (B, h, N, N): row = who looks, column = at whom
    attn, attn_cache = softmax_forward(scores)
    dropped, drop_cache = dropout_forward(attn, attn_drop_rate, rng)
    context = dropped @ v  # (B, h, N, d)
    context = context.transpose(0, 2, 1, 3).reshape(B, N, D)  # (B, h, N, d) -> (B, N, D)
    out, proj_cache = linear_forward(context, proj_weight, proj_bias)

    cache = {"q": q, "k": k, "v": v, "attn": attn, "dropped": dropped, "context": context}
    cache |= {"qkv_cache": qkv_cache, "attn_cache": attn_cache}
    cache |= {"drop_cache": drop_cache, "proj_cache": proj_cache}
    return out, cache


def attention_backward(dout, cache):
    """Gradients of multi-head self-attention.

    dout : (B, N, D) gradient of the loss with respect to out
    cache : from `attention_forward`

    Returns
        dx : (B, N, D)
        dqkv_weight : (3D, D)
        dqkv_bias : (3D,), or None if there was no bias
        dproj_weight : (D, D)
        dproj_bias : (D,), or None if there was no bias

    Derivation: a product out = a @ b gives da = dout @ b.T and db = a.T @ dout, used three times
    (for context, for scores, and inside linear); softmax has its own backward in between. scores
    holds q and k, context holds v: each gets its gradient, and the three are put side by side as
    qkv was.
    """
    q, k, v, dropped = cache["q"], cache["k"], cache["v"], cache["dropped"]
    B, h, N, d = q.shape
    scale = d**-0.5

    dcontext, dproj_weight, dproj_bias = linear_backward(dout, cache["proj_cache"])
    dcontext = dcontext.reshape(B, N, h, d).transpose(0, 2, 1, 3)  # (B, N, D) -> (B, h, N, d)
    ddropped = dcontext @ v.swapaxes(-1, -2)  # forward: context = dropped @ v
    dv = dropped.swapaxes(-1, -2) @ dcontext  # forward: context = dropped @ v
    dattn = dropout_backward(ddropped, cache["drop_cache"])  # forward: dropped = dropout(attn)
    dscores = softmax_backward(dattn, cache["attn_cache"])  # forward: attn = softmax(scores)
    dscores = dscores * scale  # forward: scores = (q @ k.T) * scale
    dq = dscores @ k  # forward: scores = q @ k.T
    dk = dscores.swapaxes(-1, -2) @ q  # forward: scores = q @ k.T
    dqkv = _join_heads(dq, dk, dv)  # forward: q, k, v = qkv[0], qkv[1], qkv[2]
    dx, dqkv_weight, dqkv_bias = linear_backward(dqkv, cache["qkv_cache"])
    return dx, dqkv_weight, dqkv_bias, dproj_weight, dproj_bias


def _join_heads(dq, dk, dv):
    xp = get_array_module(dq)
    B, h, N, d = dq.shape
    dqkv = xp.stack([dq, dk, dv])  # (3, B, h, N, d)
    return dqkv.transpose(1, 3, 0, 2, 4).reshape(B, N, 3 * h * d)  # -> (B, N, 3D)
