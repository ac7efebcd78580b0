"""What training, checkpoints and the command line need to know of a model, and nothing more."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from ..augment import Augmentation
from ..errors import InputError


@dataclass(frozen=True)
class Recipe:
    """How a model is trained on a data set: the choices that are not the model's shape.

    preset : name of the configuration to start from
    epochs : passes over the training set
    batch_size : images an optimiser step
    lr : highest learning rate; reached after warm-up, then down to 0 on a cosine
    weight_decay : AdamW's, on weight matrices only
    warmup_epochs : epochs (a fraction is fine) over which the learning rate rises from 0
    clip_norm : largest norm of the whole gradient
    label_smoothing : share of each target spread over all classes
    ema_decay : of the running average of the weights that is evaluated and saved; 0 takes the
        weights themselves
    augmentation : how training images are shifted, turned, scaled and bent
    overrides : fields of the preset to replace

    Raises InputError for a number that no training can use.
    """

    preset: str
    epochs: int
    batch_size: int = 128
    lr: float = 1e-3
    weight_decay: float = 0.05
    warmup_epochs: float = 1.0
    clip_norm: float = 1.0
    label_smoothing: float = 0.0
    ema_decay: float = 0.0
    augmentation: Augmentation = Augmentation()
    overrides: dict = field(default_factory=dict)

    def __post_init__(self):
        for name in ("epochs", "batch_size"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("lr", "clip_norm"):
            self._require(name, 0 < getattr(self, name) < inf, "a number above 0")
        for name in ("weight_decay", "warmup_epochs"):
            self._require(name, 0 <= getattr(self, name) < inf, "a number, not below 0")
        for name in ("label_smoothing", "ema_decay"):
            self._require(name, 0 <= getattr(self, name) < 1, "from 0 to below 1, as 0.1")

    def _require(self, name, condition, what):
        if not condition:
            flag = f"--{name.replace('_', '-')}"
            raise InputError(f"{flag} {getattr(self, name)}: it should be {what}")


@dataclass(frozen=True)
class OnCPU:
    """What training and prediction call on a CPU instead of a model's `forward`.

    forward : as `Model.forward`; its cache is for `Model.backward`
    logits : (images, params, config) -> logits (B, K); keeps nothing
    logits_tensor_parallel : (images, params, config, workers) -> logits (B, K); for fewer
        images than there are threads
    """

    forward: Callable
    logits: Callable
    logits_tensor_parallel: Callable


@dataclass(frozen=True)
class Model:
    """One kind of network, as the rest of the program sees it.

    name : as in `tinyvit train --model NAME`
    config_class : frozen dataclass with img_size, in_chans, num_classes, and `preset(name)`
    param_shapes : config -> dict name -> shape
    init_params : (config, seed, dtype) -> dict name -> array
    forward : (images, params, config, *, rng=None) -> logits (B, K), cache
    backward : (dlogits, cache) -> dimages, grads
    recipes : recipe name -> data set name -> Recipe; the data set "mnist" stands for any that has
        no entry of its own
    attention : cache -> (B, H', W') share of attention on each part of the image; None where a
        model has no such thing
    tokens : config -> rows that an image is in the model's matrix products; the more there are,
        the fewer images fit the cache
    on_cpu : the same model made for speed on a CPU; None where there is only one
    on_gpu : () -> class of its training on a card, or None where the card is too old for it; None
        where there are no kernels for this model
    """

    name: str
    config_class: type
    param_shapes: Callable
    init_params: Callable
    forward: Callable
    backward: Callable
    recipes: dict
    attention: Callable | None = None
    tokens: Callable = lambda config: 25
    on_cpu: "OnCPU | None" = None
    on_gpu: Callable | None = None
