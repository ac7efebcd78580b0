"""Exercise: Embed.

after lesson 3 · forward: easy, 10 minutes · backward: medium, 15 minutes

The patches become the input of the first block: the class token comes first,
then each token gets its position added. Write that, and its three gradients.
Watch the shapes: one class token and one table of positions serve the whole
batch. Without positions pos_embed is None.
Forward and backward are separate tasks: write either first. What you have not
written is taken from the textbook.

Check:  tinyvit check embed.py
Stuck:  tinyvit exercise hint embed
"""

import numpy as np


def embed_forward(tokens, cls_token, pos_embed):
    """Prepend the class token to each row of tokens, then add the position embeddings.

        out = [cls_token; tokens] + pos_embed

    tokens : (B, N, D) the projected patches
    cls_token : (1, 1, D) learned, the same for every image
    pos_embed : (1, N+1, D) one row a position, the class token's first; None adds no positions

    Returns
        out : (B, N+1, D)
        cache : what `embed_backward` needs
            The textbook's is a tuple of one:
            has_positions : bool, False where pos_embed was None
            With a backward of your own, keep what it needs.

    Source: Dosovitskiy et al. 2021 (arXiv 2010.11929), equation 1.
    """
    raise NotImplementedError("write embed_forward")


def embed_backward(dout, cache):
    """Gradients of the embedding.

    dout : (B, N+1, D) gradient of the loss with respect to out
    cache : from `embed_forward`: a tuple of one
        has_positions : bool, False where pos_embed was None
        Your own forward may keep something else: then it is your own cache that you get.

    Returns
        dtokens : (B, N, D)
        dcls_token : (1, 1, D)
        dpos_embed : (1, N+1, D), or None if there were no positions
    """
    raise NotImplementedError("write embed_backward")
