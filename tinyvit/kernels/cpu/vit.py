"""Fast `vit_forward`: the last block works for the class token alone; tokens spread over threads.

What the last block makes of the other tokens nobody reads: only the class token goes on to the
head. The others still serve it as keys and values; the rest of that block is 1/N of the work.
The backward is `tinyvit.vit_backward`: it calls the pairs that the forward was given.
"""

from threading import Barrier
from types import SimpleNamespace

import numpy as np

from ... import vit as textbook
from .. import cpu

FOUR = 4  # BLAS works on four rows at a time: a part of the tokens should be a multiple
FEW = 64  # tokens of all images a thread: below, meeting costs more than it brings


def vit_forward(images, params, config, *, rng=None, grads=None):
    """As `tinyvit.vit_forward`, for one backward: each block's cache is let go when it is used.

    grads : dict with the keys of params, where backward will write the gradients of the blocks'
        weight matrices; None takes new arrays

    The stages hold no attention, and after the last block the class token alone. Where dropout
    draws a random number for every token, every token is computed, so that the numbers fall as
    they do in the textbook.
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


def vit_logits_by_tokens(images, params, config, workers):
    """As `vit_logits`, the tokens of every image spread over threads: for a single large image.

    All of a block but one thing is done token by token: before a token can look around, the keys
    and values of all tokens have to be there. So the threads meet once a block.

    workers : `Workers`; every thread takes a part of the tokens, where there are enough of them
    """
    N = config.num_patches + 1
    threads = max(1, min(workers.threads, len(images) * N // FEW))
    size = -(-N // threads // FOUR) * FOUR
    parts = [slice(start, min(start + size, N)) for start in range(0, N, size)]
    meeting = Barrier(len(parts))
    shapes = (len(images), N, 2 * config.embed_dim), (len(images), N, config.embed_dim)
    shared = [np.empty(shape, images.dtype) for shape in (shapes[0], *shapes)]

    def run(part):
        def exchange(array, own):
            array[:, part] = own
            meeting.wait()
            return array

        try:
            with np.errstate(over="ignore", invalid="ignore"):  # the caller looks at the logits
                return _logits(images, params, config, part, shared, exchange)
        except BaseException:
            meeting.abort()  # the others would wait for ever
            raise

    return workers.map(run, parts)[0]


def _logits(images, params, config, part=slice(None), shared=(), exchange=None):
    numbers = iter(range(config.depth))
    queries = _tokens_for_the_head(config)

    def embed_forward(tokens, cls_token, pos_embed):
        x, cache = cpu.embed_forward(tokens, cls_token, pos_embed)
        return x[:, part], cache

    def block_forward(*args, **options):
        i = next(numbers)
        if exchange is not None:  # two arrays in turn: a slow thread may still be reading one
            options["gather"] = lambda own: exchange(shared[i % 2], own)
        is_last = i == config.depth - 1
        x, _ = cpu.block_forward(*args, **options, queries=queries if is_last else None)
        if is_last and queries is None and exchange is not None:
            x = exchange(shared[2], x)
        return x, {"attn": {"attn": None}}

    own = {"embed_forward": embed_forward, "block_forward": block_forward}
    ops = SimpleNamespace(**vars(cpu) | own)
    return textbook.vit_forward(images, params, config, ops=ops)[0]


def _tokens_for_the_head(config):
    return 1 if config.global_pool == "token" else None
