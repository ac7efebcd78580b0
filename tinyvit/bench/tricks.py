"""What makes training on a CPU fast, one by one, and how to do without.

Nothing of the program has a switch for this: a trick is undone by putting the plain function in
the place of the fast one, in a process that does nothing else.
"""

from contextlib import nullcontext

import numpy as np

from .. import models, ops, train, workers
from ..kernels.cpu import attention, block, buffers, mlp, vit


def _no_threads():
    from threadpoolctl import ThreadpoolController

    ThreadpoolController.limit = lambda self, **_: nullcontext()
    return {"threads": 1}


def _no_buffers():
    buffers.Buffers.empty = lambda self, shape, dtype: np.empty(shape, dtype)
    workers.keep_freed_memory = lambda: None
    return {}


def _no_micro_batches():
    return {"micro_batch": 10**9}


def _no_class_token_alone():
    vit._tokens_for_the_head = lambda config: None
    return {}


def _no_fast_gelu():
    mlp.gelu_forward, mlp.gelu_backward = ops.gelu_forward, ops.gelu_backward
    return {}


def _no_fast_layernorm():
    _no_folding()
    block.layernorm_forward = ops.layernorm_forward
    block.layernorm_backward = ops.layernorm_backward
    return {}


def _no_fast_softmax():
    def softmax_in_place(scores):
        scores[...] = ops.softmax_forward(scores)[0]

    attention.softmax_in_place = softmax_in_place
    return {}


def _no_folding():
    block.FOLDS = float("inf")
    return {}


def _no_update_in_place():
    def update(self, grads, lr):
        self._update(sum(grads[1:], start=grads[0]), lr)

    train.Trainer._update_in_place = update
    return {}


def _none():
    object.__setattr__(models.MODELS["vit"], "on_cpu", None)
    _no_buffers()
    _no_update_in_place()
    return _no_threads() | _no_micro_batches()


TRICKS = {
    "threads": ("Parts of the batch on threads, one BLAS thread each", _no_threads),
    "buffers": ("Memory that is used again", _no_buffers),
    "class token": ("The last block for the class token alone", _no_class_token_alone),
    "gelu": ("GELU by one tanh and a polynomial", _no_fast_gelu),
    "layernorm": ("LayerNorm in place, its sums by BLAS", _no_fast_layernorm),
    "folding": ("LayerNorm's gain and shift folded into weights", _no_folding),
    "softmax": ("Softmax in place, a maximum only where needed", _no_fast_softmax),
    "adamw": ("AdamW in place, on all threads", _no_update_in_place),
    "micro-batches": ("Micro-batches that fit the cache", _no_micro_batches),
    "all": ("All of them: the textbook alone", _none),
}


def switch_off(name):
    """Do without a trick in this process, for good.

    name : one of `TRICKS`

    Returns settings for the `Trainer`.
    """
    _, without = TRICKS[name]
    return without()
