"""One small call of every pair, on odd sizes, to check gradients with."""

from dataclasses import dataclass, field, replace
from functools import wraps

import numpy as np

from . import ops
from .backend import to_device, to_numpy
from .config import ViTConfig
from .models import MODELS
from .params import init_params


@dataclass(frozen=True)
class Example:
    """A forward, its backward and arguments for them; kwargs have no gradient."""

    forward: object
    backward: object
    args: tuple
    kwargs: dict = field(default_factory=dict)


def op_examples(seed=0):
    """Every pair of `ops/`, in each of its variants, on random numbers.

    seed : of the numbers

    Returns dict name -> Example; the name starts with the pair's stem.
    """
    rng = np.random.default_rng(seed)
    n = rng.standard_normal
    B, C, N, D, h, M, K = 2, 3, 5, 12, 3, 7, 4

    def example(stem, *args, **kwargs):
        forward = getattr(ops, f"{stem}_forward")
        return Example(forward, getattr(ops, f"{stem}_backward"), args, kwargs)

    qkv = n((3 * D, D)), n(3 * D)
    proj = n((D, D)), n(D)
    mlp = n((M, D)), n(M), n((D, M)), n(D)
    config = ViTConfig(embed_dim=D, num_heads=h, depth=1, mlp_ratio=M / D, img_size=16)
    block = {
        name.removeprefix("blocks.0."): value + 0.3 * n(value.shape)
        for name, value in init_params(config, dtype="float64").items()
        if name.startswith("blocks.0.")
    }
    labels = rng.integers(0, K, B + N)
    return {
        "patchify": example("patchify", n((B, C, 6, 4)), 2),
        "linear": example("linear", n((B, N, D)), n((M, D)), n(M)),
        "linear, no bias": example("linear", n((N, D)), n((M, D)), None),
        "embed": example("embed", n((B, N, D)), n((1, 1, D)), n((1, N + 1, D))),
        "layernorm": example("layernorm", n((B, N, D)), n(D), n(D)),
        "softmax": example("softmax", n((B, h, N, N))),
        "log_softmax": example("log_softmax", n((B, N, K))),
        "attention": example("attention", n((B, N, D)), *qkv, *proj, num_heads=h),
        "gelu": example("gelu", n((N, M))),
        "gelu, tanh": example("gelu", n((N, M)), "tanh"),
        "relu": example("relu", n((N, M))),
        "mlp": example("mlp", n((B, N, D)), *mlp),
        "mlp, gelu_tanh": example("mlp", n((B, N, D)), *mlp, activation="gelu_tanh"),
        "mlp, relu": example("mlp", n((B, N, D)), *mlp, activation="relu"),
        "block": example("block", n((B, N, D)), block, h),
        "block, post": example("block", n((B, N, D)), block, h, norm="post"),
        "cross_entropy": example("cross_entropy", n((B + N, K)), labels),
        "cross_entropy, smoothed": example("cross_entropy", n((B + N, K)), labels, 0.1),
        "dropout": _same_mask(example("dropout", n((B, N, D)), 0.3)),
        "drop_path": _same_mask(example("drop_path", n((B + N, 2, D)), 0.3)),
        "conv2d": example("conv2d", n((B, C, 5, 4)), n((M, C, 3, 3)), n(M), padding=1),
        "conv2d, stride 2": example("conv2d", n((B, C, 7, 6)), n((M, C, 3, 2)), n(M), stride=2),
        "maxpool2d": example("maxpool2d", n((B, C, 5, 4)), 2),
    }


def model_example(name, seed=0):
    """A whole registered model, in its `digits` preset, on two random images.

    name : "vit", "cnn" ...
    seed : of the numbers

    Returns an Example whose gradients are too many to check one by one: use `directions`.
    """
    model = MODELS[name]
    config = model.config_class.preset("digits")
    rng = np.random.default_rng(seed)
    images = rng.standard_normal((2, config.in_chans, config.img_size, config.img_size))
    params = model.init_params(config, seed, "float64")
    params = {key: value + 0.1 * rng.standard_normal(value.shape) for key, value in params.items()}
    return Example(model.forward, model.backward, (images, params, config))


def on_gpu(example):
    """The same example, computed on the GPU: it takes NumPy arrays and gives NumPy arrays.

    example : Example

    Returns an Example.
    """

    def forward(*args, **kwargs):
        out, cache = example.forward(*mapped(to_device, args), **kwargs)
        return to_numpy(out), cache

    def backward(dout, cache):
        return mapped(to_numpy, example.backward(to_device(dout), cache))

    return replace(example, forward=wraps(example.forward)(forward), backward=backward)


def mapped(change, value):
    """Change every array in tuples and dicts, and leave all else."""
    if isinstance(value, dict):
        return {name: mapped(change, one) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return tuple(mapped(change, one) for one in value)
    return change(value) if hasattr(value, "dtype") else value


def _same_mask(example):
    """Draw the same random mask in every call of the forward."""

    def forward(x, drop_rate):
        return example.forward(x, drop_rate, np.random.default_rng(0))

    return Example(forward, example.backward, example.args)
