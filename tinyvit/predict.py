"""Prediction: logits for any number of images, on all cores or on the GPU."""

import numpy as np

from .backend import to_device, to_numpy
from .models import model_of
from .workers import Workers

CHUNK = 128  # images a forward pass: enough to keep BLAS busy, few enough to stay in the cache


def predict(images, params, config, *, device="cpu", workers=None):
    """Logits of a batch of images of any length.

    images : (B, C, H, W) float32
    params : dict of arrays, on `device`
    config : configuration of the model that the parameters belong to
    device : "cpu" or "gpu"
    workers : threads to use on the CPU; None takes one for each core

    Returns (B, K) logits, a NumPy array.
    """
    forward = model_of(config).forward

    def logits_of(start):
        chunk = to_device(images[start : start + CHUNK], device)
        with np.errstate(over="ignore", invalid="ignore"):  # the caller looks at the logits
            return to_numpy(forward(chunk, params, config)[0])

    starts = range(0, len(images), CHUNK)
    if device == "gpu":
        return np.concatenate([logits_of(start) for start in starts])
    return np.concatenate((workers or Workers()).map(logits_of, starts))
