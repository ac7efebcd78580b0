"""Exercise: Patchify.

after lesson 1 · forward: medium, 20 minutes · backward: easy, 15 minutes

A Transformer reads a row of vectors, so the image is cut into patches. Write
patchify_forward with reshape and transpose, and patchify_backward, which puts
each gradient back at its pixel. Watch the order of the numbers in a patch:
channel first, then row, then column.
Forward and backward are separate tasks: write either first. What you have not
written is taken from the textbook.

Check:  tinyvit check patchify.py
Stuck:  tinyvit exercise hint patchify
"""

import numpy as np


def patchify_forward(images, patch_size):
    """Cut images into non-overlapping square patches, each flattened to a vector.

        patches[b, n, (c, i, j)] = images[b, c, row(n) * P + i, col(n) * P + j]

    images : (B, C, H, W)
    patch_size : P, side of a patch [pixels]; must divide H and W.

    Returns
        patches : (B, N, C*P*P), N = (H/P) * (W/P), left to right, then top to bottom
        cache : what `patchify_backward` needs
            The textbook's is a tuple:
            images.shape : (B, C, H, W)
            P : patch_size
            With a backward of your own, keep what it needs.
    Raises ValueError when P does not divide H and W.

    Source: Dosovitskiy et al. 2021 (arXiv 2010.11929), section 3.1, x -> x_p.
    """
    raise NotImplementedError("write patchify_forward")


def patchify_backward(dpatches, cache):
    """Put each patch's gradient back where the patch was cut.

    dpatches : (B, N, C*P*P) gradient of the loss with respect to the patches
    cache : from `patchify_forward`: a tuple
        images.shape : (B, C, H, W)
        P : patch_size
        Your own forward may keep something else: then it is your own cache that you get.

    Returns
        dimages : (B, C, H, W)
    """
    raise NotImplementedError("write patchify_backward")
