"""Checkpoints come back as they went; a damaged one gets one line that names file and tensor."""

import json
import os
import stat
import struct

import numpy as np
import pytest
from safetensors.numpy import save
from tiny import first_params, small_config

import tinyvit
from tinyvit.checkpoint import load_checkpoint, read_safetensors, save_checkpoint
from tinyvit.errors import InputError
from tinyvit.files import whole_file
from tinyvit.models import MODELS

every_model = pytest.mark.parametrize("name", MODELS)


def saved(folder, name="vit", **overrides):
    """Save a small model; return path, params, config."""
    config = small_config(name, **overrides)
    params = first_params(config, name, "float32")
    path = folder / "checkpoint.safetensors"
    save_checkpoint(path, params, config)
    return path, params, config


def refused(path, *words):
    """Check that loading fails with one line that names the file, and each of some words."""
    with pytest.raises(InputError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    for word in words:
        assert word in message, message


@every_model
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_round_trip(tmp_path, name, dtype):
    config = small_config(name)
    params = first_params(config, name, dtype)
    before = {key: value.copy() for key, value in params.items()}
    tinyvit.save_checkpoint(tmp_path / "a.safetensors", params, config)
    loaded, again = tinyvit.load_checkpoint(tmp_path / "a.safetensors")
    assert again == config and type(again) is type(config)
    assert list(loaded) == list(params) == list(before)
    for key, value in before.items():
        assert loaded[key].dtype == value.dtype and loaded[key].shape == value.shape
        assert loaded[key].tobytes() == value.tobytes() == params[key].tobytes()


def test_every_field_of_the_configuration_comes_back(tmp_path):
    variant = {"qkv_bias": False, "eps": 1e-5, "activation": "relu", "norm": "post"}
    variant |= {"pos_embed": "none", "global_pool": "avg", "drop_rate": 0.1, "mlp_ratio": 1.5}
    path, params, config = saved(tmp_path, **variant)
    loaded, again = load_checkpoint(path)
    assert again == config and list(loaded) == list(params)
    _, replaced = load_checkpoint(path, drop_rate=0.3)
    assert replaced.drop_rate == 0.3 and replaced.eps == 1e-5
    with pytest.raises(InputError, match="no field 'width'"):
        load_checkpoint(path, width=3)
    with pytest.raises(InputError, match="attn.qkv.bias is missing"):
        load_checkpoint(path, qkv_bias=True)


def test_views_and_transposed_arrays_are_written_by_value(tmp_path):
    path, params, config = saved(tmp_path)
    strange = dict(params)
    strange["head.weight"] = np.asfortranarray(params["head.weight"])
    strange["head.bias"] = np.repeat(params["head.bias"], 2)[::2]
    save_checkpoint(path, strange, config)
    loaded, _ = load_checkpoint(path)
    for key, value in params.items():
        np.testing.assert_array_equal(loaded[key], value)


def test_torch_reads_it_in_timms_names(tmp_path):
    pytest.importorskip("torch")
    from safetensors.torch import load_file

    path, params, _ = saved(tmp_path)
    loaded = load_file(path)
    assert loaded.keys() == params.keys()
    assert {"cls_token", "patch_embed.proj.weight", "blocks.1.attn.qkv.bias"} <= loaded.keys()
    for key, value in params.items():
        np.testing.assert_array_equal(loaded[key].numpy(), value)


def test_another_format_is_refused(tmp_path):
    config = small_config("vit")
    with pytest.raises(InputError, match="'pickle'"):
        save_checkpoint(tmp_path / "a", first_params(config, "vit"), config, format="pickle")
    with pytest.raises(InputError, match="dict is not the configuration"):
        save_checkpoint(tmp_path / "a", {}, {})
    assert not list(tmp_path.iterdir())


# ---- writing


def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing_behind(tmp_path, monkeypatch):
    path, params, config = saved(tmp_path)
    before = path.read_bytes()

    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(path, {k: v + 1 for k, v in params.items()}, config)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_whole_file_is_all_or_nothing(tmp_path, error):
    path = tmp_path / "a.txt"
    with whole_file(path) as temporary:
        temporary.write_text("new")
        assert not path.exists() and temporary.parent == tmp_path
    assert path.read_text() == "new"
    with pytest.raises(error), whole_file(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named_by_the_users_name(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "no" / "a.txt", tmp_path / "file" / "a.txt"):
        with pytest.raises(OSError) as caught, whole_file(path) as temporary:
            temporary.write_text("")
        assert caught.value.filename == str(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize("umask, mode", [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_the_files_mode_obeys_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        path, *_ = saved(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


# ---- damage


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    refused(tmp_path / "no.safetensors", "no such file")
    refused(tmp_path, "no such file")


def test_a_truncated_file_is_refused_at_every_length(tmp_path):
    path, *_ = saved(tmp_path, "cnn")
    whole = path.read_bytes()
    lengths = {*range(0, 32), *range(32, len(whole), 97), len(whole) - 1, len(whole) - 4}
    for length in sorted(lengths):
        path.write_bytes(whole[:length])
        refused(path, "no whole safetensors file")
    path.write_bytes(whole + b"\0")
    refused(path)
    path.write_bytes(whole)
    load_checkpoint(path)


def test_other_kinds_of_file_are_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    rng = np.random.default_rng(0)
    huge = [struct.pack("<Q", n) + b'{"a"' for n in (2**63, 2**64 - 1, 10**9, 2**40)]
    texts = [b"hello\nworld\n" * 50, b"{}", b"\x80\x04}\x94.", b"PK\x03\x04" + bytes(99)]
    for content in [*huge, *texts, bytes(5000), *(rng.bytes(n) for n in (1, 8, 9, 100, 5000))]:
        path.write_bytes(content)
        refused(path, "no whole safetensors file")


def test_flipped_bytes_are_refused_or_leave_finite_numbers_of_the_right_shape(tmp_path):
    path, params, config = saved(tmp_path, "cnn")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    loaded = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), rng.integers(1, 9)):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            arrays, again = load_checkpoint(path)
        except InputError as error:
            assert "\n" not in str(error) and str(path) in str(error)
        else:
            loaded += 1
            assert all(np.isfinite(value).all() for value in arrays.values())
            assert {k: v.shape for k, v in arrays.items()} == MODELS["cnn"].param_shapes(again)
    assert loaded < 300


def rewritten(path, change=None, metadata="same"):
    """Write a checkpoint again with other tensors or another note."""
    arrays, note = read_safetensors(path)
    arrays = dict(arrays)
    if change:
        change(arrays)
    note = note if metadata == "same" else metadata
    path.write_bytes(save(arrays, metadata=note))


@every_model
def test_wrong_tensors_are_named(tmp_path, name):
    bad = [
        (lambda a: a.pop("head.bias"), ["head.bias is missing"]),
        (lambda a: a.update(extra=np.ones(3, "f4")), ["extra is not expected"]),
        (lambda a: a.update({"head.bias": np.ones(9, "f4")}), ["head.bias", "(9,)", "(10,)"]),
        (
            lambda a: a.update({"head.weight": a["head.weight"].T.copy()}),
            ["head.weight", "expected (10,"],
        ),
        (lambda a: a["head.weight"].__setitem__((3, 1), np.nan), ["head.weight holds NaN"]),
        (lambda a: a["head.bias"].__setitem__(0, np.inf), ["head.bias holds NaN or infinity"]),
        (lambda a: a.update({"head.bias": np.ones(10, "i4")}), ["head.bias holds int32"]),
        (lambda a: a.clear(), ["is missing"]),
    ]
    for change, words in bad:
        path, *_ = saved(tmp_path, name)
        rewritten(path, change)
        refused(path, *words)


def test_wrong_notes_are_refused(tmp_path):
    def note(**changes):
        path, _, config = saved(tmp_path)
        _, metadata = read_safetensors(path)
        return {"tinyvit": json.dumps(json.loads(metadata["tinyvit"]) | changes)}

    config = json.loads(note()["tinyvit"])["config"]
    bad = [
        (None, "another program"),
        ({"format": "pt"}, "another program"),
        ({"tinyvit": ""}, "another program"),
        ({"tinyvit": "{not json"}, "another program"),
        ({"tinyvit": "[1, 2]"}, "another program"),
        ({"tinyvit": "null"}, "another program"),
        (note(model="resnet"), "no model 'resnet'"),
        (note(model=["vit"]), "another program"),
        (note(model="cnn"), "another program"),
        (note(config=None), "another program"),
        (note(config={}), "its configuration calls for 152"),
        (note(config=config | {"width": 3}), "another program"),
        (note(config=config | {"img_size": "8"}), "img_size should be a whole number"),
        (note(config=config | {"patch_size": 3}), "not divisible by patch size 3"),
        (note(config=config | {"mlp_ratio": "4"}), "another program"),
        (note(config=config | {"depth": 3}), "blocks.2.norm1.weight is missing"),
        (note(config=config | {"depth": 1}), "blocks.1"),
    ]
    for metadata, what in bad:
        path, *_ = saved(tmp_path)
        rewritten(path, metadata=metadata)
        refused(path, what)
