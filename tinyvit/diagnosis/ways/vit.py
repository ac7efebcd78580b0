"""Vision Transformer: other ways to write it."""

import numpy as np

from ... import ops as textbook
from ...vit import positions, starting_with


def around_the_blocks(dlogits, cache):
    """Head, pooling, class token, positions and patch projection written out."""
    config = cache["config"]
    pooled, head_weight = cache["head"][:2]
    patches, proj_weight = cache["proj"][:2]
    grads = {}

    grads["head.weight"] = dlogits.T @ pooled
    grads["head.bias"] = dlogits.sum(axis=0)
    dpooled = dlogits @ head_weight

    dx = np.zeros(cache["stages"]["norm"].shape)
    if config.global_pool == "token":
        dx[:, 0] = dpooled
    else:
        dx[:, 1:] = dpooled[:, None, :] / config.num_patches
    dx, grads["norm.weight"], grads["norm.bias"] = textbook.layernorm_backward(dx, cache["norm"])

    for i in range(config.depth - 1, -1, -1):
        dx, block_grads = textbook.block_backward(dx, cache[f"blocks.{i}"])
        grads |= {f"blocks.{i}.{name}": grad for name, grad in block_grads.items()}

    dx = textbook.dropout_backward(dx, cache["drop"])
    if config.pos_embed == "learned":
        grads["pos_embed"] = dx.sum(axis=0, keepdims=True)
    grads["cls_token"] = dx[:, :1].sum(axis=0, keepdims=True)
    dtokens = dx[:, 1:]

    dpatches = dtokens @ proj_weight
    dweight = (dtokens.swapaxes(-1, -2) @ patches).sum(axis=0)
    P = config.patch_size
    grads["patch_embed.proj.weight"] = dweight.reshape(-1, config.in_chans, P, P)
    grads["patch_embed.proj.bias"] = dtokens.sum(axis=(0, 1))
    dimages = textbook.patchify_backward(dpatches, cache["patchify"])
    return dimages, {name: grads[name] for name in cache["names"]}


def written_out(images, params, config, *, rng=None, ops=textbook):
    """Patch projection, class token, positions, pooling and head written out."""
    patches = ops.patchify_forward(images, config.patch_size)[0]
    proj_weight = params["patch_embed.proj.weight"].reshape(config.embed_dim, -1)
    tokens = patches @ proj_weight.T + params["patch_embed.proj.bias"]
    cls = np.repeat(params["cls_token"], len(tokens), axis=0)
    x = np.concatenate([cls, tokens], axis=1)
    table = positions(params, config)
    if table is not None:
        x = x + table
    x = ops.dropout_forward(x, config.drop_rate, rng)[0]
    for i in range(config.depth):
        x = ops.block_forward(
            x,
            starting_with(f"blocks.{i}.", params),
            config.num_heads,
            norm=config.norm,
            activation=config.activation,
            eps=config.eps,
            drop_rate=config.drop_rate,
            attn_drop_rate=config.attn_drop_rate,
            drop_path_rate=config.drop_path_rate * i / max(config.depth - 1, 1),
            rng=rng,
        )[0]
    x = ops.layernorm_forward(x, params["norm.weight"], params["norm.bias"], config.eps)[0]
    pooled = x[:, 0] if config.global_pool == "token" else x[:, 1:].mean(axis=1)
    logits = pooled @ params["head.weight"].T + params["head.bias"]
    return logits, None


FORWARD = (written_out,)
BACKWARD = (around_the_blocks,)
