"""Fast `vit_forward`: the last block works for the tokens that are read; one image on all threads.

What the last block makes of the patches nobody reads: only the class token goes on to the head
(and a distillation token to its own). The patches still serve it as keys and values; the rest of
that block is 1/N of the work.
The backward is `tinyvit.vit_backward`: it calls the pairs that the forward was given.
"""

from types import SimpleNamespace

import numpy as np

from ... import vit as textbook
from .. import cpu
from .tensor_parallel import AllReduce, Share

FEW = 20_000_000  # multiply-adds a block and thread: below, meeting costs more than it brings


def vit_forward(images, params, config, *, rng=None, grads=None):
    """As `tinyvit.vit_forward`, for one backward: each block's cache is let go when it is used.

    grads : dict with the keys of params, where backward will write the gradients of the blocks'
        weight matrices; None takes new arrays

    The stages hold no attention, and after the last block the tokens for the head alone. Where
    dropout draws a random number for every token, every token is computed, so that the numbers fall
    as they do in the textbook.
    """
    draws = rng is not None and (config.drop_rate or config.attn_drop_rate)
    queries = None if draws else _tokens_for_the_head(config)
    numbers = iter(range(config.depth))

    def block_forward(*args, **options):
        i = next(numbers)
        is_last = i == config.depth - 1
        x, cache = cpu.block_forward(*args, **options, queries=queries if is_last else None)
        return x, {"attn": {"attn": None}, "block": cache, "number": i}

    def block_backward(dout, cache):
        out = None if grads is None else textbook.starting_with(f"blocks.{cache['number']}.", grads)
        return cpu.block_backward(dout, cache.pop("block"), out)

    own = {"block_forward": block_forward, "block_backward": block_backward}
    ops = SimpleNamespace(**vars(cpu) | own)
    return textbook.vit_forward(images, params, config, rng=rng, ops=ops)


def vit_logits(images, params, config):
    """Logits (B, K) alone: what backward would need is forgotten at once.

    images : (B, C, H, W)
    params : dict of arrays, as `init_params(config)` gives them
    config : ViTConfig
    """
    return _logits(images, params, config)


def vit_logits_tensor_parallel(images, params, config, workers):
    """As `vit_logits`, every layer spread over threads (see `tensor_parallel`): for a large image.

    workers : `Workers`; as many threads take part as there are heads, and enough to do
    """
    D, tokens = config.embed_dim, len(images) * config.num_tokens
    work = tokens * (4 * D * D + 2 * D * config.hidden_dim)
    divided = config.num_heads, config.hidden_dim, config.in_chans * config.patch_size**2
    threads = min(workers.threads, *divided, work // FEW)

    def logits(*part):
        with np.errstate(over="ignore", invalid="ignore"):  # the caller looks at the logits
            return _logits(images, params, config, *part)

    if threads < 2:
        return workers.map(lambda _: logits(), [None])[0]
    all_reduce = AllReduce(threads)

    def run(i):
        try:
            return logits(Share(i, threads), all_reduce.of(i))
        except BaseException:
            all_reduce.abort()
            raise

    return workers.map(run, range(threads))[0]


def _logits(images, params, config, share=None, all_reduce=None):
    numbers = iter(range(config.depth))
    queries = _tokens_for_the_head(config)

    def linear_forward(x, weight, bias):
        if share is None or x.ndim == 2:  # the head
            return cpu.linear_forward(x, weight, bias)
        out, cache = cpu.linear_forward(*share.of_linear(x, weight, bias))
        return all_reduce(out), cache

    def block_forward(x, block, num_heads, **options):
        is_last = next(numbers) == config.depth - 1
        if share is not None:
            block, num_heads = share.of_block(block, num_heads)
            options["all_reduce"] = all_reduce
        options["queries"] = queries if is_last else None
        x, _ = cpu.block_forward(x, block, num_heads, **options)
        return x, {"attn": {"attn": None}}

    own = {"linear_forward": linear_forward, "block_forward": block_forward}
    ops = SimpleNamespace(**vars(cpu) | own)
    return textbook.vit_forward(images, params, config, ops=ops)[0]


def _tokens_for_the_head(config):
    """How many of the first tokens are read; None is all."""
    return config.num_prefix_tokens if config.global_pool == "token" else None
