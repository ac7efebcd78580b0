"""The small CNN: numerically, and against PyTorch."""

import numpy as np
import pytest
from op_checks import assert_like_pytorch, case

from tinyvit import check_backward
from tinyvit.errors import InputError
from tinyvit.models.cnn import CNNConfig, cnn_backward, cnn_forward, init_params, param_shapes
from tinyvit.params import count_params

DIGITS, MNIST = CNNConfig.preset("digits"), CNNConfig.preset("mnist")
ODD = CNNConfig(img_size=7, in_chans=2, num_classes=4, channels=3)
CONFIGS = {"digits": DIGITS, "mnist": MNIST, "odd": ODD}
each_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def make(config, batch=3, seed=0):
    n = np.random.default_rng(seed).standard_normal
    images = n((batch, config.in_chans, config.img_size, config.img_size))
    return images, {name: 0.5 * n(shape) for name, shape in param_shapes(config).items()}


def cnn_in_pytorch(images, p, config):
    from torch.nn import functional as F

    x = images
    for layer in ("conv1", "conv2"):
        x = F.conv2d(x, p[f"{layer}.weight"], p[f"{layer}.bias"], padding=1)
        x = F.max_pool2d(F.relu(x), 2)
    return F.linear(x.flatten(1), p["head.weight"], p["head.bias"]).log_softmax(-1)


@each_config
def test_like_pytorch(config):
    example = case(*make(config), config)
    assert_like_pytorch(cnn_forward, cnn_backward, cnn_in_pytorch, example)


@pytest.mark.parametrize("config", [DIGITS, ODD], ids=["digits", "odd"])
def test_gradients(config):
    images, params = make(config, batch=2)
    report = check_backward(cnn_forward, cnn_backward, (images, params, config))
    assert report.ok and report.error < 1e-7, str(report)
    assert [check.name for check in report.gradients] == ["dimages", *params]


@pytest.mark.parametrize(("config", "features", "total"), [(MNIST, 245, 2740), (DIGITS, 20, 490)])
def test_sizes(config, features, total):
    assert config.num_features == features
    assert count_params(param_shapes(config)) == total
    images, params = make(config)
    _, cache = cnn_forward(images, params, config)
    side = config.img_size
    shapes = {name: stage.shape for name, stage in cache["stages"].items()}
    assert shapes == {
        "conv1": (3, 5, side, side),
        "pool1": (3, 5, side // 2, side // 2),
        "conv2": (3, 5, side // 2, side // 2),
        "pool2": (3, 5, side // 4, side // 4),
        "features": (3, features),
        "logits": (3, 10),
    }


@each_config
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_and_shapes(config, dtype):
    params = init_params(config, dtype=dtype)
    assert {name: value.shape for name, value in params.items()} == param_shapes(config)
    images = make(config)[0].astype(dtype)
    log_probs, cache = cnn_forward(images, params, config)
    dimages, grads = cnn_backward(log_probs, cache)
    assert log_probs.dtype == dimages.dtype == dtype and dimages.shape == images.shape
    assert list(grads) == list(params)
    for name, grad in grads.items():
        assert grad.shape == params[name].shape and grad.dtype == dtype, name


def test_what_comes_out_are_log_probabilities():
    log_probs, _ = cnn_forward(*make(DIGITS), DIGITS)
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=-1), 1, rtol=1e-12)


def test_images_do_not_see_each_other():
    images, params = make(DIGITS)
    together, _ = cnn_forward(images, params, DIGITS)
    for image, row in zip(images, together, strict=True):
        alone, _ = cnn_forward(image[None], params, DIGITS)
        np.testing.assert_allclose(alone[0], row, rtol=1e-11, atol=1e-12)


def test_the_seed_makes_the_first_values():
    first, again, other = (init_params(MNIST, seed) for seed in (3, 3, 4))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["conv1.weight"], other["conv1.weight"])
    assert not first["head.bias"].any() and first["conv2.weight"].std() > 0.1


@pytest.mark.parametrize(
    ("make_config", "text"),
    [
        (lambda: CNNConfig(img_size=3), "image 3x3 is too small: 4x4 at least"),
        (
            lambda: CNNConfig(channels=0),
            "in_chans, num_classes and channels should each be 1 or more",
        ),
        (
            lambda: CNNConfig.preset("cifar"),
            "no preset 'cifar' of the cnn: use digits or mnist",
        ),
        (
            lambda: CNNConfig.preset("digits", depth=3),
            "CNNConfig has no field 'depth'; it has img_size, in_chans, num_classes, channels",
        ),
    ],
)
def test_error(make_config, text):
    with pytest.raises(InputError) as error:
        make_config()
    assert str(error.value) == text
