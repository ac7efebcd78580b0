"""Exercise: Block.

after lesson 9 · forward: medium, 25 minutes · backward: medium, 35 minutes

A Transformer is a stack of these: attention and MLP, each on a branch beside
a stream. Put it together from the smaller pairs, which are imported below. A
branch is attention (or MLP), then dropout, then drop path. Watch the two
places where x feeds both the branch and the stream. BLOCK_PARAMS holds the
parameters' names in their order.
Forward and backward are separate tasks: write either first. What you have not
written is taken from the textbook.

Check:  tinyvit check block.py
Stuck:  tinyvit exercise hint block
"""

import numpy as np

from tinyvit.ops import (
    attention_backward,
    attention_forward,
    drop_path_backward,
    drop_path_forward,
    dropout_backward,
    dropout_forward,
    layernorm_backward,
    layernorm_forward,
    mlp_backward,
    mlp_forward,
)
from tinyvit.ops.block import BLOCK_PARAMS


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
            The textbook's has the keys:
            norm : "pre" or "post"
            norm1, norm2 : what `layernorm_forward` returned as its cache
            attn : `attention_forward`'s; mlp : `mlp_forward`'s
            drop1, drop2 : `dropout_forward`'s, 1 after attention, 2 after the MLP
            path1, path2 : `drop_path_forward`'s, likewise
            With a backward of your own, keep what it needs.
    Raises ValueError for another `norm`.

    Source: pre: Dosovitskiy et al. 2021 (arXiv 2010.11929), equations 2 and 3; post: Vaswani et
    al. 2017 (arXiv 1706.03762), section 3.1.
    """
    raise NotImplementedError("write block_forward")


def block_backward(dout, cache):
    """Gradients of the block.

    dout : (B, N, D) gradient of the loss with respect to out
    cache : from `block_forward`: a dict
        norm : "pre" or "post"
        norm1, norm2 : what `layernorm_forward` returned as its cache
        attn : `attention_forward`'s; mlp : `mlp_forward`'s
        drop1, drop2 : `dropout_forward`'s, 1 after attention, 2 after the MLP
        path1, path2 : `drop_path_forward`'s, likewise
        Your own forward may keep something else: then it is your own cache that you get.

    Returns
        dx : (B, N, D)
        grads : dict with the keys, shapes and order of params
    """
    raise NotImplementedError("write block_backward")
