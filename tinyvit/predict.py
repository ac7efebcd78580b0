"""Prediction: logits for any number of images, on all cores or on the GPU."""

import numpy as np

from .backend import to_device, to_numpy
from .models import model_of
from .workers import Workers, split

TOKENS = 1600  # rows of a matrix product: enough to keep BLAS busy, few enough for the cache
ON_THE_GPU = 128  # images a forward pass


def predict(images, params, config, *, device="cpu", workers=None):
    """Logits of a batch of images of any length.

    images : (B, C, H, W) float32
    params : dict of arrays, on `device`
    config : configuration of the model that the parameters belong to
    device : "cpu" or "gpu"
    workers : threads to use on the CPU; None takes one for each core

    Returns (B, K) logits, a NumPy array.
    """
    model = model_of(config)
    if device == "gpu":
        parts = split(0, len(images), -(-len(images) // ON_THE_GPU))
        return np.concatenate([_on_gpu(images[part], params, config) for part in parts])

    workers = workers or Workers()
    if model.on_cpu and len(images) < workers.threads:
        return model.on_cpu.logits_tensor_parallel(images, params, config, workers)

    def logits_of(part):
        with np.errstate(over="ignore", invalid="ignore"):  # the caller looks at the logits
            if model.on_cpu:
                return model.on_cpu.logits(images[part], params, config)
            return model.forward(images[part], params, config)[0]

    rounds = -(-len(images) // (workers.threads * images_at_a_time(model, config)))
    parts = split(0, len(images), rounds * workers.threads)
    return np.concatenate(workers.map(logits_of, parts))


def images_at_a_time(model, config):
    """How many images one thread of a CPU should take through a model at a time."""
    return max(1, TOKENS // model.tokens(config))


def _on_gpu(images, params, config):
    logits, _ = model_of(config).forward(to_device(images), params, config)
    return to_numpy(logits)
