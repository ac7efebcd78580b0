"""What every contestant trains on: raw images that stay on the card, in one random order."""

import numpy as np

from .cases import EPOCH

STEPS = 20  # a run; the first after the last of them waits for the card
SHIFT = 2  # up to so many pixels each way
CLIP_NORM = 1.0


def training_data(case):
    """Random images to train on, always the same.

    case : Case

    Returns
        images : (n, C, H, W) uint8
        labels : (n,) int64
        order : (steps, B) int64, the image numbers of an epoch's batches
    """
    rng = np.random.default_rng(0)
    config = case.config
    shape = (EPOCH, config.in_chans, config.img_size, config.img_size)
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    labels = rng.integers(0, config.num_classes, EPOCH)
    steps = EPOCH // case.batch
    return images, labels, rng.permutation(EPOCH)[: steps * case.batch].reshape(steps, case.batch)


def with_border(images, width):
    """Put zeros around images (n, C, H, W), so that each can be read moved by up to `width`."""
    return np.pad(images, ((0, 0), (0, 0), (width, width), (width, width)))
