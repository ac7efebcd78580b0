"""Prediction on a card: a ViT's forward pass for batches of one size, as a CUDA graph."""

import cupy
import numpy as np

from .data import patchify
from .graph import Recorded
from .optim import to_bf16
from .source import BF16
from .vit import STORED, Forward


class Logits:
    """Logits of batches of one size, in one CUDA graph.

    params : dict of float32 arrays on the card; for fp32 and tf32 they are read anew in every call
    config : ViTConfig that `vit.supports`
    precision : "fp32", "tf32" or "bf16"
    batch : images at a time
    """

    def __init__(self, params, config, precision, batch):
        factors = params
        if STORED[precision] == BF16:
            factors = {name: to_bf16(value) for name, value in params.items()}
        forward = Forward(config, params, factors, batch, precision)
        shape = batch, config.num_patches, config.in_chans * config.patch_size**2
        patches = cupy.empty(shape, STORED[precision])
        self._images = cupy.empty((batch, config.in_chans, config.img_size, config.img_size), "f")
        self._out = cupy.empty((batch, config.num_classes), np.float32)

        def run():
            patchify(self._images, patches, config.patch_size)
            cupy.add(forward.logits(patches), params["head.bias"], out=self._out)

        self._run = Recorded(run)

    def __call__(self, images):
        """Logits (B, K) of images (B, C, H, W) float32 on the card; the next call reuses them."""
        self._images[...] = images
        self._run()
        return self._out

    @property
    def launches(self):
        """Launches of the graph; None before it is recorded."""
        return self._run.launches
