"""Exercise: Vision Transformer.

after lesson 12 · forward: medium, 40 minutes · backward: hard, 60 minutes

All pieces together, from pixels to one score a class. Take the pairs from
ops, and three helpers that are imported below. Dropout follows embed; block i
of depth blocks gets drop_path_rate * i / max(depth - 1, 1). Watch
global_pool: "token" takes the class token, "avg" the mean of the others.
There always is one class token: leave config.class_token and distilled out.
cache["stages"] is for looking at, not for vit_backward: you may leave it out.
Forward and backward are separate tasks: write either first. What you have not
written is taken from the textbook.

Check:  tinyvit check vit.py
Stuck:  tinyvit exercise hint vit
"""

import numpy as np

from tinyvit import ops as textbook
from tinyvit.vit import positions, require_images, starting_with


def vit_forward(images, params, config, *, rng=None, ops=textbook):
    """Vision Transformer, from pixels to one score a class.

        tokens = [cls_token; patches @ proj.T] + pos_embed
        tokens = blocks.{depth-1}( ... blocks.0(tokens))
        logits = norm(tokens)[class token] @ head.T

    images : (B, C, H, W) float
    params : dict of arrays, names and shapes as `init_params(config)` gives them
    config : ViTConfig
    rng : numpy.random.Generator switches training's dropouts on; None is evaluation
    ops : where the pairs come from: the textbook, or a faster namespace with the same names

    Returns
        logits : (B, K)
        cache : what `vit_backward` needs; cache["stages"] holds every named stage's array
            The textbook's has the keys:
            config : the ViTConfig
            ops : where the pairs come from
            names : of params, a tuple in order
            patchify, embed, norm : what the pair's forward returned as its cache
            proj, head : `linear_forward`'s; drop : `dropout_forward`'s
            dist, head_dist : of a distillation token, which no check has
            blocks.0, blocks.1, ... : `block_forward`'s, one key a block
            stages : dict, name -> array:
                patches (B, N, C*P*P), patch_embed (B, N, D),
                embed (B, N+1, D), blocks.0.attn (B, h, N+1, N+1),
                blocks.0 (B, N+1, D), ..., norm (B, N+1, D),
                pool (B, D), logits (B, K)
            With a backward of your own, keep what it needs.
    Raises ValueError when the images are not of the configured shape.

    Source: Dosovitskiy et al. 2021 (arXiv 2010.11929), equations 1 to 4.
    """
    raise NotImplementedError("write vit_forward")


def vit_backward(dlogits, cache):
    """Gradients of the whole Vision Transformer.

    dlogits : (B, K) gradient of the loss with respect to the logits
    cache : from `vit_forward`: a dict
        config : the ViTConfig
        ops : where the pairs come from
        names : of params, a tuple in order
        patchify, embed, norm : what the pair's forward returned as its cache
        proj, head : `linear_forward`'s; drop : `dropout_forward`'s
        dist, head_dist : of a distillation token, which no check has
        blocks.0, blocks.1, ... : `block_forward`'s, one key a block
        stages : dict, name -> array:
            patches (B, N, C*P*P), patch_embed (B, N, D),
            embed (B, N+1, D), blocks.0.attn (B, h, N+1, N+1),
            blocks.0 (B, N+1, D), ..., norm (B, N+1, D),
            pool (B, D), logits (B, K)
        Your own forward may keep something else: then it is your own cache that you get.

    Returns
        dimages : (B, C, H, W), how each pixel moves the loss (a saliency map)
        grads : dict with the names, shapes and order of params
    """
    raise NotImplementedError("write vit_backward")
