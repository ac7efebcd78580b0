"""The whole ViT: mistakes that are often made."""

from ..mistake import Mistake

_BEGIN = "require_images(images, config)"
_PATCHES = 'x, cache["patchify"] = ops.patchify_forward(images, config.patch_size)'
_WEIGHT = "weight = weight.reshape(config.embed_dim, -1)"
_EMBED = 'x, cache["embed"] = ops.embed_forward(x, p["cls_token"], positions(p, config))'
_LOOP = "for i in range(config.depth):"
_OWN = 'starting_with(f"blocks.{i}.", p)'
_NORM = 'x, cache["norm"] = ops.layernorm_forward(x, p["norm.weight"], p["norm.bias"], config.eps)'
_FIRST = "first = config.num_prefix_tokens  # where the patches begin"
_POOL = 'x = x[:, 0] if config.global_pool == "token" else x[:, first:].mean(axis=1)'
_HEAD = 'logits, cache["head"] = ops.linear_forward(x, p["head.weight"], p["head.bias"])'


def _pool(kind, token, avg, message):
    token, avg = token or "x[:, 0]", avg or "x[:, first:].mean(axis=1)"
    return Mistake(kind, _POOL, f'x = {token} if config.global_pool == "token" else {avg}', message)


def _always(setting, message):
    lines = "from dataclasses import replace\n    config = replace(config, "
    return Mistake("other_forward", _BEGIN, f"{_BEGIN}\n    {lines}{setting})", message)


FORWARD = (
    Mistake(
        "missing_factor",
        _NORM,
        'cache["norm"] = ops.layernorm_forward(x, p["norm.weight"], p["norm.bias"], config.eps)[1]',
        "the last norm is missing: it comes after the blocks, before the head",
    ),
    _pool(
        "wrong_order",
        "x[:, -1]",
        "x[:, :-1].mean(axis=1)",
        "the last token is taken for the class token: the class token is token 0",
    ),
    _pool(
        "wrong_order",
        "x[:, 1]",
        None,
        "token 1, the first patch, is taken: the class token is token 0",
    ),
    _pool(
        "extra_term",
        None,
        "x.mean(axis=1)",
        "the class token is in the mean: avg is the mean of the patches' tokens only",
    ),
    _pool(
        "other_forward",
        "x.mean(axis=1)",
        None,
        "the mean over all tokens is taken: token takes the class token alone",
    ),
    _pool(
        "other_forward",
        "x[:, 1:].mean(axis=1)",
        "x[:, 0]",
        "the pooling is the other one: token takes the class token, avg the mean of the patches",
    ),
    _pool(
        "sum_mean",
        None,
        "x[:, 1:].sum(axis=1)",
        "the patches' tokens are added up: avg is their mean",
    ),
    _pool(
        "wrong_constant",
        None,
        "x[:, 1:].sum(axis=1) / x.shape[1]",
        "the sum over the N patches is divided by N + 1: the class token is not counted",
    ),
    Mistake(
        "wrong_variable",
        _OWN,
        'starting_with("blocks.0.", p)',
        "every block has the parameters of block 0: each has its own",
    ),
    Mistake(
        "wrong_order",
        _LOOP,
        "for i in reversed(range(config.depth)):",
        "the blocks are applied from the last to the first: forward begins with block 0",
    ),
    Mistake(
        "incomplete",
        _LOOP,
        "for i in range(config.depth - 1):",
        "the last block is left out: there are config.depth blocks",
    ),
    Mistake(
        "incomplete",
        _LOOP,
        "for i in range(1, config.depth):",
        "the first block has no effect: each block gets what the one before gave, from block 0 on",
    ),
    Mistake(
        "wrong_order",
        _EMBED,
        f"{_EMBED}\n        xp, table = get_array_module(x), positions(p, config)\n"
        "        table = 0 if table is None else table\n"
        "        x = xp.roll(x - table, -1, axis=1) + table",
        "the class token stands after the patches: it is token 0, before them",
    ),
    Mistake(
        "missing_term",
        _EMBED,
        _EMBED.replace("positions(p, config)", "None"),
        "the positions are missing: pos_embed is added to the tokens",
    ),
    Mistake(
        "wrong_order",
        _PATCHES,
        f"{_PATCHES}\n    C, P = config.in_chans, config.patch_size\n"
        "    x = x.reshape(*x.shape[:2], C, P, P).transpose(0, 1, 3, 4, 2).reshape(x.shape)",
        "the patches are flattened as (row, column, C), the weight as (C, row, column)",
    ),
    Mistake(
        "wrong_order",
        _WEIGHT,
        "weight = weight.transpose(0, 2, 3, 1).reshape(config.embed_dim, -1)",
        "the weight is flattened as (row, column, C), the patches as (C, row, column)",
    ),
    Mistake(
        "wrong_order",
        _WEIGHT,
        "weight = weight.reshape(-1, config.embed_dim).T",
        "patch_embed.proj.weight is reshaped to (C*P*P, D), which mixes its rows: (D, C*P*P) keeps "
        "them",
    ),
    Mistake(
        "extra_term",
        _HEAD,
        f"{_HEAD}\n"
        "    exp = get_array_module(x).exp(logits - logits.max(axis=-1, keepdims=True))\n"
        "    logits = exp / exp.sum(axis=-1, keepdims=True)",
        "softmax is applied to the scores: the logits are returned as they are",
    ),
    Mistake(
        "wrong_order",
        f'{_NORM}\n    stages["norm"] = x  # (B, N+1, D)\n\n    {_FIRST}\n    {_POOL}',
        f'{_FIRST}\n    {_POOL}\n    {_NORM}\n    stages["norm"] = x',
        "the norm is taken of the mean of the patches: it comes first, then the mean",
    ),
    *(
        _always(f'norm="{name}"', f"the blocks are always {name}-norm: config.norm says which")
        for name in ("pre", "post")
    ),
    *(
        _always(f'activation="{name}"', f"the activation is always {what}: it is config.activation")
        for name, what in (
            ("gelu", "the exact GELU"),
            ("relu", "ReLU"),
            ("gelu_tanh", "GELU's tanh form"),
        )
    ),
    _always("eps=1e-6", "eps is always 1e-6: it is config.eps")._replace(kind="wrong_constant"),
)

_CACHE = 'config, ops = cache["config"], cache["ops"]'
_DTOKEN = "dx[:, 0] = dpool"
_DAVG = "dx[:, first:] = dpool[:, None] / config.num_patches"
_DNORM = 'dx, grads["norm.weight"], grads["norm.bias"] = ops.layernorm_backward(dx, cache["norm"])'
_DLOOP = "for i in reversed(range(config.depth)):"
_DBLOCK = 'dx, block_grads = ops.block_backward(dx, cache[f"blocks.{i}"])'
_DEMBED = 'dx, grads["cls_token"], dpos_embed = ops.embed_backward(dx, cache["embed"])'
_DPROJ = 'dx, dweight, grads["patch_embed.proj.bias"] = ops.linear_backward(dx, cache["proj"])'
_DWEIGHT = "dweight.reshape(-1, config.in_chans, P, P)"
_DIMAGES = 'dimages = ops.patchify_backward(dx, cache["patchify"])'


def _embed(kind, line, message):
    """A mistake made with all tokens' gradient."""
    return Mistake(kind, _DEMBED, f"dtokens = dx\n        {_DEMBED}\n        {line}", message)


BACKWARD = (
    Mistake(
        "wrong_order",
        _DLOOP,
        "for i in range(config.depth):",
        "the blocks are walked from first to last: backward begins with the last block",
    ),
    Mistake(
        "missing_factor",
        _DNORM,
        "_, *dnorm = ops.layernorm_backward(dx, cache['norm'])\n"
        '    grads["norm.weight"], grads["norm.bias"] = dnorm',
        "the last norm's backward is missing on the way to the blocks",
    ),
    Mistake(
        "missing_factor",
        _DBLOCK,
        '_, block_grads = ops.block_backward(dx, cache[f"blocks.{i}"])',
        "dx does not go back through the blocks: what a block returns goes into the one before",
    ),
    Mistake(
        "extra_term",
        _DTOKEN,
        "dx[:] = dpool[:, None]",
        "every token gets the gradient of the class token: the head saw token 0 only",
    ),
    Mistake(
        "wrong_order",
        _DTOKEN,
        "dx[:, -1] = dpool",
        "the last token gets the gradient: the head saw the class token, token 0",
    ),
    Mistake(
        "wrong_order",
        _DTOKEN,
        "dx[:, 1] = dpool",
        "token 1, the first patch, gets the gradient: the head saw the class token, token 0",
    ),
    Mistake(
        "sum_mean",
        _DAVG,
        "dx[:, 1:] = dpool[:, None]",
        "1/N is missing: avg is the mean of the N patches' tokens, not their sum",
    ),
    Mistake(
        "wrong_constant",
        _DAVG,
        "dx[:, 1:] = dpool[:, None] / dx.shape[1]",
        "divided by N + 1: the mean is over the N patches, without the class token",
    ),
    Mistake(
        "extra_term",
        _DAVG,
        "dx[:] = dpool[:, None] / config.num_patches",
        "the class token gets a part of the gradient: avg leaves it out",
    ),
    Mistake(
        "wrong_order",
        _DAVG,
        "dx[:, :-1] = dpool[:, None] / config.num_patches",
        "shifted by one token: the patches are tokens 1 to N, the class token is token 0",
    ),
    Mistake(
        "incomplete",
        _DAVG,
        "dx[:, 1:-1] = dpool[:, None] / config.num_patches",
        "the last patch gets no gradient: avg is the mean of all N patches' tokens",
    ),
    Mistake(
        "other_forward",
        'if config.global_pool == "token":',
        'if config.global_pool != "token":',
        "the pooling is the other one: token takes the class token, avg the mean of the patches",
    ),
    *(
        Mistake(
            "other_forward",
            line,
            "dx[:] = dpool[:, None] / dx.shape[1]",
            f"it is the gradient of the mean over all tokens: {what}",
        )
        for line, what in (
            (_DTOKEN, "the head saw the class token only"),
            (_DAVG, "avg leaves the class token out"),
        )
    ),
    Mistake(
        "fork",
        _DBLOCK,
        'dbranch, block_grads = ops.block_backward(dx, cache[f"blocks.{i}"])\n'
        "        dx = dx + dbranch",
        "dx is added to each block's dx: the residuals are inside the block, which adds them",
    ),
    Mistake(
        "wrong_variable",
        _DBLOCK,
        "dlast = dx if i == config.depth - 1 else dlast\n"
        '        dx, block_grads = ops.block_backward(dlast, cache[f"blocks.{i}"])',
        "every block gets the gradient of the last one's output, not that of the block after it",
    ),
    *(
        Mistake(
            "wrong_cache",
            _DBLOCK,
            f'dx, block_grads = ops.block_backward(dx, cache[f"blocks.{{{i}}}"])',
            f"every block uses the cache of {which} block: each has its own",
        )
        for i, which in (("0", "the first"), ("config.depth - 1", "the last"))
    ),
    _embed(
        "wrong_axis",
        'grads["cls_token"] = dtokens.sum(axis=(0, 1)).reshape(1, 1, -1)',
        "it is the sum over all tokens: only token 0 is the class token",
    ),
    _embed(
        "incomplete",
        'grads["cls_token"] = dtokens[:1, :1]',
        "only the first image is there: all images share the class token, so they add up",
    ),
    _embed(
        "wrong_variable",
        'dpos_embed = 0 * dpos_embed + grads["cls_token"]',
        "each row is the class token's gradient: token n's position has the gradient of token n",
    ),
    _embed(
        "wrong_order",
        "dx = dtokens[:, :-1]",
        "shifted by one token: the patches are tokens 1 to N, the class token is token 0",
    ),
    Mistake(
        "extra_term",
        _DPROJ,
        f"{_DPROJ}\n"
        '    grads["patch_embed.proj.bias"] = dpos_embed.reshape(-1, config.embed_dim).sum(axis=0)',
        "the class token's gradient is in it: this bias was added to the patches only",
    ),
    Mistake(
        "wrong_order",
        _DWEIGHT,
        "dweight.reshape(-1, P, P, config.in_chans).transpose(0, 3, 1, 2)",
        "a row of the weight is read as (row, column, C): it is (C, row, column)",
    ),
    Mistake(
        "wrong_order",
        _DIMAGES,
        "dx = dx.reshape(*dx.shape[:2], -1, P, P).swapaxes(-1, -2).reshape(dx.shape)\n"
        f"    {_DIMAGES}",
        "rows and columns are exchanged inside each patch: a patch is (C, row, column)",
    ),
    Mistake(
        "wrong_order",
        _DIMAGES,
        "dx = dx.reshape(*dx.shape[:2], P, P, -1).transpose(0, 1, 4, 2, 3).reshape(dx.shape)\n"
        f"    {_DIMAGES}",
        "a patch is read as (row, column, C): it is (C, row, column)",
    ),
    *(
        Mistake(
            "other_forward",
            _CACHE,
            "from dataclasses import replace\n"
            f'    config = replace(cache["config"], {field}="{value}")\n'
            '    cache = vit_forward(given.images, given.params, config, ops=cache["ops"])[1]\n'
            f"    {_CACHE}",
            message,
        )
        for field, value, message in (
            ("norm", "pre", "the gradient is that of pre-norm blocks: here they are post-norm"),
            ("norm", "post", "the gradient is that of post-norm blocks: here they are pre-norm"),
            ("activation", "gelu", "the gradient is that of the exact GELU: here it is another"),
            ("activation", "gelu_tanh", "the gradient is that of GELU's tanh form: here it is not"),
            ("activation", "relu", "the gradient is that of ReLU: here the activation is another"),
        )
    ),
)
