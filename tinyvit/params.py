"""A ViT's parameters: their names and shapes, their first values, and the flat buffer."""

import numpy as np

from .backend import get_array_module


def param_shapes(config):
    """Name and shape of every parameter of a ViT, in timm's names and order.

    config : ViTConfig

    Returns dict name -> shape. There is no `cls_token` without a class token, no `pos_embed` when
    positions are fixed or absent, and no `attn.qkv.bias` without `qkv_bias`; `dist_token` and
    `head_dist` are DeiT's.

    Source: the parameter names of timm's VisionTransformer and VisionTransformerDistilled
    (huggingface/pytorch-image-models).
    """
    D, M, P = config.embed_dim, config.hidden_dim, config.patch_size
    shapes = {}
    if config.class_token:
        shapes["cls_token"] = (1, 1, D)
    if config.pos_embed == "learned":
        shapes["pos_embed"] = (1, config.num_tokens, D)
    if config.distilled:
        shapes["dist_token"] = (1, 1, D)
    shapes["patch_embed.proj.weight"] = (D, config.in_chans, P, P)
    shapes["patch_embed.proj.bias"] = (D,)
    for i in range(config.depth):
        block = {"norm1.weight": (D,), "norm1.bias": (D,)}
        block["attn.qkv.weight"] = (3 * D, D)
        if config.qkv_bias:
            block["attn.qkv.bias"] = (3 * D,)
        block |= {"attn.proj.weight": (D, D), "attn.proj.bias": (D,)}
        block |= {"norm2.weight": (D,), "norm2.bias": (D,)}
        block |= {"mlp.fc1.weight": (M, D), "mlp.fc1.bias": (M,)}
        block |= {"mlp.fc2.weight": (D, M), "mlp.fc2.bias": (D,)}
        shapes |= {f"blocks.{i}.{name}": shape for name, shape in block.items()}
    shapes |= {"norm.weight": (D,), "norm.bias": (D,)}
    for head in ("head", "head_dist") if config.distilled else ("head",):
        shapes |= {f"{head}.weight": (config.num_classes, D), f"{head}.bias": (config.num_classes,)}
    return shapes


def init_params(config, seed=0, dtype="float32"):
    """First values of a ViT's parameters.

    Weight matrices: normal with variance 1 / inputs, so that what comes out of a layer is about as
    large as what goes in. Tokens and positions: normal with standard deviation 0.5, about as
    large as the patches they are added to: with the usual 0.02 a small model takes many epochs to
    see where a patch was. LayerNorm's gains: 1; biases: 0.

    config : ViTConfig
    seed : whole number; the same seed gives the same values
    dtype : "float32" or "float64"

    Returns dict name -> array, the names and shapes of `param_shapes`.

    Source: LeCun et al. 1998, "Efficient BackProp", section 4.6; 0.5 was measured here on digits.
    """
    rng = np.random.default_rng(seed)
    params = {}
    for name, shape in param_shapes(config).items():
        if name.endswith("bias"):
            value = np.zeros(shape)
        elif "norm" in name:
            value = np.ones(shape)
        elif name.endswith("weight"):
            value = rng.standard_normal(shape) * np.prod(shape[1:]) ** -0.5
        else:
            value = rng.standard_normal(shape) * 0.5
        params[name] = value.astype(dtype)
    return params


def count_params(params):
    """Number of single numbers in a dict of arrays, or in a dict of shapes."""
    return sum(int(np.prod(getattr(value, "shape", value))) for value in params.values())


def flatten(params):
    """Lay all arrays of a dict end to end in one vector.

    params : dict name -> array, all of one dtype

    Returns
        flat : (P,) a new vector
        views : dict with the same names and shapes; each array is a window into `flat`, so that
            changing one changes the other
    """
    first = next(iter(params.values()))
    flat = get_array_module(first).empty(count_params(params), first.dtype)
    views = unflatten(flat, {name: value.shape for name, value in params.items()})
    for name, value in params.items():
        views[name][...] = value
    return flat, views


def unflatten(flat, shapes):
    """Cut a vector into named arrays that are windows into it.

    flat : (P,)
    shapes : dict name -> shape; their sizes add up to P

    Returns dict name -> view of `flat`.
    """
    views, start = {}, 0
    for name, shape in shapes.items():
        stop = start + int(np.prod(shape))
        views[name] = flat[start:stop].reshape(shape)
        start = stop
    return views
