"""The Vision Transformer: the pairs of `ops/`, put together.

The shapes are those of N patches after a class token: N+1 tokens. `config.class_token = False`
leaves it out: N tokens. `config.distilled` puts DeiT's distillation token between them: N+2 tokens.
It has a head of its own, and the logits are the mean of both heads' (Touvron et al. 2021, arXiv
2012.12877, section 4).
"""

import numpy as np

from . import ops as textbook
from .backend import get_array_module


def vit_forward(images, params, config, *, rng=None, ops=textbook):
    """Vision Transformer, from pixels to one score a class.

        tokens = [cls_token; patches @ proj.T] + pos_embed
        tokens = blocks.{depth-1}( ... blocks.0(tokens))
        logits = norm(tokens)[class token] @ head.T

    images : (B, C, H, W) float
    params : dict of arrays, names and shapes as `init_params(config)` gives them
    config : ViTConfig
    rng : numpy.random.Generator switches training's dropouts on; None is evaluation
    ops : where the pairs come from: the textbook, or a faster namespace with the same names

    Returns
        logits : (B, K)
        cache : what `vit_backward` needs; cache["stages"] holds every named stage's array
    Raises ValueError when the images are not of the configured shape.

    Source: Dosovitskiy et al. 2021 (arXiv 2010.11929), equations 1 to 4.
    """
    require_images(images, config)
    p, stages = params, {}
    cache = {"stages": stages, "config": config, "ops": ops, "names": tuple(params)}

    x, cache["patchify"] = ops.patchify_forward(images, config.patch_size)
    stages["patches"] = x  # (B, N, C*P*P)

    weight = p["patch_embed.proj.weight"]
    weight = weight.reshape(config.embed_dim, -1)  # (D, C, P, P) -> (D, C*P*P)
    x, cache["proj"] = ops.linear_forward(x, weight, p["patch_embed.proj.bias"])
    stages["patch_embed"] = x  # (B, N, D)

    if config.distilled:
        x, cache["dist"] = ops.embed_forward(x, p["dist_token"], None)  # (B, 1+N, D)
    if config.class_token:
        x, cache["embed"] = ops.embed_forward(x, p["cls_token"], positions(p, config))
    elif config.pos_embed != "none":
        x = x + positions(p, config)
    x, cache["drop"] = ops.dropout_forward(x, config.drop_rate, rng)
    stages["embed"] = x  # (B, N+1, D)

    for i in range(config.depth):
        x, cache[f"blocks.{i}"] = ops.block_forward(
            x,
            starting_with(f"blocks.{i}.", p),
            config.num_heads,
            norm=config.norm,
            activation=config.activation,
            eps=config.eps,
            drop_rate=config.drop_rate,
            attn_drop_rate=config.attn_drop_rate,
            drop_path_rate=config.drop_path_rate * i / max(config.depth - 1, 1),
            rng=rng,
        )
        stages[f"blocks.{i}.attn"] = cache[f"blocks.{i}"]["attn"]["attn"]  # (B, h, N+1, N+1)
        stages[f"blocks.{i}"] = x  # (B, N+1, D)

    x, cache["norm"] = ops.layernorm_forward(x, p["norm.weight"], p["norm.bias"], config.eps)
    stages["norm"] = x  # (B, N+1, D)

    first = config.num_prefix_tokens  # where the patches begin
    x = x[:, 0] if config.global_pool == "token" else x[:, first:].mean(axis=1)
    stages["pool"] = x  # (B, D)

    logits, cache["head"] = ops.linear_forward(x, p["head.weight"], p["head.bias"])
    if config.distilled:
        x = stages["norm"][:, 1]  # (B, D), the distillation token
        weights = p["head_dist.weight"], p["head_dist.bias"]
        logits_dist, cache["head_dist"] = ops.linear_forward(x, *weights)
        logits = (logits + logits_dist) / 2
    stages["logits"] = logits  # (B, K)
    return logits, cache


def vit_backward(dlogits, cache):
    """Gradients of the whole Vision Transformer.

    dlogits : (B, K) gradient of the loss with respect to the logits
    cache : from `vit_forward`

    Returns
        dimages : (B, C, H, W), how each pixel moves the loss (a saliency map)
        grads : dict with the names, shapes and order of params

    Derivation: the chain rule, walking the forward pass from its last line to its first.
    """
    config, ops = cache["config"], cache["ops"]
    xp = get_array_module(dlogits)
    grads = {}

    if config.distilled:
        dlogits = dlogits / 2  # forward: (logits + logits_dist) / 2
        ddist, *dweights = ops.linear_backward(dlogits, cache["head_dist"])
        grads["head_dist.weight"], grads["head_dist.bias"] = dweights
    dx, grads["head.weight"], grads["head.bias"] = ops.linear_backward(dlogits, cache["head"])

    dpool, dx = dx, xp.zeros(cache["stages"]["norm"].shape, dx.dtype)
    first = config.num_prefix_tokens
    if config.global_pool == "token":
        dx[:, 0] = dpool  # forward: x[:, 0]
    else:
        dx[:, first:] = dpool[:, None] / config.num_patches  # forward: x[:, first:].mean(axis=1)
    if config.distilled:
        dx[:, 1] = ddist  # forward: stages["norm"][:, 1]

    dx, grads["norm.weight"], grads["norm.bias"] = ops.layernorm_backward(dx, cache["norm"])

    for i in reversed(range(config.depth)):
        dx, block_grads = ops.block_backward(dx, cache[f"blocks.{i}"])
        grads |= {f"blocks.{i}.{name}": grad for name, grad in block_grads.items()}

    dx = ops.dropout_backward(dx, cache["drop"])
    if config.class_token:
        dx, grads["cls_token"], dpos_embed = ops.embed_backward(dx, cache["embed"])
    else:
        dpos_embed = dx.sum(axis=0, keepdims=True)  # forward: x + positions(p, config)
    if config.pos_embed == "learned":
        grads["pos_embed"] = dpos_embed
    if config.distilled:
        dx, grads["dist_token"], _ = ops.embed_backward(dx, cache["dist"])

    dx, dweight, grads["patch_embed.proj.bias"] = ops.linear_backward(dx, cache["proj"])
    P = config.patch_size
    grads["patch_embed.proj.weight"] = dweight.reshape(-1, config.in_chans, P, P)  # -> (D, C, P, P)
    dimages = ops.patchify_backward(dx, cache["patchify"])
    return dimages, {name: grads[name] for name in cache["names"]}


def sincos2d(config, dtype="float64", xp=np):
    """Fixed two-dimensional position embeddings: sines and cosines of a patch's column and row.

        row n = [sin(x w), cos(x w), sin(y w), cos(y w)],   w_i = 10000^(-i / (D/4 - 1)), i < D/4

    config : ViTConfig; embed_dim must be divisible by 4
    dtype : of the table, and of the arithmetic
    xp : numpy, or cupy to make it on a GPU

    Returns (1, N+1, D): 0 for the class token, then a row a patch. Without a class token its row is
    left out; with a distillation token there is one more of 0.

    Source: Beyer, Zhai, Kolesnikov 2022 (arXiv 2205.01580), and their code in big_vision.
    """
    side, quarter = config.img_size // config.patch_size, config.embed_dim // 4
    w = 10000.0 ** (xp.arange(quarter, dtype=dtype) * (-1 / (quarter - 1)))
    n = xp.arange(side * side)
    y, x = (n // side).astype(dtype), (n % side).astype(dtype)  # row and column of patch n
    xw, yw = x[:, None] * w, y[:, None] * w  # (N, D/4)
    table = xp.concatenate([xp.sin(xw), xp.cos(xw), xp.sin(yw), xp.cos(yw)], axis=1)
    zeros = xp.zeros((config.num_prefix_tokens, 4 * quarter), dtype)
    return xp.concatenate([zeros, table])[None]


def require_images(images, config):
    """Raise ValueError when images are not (B, C, H, W) of the configured shape."""
    expected = (config.in_chans, config.img_size, config.img_size)
    if images.ndim != 4 or images.shape[1:] != expected:
        raise ValueError(
            f"images should be (B, C, H, W) = (B, {', '.join(map(str, expected))}), "
            f"not {images.shape}"
        )


def starting_with(prefix, params):
    """The entries of a dict whose names start with `prefix`, under the rest of their names."""
    return {
        name.removeprefix(prefix): value
        for name, value in params.items()
        if name.startswith(prefix)
    }


def positions(params, config):
    """The table that is added to the tokens, (1, N+1, D): learned, fixed, or None."""
    if config.pos_embed == "learned":
        return params["pos_embed"]
    if config.pos_embed == "none":
        return None
    weight = params["norm.weight"]
    return sincos2d(config, weight.dtype, get_array_module(weight))
