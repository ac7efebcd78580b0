"""Prediction: logits for any number of images, on all cores or on the GPU; where a ViT looks."""

from types import SimpleNamespace

import numpy as np

from . import ops as textbook
from .backend import to_device, to_numpy
from .kernels import cpu
from .looking import attention_rollout
from .models import model_of
from .models.vit import class_token_attention
from .vit import vit_forward
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


def predict_and_look(images, params, config, *, device="cpu", workers=None):
    """Logits of a batch of images, and on which patches a Vision Transformer's attention falls.

    Who asks is the class token; in a model without one, all patches, and the mean is taken. The
    tokens before the patches have no place in the image and are left out.

    images, params, device, workers : as for `predict`
    config : ViTConfig

    Returns
        logits : (B, K), a NumPy array
        last : (B, H/P, W/P), the attention of the last block, mean over its heads
        rollout : (B, H/P, W/P), `attention_rollout` through all blocks
    """
    ops = textbook if device == "gpu" else cpu
    workers = workers or Workers()

    def look(image):
        with np.errstate(over="ignore", invalid="ignore"):  # the caller looks at the logits
            return _look(to_device(image[None], device), params, config, ops)

    looked = map(look, images) if device == "gpu" else workers.map(look, images)
    return tuple(np.concatenate(parts) for parts in zip(*looked, strict=True))


def images_at_a_time(model, config):
    """How many images one thread of a CPU should take through a model at a time."""
    return max(1, TOKENS // model.tokens(config))


def _on_gpu(images, params, config):
    logits, _ = model_of(config).forward(to_device(images), params, config)
    return to_numpy(logits)


def _look(image, params, config, ops):
    def block_forward(*args, **options):
        """Of a block's cache, keep the attention alone, and of that the mean over heads."""
        x, cache = ops.block_forward(*args, **options)
        return x, {"attn": {"attn": cache["attn"]["attn"].mean(axis=1, keepdims=True)}}

    trimmed = SimpleNamespace(**vars(ops) | {"block_forward": block_forward})
    logits, cache = vit_forward(image, params, config, ops=trimmed)
    last = class_token_attention(cache)
    attns = [cache["stages"][f"blocks.{i}.attn"] for i in range(config.depth)]
    rollout = attention_rollout(attns)[:, :, config.num_prefix_tokens :]  # (1, N+1, N)
    rollout = rollout[:, 0] if config.class_token else rollout.mean(axis=1)
    return [to_numpy(each) for each in (logits, last, rollout.reshape(last.shape))]
