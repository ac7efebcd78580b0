"""What training, checkpoints and the command line need to know of a model, and nothing more."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ..augment import Augmentation


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
    """

    name: str
    config_class: type
    param_shapes: Callable
    init_params: Callable
    forward: Callable
    backward: Callable
    recipes: dict
    attention: Callable | None = None
