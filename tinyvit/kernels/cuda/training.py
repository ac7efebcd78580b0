"""Training steps of a ViT on a card, each one CUDA graph: what the `Trainer` calls on a GPU."""

import cupy
import numpy as np

from ...errors import InputError
from ...params import unflatten
from . import pairs, vit
from .card import capability
from .data import Data, patchify
from .graph import Recorded
from .logits import Logits
from .memory import VECTORS, require_memory
from .optim import Optimizer
from .random import Random
from .source import BF16

PREDICTED = 1000  # images at a time, at most


class Training:
    """A ViT's training on a card.

    config : ViTConfig
    params : dict of arrays, windows into `flat`
    flat, m, v, decay, average : (P,) vectors, as of `Optimizer`
    precision : "fp32", "tf32" or "bf16"
    label_smoothing, seed : as of the `Trainer`
    schedule : dict: the other arguments of `Optimizer`
    """

    def __init__(
        self,
        config,
        params,
        flat,
        m,
        v,
        decay,
        average,
        *,
        precision,
        label_smoothing,
        seed,
        schedule,
    ):
        self._config, self._params, self._precision = config, params, precision
        self._label_smoothing, self._seed = label_smoothing, seed
        self.is_fused = vit.supports(config, vit.STORED.get(precision, BF16))
        require_precision(precision, self.is_fused)
        self._factors, shadow = params, None
        if vit.STORED[precision] == BF16:
            shadow = cupy.empty(flat.shape, BF16)
            self._factors = unflatten(shadow, {name: a.shape for name, a in params.items()})
        self._optimizer = Optimizer(flat, m, v, decay, average, shadow, **schedule)
        self._batches, self._logits, self._data, self._latest = {}, {}, None, None

    @staticmethod
    def require_room(config, batch, precision):
        """Return if a training, not begun yet, can be done on this card.

        Raises InputError where it has not the precision or not the memory.
        """
        stored = vit.STORED.get(precision, BF16)
        require_precision(precision, vit.supports(config, stored))
        require_memory(config, batch, stored, VECTORS)

    @property
    def launches(self):
        """Launches of the latest step's graph; None before it is recorded."""
        return self._latest and self._latest.launches

    def put(self, images, labels, augmentation):
        """Keep training images on the card; arguments as of `Data`.

        Raises ValueError when they do not fit the model.
        """
        self._require_fit(images, labels)
        if images.dtype != np.uint8:
            raise ValueError(f"images are {images.dtype}: put takes the raw uint8 pixels")
        self._data = Data(images, labels, augmentation, self._seed)
        self._batches = {}

    def step(self, images, labels):
        """One step on a batch that is given: (B, C, H, W) float32, (B,) int.

        Returns the sum of the losses, and the number of right answers.
        Raises ValueError when they do not fit the model.
        """
        self._require_fit(images, labels)
        batch = self._batch(len(images))
        images = cupy.ascontiguousarray(cupy.asarray(images, np.float32))
        patchify(images, batch.patches, batch.patch_size)
        batch.labels[...] = cupy.asarray(labels, np.int32)
        self._run(batch.on_given)
        return self._optimizer.take_tally()

    def steps(self, order):
        """A step for each row of `order` (steps, B): numbers of the images of a batch.

        The card is told all of it and asked nothing before the end; returns as `step`, over all.

        Raises ValueError for a number that no image has.
        """
        order = np.asarray(order, np.int32)
        count = self._data.order.size
        if order.min() < 0 or order.max() >= count:
            raise ValueError(f"image numbers go from 0 to {count - 1}, not to {order.max()}")
        batch = self._batch(order.shape[1])
        rows = count // order.shape[1]
        for piece in np.split(order, range(rows, len(order), rows)):
            self._optimizer.position.fill(0)
            self._data.order[: piece.size] = cupy.asarray(piece.ravel())
            for _ in piece:
                self._run(batch.on_data)
        return self._optimizer.take_tally()

    def predict(self, images, params):
        """Logits (n, K) of images (n, C, H, W) float32, in NumPy.

        params : dict of arrays on the card: always windows into the same vector
        """
        rounds = -(-len(images) // PREDICTED)
        size = -(-len(images) // rounds)
        if size not in self._logits:
            precision = "fp32" if self._precision == "fp32" else "tf32"
            self._logits[size] = Logits(params, self._config, precision, size)
        out = np.empty((len(images), self._config.num_classes), np.float32)
        for start in range(0, len(images), size):
            some = images[start : start + size]
            padded = np.resize(some, (size, *some.shape[1:])) if len(some) < size else some
            logits = self._logits[size](cupy.asarray(padded)).get()
            out[start : start + size] = logits[: len(some)]
        return out

    def restore(self, step_count):
        """Go on from the parameters as they are now."""
        self._optimizer.step.fill(step_count)
        self._optimizer.refresh()

    def _require_fit(self, images, labels):
        c, count = self._config, len(images)
        expected = count, c.in_chans, c.img_size, c.img_size
        if images.shape != expected or labels.shape != (count,) or not count:
            raise ValueError(
                f"images should be (B, {', '.join(map(str, expected[1:]))}) and labels (B,), "
                f"not {images.shape} and {labels.shape}"
            )

    def _run(self, recorded):
        self._latest = recorded
        recorded()

    def _batch(self, size):
        if size not in self._batches:
            self._batches[size] = self._new_batch(size)
        return self._batches[size]

    def _new_batch(self, size):
        c, optimizer = self._config, self._optimizer
        require_memory(c, size, vit.STORED[self._precision])
        if self.is_fused:
            network = vit.Training(c, self._params, self._factors, size, self._precision)
        else:
            network = pairs.Training(c, self._params, size, Random(self._seed, optimizer.step))
        return _Batch(network, c, size, optimizer, self._data, self._label_smoothing)


class _Batch:
    """Memory for batches of one size, and the two graphs that work on it."""

    def __init__(self, network, config, size, optimizer, data, label_smoothing):
        self.patch_size = network.patch_size
        grid = config.img_size // self.patch_size
        pixels = config.in_chans * self.patch_size**2
        self.patches = cupy.empty((size, grid * grid, pixels), network.stored)
        self.labels = cupy.empty(size, np.int32)

        def learn():
            network.run(self.patches, self.labels, label_smoothing)
            optimizer.update(network.gradients, network.losses, network.corrects)

        def take_and_learn():
            place = optimizer.position, optimizer.step
            data.take(*place, self.patches, self.labels, self.patch_size)
            learn()

        self.on_given = Recorded(learn)
        self.on_data = Recorded(take_and_learn)


def require_precision(precision, is_fused):
    """Return if the card and the model can do with that precision; else raise InputError."""
    if precision not in vit.STORED:
        raise InputError(f"precision {precision!r} is not known: use {', '.join(vit.STORED)}")
    if precision != "fp32" and not is_fused:
        raise InputError(
            f"--precision {precision} is for pre-norm ViTs without dropouts, with a class token, "
            "without distillation token, whose sequence fits a block's shared memory: "
            "use --precision fp32"
        )
    if precision == "bf16" and capability() < (8, 0):
        major, minor = capability()
        raise InputError(
            f"--precision bf16 needs compute capability 8.0, this card has {major}.{minor}: "
            "use --precision tf32 or fp32"
        )
