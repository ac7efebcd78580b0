"""Exercise: Attention.

after lesson 6 · forward: medium, 30 minutes · backward: hard, 60 minutes

Every token asks every other, with several heads. Put it together from linear,
softmax and dropout, which are imported below; between them stand two matrix
products. Dropout works on the attention weights, after softmax. Watch the
reshapes: the heads have to come in front of the tokens, and go back.
Forward and backward are separate tasks: write either first. What you have not
written is taken from the textbook.

Check:  tinyvit check attention.py
Stuck:  tinyvit exercise hint attention
"""

import numpy as np

from tinyvit.ops import (
    dropout_backward,
    dropout_forward,
    linear_backward,
    linear_forward,
    softmax_backward,
    softmax_forward,
)


def attention_forward(
    x,
    qkv_weight,
    qkv_bias,
    proj_weight,
    proj_bias,
    num_heads,
    attn_drop_rate=0.0,
    rng=None,
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
            The textbook's has the keys:
            q, k, v : (B, h, N, d)
            attn : (B, h, N, N) the softmax of the scores
            dropped : (B, h, N, N) attn after its dropout
            context : (B, N, D) the weighted values, the heads side by side
            qkv_cache, proj_cache : what `linear_forward` returned as its cache
            attn_cache : `softmax_forward`'s; drop_cache : `dropout_forward`'s
            With a backward of your own, keep what it needs.
    Raises ValueError when h does not divide D.

    Source: Vaswani et al. 2017 (arXiv 1706.03762), equation 1 and section 3.2.2.
    """
    raise NotImplementedError("write attention_forward")


def attention_backward(dout, cache):
    """Gradients of multi-head self-attention.

    dout : (B, N, D) gradient of the loss with respect to out
    cache : from `attention_forward`: a dict
        q, k, v : (B, h, N, d)
        attn : (B, h, N, N) the softmax of the scores
        dropped : (B, h, N, N) attn after its dropout
        context : (B, N, D) the weighted values, the heads side by side
        qkv_cache, proj_cache : what `linear_forward` returned as its cache
        attn_cache : `softmax_forward`'s; drop_cache : `dropout_forward`'s
        Your own forward may keep something else: then it is your own cache that you get.

    Returns
        dx : (B, N, D)
        dqkv_weight : (3D, D)
        dqkv_bias : (3D,), or None if there was no bias
        dproj_weight : (D, D)
        dproj_bias : (D,), or None if there was no bias
    """
    raise NotImplementedError("write attention_backward")
