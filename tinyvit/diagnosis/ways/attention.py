"""Attention: other ways to write it."""

from math import sqrt

import numpy as np

from ...ops import dropout_backward, dropout_forward


def in_one_piece(dout, cache):
    """All products written out; q, k and v joined by concatenation."""
    q, k, v = cache["q"], cache["k"], cache["v"]
    attn, dropped = cache["attn"], cache["dropped"]
    context, proj_weight, proj_bias = cache["proj_cache"]
    x, qkv_weight, qkv_bias = cache["qkv_cache"]
    B, H, N, d = q.shape
    D = H * d

    drows = dout.reshape(-1, D)
    dproj_weight = drows.T @ context.reshape(-1, D)
    dproj_bias = None if proj_bias is None else drows.sum(axis=0)
    dcontext = dout @ proj_weight
    dcontext = dcontext.reshape(B, N, H, d).transpose(0, 2, 1, 3)
    dv = dropped.swapaxes(-1, -2) @ dcontext
    dattn = dcontext @ v.swapaxes(-1, -2)
    dattn = dropout_backward(dattn, cache["drop_cache"])
    total = (dattn * attn).sum(axis=-1, keepdims=True)
    dscores = attn * (dattn - total)
    dscores = dscores / sqrt(d)
    dq = dscores @ k
    dk = dscores.swapaxes(-1, -2) @ q
    dq = dq.transpose(0, 2, 1, 3).reshape(B, N, D)
    dk = dk.transpose(0, 2, 1, 3).reshape(B, N, D)
    dv = dv.transpose(0, 2, 1, 3).reshape(B, N, D)
    dqkv = np.concatenate([dq, dk, dv], axis=-1)
    dx = dqkv @ qkv_weight
    dqkv_rows = dqkv.reshape(-1, 3 * D)
    dqkv_weight = dqkv_rows.T @ x.reshape(-1, D)
    dqkv_bias = None if qkv_bias is None else dqkv_rows.sum(axis=0)
    return dx, dqkv_weight, dqkv_bias, dproj_weight, dproj_bias


def in_three_pieces(dout, cache):
    """q, k and v each with their own weights; softmax through its Jacobian matrix."""
    q, k, v = cache["q"], cache["k"], cache["v"]
    attn, dropped = cache["attn"], cache["dropped"]
    context, proj_weight, proj_bias = cache["proj_cache"]
    x, qkv_weight, qkv_bias = cache["qkv_cache"]
    q_weight, k_weight, v_weight = np.split(qkv_weight, 3)
    B, H, N, d = q.shape
    D = H * d

    dproj_weight = (dout.swapaxes(-1, -2) @ context).sum(axis=0)
    dproj_bias = None if proj_bias is None else dout.sum(axis=(0, 1))
    dcontext = (dout @ proj_weight).reshape(B, N, H, d).swapaxes(1, 2)
    dv = dropped.swapaxes(-1, -2) @ dcontext
    ddropped = dcontext @ v.swapaxes(-1, -2)
    dattn = dropout_backward(ddropped, cache["drop_cache"])
    jacobian = attn[..., :, None] * np.eye(N) - attn[..., :, None] * attn[..., None, :]
    dscores = (jacobian @ dattn[..., None])[..., 0]
    dq = dscores @ k * d**-0.5
    dk = dscores.swapaxes(-1, -2) @ q * d**-0.5
    dq = dq.swapaxes(1, 2).reshape(B, N, D)
    dk = dk.swapaxes(1, 2).reshape(B, N, D)
    dv = dv.swapaxes(1, 2).reshape(B, N, D)
    dx = dq @ q_weight + dk @ k_weight + dv @ v_weight
    dq_weight = (dq.swapaxes(-1, -2) @ x).sum(axis=0)
    dk_weight = (dk.swapaxes(-1, -2) @ x).sum(axis=0)
    dv_weight = (dv.swapaxes(-1, -2) @ x).sum(axis=0)
    dqkv_weight = np.concatenate([dq_weight, dk_weight, dv_weight])
    dqkv_bias = None
    if qkv_bias is not None:
        dq_bias, dk_bias, dv_bias = dq.sum(axis=(0, 1)), dk.sum(axis=(0, 1)), dv.sum(axis=(0, 1))
        dqkv_bias = np.concatenate([dq_bias, dk_bias, dv_bias])
    return dx, dqkv_weight, dqkv_bias, dproj_weight, dproj_bias


def split_after_the_product(
    x, qkv_weight, qkv_bias, proj_weight, proj_bias, num_heads, attn_drop_rate=0.0, rng=None
):
    """One product for q, k and v, which are then split; softmax written out."""
    B, N, D = x.shape
    H = num_heads
    d = D // H
    qkv = x @ qkv_weight.T
    if qkv_bias is not None:
        qkv = qkv + qkv_bias
    q, k, v = np.split(qkv, 3, axis=-1)
    q = q.reshape(B, N, H, d).transpose(0, 2, 1, 3)
    k = k.reshape(B, N, H, d).transpose(0, 2, 1, 3)
    v = v.reshape(B, N, H, d).transpose(0, 2, 1, 3)
    scores = q @ k.swapaxes(-1, -2) / sqrt(d)
    exps = np.exp(scores - scores.max(axis=-1, keepdims=True))
    attn = exps / exps.sum(axis=-1, keepdims=True)
    attn = dropout_forward(attn, attn_drop_rate, rng)[0]
    context = attn @ v
    context = context.transpose(0, 2, 1, 3).reshape(B, N, D)
    out = context @ proj_weight.T
    if proj_bias is not None:
        out = out + proj_bias
    return out, None


def split_before_the_product(
    x, qkv_weight, qkv_bias, proj_weight, proj_bias, num_heads, attn_drop_rate=0.0, rng=None
):
    """The weights are split: q, k and v each have their own product."""
    B, N, D = x.shape
    H = num_heads
    q_weight, k_weight, v_weight = np.split(qkv_weight, 3)
    q = x @ q_weight.T
    k = x @ k_weight.T
    v = x @ v_weight.T
    if qkv_bias is not None:
        q_bias, k_bias, v_bias = np.split(qkv_bias, 3)
        q = q + q_bias
        k = k + k_bias
        v = v + v_bias
    q = q.reshape(B, N, H, D // H).swapaxes(1, 2)
    k = k.reshape(B, N, H, D // H).swapaxes(1, 2)
    v = v.reshape(B, N, H, D // H).swapaxes(1, 2)
    q = q * (D // H) ** -0.5
    scores = q @ k.swapaxes(-1, -2)
    scores = scores - scores.max(axis=-1, keepdims=True)
    attn = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    attn = dropout_forward(attn, attn_drop_rate, rng)[0]
    context = (attn @ v).swapaxes(1, 2).reshape(B, N, D)
    out = context @ proj_weight.T
    if proj_bias is not None:
        out = out + proj_bias
    return out, None


FORWARD = (split_after_the_product, split_before_the_product)
BACKWARD = (in_one_piece, in_three_pieces)
