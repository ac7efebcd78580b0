"""JAX on the card."""

import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from ..params import init_params
from .cases import TRAIN
from .contestants import LR, WEIGHT_DECAY, Contestant, batch_of
from .gpu_data import CLIP_NORM, SHIFT, STEPS, training_data, with_border
from .jax_vit import adamw, clip, cross_entropy, moved, vit

MATMUL = {"fp32": "highest", "tf32": "tensorfloat32", "bf16": "default"}


class JaxGPU(Contestant):
    """JAX: a whole step is one jitted function that is given its state to overwrite.

    No call waits for the card, so the calls run ahead of it; a `lax.scan` over the steps, which
    would save the calls alone, is not used. In bf16 training keeps float32 weights and casts them
    in each step, prediction has bf16 weights; attention is cuDNN's where that is faster than XLA's.

    case : Case
    device : as JAX has it; None is the first GPU
    shift : how far images are moved at most [pixels]
    """

    def __init__(self, case, device=None, shift=SHIFT):
        jax.config.update("jax_default_matmul_precision", MATMUL[case.precision])
        self.steps = STEPS
        self._config, self._shift = case.config, shift
        self._training = case.work == TRAIN
        self._half = case.precision == "bf16"
        self._dtype = jnp.bfloat16 if self._half else jnp.float32
        device = device or jax.devices("gpu")[0]
        put = partial(jax.device_put, device=device)
        params = init_params(case.config)
        if self._training:
            images, labels, order = training_data(case)
            # Without 64-bit integers, as JAX is by itself.
            data = with_border(images, shift), labels.astype(np.int32), order.astype(np.int32)
            moments = (jax.tree.map(np.zeros_like, params) for _ in range(2))
            self._data, self._state = put(data), put((params, *moments, np.int32(0)))
        else:
            self._images = put(batch_of(case)[0])
            self._params = jax.tree.map(lambda value: put(value.astype(self._dtype)), params)
        self._take("xla")
        if self._half and device.platform == "gpu":
            self._take_faster("cudnn")

    def run(self):
        """Do the work; returns the last loss, or the last logits, on the card."""
        for _ in range(self.steps):
            if self._training:
                self._state, out = self._work(self._state, *self._data)
            else:
                out = self._work(self._params, self._images)
        return jax.block_until_ready(out)

    @property
    def params(self):
        """The weights in training."""
        return self._state[0]

    def about(self):
        """What computes, in words."""
        return f"JAX {jax.__version__}, attention by {self._attention}"

    def _take(self, attention):
        self._attention = attention
        forward = partial(vit, config=self._config, dtype=self._dtype, attention=attention)
        if self._training:
            step = partial(_train_step, forward=forward, shift=self._shift)
            self._work = jax.jit(step, donate_argnums=0)
        else:
            self._work = jax.jit(forward)

    def _take_faster(self, attention):
        plain, before = (self._attention, self._work), self._seconds()
        self._take(attention)
        try:
            if self._seconds() < before:
                return
        except (RuntimeError, ValueError):  # it is not for these shapes
            pass
        self._attention, self._work = plain

    def _seconds(self):
        self.run()
        start = time.perf_counter()
        self.run()
        return time.perf_counter() - start


def _train_step(state, images, labels, order, *, forward, shift):
    """One optimiser step on the next batch of the order; returns the new state and the loss."""
    params, m, v, done = state
    chosen = order[done % len(order)]
    batch = moved(images, chosen, shift, jax.random.fold_in(jax.random.key(0), done))

    def loss_of(params):
        return cross_entropy(forward(params, batch), labels[chosen])

    loss, grads = jax.value_and_grad(loss_of)(params)
    grads = clip(grads, CLIP_NORM)
    params, m, v = adamw(params, grads, m, v, done + 1, lr=LR, weight_decay=WEIGHT_DECAY)
    return (params, m, v, done + 1), loss
