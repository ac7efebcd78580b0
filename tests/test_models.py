"""The registry of models; and a third model, defined here, that works without another line."""

import json
from dataclasses import dataclass, fields

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tiny import rows

from tinyvit import load_checkpoint
from tinyvit.cli import main
from tinyvit.errors import InputError
from tinyvit.models import MODELS, Model, Recipe, get_model, model_of
from tinyvit.ops import linear_backward, linear_forward


@dataclass(frozen=True)
class LinearConfig:
    """A linear classifier.

    img_size : side of an image
    in_chans : channels
    num_classes : K
    zoom : factor on the pixels
    """

    img_size: int = 8
    in_chans: int = 1
    num_classes: int = 10
    zoom: float = 1.0

    @classmethod
    def preset(cls, name, **overrides):
        return cls(**({"img_size": 28} if name == "mnist" else {}) | overrides)


def linear_shapes(config):
    inputs = config.in_chans * config.img_size**2
    return {"head.weight": (config.num_classes, inputs), "head.bias": (config.num_classes,)}


def linear_init(config, seed=0, dtype="float32"):
    rng = np.random.default_rng(seed)
    shapes = linear_shapes(config).items()
    return {name: (0.01 * rng.standard_normal(shape)).astype(dtype) for name, shape in shapes}


def linear_model_forward(images, params, config, *, rng=None):
    x = config.zoom * images.reshape(len(images), -1)
    logits, cache = linear_forward(x, params["head.weight"], params["head.bias"])
    return logits, (cache, images.shape, config)


def linear_model_backward(dlogits, cache):
    cache, shape, config = cache
    dx, dweight, dbias = linear_backward(dlogits, cache)
    return config.zoom * dx.reshape(shape), {"head.weight": dweight, "head.bias": dbias}


LINEAR = Model(
    **{"name": "linear", "config_class": LinearConfig, "param_shapes": linear_shapes},
    **{"init_params": linear_init, "recipes": {"default": {"mnist": Recipe("digits", 4, lr=0.02)}}},
    **{"forward": linear_model_forward, "backward": linear_model_backward},
)


def test_the_registry():
    assert {"vit", "cnn"} <= MODELS.keys()
    for name, model in MODELS.items():
        assert get_model(name) is model and model.name == name
        assert model_of(model.config_class.preset("digits")) is model
        assert {field.name for field in fields(model.config_class)} >= {
            *("img_size", "in_chans", "num_classes")
        }
        for recipes in model.recipes.values():
            assert "mnist" in recipes  # it stands for any data set without an entry
            for recipe in recipes.values():
                model.config_class.preset(recipe.preset, **recipe.overrides)
    with pytest.raises(InputError, match="no model 'resnet': use vit or cnn"):
        get_model("resnet")
    with pytest.raises(InputError, match="str is not"):
        model_of("vit")


@pytest.mark.parametrize("name", MODELS)
def test_shapes_are_those_of_the_parameters_and_of_the_gradients(name):
    model = MODELS[name]
    config = model.config_class.preset("digits")
    params = model.init_params(config, 3)
    shapes = {key: value.shape for key, value in params.items()}
    assert list(shapes.items()) == list(model.param_shapes(config).items())
    images = np.random.default_rng(0).standard_normal((3, 1, 8, 8)).astype("f4")
    logits, cache = model.forward(images, params, config)
    dimages, grads = model.backward(np.ones_like(logits), cache)
    assert logits.shape == (3, 10) and dimages.shape == images.shape
    assert list(shapes.items()) == [(key, value.shape) for key, value in grads.items()]
    again = model.init_params(config, 3)
    other = model.init_params(config, 4)
    assert all((params[key] == again[key]).all() for key in params)
    assert any((params[key] != other[key]).any() for key in params)


@pytest.mark.parametrize(
    "field, value",
    [
        *(("epochs", 0), ("batch_size", -3), ("lr", 0.0), ("lr", float("nan"))),
        *(("clip_norm", 0.0), ("weight_decay", -0.1), ("warmup_epochs", float("inf"))),
        *(("label_smoothing", 1.0), ("ema_decay", 1.0), ("ema_decay", -0.5)),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(field, value):
    with pytest.raises(InputError, match=f"--{field.replace('_', '-')} {value}"):
        Recipe(**{"preset": "digits", "epochs": 3} | {field: value})


def test_a_third_model_needs_no_other_change(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(MODELS, "linear", LINEAR)
    monkeypatch.chdir(tmp_path)
    picture = Image.new("L", (90, 90), 255)
    ImageDraw.Draw(picture).line([(45, 15), (45, 75)], fill=0, width=10)
    picture.save("one.png")

    def tinyvit(command):
        status = main(command.split())
        out, err = capsys.readouterr()
        assert err == ""
        return status, out

    options = "--model linear --zoom 0.5 --out run --threads 2 --seed 3"
    status, _ = tinyvit(f"train {options}")
    assert status == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["model"] == "linear" and summary["parameters"] == 650
    assert summary["test_accuracy"] > 0.5
    assert len(rows("run")) == 4
    assert not (tmp_path / "run" / "attention.png").exists()
    params, config = load_checkpoint(tmp_path / "run" / "checkpoint.safetensors")
    assert config == LinearConfig(zoom=0.5) and list(params) == ["head.weight", "head.bias"]
    status, out = tinyvit("eval run")
    assert status == 0 and f"test accuracy {summary['test_accuracy']:.2%}" in out
    status, out = tinyvit("predict run one.png --save seen.png")
    assert status == 0 and "one.png" in out and (tmp_path / "seen.png").exists()
    status, out = tinyvit("summary digits --model linear")
    assert status == 0 and "650" in out and "zoom=1.0" in out
    status, out = tinyvit("gradcheck linear")
    assert status == 0 and "head.weight" in out
    status, out = tinyvit("train --resume run --model linear")
    assert status == 0 and "finished" in out
    status, out = tinyvit("train --help")
    assert status == 0 and "--zoom X" in out and "factor on the pixels" in out
