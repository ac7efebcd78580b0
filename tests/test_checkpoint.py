"""Checkpoints come back as they went; a damaged one gets one line that names file and tensor."""

import json
import os
import stat
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save
from tiny import ODD, first_params, small_config

import tinyvit
from tinyvit import ViTConfig, init_params, vit_forward
from tinyvit.checkpoint import (
    interpolate_pos_embed,
    load_checkpoint,
    open_checkpoint,
    read_safetensors,
    save_checkpoint,
)
from tinyvit.checkpoint.formats import FORMATS
from tinyvit.checkpoint.weights_file import open_weights
from tinyvit.errors import InputError
from tinyvit.files import whole_file
from tinyvit.models import MODELS
from tinyvit.vit import positions

each_format = pytest.mark.parametrize("format", FORMATS)
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


@each_format
def test_every_format_round_trips(tmp_path, format, dtype="float64"):
    config = replace(ODD, activation=FORMATS[format].NUMERICS["activation"])
    params = first_params(config, "vit", dtype)
    path = tmp_path / "new" / f"model{FORMATS[format].SUFFIX}"
    save_checkpoint(path, params, config, format=format)
    read = open_checkpoint(path)
    assert (read.format, read.config, read.path) == (format, config, path)
    assert list(read.params) == list(params)
    for name, value in params.items():
        assert read.params[name].dtype == dtype
        np.testing.assert_array_equal(read.params[name], value)
    if format != "google":  # its file is not called model.safetensors
        (path.parent / "checkpoint.safetensors").write_bytes(b"")
        assert open_checkpoint(path.parent).path == path
    if format == "hf":
        assert read_safetensors(path)[1]["format"] == "pt"  # transformers 4 asks for it


@pytest.mark.parametrize("pos_embed", ["sincos2d", "none"])
@each_format
def test_fixed_positions_are_written_as_a_table(tmp_path, format, pos_embed):
    config = replace(ODD, pos_embed=pos_embed, activation=FORMATS[format].NUMERICS["activation"])
    params = first_params(config, "vit", "float32")
    path = tmp_path / f"model{FORMATS[format].SUFFIX}"
    save_checkpoint(path, params, config, format=format)
    tensors, _ = open_weights(path)
    kept = [tensors[name].read() for name in tensors if "pos" in name]
    table = positions(params, config)
    if (format, pos_embed) == ("timm", "none"):
        assert not kept
    else:
        np.testing.assert_array_equal(kept[0], np.zeros((1, 17, 12)) if table is None else table)
    images = np.random.default_rng(0).standard_normal((2, 2, 12, 12))
    loaded, again = load_checkpoint(path)
    assert ("pos_embed" in loaded) == (again.pos_embed == "learned")
    assert again == (config if format != "google" else replace(config, pos_embed="learned"))
    expected, _ = vit_forward(images, params, config)
    np.testing.assert_array_equal(vit_forward(images, loaded, again)[0], expected)


def test_what_a_format_cannot_hold_is_refused_and_nothing_is_written(tmp_path):
    params, path = {}, tmp_path / "no" / "model.safetensors"
    bad = [
        ({"format": "pickle"}, {}, "'pickle' is not known: use timm, hf, google"),
        ({"format": "google"}, {}, "should end in .npz for format 'google'"),
        ({"format": "hf"}, {"norm": "post"}, "norm 'pre' alone, not 'post'"),
        ({"format": "hf"}, {"global_pool": "avg"}, "global_pool 'token' alone, not 'avg'"),
        ({"format": "hf"}, {"distilled": True}, "distilled False alone, not True"),
    ]
    for options, variant, what in bad:
        with pytest.raises(InputError, match=what):
            save_checkpoint(path, params, replace(ODD, **variant), **options)
    for variant in ({"norm": "post"}, {"qkv_bias": False}, {"global_pool": "avg"}):
        with pytest.raises(InputError, match=f"google's ViT has {next(iter(variant))}"):
            save_checkpoint("no/a.npz", params, replace(ODD, **variant), format="google")
    with pytest.raises(InputError, match="for ViTs, not for the cnn"):
        save_checkpoint(path, params, small_config("cnn"), format="hf")
    with pytest.raises(InputError, match="dict is not the configuration"):
        save_checkpoint(path, {}, {})
    assert not list(tmp_path.iterdir())


def test_the_other_gelu_is_warned_of(tmp_path):
    params = first_params(ODD, "vit")
    with pytest.warns(UserWarning, match="has activation gelu; .* takes activation gelu_tanh"):
        save_checkpoint(tmp_path / "a.npz", params, ODD, format="google")
    _, config = load_checkpoint(tmp_path / "a.npz")
    assert config == replace(ODD, activation="gelu_tanh")


def test_another_programs_config_json_is_kept(tmp_path):
    params, config_json = first_params(ODD, "vit"), tmp_path / "config.json"
    for text in ('{"model": "vit"}', '{"model_type": "bert"}', "{", "[]"):
        config_json.write_text(text)
        with pytest.raises(InputError, match="put model.safetensors into another folder"):
            save_checkpoint(tmp_path / "model.safetensors", params, ODD, format="hf")
        assert config_json.read_text() == text and list(tmp_path.iterdir()) == [config_json]
    config_json.unlink()
    for _ in range(2):  # its own may be written over
        save_checkpoint(tmp_path / "model.safetensors", params, ODD, format="hf")
    assert json.loads(config_json.read_text())["num_attention_heads"] == 3


# ---- what another program wrote


def foreign(folder, config, format="timm", drop=(), **note):
    """A file without tinyvit's note, and with what `note` says in a config.json beside it."""
    config = replace(config, activation=FORMATS[format].NUMERICS["activation"])
    params = first_params(config, "vit", "float32")
    path = folder / f"model{FORMATS[format].SUFFIX}"
    (folder / "config.json").unlink(missing_ok=True)
    save_checkpoint(path, params, config, format=format)
    (folder / "config.json").unlink(missing_ok=True)
    if note:
        (folder / "config.json").write_text(json.dumps(note))
    if format != "google":
        arrays, _ = read_safetensors(path)
        path.write_bytes(save({name: arrays[name] for name in arrays if name not in drop}))
    return path, params


WIDE = ViTConfig(img_size=8, patch_size=4, num_classes=3, embed_dim=128, depth=1, num_heads=2)


@pytest.mark.parametrize("format", ["timm", "hf"])
def test_heads_of_64_unless_something_says_otherwise(tmp_path, format):
    path, _ = foreign(tmp_path, WIDE, format)
    with pytest.warns(UserWarning, match="does not say how many heads: 2 of 64 taken"):
        _, config = load_checkpoint(path)
    numerics = FORMATS[format].NUMERICS
    assert config == replace(WIDE, **numerics)
    assert load_checkpoint(path, num_heads=4)[1].num_heads == 4
    with pytest.raises(InputError, match="divisible by 5 heads: try 2, 4 or 8"):
        load_checkpoint(path, num_heads=5)
    path, _ = foreign(tmp_path, ODD, format)
    refused(path, "does not say how many heads", "embed_dim of 12", "num_heads=3")


def test_config_json_beside_says_it(tmp_path):
    hf = {"num_attention_heads": 8, "layer_norm_eps": 1e-3, "hidden_act": "gelu_new"}
    path, _ = foreign(tmp_path, WIDE, "hf", **hf)
    _, config = load_checkpoint(path)
    assert (config.num_heads, config.eps, config.activation) == (8, 1e-3, "gelu_tanh")
    assert load_checkpoint(path, num_heads=4)[1].num_heads == 4
    timm = {"model_args": {"num_heads": 8}, "global_pool": "avg"}
    _, config = load_checkpoint(foreign(tmp_path, WIDE, "timm", **timm)[0])
    assert (config.num_heads, config.global_pool) == (8, "avg")
    named = {"architecture": "vit_small_patch16_224.augreg_in1k"}
    path, _ = foreign(tmp_path, replace(WIDE, embed_dim=36, num_heads=6), **named)
    assert load_checkpoint(path)[1].num_heads == 6


def test_a_config_json_that_cannot_be_used_is_named(tmp_path):
    bad = [
        ({"hidden_act": "swish"}, "hidden_act 'swish' is not known"),
        ({"hidden_act": ["gelu"]}, "cannot be read"),
        ({"num_attention_heads": "2"}, "num_heads should be a whole number"),
        ({"num_attention_heads": 2, "layer_norm_eps": "1"}, "cannot be used"),
    ]
    for note, what in bad:
        path, _ = foreign(tmp_path, WIDE, "hf", **note)
        with pytest.raises(InputError, match=what) as caught:
            load_checkpoint(path)
        assert str(caught.value).startswith(f"{tmp_path}") and "\n" not in str(caught.value)
    timm = [
        ({"model_args": {"act_layer": "silu"}}, "act_layer 'silu' is not known"),
        ({"model_args": {"pool_include_prefix": True}}, "pool_include_prefix"),
        ({"global_pool": "map"}, "global_pool 'map' is not known"),
        ({"model_args": "b"}, "cannot be read"),
    ]
    for note, what in timm:
        path, _ = foreign(tmp_path, WIDE, **note)
        with pytest.raises(InputError, match=what):
            load_checkpoint(path, num_heads=2)
    for text in ("{", "[1]", "\xff\xfe", "[" * 100_000):
        (tmp_path / "config.json").write_text(text, encoding="latin-1")
        with pytest.raises(InputError, match="config.json: cannot be read"):
            load_checkpoint(path)


def test_a_file_without_a_head_gets_one_of_zeros(tmp_path):
    head = ("classifier.weight", "classifier.bias")
    path, params = foreign(tmp_path, WIDE, "hf", drop=head)
    with pytest.warns(UserWarning, match="no head: one of zeros for 5 classes"):
        loaded, config = load_checkpoint(path, num_heads=2, num_classes=5)
    assert config.num_classes == 5 and list(loaded) == list(params)
    np.testing.assert_array_equal(loaded["head.weight"], np.zeros((5, 128)))
    np.testing.assert_array_equal(loaded["norm.weight"], params["norm.weight"])
    path, _ = foreign(tmp_path, WIDE, "hf", drop=head[:1])
    with pytest.raises(InputError, match="classifier.weight is missing"):
        load_checkpoint(path, num_heads=2)


@pytest.mark.parametrize("D, M", [(22, 30), (28, 61), (128, 1), (49, 1), (768, 3072), (96, 97)])
def test_the_width_of_the_mlp_comes_back_whatever_the_ratio(tmp_path, D, M):
    shapes = {"embed_dim": D, "num_heads": 1, "mlp_ratio": M / D + 1e-12}
    path, _ = foreign(tmp_path, replace(WIDE, **shapes))
    assert load_checkpoint(path, num_heads=1)[1].hidden_dim == M


def test_a_layer_before_the_head_is_left_out_with_a_warning(tmp_path):
    path, params = foreign(tmp_path, WIDE, "google")
    arrays = dict(np.load(path))
    extra = {"pre_logits/kernel": np.ones((128, 128), "f4"), "pre_logits/bias": np.ones(128, "f4")}
    np.savez(path, **arrays, **extra)
    with pytest.warns(UserWarning, match="pre_logits/kernel and pre_logits/bias, .* left out"):
        loaded, _ = load_checkpoint(path)
    np.testing.assert_array_equal(loaded["head.weight"], params["head.weight"])


def test_a_file_without_positions(tmp_path):
    path, _ = foreign(tmp_path, replace(WIDE, pos_embed="none"))
    with pytest.warns(UserWarning, match="no table of positions: none and images of 224x224"):
        _, config = load_checkpoint(path, num_heads=2)
    assert (config.pos_embed, config.img_size) == ("none", 224)
    odd, _ = foreign(tmp_path, replace(WIDE, pos_embed="none", img_size=10, patch_size=5))
    with pytest.warns(UserWarning, match="images of 220x220"):
        assert load_checkpoint(odd, num_heads=2)[1].img_size == 220
    path, _ = foreign(tmp_path, replace(WIDE, pos_embed="none"))
    assert load_checkpoint(path, num_heads=2, img_size=8)[1] == replace(WIDE, pos_embed="none")
    path, _ = foreign(tmp_path, WIDE, "google")
    np.savez(path, **{name: value for name, value in np.load(path).items() if "pos" not in name})
    _, config = load_checkpoint(path, img_size=8)
    assert (config.pos_embed, config.img_size) == (
        "sincos2d",
        8,
    )  # what big_vision keeps no table of


@each_format
def test_another_image_size_stretches_the_positions_as_its_project_does(tmp_path, format):
    path, params = foreign(tmp_path, replace(WIDE, img_size=12), format)
    loaded, config = load_checkpoint(path, num_heads=2, img_size=20)
    assert config.img_size == 20 and loaded["pos_embed"].shape == (1, 26, 128)
    way = {"timm": "bicubic_antialias", "hf": "bicubic", "google": "bilinear_corners"}[format]
    expected = interpolate_pos_embed(params["pos_embed"], 5, method=way)
    np.testing.assert_array_equal(loaded["pos_embed"], expected)
    with pytest.raises(InputError, match="image 10x10 is not divisible by patch size 4"):
        load_checkpoint(path, num_heads=2, img_size=10)


def test_a_model_of_8x8_runs_at_12x12_whatever_its_positions(tmp_path):
    for pos_embed in ("learned", "sincos2d", "none"):
        path, _, _ = saved(tmp_path, pos_embed=pos_embed)
        params, config = load_checkpoint(path, img_size=12)
        assert config == small_config("vit", pos_embed=pos_embed, img_size=12)
        logits, _ = vit_forward(np.ones((1, 1, 12, 12), "float32"), params, config)
        assert logits.shape == (1, 10) and np.isfinite(logits).all()


@each_format
def test_wrong_tensors_are_named_in_the_files_own_words(tmp_path, format):
    def arrays():
        return {name: tensor.read() for name, tensor in open_weights(path)[0].items()}

    def refused_with(changes, *words):
        changed = {k: v for k, v in (right | changes).items() if v is not None}
        np.savez(path, **changed) if format == "google" else path.write_bytes(save(changed))
        with pytest.raises(InputError) as caught:
            load_checkpoint(path, num_heads=2)
        assert str(caught.value).startswith(f"{path}: "), caught.value
        for word in words:
            assert word in str(caught.value), caught.value

    path, _ = foreign(tmp_path, replace(WIDE, depth=2, in_chans=2), format)
    right = arrays()
    for name, array in right.items():
        if array.ndim > 1 and array.shape != array.T.shape:
            refused_with({name: array.T.copy()}, f"{name} is {array.T.shape}, expected (")
        if "pos" not in name and "cls" not in name:  # a ViT may have none
            refused_with({name: None}, f"{name} is missing")
        spoilt = array.copy()
        spoilt.flat[-1] = np.nan
        refused_with({name: spoilt}, f"{name} holds NaN")
        refused_with({name: array.astype("i4")}, f"{name} holds int32")
    refused_with({"ls1/gamma": np.ones(3, "f4")}, "ls1/gamma is not expected")
    table = next(name for name in right if "pos" in name)
    refused_with({table: np.ones((1, 8, 128), "f4")}, "8 rows", "square")
    refused_with({table: np.ones((1, 1, 128), "f4")}, "1 rows", "square")
    refused_with({table: np.ones((8, 128), "f4")}, table, "(1, N+1, 128)")


def test_a_tensor_that_is_there_twice_under_two_names_is_refused(tmp_path):
    path, _ = foreign(tmp_path, WIDE, "hf")
    arrays, _ = read_safetensors(path)
    path.write_bytes(save(arrays | {"layernorm.bias": arrays["vit.layernorm.bias"]}))
    with pytest.raises(InputError, match="layernorm.bias and .*layernorm.bias are both vit.layer"):
        load_checkpoint(path, num_heads=2)


def test_timms_norm_after_the_average_is_refused_with_what_to_do(tmp_path):
    path, _ = foreign(tmp_path, WIDE)
    arrays, _ = read_safetensors(path)
    renamed = {name.replace("norm.", "fc_norm."): array for name, array in arrays.items()}
    path.write_bytes(save(renamed))
    refused(path, "fc_norm.weight is not expected", "fc_norm=False")


def test_the_image_tower_of_two_is_taken(tmp_path):
    path, params = foreign(tmp_path, WIDE, "google")
    image = {f"params/img/{name}": value for name, value in np.load(path).items()}
    text = {"params/txt/head/kernel": np.ones((3, 4)), "params/t": np.ones(1)}
    np.savez(path, **text, **image)
    loaded, config = load_checkpoint(path)
    assert config == replace(WIDE, activation="gelu_tanh") and list(loaded) == list(params)
    np.testing.assert_array_equal(loaded["head.weight"], params["head.weight"])
    np.savez(path, **image, **{"params/extra/kernel": np.ones(3)})
    refused(path, "params/extra/kernel is not expected")


def test_tensors_that_are_no_vit_are_listed(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(save({"conv1.weight": np.ones((2, 2), "f4"), "fc.bias": np.ones(2, "f4")}))
    refused(path, "no Vision Transformer", "2 tensors: conv1.weight, fc.bias")
    np.savez(tmp_path / "a.npz", x=np.ones(3))
    refused(tmp_path / "a.npz", "no Vision Transformer", "1 tensors: x")


def test_a_file_that_says_more_blocks_than_it_has_gets_no_memory_for_them(tmp_path):
    path, _ = foreign(tmp_path, WIDE)
    arrays, _ = read_safetensors(path)
    path.write_bytes(save(arrays | {"blocks.999999999.norm1.weight": np.ones(128, "f4")}))
    with pytest.raises(InputError, match="blocks.1.norm1.weight is missing"):
        load_checkpoint(path, num_heads=2)
    scanned = {
        "embedding/kernel": np.ones((2, 2, 1, 4), "f4"),
        "Transformer/encoderblock/LayerNorm_0/scale": np.ones((1001, 4), "f4"),
    }
    np.savez(tmp_path / "a.npz", **scanned)
    refused(tmp_path / "a.npz", "encoderblock/LayerNorm_0/scale is (1001, 4)", "1,000 at most")


def test_a_large_file_is_mapped_and_what_is_written_stays_private(tmp_path):
    config = ViTConfig(img_size=32, patch_size=16, depth=6, num_classes=3)
    params = init_params(config)
    path = tmp_path / "large.safetensors"
    save_checkpoint(path, params, config)
    assert path.stat().st_size > 170e6
    tracemalloc.start()
    loaded, _ = load_checkpoint(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6
    before = loaded["head.bias"].copy()
    loaded["head.bias"] += 1
    np.testing.assert_array_equal(load_checkpoint(path)[0]["head.bias"], before)


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
    refused(tmp_path, "no such file", "a folder without model.safetensors")


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
    damaged = "note of tinyvit's configuration is damaged"
    bad = [
        (None, "does not say how many heads"),
        ({"format": "pt"}, "does not say how many heads"),
        ({"tinyvit": ""}, damaged),
        ({"tinyvit": "{not json"}, damaged),
        ({"tinyvit": "[1, 2]"}, damaged),
        ({"tinyvit": "null"}, damaged),
        ({"tinyvit": "[" * 100_000}, damaged),
        (note(model="resnet"), "no model 'resnet'"),
        (note(model=["vit"]), damaged),
        (note(model="cnn"), damaged),
        (note(config=None), damaged),
        (note(config={}), "its configuration calls for 152"),
        (note(config=config | {"width": 3}), damaged),
        (note(config=config | {"img_size": "8"}), "img_size should be a whole number"),
        (note(config=config | {"patch_size": 3}), "not divisible by patch size 3"),
        (note(config=config | {"mlp_ratio": "4"}), damaged),
        (note(config=config | {"depth": 3}), "blocks.2.norm1.weight is missing"),
        (note(config=config | {"depth": 1}), "blocks.1"),
        (note(config=config | {"depth": 1001}), "calls for 1,001 blocks"),
    ]
    for metadata, what in bad:
        path, *_ = saved(tmp_path)
        rewritten(path, metadata=metadata)
        refused(path, what)
