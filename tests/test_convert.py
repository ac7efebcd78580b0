"""`tinyvit convert`: the same model in another project's names, and what to type there."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import ODD, first_params, small_config

from tinyvit import load_checkpoint, save_checkpoint
from tinyvit.checkpoint import open_checkpoint
from tinyvit.cli import main


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_checkpoint("in.safetensors", first_params(ODD, "vit"), ODD)
    return load_checkpoint("in.safetensors")[0]


def convert(words):
    return main(["convert", *words.split()])


def test_to_hugging_face_and_back(source, capsys):
    assert convert("in.safetensors hf/model.safetensors --format hf") == 0
    said = capsys.readouterr().out
    assert "in.safetensors (timm) -> hf/model.safetensors (hf): 4,010 parameters" in said
    assert "transformers.ViTForImageClassification.from_pretrained('hf')" in said
    assert json.loads(Path("hf/config.json").read_text())["hidden_size"] == 12
    assert convert("hf back.safetensors --format timm") == 0
    params, config = load_checkpoint("back.safetensors")
    assert config == ODD
    for name, value in source.items():
        np.testing.assert_array_equal(params[name], value)


def test_another_size_of_images(source):
    assert convert("in.safetensors big.safetensors --format timm --img-size 18") == 0
    params, config = load_checkpoint("big.safetensors")
    assert config.img_size == 18
    expected, _ = load_checkpoint("in.safetensors", img_size=18)
    np.testing.assert_array_equal(params["pos_embed"], expected["pos_embed"])


@pytest.mark.filterwarnings("default::UserWarning")
def test_what_the_file_cannot_say_is_said_here(source, capsys):
    assert convert("in.safetensors out.npz --format google") == 0
    said = capsys.readouterr()
    assert said.err.startswith("tinyvit: this model has activation gelu;")
    assert said.err.count("\n") == 1 and "vit_jax.checkpoint.load('out.npz')" in said.out
    assert open_checkpoint("out.npz").config.activation == "gelu_tanh"
    assert convert("out.npz out.safetensors --format timm") == 0
    said = capsys.readouterr().out
    assert "VisionTransformer(img_size=12, patch_size=3" in said and "'gelu_tanh'" in said
    save_checkpoint("in.safetensors", source, replace(ODD, norm="post"))
    assert convert("in.safetensors post.safetensors --format timm") == 0
    assert "nothing but tinyvit: timm has no post-norm ViT" in capsys.readouterr().out


def test_another_model_is_written_in_tinyvits_own_names_alone(source, capsys):
    config = small_config("cnn")
    save_checkpoint("cnn.safetensors", first_params(config, "cnn"), config)
    assert convert("cnn.safetensors again.safetensors --format timm") == 0
    assert "opens with" not in capsys.readouterr().out
    assert load_checkpoint("again.safetensors")[1] == config
    assert convert("cnn.safetensors no.npz --format google") == 2
    assert "is for ViTs, not for the cnn" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("nix out.npz --format google", "nix: there is no such file"),
        ("in.safetensors out.bin --format timm", "out.bin: the name should end in .safetensors"),
        ("in.safetensors out.npz", "--format"),
        ("in.safetensors out.npz --format keras", "choose from"),
        ("in.safetensors o/o.npz --format google --global-pool avg", "global_pool 'token' alone"),
        ("in.safetensors o/o.npz --format google --img-size 10", "not divisible by patch size 3"),
        ("in.safetensors o/o.npz --format google --num-heads 5", "not divisible by 5 heads"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(source, tmp_path, capsys, words, what):
    assert convert(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and what in said
    assert [path.name for path in tmp_path.iterdir()] == ["in.safetensors"]
