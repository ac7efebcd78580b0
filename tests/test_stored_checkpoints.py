"""Files that other projects wrote, and their answers: checked where those projects are not.

`golden/make_checkpoints.py` made them.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from side_by_side import difference, step_here

from tinyvit import ViTConfig, load_checkpoint, save_checkpoint
from tinyvit.checkpoint import open_checkpoint

FOLDER = Path(__file__).parent / "golden" / "checkpoints"
TOKEN = ViTConfig(
    **{"img_size": 9, "patch_size": 3, "in_chans": 2, "num_classes": 7},
    **{"embed_dim": 12, "depth": 2, "num_heads": 3, "mlp_ratio": 1.25},
)
TANH = replace(TOKEN, activation="gelu_tanh")
HEADS = {"num_heads": 3}
STORED = {  # folder: names, model, and what neither shapes nor a config.json beside say of it
    "timm": ("timm", TOKEN, HEADS),
    "timm_average": ("timm", replace(TOKEN, global_pool="avg"), HEADS | {"global_pool": "avg"}),
    "timm_distilled": ("timm", replace(TOKEN, distilled=True), HEADS),
    "hugging_face": ("hf", replace(TOKEN, eps=1e-12), {}),
    "google": ("google", TANH, {}),
    "google_gap": ("google", replace(TANH, global_pool="avg", class_token=False), {}),
    "big_vision": ("google", TANH, {}),
    "big_vision_scanned": ("google", TANH, {}),
}
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}

stored = pytest.mark.parametrize("name", STORED)
both_types = pytest.mark.parametrize("dtype", TOLERANCE)


def file_of(name):
    """The file of weights in a folder."""
    (path,) = [p for p in (FOLDER / name).iterdir() if p.stem in ("weights", "model")]
    return path


def tensors_of(path):
    """Every tensor of a file, by its name there."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    return safetensors.numpy.load_file(path)


def write(path, tensors):
    """Write tensors to a file of the kind that its name says."""
    if path.suffix == ".npz":
        np.savez(path, **tensors)
    else:
        safetensors.numpy.save_file(tensors, path)


@stored
def test_what_is_loaded(name):
    format, config, unsaid = STORED[name]
    checkpoint = open_checkpoint(file_of(name), **unsaid)
    assert checkpoint.config == config
    assert checkpoint.format == format
    assert {str(value.dtype) for value in checkpoint.params.values()} == {"float32"}


@stored
@both_types
def test_logits_loss_and_one_step(tmp_path, name, dtype):
    *_, unsaid = STORED[name]
    tolerance = TOLERANCE[dtype]
    params, config = load_checkpoint(file_of(name), **unsaid)
    params = {key: value.astype(dtype) for key, value in params.items()}
    answers = tensors_of(FOLDER / name / "answers.npz")
    images = answers["images"].astype(dtype)
    logits, loss, after = step_here(params, config, images, answers["labels"], float(answers["lr"]))
    assert logits.dtype == dtype
    assert difference(logits, answers["logits"]) < tolerance
    assert difference(loss, answers["loss"]) < tolerance

    path = tmp_path / file_of(name).name
    write(path, {key[6:]: value for key, value in answers.items() if key.startswith("after/")})
    if (FOLDER / name / "config.json").exists():
        (tmp_path / "config.json").write_bytes((FOLDER / name / "config.json").read_bytes())
    theirs, _ = load_checkpoint(path, **unsaid)
    if name.startswith("big_vision"):  # no position there for the class token; here a step moves it
        assert after["pos_embed"][:, 0].any() and not theirs["pos_embed"][:, 0].any()
        after["pos_embed"][:, 0] = 0
    assert list(theirs) == list(after)
    for key, value in after.items():
        assert difference(value, theirs[key]) < tolerance, key
        step = theirs[key] - params[key]
        assert np.abs(step).max() > 1e-4, f"{key} did not move"
        if dtype == "float64":
            assert difference(value - params[key], step) < tolerance, key


@stored
def test_written_again_as_it_was(tmp_path, name):
    """In the names of the published files, where a project has several ways."""
    format, config, unsaid = STORED[name]
    params, _ = load_checkpoint(file_of(name), **unsaid)
    path = tmp_path / file_of(name).name
    save_checkpoint(path, params, config, format=format)
    if not name.startswith("big_vision"):
        before, after = tensors_of(file_of(name)), tensors_of(path)
        assert sorted(after) == sorted(before)
        for key, value in before.items():
            assert after[key].shape == value.shape and after[key].tobytes() == value.tobytes(), key
    again, same = load_checkpoint(path)  # tinyvit leaves a note, or config.json, or shapes say all
    assert same == config
    for key, value in params.items():
        assert again[key].tobytes() == value.tobytes(), key
