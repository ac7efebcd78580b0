"""Training images that lie on the card, and batches of them: data.cu."""

from math import radians, sqrt

import cupy
import numpy as np

from ...augment import smoothing
from .products import multiply
from .random import AUGMENTATION, ELASTIC, uniform
from .source import kernel, real_of


class Data:
    """Raw images on the card.

    images : (n, C, H, H) uint8
    labels : (n,) int
    augmentation : an `Augmentation`
    seed : of the random numbers
    """

    def __init__(self, images, labels, augmentation, seed):
        self._images, self._labels = cupy.asarray(images), cupy.asarray(labels.astype(np.int32))
        self._augmentation, self._seed = augmentation, np.uint32(seed & 0xFFFFFFFF)
        self._smoothing = cupy.asarray(smoothing(images.shape[-1], augmentation.elastic_sigma))
        self.order = cupy.empty(len(images), np.int32)  # which images, batch after batch

    def take(self, position, step, patches, labels, patch_size):
        """Write the next batch: gathered, augmented, normalised and cut into patches.

        position : (1,) int64 on the card: number of the batch in `order`
        step : (1,) int64 on the card: decides the random numbers
        patches : (B, N, C*P*P) is given the batch
        labels : (B,) int32 is given its labels
        """
        a, (_, C, H, _) = self._augmentation, self._images.shape
        real = real_of(patches.dtype).type
        function = kernel("data", "take_batch", patches.dtype, **_sizes(C, H, patch_size))
        function(
            (len(patches),),
            (256,),
            *(self._images, self._labels, self.order, position, step),
            *(self._displacements(len(patches), step), patches, labels),
            *(self._seed, np.uint32(AUGMENTATION)),
            *(real(a.shift), real(radians(a.rotate)), real(a.scale)),
        )

    def _displacements(self, batch, step):
        """(2, B, H, H) how far every pixel is moved down and right, or None."""
        if not self._augmentation.elastic:
            return None
        H = self._images.shape[-1]
        noise = uniform((2 * batch, H, H), self._seed, ELASTIC, step)
        noise = (noise - np.float32(0.5)) * np.float32(self._augmentation.elastic * 2 * sqrt(3))
        rows = multiply(
            noise.reshape(-1, H), self._smoothing.T, cupy.empty((2 * batch * H, H), "f")
        )
        factors = cupy.broadcast_to(self._smoothing, noise.shape)
        return multiply(factors, rows.reshape(noise.shape), cupy.empty(noise.shape, "f"))


def patchify(images, patches, patch_size):
    """As `ops.patchify_forward`, written to `patches` in the type of the activations."""
    _, C, H, _ = images.shape
    function = kernel("data", "patchify", patches.dtype, **_sizes(C, H, patch_size))
    function.elements(images.size, images, patches, images.size)


def _sizes(C, H, P):
    return {"CHANNELS": C, "SIZE": H, "PATCH": P}
