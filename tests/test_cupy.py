"""CuPy gives what NumPy gives, on the device alone: on a GPU, or with `fakegpu` on the CPU.

PYTHONPATH=path/to/fakegpu python -m pytest tests/test_cupy.py
"""

import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tiny import TINY, draw_nothing

from tinyvit import (
    ViTConfig,
    get_array_module,
    init_params,
    ops,
    to_device,
    to_numpy,
    vit_backward,
    vit_forward,
)
from tinyvit.backend import erf, require_device
from tinyvit.cli import main
from tinyvit.examples import Example, mapped, model_example, on_gpu, op_examples
from tinyvit.gradcheck import check_backward
from tinyvit.models import MODELS
from tinyvit.optim import adamw, clip, decay_vector
from tinyvit.params import flatten

EXAMPLES = op_examples()
TOLERANCE = {"float32": 2e-5, "float64": 1e-10}
each_example = pytest.mark.parametrize("name", EXAMPLES)
each_dtype = pytest.mark.parametrize("dtype", TOLERANCE)
pytestmark = pytest.mark.usefixtures("cupy")


def cast(dtype):
    return lambda array: array.astype(dtype) if array.dtype.kind == "f" else array


def flat(value, place=""):
    """Place and array of every array in nested tuples and dicts."""
    if isinstance(value, dict):
        value = list(value.items())
    elif isinstance(value, (tuple, list)):
        value = list(enumerate(value))
    else:
        return [] if value is None else [(place, value)]
    return [pair for key, one in value for pair in flat(one, f"{place}[{key}]")]


def trace():
    """fakegpu's trace, or None where the GPU is a real one."""
    try:
        import fakegpu
    except ImportError:
        return nullcontext()
    return nullcontext() if fakegpu.real_gpus() else fakegpu.trace()


def compare(example, dtype, *, copies_allowed=False):
    args = mapped(cast(dtype), example.args)
    out, cache = example.forward(*args, **example.kwargs)
    dout = np.asarray(np.random.default_rng(1).standard_normal(np.shape(out)), dtype)
    expected = out, example.backward(dout, cache)

    args, dout = mapped(to_device, args), to_device(dout)
    with trace() as seen:
        out, cache = example.forward(*args, **example.kwargs)
        grads = example.backward(dout, cache)
    got = flat((out, grads))
    for (place, one), (other_place, other) in zip(got, flat(expected), strict=True):
        assert place == other_place
        assert get_array_module(one).__name__ == "cupy" and one.dtype == dtype, place
        assert one.shape == np.shape(other)
        size = max(1, abs(other).max())
        np.testing.assert_allclose(to_numpy(one), other, rtol=0, atol=TOLERANCE[dtype] * size)
    if seen is not None:
        assert copies_allowed or not seen.h2d, seen.h2d
        assert not seen.d2h and not seen.syncs
        assert dtype == "float64" or not seen.float64, seen.float64


@each_example
@each_dtype
def test_every_pair_gives_the_same_on_cupy(name, dtype):
    drawn = name in ("dropout", "drop_path")  # the mask is drawn by NumPy, and copied
    compare(EXAMPLES[name], dtype, copies_allowed=drawn)


@pytest.mark.parametrize("name", MODELS)
@each_dtype
def test_whole_models_give_the_same_on_cupy(name, dtype):
    compare(model_example(name), dtype)


@pytest.mark.parametrize(
    "fields",
    [
        {"norm": "post", "activation": "gelu_tanh", "qkv_bias": False},
        {"global_pool": "avg", "activation": "relu", "pos_embed": "none"},
        {"pos_embed": "sincos2d"},
        {"class_token": False, "global_pool": "avg", "pos_embed": "sincos2d"},
        {"distilled": True},
        {"drop_rate": 0.2, "attn_drop_rate": 0.2, "drop_path_rate": 0.2},
    ],
    ids=lambda fields: ", ".join(fields),
)
def test_options_of_the_vit(fields):
    config = ViTConfig.preset("digits", depth=2, **fields)
    images = np.random.default_rng(0).standard_normal((2, 1, 8, 8))
    args = images, init_params(config, dtype="float64"), config

    def forward(*args):
        return vit_forward(*args, rng=np.random.default_rng(0))

    drawn = "drop_rate" in fields  # the masks are drawn by NumPy, and copied
    compare(Example(forward, vit_backward, args), "float32", copies_allowed=drawn)


@pytest.mark.parametrize(
    "fields", [{}, {"pos_embed": "sincos2d"}, {"drop_rate": 0.2, "drop_path_rate": 0.2}], ids=str
)
def test_a_whole_step_of_the_textbook_stays_on_the_device(fields, cupy):
    from tinyvit.kernels.cuda.random import Random

    config = ViTConfig.preset("digits", depth=2, **fields)
    flat, params = flatten(to_device(init_params(config)))
    decay, m, v = decay_vector(params, 0.05), flat * 0, flat * 0
    images = cupy.ones((3, 1, 8, 8), "f")
    labels, rng = cupy.arange(3), Random(0, cupy.zeros(1, "q"))
    with trace() as seen:
        logits, cache = vit_forward(images, params, config, rng=rng)
        loss, loss_cache = ops.cross_entropy_forward(logits, labels, 0.1)
        _, grads = vit_backward(ops.cross_entropy_backward(1.0, loss_cache), cache)
        grads, _ = clip(flatten(grads)[0], 1.0)
        flat[...], m, v = adamw(flat, grads, m, v, step=1, lr=1e-3, decay=decay)
    assert np.isfinite(to_numpy(flat)).all()
    if seen is not None:
        assert not seen.h2d and not seen.d2h and not seen.syncs and not seen.float64


def test_gradcheck_on_the_gpu(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["gradcheck", "softmax", "embed", "--device", "gpu"]) == 0
    assert "4 of 4 gradients are right" in capsys.readouterr().out
    example = on_gpu(EXAMPLES["layernorm"])
    broken = replace(example, backward=lambda *args: [2 * g for g in example.backward(*args)])
    report = check_backward(broken.forward, broken.backward, broken.args)
    assert [gradient.name for gradient in report.gradients] == ["dx", "dweight", "dbias"]
    assert not report.ok and 0.3 < report.error < 0.7


@pytest.mark.parametrize("options", [[], ["--precision", "bf16"], ["--norm", "post"]], ids=str)
def test_train_eval_and_predict_on_the_gpu(options, tmp_path, monkeypatch, capsys):
    draw_nothing(monkeypatch)
    monkeypatch.chdir(tmp_path)
    words = ["train", *TINY, "--epochs", "2", "--device", "gpu", "--out", "run", *options]
    assert main(words) == 0
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["device"] == "gpu" and 0.05 < summary["test_accuracy"] < 1
    assert summary["precision"] == (options[1] if "bf16" in options else "fp32")
    for device in ("cpu", "gpu"):
        assert main(["eval", "run", "--device", device]) == 0
        accuracy = f"test accuracy {summary['test_accuracy']:.1%}"[:-2]
        assert accuracy in capsys.readouterr().out
    picture = np.full((40, 40, 3), 255, np.uint8)
    picture[8:32, 18:22] = 0  # a one
    Image.fromarray(picture).save("one.png")
    answers = []
    for device in ("cpu", "gpu"):
        assert main(["predict", "run", "one.png", "--device", device]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1] and "one.png" in answers[0]


@each_dtype
def test_erf(dtype):
    x = np.linspace(-6, 6, 101).astype(dtype)
    out = erf(to_device(x))
    assert out.dtype == dtype
    tolerance = 1e-6 if dtype == "float32" else 1e-15
    np.testing.assert_allclose(to_numpy(out), erf(x), rtol=0, atol=tolerance)


def test_there_and_back(cupy):
    require_device("gpu")
    params = {"a": np.arange(6.0).reshape(2, 3), "b": np.ones(2, np.float32)}
    there = to_device(params)
    assert all(type(array) is cupy.ndarray for array in there.values())
    assert get_array_module(1, there["a"]) is cupy
    assert to_device(there["a"]) is there["a"]
    for back in (to_numpy(there), to_device(there, "cpu")):
        for name, array in params.items():
            assert type(back[name]) is np.ndarray and back[name].dtype == array.dtype
            assert np.array_equal(back[name], array)


def test_the_loss_stays_on_the_device(cupy):
    logits, labels = to_device(np.ones((3, 4), np.float32)), to_device(np.array([0, 1, 3]))
    loss, cache = ops.cross_entropy_forward(logits, labels)
    assert type(loss) is cupy.ndarray and loss.shape == ()
    assert ops.cross_entropy_backward(1.0, cache).dtype == "float32"
