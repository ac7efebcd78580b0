"""Later answers to the exercise vit, written after the diagnosis was finished."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "list_of_steps": """
import numpy as np

from tinyvit import ops
from tinyvit.vit import positions


def vit_forward(images, params, config):
    D, L = config.embed_dim, config.depth
    steps = {"config": config, "order": list(params)}
    seq, steps["cut"] = ops.patchify_forward(images, config.patch_size)
    flat = params["patch_embed.proj.weight"].reshape(D, -1)
    seq, steps["project"] = ops.linear_forward(seq, flat, params["patch_embed.proj.bias"])
    table = positions(params, config)
    seq, steps["embed"] = ops.embed_forward(seq, params["cls_token"], table)
    steps["block"] = []
    for n in range(L):
        mine = {}
        for key in params:
            if key.startswith(f"blocks.{n}."):
                mine[key.split(".", 2)[2]] = params[key]
        options = dict(norm=config.norm, activation=config.activation, eps=config.eps)
        seq, saved = ops.block_forward(seq, mine, config.num_heads, **options)
        steps["block"].append(saved)
    seq, steps["norm"] = ops.layernorm_forward(
        seq, params["norm.weight"], params["norm.bias"], config.eps
    )
    steps["shape"] = seq.shape
    if config.global_pool == "avg":
        image = np.mean(seq[:, 1:], axis=1)
    else:
        image = seq[:, 0]
    scores, steps["head"] = ops.linear_forward(image, params["head.weight"], params["head.bias"])
    return scores, steps


def vit_backward(dlogits, cache):
    config = cache["config"]
    found = {}
    dimage, found["head.weight"], found["head.bias"] = ops.linear_backward(dlogits, cache["head"])
    dseq = np.zeros(cache["shape"], dimage.dtype)
    patches = dseq.shape[1] - 1
    if config.global_pool == "avg":
        for t in range(patches):
            dseq[:, 1 + t] = dimage / patches
    else:
        dseq[:, 0] = dimage
    dseq, found["norm.weight"], found["norm.bias"] = ops.layernorm_backward(dseq, cache["norm"])
    for n in reversed(range(config.depth)):
        dseq, inner = ops.block_backward(dseq, cache["block"][n])
        for key, value in inner.items():
            found["blocks." + str(n) + "." + key] = value
    dseq, found["cls_token"], found["pos_embed"] = ops.embed_backward(dseq, cache["embed"])
    dseq, dflat, found["patch_embed.proj.bias"] = ops.linear_backward(dseq, cache["project"])
    side = config.patch_size
    found["patch_embed.proj.weight"] = dflat.reshape(config.embed_dim, -1, side, side)
    dimages = ops.patchify_backward(dseq, cache["cut"])
    return dimages, {key: found[key] for key in cache["order"]}
""",
    "tape": """
import numpy as np

from tinyvit import ops


def vit_backward(dlogits, cache):
    cfg, stages = cache["config"], cache["stages"]
    P, C, D = cfg.patch_size, cfg.in_chans, cfg.embed_dim
    n_images, n_tokens, _ = stages["norm"].shape
    g = {}

    # head
    x, w, _ = cache["head"]
    g["head.weight"] = dlogits.T @ x
    g["head.bias"] = dlogits.sum(axis=0)
    d = dlogits @ w

    # pooling
    pool = np.zeros(n_tokens, d.dtype)
    if cfg.global_pool == "token":
        pool[0] = 1
    else:
        pool[1:] = 1 / cfg.num_patches
    d = np.einsum("bd,t->btd", d, pool)

    d, g["norm.weight"], g["norm.bias"] = ops.layernorm_backward(d, cache["norm"])
    numbers = list(range(cfg.depth))
    while numbers:
        number = numbers.pop()
        d, grads = ops.block_backward(d, cache[f"blocks.{number}"])
        g.update({f"blocks.{number}.{name}": grad for name, grad in grads.items()})
    d = ops.dropout_backward(d, cache["drop"])

    # class token and positions
    g["pos_embed"] = d.sum(axis=0, keepdims=True)
    g["cls_token"] = d[:, :1].sum(axis=0, keepdims=True)
    d = d[:, 1:]

    # patches
    patches, w, _ = cache["proj"]
    dkernel = np.einsum("btd,btp->dp", d, patches)
    g["patch_embed.proj.weight"] = dkernel.reshape(D, C, P, P)
    g["patch_embed.proj.bias"] = d.sum(axis=(0, 1))
    dimages = ops.patchify_backward(d @ w, cache["patchify"])
    return dimages, {name: g[name] for name in cache["names"]}
""",
}

WRONG = [
    ("list_of_steps", "token: the gradient copied to all tokens", "extra_term wrong_axis", "dseq[:, 0] = dimage", "dseq[:, :] = dimage[:, None]"),
    ("list_of_steps", "the blocks walked from the first to the last", "wrong_order", "for n in reversed(range(config.depth)):", "for n in range(config.depth):"),
    ("list_of_steps", "the last norm's backward not passed on", "missing_factor wrong_variable", "dseq, found[\"norm.weight\"]", "_, found[\"norm.weight\"]"),
    ("list_of_steps", "the kernel's gradient transposed inside the patch", "transposed wrong_order", "dflat.reshape(config.embed_dim, -1, side, side)", "dflat.reshape(config.embed_dim, -1, side, side).swapaxes(2, 3)"),
    ("list_of_steps", "the head's gradients divided by the batch", "scale", "    dseq = np.zeros(cache", "    found = {key: value / len(dlogits) for key, value in found.items()}\n    dseq = np.zeros(cache"),
    ("list_of_steps", "forward, token: the second token", "wrong_order wrong_variable", "image = seq[:, 0]", "image = seq[:, 1]"),
    ("list_of_steps", "forward: the positions left out", "missing_term", "table = positions(params, config)", "table = positions(params, config)\n    table = None if table is None else 0 * table"),
    ("list_of_steps", "forward: every block with the last block's parameters", "wrong_variable", 'if key.startswith(f"blocks.{n}."):', 'if key.startswith(f"blocks.{L - 1}."):'),
    ("tape", "head.bias: the mean", "scale sum_mean", "g[\"head.bias\"] = dlogits.sum(axis=0)", "g[\"head.bias\"] = dlogits.mean(axis=0)"),
    ("tape", "cls_token: the sum over all tokens", "extra_term wrong_axis", "d[:, :1].sum(axis=0, keepdims=True)", "d.sum(axis=(0, 1), keepdims=True)"),
    ("tape", "pos_embed: divided by the batch", "scale sum_mean", "g[\"pos_embed\"] = d.sum(axis=0, keepdims=True)", "g[\"pos_embed\"] = d.sum(axis=0, keepdims=True) / n_images"),
    ("tape", "the class token is taken for the last one", "wrong_order", "d = d[:, 1:]", "d = d[:, :-1]"),
    ("tape", "the patches' bias: also the class token's gradient", "extra_term", 'g["patch_embed.proj.bias"] = d.sum(axis=(0, 1))', 'g["patch_embed.proj.bias"] = d.sum(axis=(0, 1)) + g["cls_token"][0, 0]'),
]  # fmt: skip
