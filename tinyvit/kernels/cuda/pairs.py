"""A training pass on the pairs alone: for the ViTs that `vit` does not fuse."""

import cupy
import numpy as np

from ... import vit as textbook
from .. import cuda
from .cross_entropy import cross_entropy
from .gradients import Gradients


class Training:
    """As `vit.Training`, in float32, for every ViT: post-norm, dropouts, long sequences.

    config : ViTConfig
    params : dict of arrays on the card
    batch : images at a time
    rng : `Random` for the dropouts
    """

    def __init__(self, config, params, batch, rng):
        self._config, self._params, self._rng = config, params, rng
        first = next(iter(params.values()))
        self.stored, self.patch_size = first.dtype, config.img_size  # one patch: the whole image
        self.gradients = Gradients({name: a.shape for name, a in params.items()}, first.dtype)
        self._grads = {name: self.gradients.parts(1, name) for name in params}
        self.gradients.finish()
        self.losses, self.corrects = cupy.empty(batch, first.dtype), cupy.empty(batch, np.int32)

    def run(self, patches, labels, label_smoothing):
        """As `vit.Training.run`."""
        c = self._config
        images = patches.reshape(len(patches), c.in_chans, c.img_size, c.img_size)
        self._rng.restart()
        logits, cache = textbook.vit_forward(images, self._params, c, rng=self._rng, ops=cuda)
        dlogits = cupy.empty_like(logits)
        out = self.losses, self.corrects, dlogits
        cross_entropy(logits, None, labels, label_smoothing, *out)
        _, grads = textbook.vit_backward(dlogits, cache)
        for name, place in self._grads.items():
            place[...] = grads[name].reshape(place.shape)
        self.gradients.sum()
