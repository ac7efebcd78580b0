"""Answers of students to the exercise vit: right ones, and wrong ones with what is wrong."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "both": """
import numpy as np

from tinyvit.ops import (
    block_backward,
    block_forward,
    embed_backward,
    embed_forward,
    layernorm_backward,
    layernorm_forward,
    linear_backward,
    linear_forward,
    patchify_backward,
    patchify_forward,
)
from tinyvit.vit import positions


def vit_forward(images, params, config):
    D = config.embed_dim
    caches = []
    t, c = patchify_forward(images, config.patch_size)
    caches.append(c)
    kernel = params["patch_embed.proj.weight"].reshape(D, -1)
    t, c = linear_forward(t, kernel, params["patch_embed.proj.bias"])
    caches.append(c)
    t, c = embed_forward(t, params["cls_token"], positions(params, config))
    caches.append(c)
    for i in range(config.depth):
        start = f"blocks.{i}."
        own = {k[len(start) :]: v for k, v in params.items() if k.startswith(start)}
        t, c = block_forward(
            t,
            own,
            config.num_heads,
            norm=config.norm,
            activation=config.activation,
            eps=config.eps,
        )
        caches.append(c)
    t, c = layernorm_forward(t, params["norm.weight"], params["norm.bias"], config.eps)
    caches.append(c)
    shape = t.shape
    if config.global_pool == "token":
        pooled = t[:, 0, :]
    else:
        pooled = t[:, 1:, :].sum(axis=1) / config.num_patches
    logits, c = linear_forward(pooled, params["head.weight"], params["head.bias"])
    caches.append(c)
    return logits, (caches, shape, config, list(params))


def vit_backward(dlogits, cache):
    caches, shape, config, names = cache
    caches = list(caches)
    g = {}
    dpooled, g["head.weight"], g["head.bias"] = linear_backward(dlogits, caches.pop())
    dt = np.zeros(shape, dlogits.dtype)
    if config.global_pool == "token":
        dt[:, 0, :] = dpooled
    else:
        dt[:, 1:, :] = dpooled[:, np.newaxis, :] / config.num_patches
    dt, g["norm.weight"], g["norm.bias"] = layernorm_backward(dt, caches.pop())
    for i in range(config.depth - 1, -1, -1):
        dt, own = block_backward(dt, caches.pop())
        for k in own:
            g[f"blocks.{i}.{k}"] = own[k]
    dt, g["cls_token"], g["pos_embed"] = embed_backward(dt, caches.pop())
    dt, dkernel, g["patch_embed.proj.bias"] = linear_backward(dt, caches.pop())
    P, C = config.patch_size, config.in_chans
    g["patch_embed.proj.weight"] = dkernel.reshape(config.embed_dim, C, P, P)
    dimages = patchify_backward(dt, caches.pop())
    return dimages, {name: g[name] for name in names}
""",
    "given_cache": """
import numpy as np

from tinyvit.ops import (
    block_backward,
    dropout_backward,
    embed_backward,
    layernorm_backward,
    linear_backward,
    patchify_backward,
)


def vit_backward(dlogits, cache):
    cfg = cache["config"]
    grads = dict.fromkeys(cache["names"])

    d, dw, db = linear_backward(dlogits, cache["head"])
    grads.update({"head.weight": dw, "head.bias": db})

    T, D = cache["stages"]["norm"].shape[1:]
    share = np.zeros((T, 1), dlogits.dtype)
    if cfg.global_pool == "token":
        share[0] = 1
    else:
        share[1:] = 1 / (T - 1)
    d = d.reshape(-1, 1, D) * share

    d, dw, db = layernorm_backward(d, cache["norm"])
    grads.update({"norm.weight": dw, "norm.bias": db})

    i = cfg.depth
    while i > 0:
        i -= 1
        d, inner = block_backward(d, cache["blocks." + str(i)])
        grads.update({f"blocks.{i}.{k}": v for k, v in inner.items()})

    d = dropout_backward(d, cache["drop"])
    d, dcls, dpos = embed_backward(d, cache["embed"])
    grads["cls_token"] = dcls
    if "pos_embed" in grads:
        grads["pos_embed"] = dpos

    d, dw, db = linear_backward(d, cache["proj"])
    grads["patch_embed.proj.bias"] = db
    grads["patch_embed.proj.weight"] = dw.reshape(
        D, cfg.in_chans, cfg.patch_size, cfg.patch_size
    )
    return patchify_backward(d, cache["patchify"]), grads
""",
    "by_hand": """
import numpy as np

from tinyvit import ops
from tinyvit.vit import positions


def vit_forward(images, params, config, *, rng=None, ops=ops):
    cache = {"config": config, "ops": ops, "images": images.shape}
    P, D = config.patch_size, config.embed_dim
    B, C, H, W = images.shape
    grid = images.reshape(B, C, H // P, P, W // P, P)
    patches = grid.transpose(0, 2, 4, 1, 3, 5).reshape(B, -1, C * P * P)
    kernel = params["patch_embed.proj.weight"].reshape(D, C * P * P)
    tokens = patches @ kernel.T + params["patch_embed.proj.bias"]
    x = np.concatenate([np.repeat(params["cls_token"], B, axis=0), tokens], axis=1)
    table = positions(params, config)
    if table is not None:
        x = x + table
    cache["patches"], cache["kernel"], cache["table"] = patches, kernel, "pos_embed" in params
    x, cache["drop"] = ops.dropout_forward(x, config.drop_rate, rng)
    rates = np.linspace(0, config.drop_path_rate, config.depth)
    cache["blocks"] = []
    for i, rate in enumerate(rates):
        own = {}
        for name, value in params.items():
            head, _, rest = name.partition(f"blocks.{i}.")
            if head == "" and rest:
                own[rest] = value
        x, c = ops.block_forward(
            x, own, config.num_heads, norm=config.norm, activation=config.activation,
            eps=config.eps, drop_rate=config.drop_rate, attn_drop_rate=config.attn_drop_rate,
            drop_path_rate=float(rate), rng=rng,
        )
        cache["blocks"].append(c)
    x, cache["norm"] = ops.layernorm_forward(
        x, params["norm.weight"], params["norm.bias"], config.eps
    )
    cache["T"] = x.shape[1]
    feature = x[:, 0] if config.global_pool == "token" else np.mean(x[:, 1:], axis=1)
    cache["feature"], cache["head"] = feature, params["head.weight"]
    return feature @ params["head.weight"].T + params["head.bias"], cache


def vit_backward(dlogits, cache):
    config, ops = cache["config"], cache["ops"]
    grads = {}
    grads["head.weight"] = dlogits.T @ cache["feature"]
    grads["head.bias"] = dlogits.sum(axis=0)
    dfeature = dlogits @ cache["head"]
    B, D = dfeature.shape
    T = cache["T"]
    dx = np.zeros((B, T, D), dlogits.dtype)
    if config.global_pool == "token":
        dx[:, 0] += dfeature
    else:
        for t in range(1, T):
            dx[:, t] += dfeature / (T - 1)
    dx, grads["norm.weight"], grads["norm.bias"] = ops.layernorm_backward(dx, cache["norm"])
    for i, c in reversed(list(enumerate(cache["blocks"]))):
        dx, inner = ops.block_backward(dx, c)
        grads |= {f"blocks.{i}.{name}": grad for name, grad in inner.items()}
    dx = ops.dropout_backward(dx, cache["drop"])
    if cache["table"]:
        grads["pos_embed"] = dx.sum(axis=0)[None]
    grads["cls_token"] = dx[:, 0].sum(axis=0).reshape(1, 1, D)
    dtokens = dx[:, 1:]
    B, C, H, W = cache["images"]
    P = config.patch_size
    dkernel = np.einsum("bnd,bnp->dp", dtokens, cache["patches"])
    grads["patch_embed.proj.weight"] = dkernel.reshape(D, C, P, P)
    grads["patch_embed.proj.bias"] = dtokens.sum(axis=(0, 1))
    dpatches = dtokens @ cache["kernel"]
    dgrid = dpatches.reshape(B, H // P, W // P, C, P, P).transpose(0, 3, 1, 4, 2, 5)
    return dgrid.reshape(B, C, H, W), grads
""",
    "forward": """
import numpy as np

from tinyvit import ops as pairs
from tinyvit.vit import positions


def vit_forward(images, params, config, *, rng=None, ops=pairs):
    stages = {}
    cache = {"config": config, "ops": ops, "names": tuple(params), "stages": stages}
    x, cache["patchify"] = ops.patchify_forward(images, config.patch_size)
    w = params["patch_embed.proj.weight"]
    x, cache["proj"] = ops.linear_forward(
        x, w.reshape(len(w), -1), params["patch_embed.proj.bias"]
    )
    x, cache["embed"] = ops.embed_forward(x, params["cls_token"], positions(params, config))
    x, cache["drop"] = ops.dropout_forward(x, config.drop_rate, rng)
    last = max(config.depth - 1, 1)
    for i in range(config.depth):
        here = f"blocks.{i}"
        own = {}
        for name in params:
            if name.startswith(here + "."):
                own[name.split(".", 2)[2]] = params[name]
        options = {"norm": config.norm, "activation": config.activation, "eps": config.eps}
        options["drop_rate"] = config.drop_rate
        options["attn_drop_rate"] = config.attn_drop_rate
        options["drop_path_rate"] = config.drop_path_rate * i / last
        x, cache[here] = ops.block_forward(x, own, config.num_heads, rng=rng, **options)
        stages[here] = x
    x, cache["norm"] = ops.layernorm_forward(
        x, params["norm.weight"], params["norm.bias"], config.eps
    )
    stages["norm"] = x
    weights = np.zeros(x.shape[1], x.dtype)
    if config.global_pool == "token":
        weights[0] = 1
    else:
        weights[1:] = 1 / config.num_patches
    x = np.einsum("btd,t->bd", x, weights)
    logits, cache["head"] = ops.linear_forward(x, params["head.weight"], params["head.bias"])
    return logits, cache
""",
}

WRONG = [
    ("both", "token: the gradient to every token", "extra_term wrong_axis", "dt[:, 0, :] = dpooled", "dt[:] = dpooled[:, np.newaxis, :]"),
    ("both", "token: the gradient to the last token", "wrong_order wrong_variable", "dt[:, 0, :] = dpooled", "dt[:, -1, :] = dpooled"),
    ("both", "avg: 1/N forgotten", "scale missing_factor sum_mean", "dpooled[:, np.newaxis, :] / config.num_patches", "dpooled[:, np.newaxis, :]"),
    ("both", "avg: divided by the tokens with the class token", "sum_mean wrong_constant scale", "dpooled[:, np.newaxis, :] / config.num_patches", "dpooled[:, np.newaxis, :] / shape[1]"),
    ("both", "avg: the class token gets its part too", "extra_term", "dt[:, 1:, :] = dpooled", "dt[:] = dpooled"),
    ("both", "avg: the patches shifted by one", "wrong_order", "dt[:, 1:, :] = dpooled", "dt[:, :-1, :] = dpooled"),
    ("both", "the gradient goes past the last norm", "missing_factor", 'dt, g["norm.weight"], g["norm.bias"] =', '_, g["norm.weight"], g["norm.bias"] ='),
    ("both", "the norm's weight and bias exchanged", "swapped", 'dt, g["norm.weight"], g["norm.bias"] =', 'dt, g["norm.bias"], g["norm.weight"] ='),
    ("both", "the blocks' gradients under turned-round numbers", "wrong_order swapped", 'g[f"blocks.{i}.{k}"] = own[k]', 'g[f"blocks.{config.depth - 1 - i}.{k}"] = own[k]'),
    ("both", "the blocks do not pass the gradient on", "missing_factor missing_term", "dt, own = block_backward(dt, caches.pop())", "_, own = block_backward(dt, caches.pop())"),
    ("both", "the class token's gradient divided by the batch", "scale sum_mean", "    dt, dkernel,", '    g["cls_token"] = g["cls_token"] / len(dlogits)\n    dt, dkernel,'),
    ("both", "the kernel's pixels transposed", "transposed wrong_order", "dkernel.reshape(config.embed_dim, C, P, P)", "dkernel.reshape(config.embed_dim, C, P, P).swapaxes(2, 3)"),
    ("both", "the kernel read as row, column, channel", "wrong_order", "dkernel.reshape(config.embed_dim, C, P, P)", "dkernel.reshape(config.embed_dim, P, P, C).transpose(0, 3, 1, 2)"),
    ("both", "the sign of the images' gradient", "sign", "return dimages, {", "return -dimages, {"),
    ("both", "the images' gradient divided by the batch", "scale", "return dimages, {", "return dimages / len(dimages), {"),
    ("both", "every parameter's gradient divided by the batch", "scale", "{name: g[name] for name in names}", "{name: g[name] / len(dimages) for name in names}"),
    ("both", "the last image's pixels left zero", "incomplete", "return dimages, {", "dimages[-1] = 0\n    return dimages, {"),
    ("both", "the cache holds the first block for all", "wrong_cache incomplete", "        caches.append(c)\n    t, c = layernorm", "        caches.append(c if i == 0 else caches[3])\n    t, c = layernorm"),
    ("both", "forward: the first block's parameters in all", "wrong_variable", 'start = f"blocks.{i}."', 'start = "blocks.0."'),
    ("both", "forward, avg: the class token in the mean", "extra_term", "t[:, 1:, :].sum(axis=1) / config.num_patches", "t.mean(axis=1)"),
    ("both", "forward, avg: the sum, not the mean", "sum_mean scale", ".sum(axis=1) / config.num_patches", ".sum(axis=1)"),
    ("both", "forward, token: the last token", "wrong_order wrong_variable", "pooled = t[:, 0, :]", "pooled = t[:, -1, :]"),
    ("both", "forward: the blocks are pre-norm whatever is asked for", "other_forward", "norm=config.norm", 'norm="pre"'),
    ("both", "forward: post-norm where pre-norm is asked for", "other_forward", "norm=config.norm", 'norm="post"'),
    ("both", "forward: GELU whatever is asked for", "other_forward", "activation=config.activation", 'activation="gelu"'),
    ("given_cache", "the blocks walked forwards", "wrong_order", "    i = cfg.depth\n    while i > 0:\n        i -= 1\n", "    for i in range(cfg.depth):\n"),
    ("given_cache", "always the last block's cache", "wrong_variable wrong_cache", 'cache["blocks." + str(i)]', 'cache["blocks." + str(cfg.depth - 1)]'),
    ("given_cache", "the residual past the whole block added", "extra_term fork", "d, inner = block_backward(d, cache[\"blocks.\" + str(i)])", "before = d\n        d, inner = block_backward(d, cache[\"blocks.\" + str(i)])\n        d = d + before"),
    ("given_cache", "the positions' gradient is the class token's", "wrong_variable", 'grads["pos_embed"] = dpos', 'grads["pos_embed"] = np.zeros_like(dpos) + dcls'),
    ("given_cache", "the positions' gradient: the mean", "scale sum_mean", 'grads["pos_embed"] = dpos', 'grads["pos_embed"] = dpos / len(dlogits)'),
    ("given_cache", "the positions do not learn", "incomplete missing_term", 'grads["pos_embed"] = dpos', 'grads["pos_embed"] = 0 * dpos'),
    ("given_cache", "avg: the whole gradient to each patch", "scale missing_factor sum_mean", "share[1:] = 1 / (T - 1)", "share[1:] = 1"),
    ("given_cache", "token: the class token is the second", "wrong_order", "share[0] = 1", "share[1] = 1"),
    ("given_cache", "the sign of the head's bias", "sign", '"head.bias": db})', '"head.bias": -db})'),
    ("given_cache", "the patches' gradient in turned-round order", "wrong_order", "patchify_backward(d, cache", "patchify_backward(d[:, ::-1], cache"),
    ("given_cache", "the head's weight divided by the batch", "scale", 'grads.update({"head.weight": dw,', 'grads.update({"head.weight": dw / len(dlogits),'),
    ("by_hand", "the patches' bias: the mean", "scale sum_mean", "dtokens.sum(axis=(0, 1))", "dtokens.mean(axis=(0, 1))"),
    ("by_hand", "the patches' bias with the class token", "extra_term", "dtokens.sum(axis=(0, 1))", "dx.sum(axis=(0, 1))"),
    ("by_hand", "the tokens shifted by one", "wrong_order", "dtokens = dx[:, 1:]", "dtokens = dx[:, :-1]"),
    ("by_hand", "the class token's gradient of all tokens", "extra_term wrong_axis", "dx[:, 0].sum(axis=0).reshape(1, 1, D)", "dx.sum(axis=(0, 1)).reshape(1, 1, D)"),
    ("by_hand", "the class token's gradient of the first image", "incomplete", "dx[:, 0].sum(axis=0).reshape(1, 1, D)", "dx[0, 0].reshape(1, 1, D)"),
    ("by_hand", "the pixels' axes mixed", "wrong_order transposed", ".transpose(0, 3, 1, 4, 2, 5)\n    return", ".transpose(0, 3, 1, 5, 2, 4)\n    return"),
    ("by_hand", "avg: the last patch forgotten", "incomplete", "for t in range(1, T):", "for t in range(1, T - 1):"),
    ("by_hand", "forward: the class token at the end", "wrong_order", '[np.repeat(params["cls_token"], B, axis=0), tokens]', '[tokens, np.repeat(params["cls_token"], B, axis=0)]'),
    ("by_hand", "forward: the positions forgotten", "missing_term", "x = x + table", "x = x + 0 * table"),
    ("by_hand", "forward: the patches' bias forgotten", "missing_term", ' + params["patch_embed.proj.bias"]', ""),
    ("by_hand", "forward: the patches flattened as row, column, channel", "wrong_order", "grid.transpose(0, 2, 4, 1, 3, 5)", "grid.transpose(0, 2, 4, 3, 5, 1)"),
    ("forward", "forward, avg: divided by one too many", "sum_mean wrong_constant", "1 / config.num_patches", "1 / (config.num_patches + 1)"),
    ("forward", "forward: the blocks in turned-round order", "wrong_order", 'if name.startswith(here + "."):', 'if name.startswith(f"blocks.{config.depth - 1 - i}."):'),
]  # fmt: skip
