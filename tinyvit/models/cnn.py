"""The small convolutional network that the Vision Transformer is compared with."""

from dataclasses import dataclass

import numpy as np

from ..config import replace_fields
from ..errors import InputError
from ..ops import (
    conv2d_backward,
    conv2d_forward,
    linear_backward,
    linear_forward,
    log_softmax_backward,
    log_softmax_forward,
    maxpool2d_backward,
    maxpool2d_forward,
    relu_backward,
    relu_forward,
)
from .model import Model, Recipe

PRESETS = {"digits": {"img_size": 8}, "mnist": {"img_size": 28}}


@dataclass(frozen=True)
class CNNConfig:
    """The shape of the small CNN.

    img_size : H = W, side of an image [pixels]; at least 4, so that two poolings leave something
    in_chans : C, channels of an image
    num_classes : K
    channels : filters of either convolution

    Raises InputError when the image is too small.
    """

    img_size: int = 28
    in_chans: int = 1
    num_classes: int = 10
    channels: int = 5

    def __post_init__(self):
        if self.img_size < 4:
            raise InputError(f"image {self.img_size}x{self.img_size} is too small: 4x4 at least")
        if min(self.in_chans, self.num_classes, self.channels) < 1:
            raise InputError("in_chans, num_classes and channels should each be 1 or more")

    @property
    def num_features(self):
        """Length of the flattened maps that the last layer reads: 5*7*7 = 245 at 28x28."""
        return self.channels * (self.img_size // 2 // 2) ** 2

    @classmethod
    def preset(cls, name, **overrides):
        """Return a named configuration, with any field replaced.

        name : "digits" or "mnist"
        overrides : fields to replace

        Raises InputError for an unknown name or field.
        """
        if name not in PRESETS:
            raise InputError(f"no preset {name!r} of the cnn: use {' or '.join(PRESETS)}")
        return replace_fields(cls(**PRESETS[name]), **overrides)


def param_shapes(config):
    """Name and shape of every parameter of the CNN.

    config : CNNConfig

    Returns dict name -> shape, in the order of the forward pass.
    """
    c = config.channels
    return {
        "conv1.weight": (c, config.in_chans, 3, 3),
        "conv1.bias": (c,),
        "conv2.weight": (c, c, 3, 3),
        "conv2.bias": (c,),
        "head.weight": (config.num_classes, config.num_features),
        "head.bias": (config.num_classes,),
    }


def init_params(config, seed=0, dtype="float32"):
    """First values of the CNN's parameters: weights of variance 2 / inputs, biases 0.

    config : CNNConfig
    seed : whole number; the same seed gives the same values
    dtype : "float32" or "float64"

    Returns dict name -> array.

    Source: He et al. 2015 (arXiv 1502.01852), equation 10.
    """
    rng = np.random.default_rng(seed)
    params = {}
    for name, shape in param_shapes(config).items():
        inputs = np.prod(shape[1:])
        value = rng.standard_normal(shape) * (2 / inputs) ** 0.5
        params[name] = (np.zeros(shape) if name.endswith("bias") else value).astype(dtype)
    return params


def cnn_forward(images, params, config, *, rng=None):
    """The CNN, from pixels to log-probabilities.

        conv 3x3 -> ReLU -> maxpool 2 -> conv 3x3 -> ReLU -> maxpool 2 -> linear -> log-softmax

    images : (B, C, H, W) float
    params : dict of arrays, names and shapes as `param_shapes(config)` gives them
    config : CNNConfig
    rng : not used; this model draws nothing in training

    Returns
        log_probs : (B, K) [nats]; they serve as logits, since softmax of log-probabilities gives
            the probabilities back
        cache : what `cnn_backward` needs; cache["stages"] holds every named stage's array
    """
    p, stages = params, {}
    cache = {"stages": stages}
    x = images
    for i in (1, 2):
        weights = p[f"conv{i}.weight"], p[f"conv{i}.bias"]
        x, cache[f"conv{i}"] = conv2d_forward(x, *weights, padding=1)
        x, cache[f"relu{i}"] = relu_forward(x)
        stages[f"conv{i}"] = x  # (B, 5, 28, 28), then (B, 5, 14, 14)
        x, cache[f"pool{i}"] = maxpool2d_forward(x, 2)
        stages[f"pool{i}"] = x  # (B, 5, 14, 14), then (B, 5, 7, 7)
    cache["maps"] = x.shape
    x = x.reshape(len(x), -1)  # (B, 5, 7, 7) -> (B, 245)
    stages["features"] = x
    x, cache["head"] = linear_forward(x, p["head.weight"], p["head.bias"])
    log_probs, cache["log_softmax"] = log_softmax_forward(x)
    stages["logits"] = log_probs  # (B, K)
    return log_probs, cache


def cnn_backward(dlog_probs, cache):
    """Gradients of the CNN.

    dlog_probs : (B, K) gradient of the loss with respect to the log-probabilities
    cache : from `cnn_forward`

    Returns
        dimages : (B, C, H, W)
        grads : dict with the names, shapes and order of params

    Derivation: the chain rule, walking the forward pass from its last line to its first.
    """
    dx = log_softmax_backward(dlog_probs, cache["log_softmax"])
    dx, dhead_weight, dhead_bias = linear_backward(dx, cache["head"])
    dx = dx.reshape(cache["maps"])  # forward: x.reshape(len(x), -1)
    grads = {}
    for i in (2, 1):
        dx = maxpool2d_backward(dx, cache[f"pool{i}"])
        dx = relu_backward(dx, cache[f"relu{i}"])
        dx, dweight, dbias = conv2d_backward(dx, cache[f"conv{i}"])
        grads = {f"conv{i}.weight": dweight, f"conv{i}.bias": dbias} | grads
    return dx, grads | {"head.weight": dhead_weight, "head.bias": dhead_bias}


RECIPES = {
    "digits": Recipe(preset="digits", epochs=100, batch_size=32, lr=1e-2, weight_decay=0.0),
    "mnist": Recipe(preset="mnist", epochs=10, lr=1e-2, weight_decay=0.0),
}

CNN = Model(
    name="cnn",
    config_class=CNNConfig,
    param_shapes=param_shapes,
    init_params=init_params,
    forward=cnn_forward,
    backward=cnn_backward,
    recipes={"default": RECIPES},
)
