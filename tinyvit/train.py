"""The Trainer: optimiser steps, on the cores of a CPU or on a GPU."""

import warnings
from math import sqrt

import numpy as np

from .backend import require_device, to_device, to_numpy
from .errors import InputError
from .kernels.cpu import optim as in_place
from .models import model_of
from .ops import cross_entropy_backward, cross_entropy_forward
from .optim import adamw, clip, decay_vector, moving_average, warmup_cosine
from .params import flatten, unflatten
from .predict import images_at_a_time, predict
from .workers import Workers, split

PRECISIONS = ("fp32", "tf32", "bf16")


class OldCardWarning(UserWarning):
    """The card is older than the kernels: training is right, and slow."""


class Trainer:
    """Holds a model's parameters and the optimiser's state, and takes steps.

    On the CPU the batch is cut into one part a thread, each part into micro-batches that fit the
    cache; the parts' gradients are added in a fixed order, so that the same seed and the same
    number of threads give the same bits. Parameters, gradients and moments are one flat vector
    each, and every thread updates its share of them.

    On a GPU, a ViT's step is one CUDA graph of the kernels in `kernels/cuda`, and `steps` goes
    through many batches of images that lie on the card without waiting for it. Other models, and
    cards too old for these kernels, take the textbook's pairs on CuPy.

    config : configuration of any registered model
    params : dict of arrays, the first values; copied
    device : "cpu" or "gpu"
    threads : CPU threads; None takes one for each core granted
    micro_batch : largest number of images a forward pass; None takes what fits the cache
    lr : highest learning rate
    weight_decay : AdamW's, on weight matrices only
    warmup_steps : steps over which the learning rate rises
    total_steps : steps over which it then falls to 0 on a cosine; None keeps it at `lr`
    clip_norm : largest norm of the gradient
    label_smoothing : share of each target spread over all classes
    ema_decay : of the running average of the weights; 0 keeps none
    seed : of the dropouts, and of the augmentation on a GPU
    precision : on a GPU: "fp32"; "tf32", matrix products with 10 bits; "bf16", activations of 8
        bits, while weights, norms, the residual stream and the optimiser stay in float32

    Raises InputError when the device, or the precision on it, is not to be had. Warns with
    OldCardWarning when a card is too old for the kernels.
    """

    def __init__(
        self,
        config,
        params,
        *,
        device="cpu",
        threads=None,
        micro_batch=None,
        lr=1e-3,
        weight_decay=0.05,
        warmup_steps=0,
        total_steps=None,
        clip_norm=1.0,
        label_smoothing=0.0,
        ema_decay=0.0,
        seed=0,
        precision="fp32",
    ):
        require_device(device)
        self.config, self.device, self.seed, self.precision = config, device, seed, precision
        self.lr, self.warmup_steps, self.total_steps = lr, warmup_steps, total_steps
        self.clip_norm, self.label_smoothing = clip_norm, label_smoothing
        self.ema_decay = ema_decay
        self.step_count = 0

        self._model = model_of(config)
        if device == "cpu" and micro_batch is None:
            micro_batch = images_at_a_time(self._model, config)
        self._micro_batch = micro_batch
        self._workers = Workers(1 if device == "gpu" else threads)
        self.threads = self._workers.threads
        self._shapes = {name: value.shape for name, value in params.items()}
        self._flat, self._params = flatten(to_device(params, device))
        self._decay = decay_vector(self._params, weight_decay)
        self._m, self._v = self._flat * 0, self._flat * 0
        self._average = self._flat.copy() if ema_decay else None
        self._on_gpu = self._training_on_gpu()
        if self._on_gpu is None:
            self._grads = [flatten(self._params) for _ in range(self.threads)]

    def step(self, images, labels):
        """Take one optimiser step on a batch.

        images : (B, C, H, W) float32
        labels : (B,) int

        Returns
            loss : mean over the batch before the step [nats], a float
            correct : number of images whose highest logit was the true label's before the step
        """
        if self._on_gpu:
            loss, correct = self._on_gpu.step(images, labels)
            self.step_count += 1
            return loss / len(images), correct
        images, labels = to_device(images, self.device), to_device(labels, self.device)
        parts = enumerate(split(0, len(images), self.threads))
        results = self._workers.map(lambda part: self._gradient(images, labels, *part), parts)
        losses, corrects = zip(*results, strict=True)
        lr = self.learning_rate()
        self.step_count += 1
        grads = [grad for grad, _ in self._grads[: len(losses)]]
        if self.device == "cpu":
            self._update_in_place(grads, lr)
        else:
            self._update(grads[0], lr)
        return float(sum(losses)), int(sum(corrects))

    @property
    def takes_many_steps(self):
        """Whether `put` and `steps` are to be had: where steps are CUDA graphs."""
        return self._on_gpu is not None

    @property
    def launches(self):
        """Launches of a step, counted in its CUDA graph; None where there is no graph yet."""
        return self._on_gpu and self._on_gpu.launches

    def put(self, images, labels, augmentation):
        """Keep training images on the card, for `steps`.

        images : (n, C, H, W) uint8
        labels : (n,) int
        augmentation : `Augmentation`; its random numbers are drawn on the card
        """
        self._on_gpu.put(images, labels, augmentation)

    def steps(self, order):
        """Take one optimiser step for each row of image numbers, and only then wait for the card.

        order : (steps, B) int, numbers of the images that were `put`

        Returns loss and correct, as `step` does, over all the steps.
        """
        loss, correct = self._on_gpu.steps(order)
        self.step_count += len(order)
        return loss / order.size, correct

    def learning_rate(self, step=None):
        """Learning rate of a step, counted from 0; None is the next one."""
        step = self.step_count if step is None else step
        if self.total_steps is None:
            return self.lr * min(1, (step + 1) / max(self.warmup_steps, 1))
        return warmup_cosine(
            step,
            peak=self.lr,
            warmup_steps=self.warmup_steps,
            total_steps=self.total_steps,
        )

    def predict(self, images):
        """Logits (B, K) of images (B, C, H, W) float32, by `best_params`; a NumPy array."""
        params = self._params if self._average is None else self._cut(self._average)
        workers = self._workers
        if self._on_gpu and self._on_gpu.is_fused:
            return self._on_gpu.predict(images, params)
        return predict(images, params, self.config, device=self.device, workers=workers)

    @property
    def params(self):
        """The parameters now: dict of NumPy arrays."""
        return {name: to_numpy(value).copy() for name, value in self._params.items()}

    @property
    def best_params(self):
        """The parameters to evaluate and to keep: the running average where there is one."""
        if self._average is None:
            return self.params
        return {name: to_numpy(value).copy() for name, value in self._cut(self._average).items()}

    def state(self):
        """All that the next steps depend on besides the settings, to be saved.

        Returns dict of NumPy vectors: params, m, v and, where there is one, average. The random
        numbers need no entry: they are drawn from the seed and `step_count`.
        """
        state = {"params": self._flat, "m": self._m, "v": self._v}
        if self._average is not None:
            state["average"] = self._average
        return {name: to_numpy(value).copy() for name, value in state.items()}

    def restore(self, state, step_count):
        """Go on from a saved state.

        state : as `state()` returned it
        step_count : steps that had been taken then

        Raises InputError when the state is that of another model, or of other settings.
        """
        for name, value in self.state().items():
            if name not in state:
                raise InputError(f"{name} is missing")
            if state[name].shape != value.shape:
                raise InputError(f"{name} is {state[name].shape}, expected {value.shape}")
        self._flat[...] = to_device(state["params"], self.device)
        self._m[...], self._v[...] = (to_device(state[name], self.device) for name in ("m", "v"))
        if self._average is not None:
            self._average[...] = to_device(state["average"], self.device)
        self.step_count = step_count
        if self._on_gpu:
            self._on_gpu.restore(step_count)

    def _training_on_gpu(self):
        """The model's own training on a card; None on a CPU, and where the textbook does it."""
        training = _kernels_for(self._model, self.device, self.precision)
        if training is None:
            if self.device == "gpu" and self._model.on_gpu:
                about = describe(self.config, self.device, self.precision, None)
                warnings.warn(about, OldCardWarning, stacklevel=3)
            return None
        vectors = self._flat, self._m, self._v, self._decay, self._average
        schedule = {"lr": self.lr, "warmup_steps": self.warmup_steps}
        schedule |= {"total_steps": self.total_steps, "clip_norm": self.clip_norm}
        return training(
            self.config,
            self._params,
            *vectors,
            precision=self.precision,
            label_smoothing=self.label_smoothing,
            seed=self.seed,
            schedule=schedule | {"ema_decay": self.ema_decay},
        )

    def _gradient(self, images, labels, index, part):
        """Loss and correct answers of one part of the batch; its gradient goes to `_grads`."""
        rng = np.random.default_rng([self.seed, self.step_count, index])
        total_loss, total_correct = 0, 0
        count = part.stop - part.start
        chunks = -(-count // (self._micro_batch or count))
        _, sums = self._grads[index]
        for chunk in split(part.start, part.stop, chunks):
            is_first = chunk.start == part.start
            share = (chunk.stop - chunk.start) / len(images)
            x, y = images[chunk], labels[chunk]
            with np.errstate(over="ignore", invalid="ignore"):  # the caller looks at the loss
                logits, cache = self._forward(x, rng, sums if is_first else None)
                loss, loss_cache = cross_entropy_forward(logits, y, self.label_smoothing)
                dlogits = cross_entropy_backward(share, loss_cache)
                _, grads = self._model.backward(dlogits, cache)
            total_loss = total_loss + share * loss
            total_correct = total_correct + (logits.argmax(axis=-1) == y).sum()
            for name, total in sums.items():
                if not is_first:
                    total += grads[name]
                elif grads[name] is not total:
                    total[...] = grads[name]
        return total_loss, total_correct

    def _forward(self, images, rng, grads):
        if self.device == "cpu" and self._model.on_cpu:
            forward = self._model.on_cpu.forward
            return forward(images, self._params, self.config, rng=rng, grads=grads)
        return self._model.forward(images, self._params, self.config, rng=rng)

    def _update(self, grads, lr):
        grads, _ = clip(grads, self.clip_norm)
        self._flat[...], self._m[...], self._v[...] = adamw(
            self._flat, grads, self._m, self._v, step=self.step_count, lr=lr, decay=self._decay
        )
        if self._average is not None:
            self._average[...] = moving_average(
                self._average, self._flat, self.ema_decay, self.step_count
            )

    def _update_in_place(self, grads, lr):
        """As `_update`, every thread on its share of the vectors."""

        def add_up(s):
            with np.errstate(over="ignore", invalid="ignore"):
                return in_place.add_up([grad[s] for grad in grads])

        def update(s):
            flat = self._flat[s]
            with np.errstate(over="ignore", invalid="ignore"):
                in_place.adamw(
                    flat,
                    grads[0][s],
                    self._m[s],
                    self._v[s],
                    scale=scale,
                    step=self.step_count,
                    lr=lr,
                    decay=self._decay[s],
                )
                if self._average is not None:
                    average = self._average[s]
                    in_place.moving_average(average, flat, self.ema_decay, self.step_count)

        shares = split(0, len(self._flat), self.threads)
        norm = sqrt(sum(self._workers.map(add_up, shares)))
        scale = min(1.0, self.clip_norm / (norm + 1e-12))
        self._workers.map(update, shares)

    def _cut(self, flat):
        return unflatten(flat, self._shapes)


def require_room(config, batch, device, precision):
    """Return if a training, not begun yet, can be done on the device.

    config, device, precision : as of the `Trainer`
    batch : images a step

    Raises InputError: no such device, or it has not the precision or not the memory.
    """
    require_device(device)
    training = _kernels_for(model_of(config), device, precision)
    if training:
        training.require_room(config, batch, precision)


def describe(config, device, precision, threads):
    """Where a training runs, and how, in words."""
    if device == "cpu":
        return f"cpu, {threads} threads"
    model = model_of(config)
    if _kernels_for(model, device, precision):
        return f"gpu, {precision}, a step is one CUDA graph"
    if model.on_gpu:
        return "gpu, by the textbook: this card is too old for the kernels (below 7.5)"
    return f"gpu, by the textbook: there are no kernels for a {model.name}"


def _kernels_for(model, device, precision):
    """The class that trains a model on a card, or None; without it there is float32 alone."""
    if device == "cpu" and precision != "fp32":
        raise InputError(f"--precision {precision} is for --device gpu: a CPU computes in fp32")
    training = model.on_gpu() if device == "gpu" and model.on_gpu else None
    if training is None and precision != "fp32":
        raise InputError(
            f"--precision {precision} is for a ViT on a card of compute capability 7.5 or newer: "
            "use --precision fp32"
        )
    return training
