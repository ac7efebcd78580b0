"""Names and shapes of the parameters, their first values, and the flat buffer."""

from dataclasses import replace

import numpy as np
import pytest
from side_by_side import mend_torchvision

from tinyvit import ViTConfig, init_params
from tinyvit.config import PRESETS
from tinyvit.params import count_params, flatten, param_shapes, unflatten

TINY = ViTConfig(
    **{"img_size": 6, "patch_size": 3, "in_chans": 2, "num_classes": 5},
    **{"embed_dim": 8, "depth": 2, "num_heads": 4, "mlp_ratio": 1.5},
)
NO_CLASS_TOKEN = replace(TINY, class_token=False, global_pool="avg")
DISTILLED = replace(TINY, distilled=True)


TOTALS = {  # timm's, of each full-size preset
    "vit_tiny_patch16_224": 5_717_416,
    "vit_small_patch16_224": 22_050_664,
    "vit_small_patch32_224": 22_878_952,
    "vit_base_patch16_224": 86_567_656,
    "vit_base_patch32_224": 88_224_232,
    "vit_large_patch16_224": 304_326_632,
    "vit_large_patch14_224": 304_203_752,
    "deit_tiny_distilled_patch16_224": 5_910_800,
    "deit_small_distilled_patch16_224": 22_436_432,
    "deit_base_distilled_patch16_224": 87_338_192,
}


def test_totals():
    assert PRESETS.keys() - {"digits", "mnist"} == TOTALS.keys()
    for name, total in TOTALS.items():
        assert count_params(param_shapes(ViTConfig.preset(name))) == total, name


@pytest.fixture(scope="module")
def timm():
    mend_torchvision()
    return pytest.importorskip("timm")


@pytest.mark.slow
@pytest.mark.parametrize("name", TOTALS)
def test_names_order_and_shapes_of_presets_are_those_of_timm(name, timm):
    import torch

    with torch.device("meta"):  # shapes without numbers
        theirs = timm.create_model(name).state_dict()
    ours = param_shapes(ViTConfig.preset(name))
    assert [(key, tuple(value.shape)) for key, value in theirs.items()] == list(ours.items())


def test_names_and_shapes_of_vit_base_are_those_of_timm():
    shapes = param_shapes(ViTConfig.preset("vit_base_patch16_224"))
    expected = {
        "cls_token": (1, 1, 768),
        "pos_embed": (1, 197, 768),
        "patch_embed.proj.weight": (768, 3, 16, 16),
        "patch_embed.proj.bias": (768,),
    }
    for i in range(12):
        expected |= {
            f"blocks.{i}.norm1.weight": (768,),
            f"blocks.{i}.norm1.bias": (768,),
            f"blocks.{i}.attn.qkv.weight": (2304, 768),
            f"blocks.{i}.attn.qkv.bias": (2304,),
            f"blocks.{i}.attn.proj.weight": (768, 768),
            f"blocks.{i}.attn.proj.bias": (768,),
            f"blocks.{i}.norm2.weight": (768,),
            f"blocks.{i}.norm2.bias": (768,),
            f"blocks.{i}.mlp.fc1.weight": (3072, 768),
            f"blocks.{i}.mlp.fc1.bias": (3072,),
            f"blocks.{i}.mlp.fc2.weight": (768, 3072),
            f"blocks.{i}.mlp.fc2.bias": (768,),
        }
    expected |= {"norm.weight": (768,), "norm.bias": (768,)}
    expected |= {"head.weight": (1000, 768), "head.bias": (1000,)}
    assert list(shapes.items()) == list(expected.items())


def test_what_some_options_leave_out():
    everything = param_shapes(TINY)
    for pos_embed in ("sincos2d", "none"):
        config = ViTConfig(**vars(TINY) | {"pos_embed": pos_embed})
        assert set(everything) - set(param_shapes(config)) == {"pos_embed"}
    config = ViTConfig(**vars(TINY) | {"qkv_bias": False})
    missing = {f"blocks.{i}.attn.qkv.bias" for i in range(2)}
    assert set(everything) - set(param_shapes(config)) == missing


def test_without_a_class_token():
    expected = param_shapes(TINY)
    del expected["cls_token"]
    expected["pos_embed"] = (1, 4, 8)
    assert list(param_shapes(NO_CLASS_TOKEN).items()) == list(expected.items())


def test_names_and_shapes_of_a_distilled_vit_are_those_of_timm():
    shapes = list(param_shapes(DISTILLED).items())
    assert shapes[:3] == [
        ("cls_token", (1, 1, 8)),
        ("pos_embed", (1, 6, 8)),
        ("dist_token", (1, 1, 8)),
    ]
    assert shapes[-4:] == [
        *(("head.weight", (5, 8)), ("head.bias", (5,))),
        *(("head_dist.weight", (5, 8)), ("head_dist.bias", (5,))),
    ]
    assert shapes[3:-4] == list(param_shapes(TINY).items())[2:-2]


@pytest.mark.parametrize("config", [TINY, NO_CLASS_TOKEN, DISTILLED])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_first_values(config, dtype):
    params = init_params(config, dtype=dtype)
    shapes = param_shapes(config)
    assert list(params) == list(shapes)
    for name, value in params.items():
        assert value.shape == shapes[name] and value.dtype == dtype and np.isfinite(value).all()
        if name.endswith("bias"):
            assert not value.any(), name
        elif "norm" in name:
            assert (value == 1).all(), name
        else:
            assert np.unique(value).size == value.size, name


def test_the_seed_makes_the_values():
    first, again, other = (init_params(TINY, seed) for seed in (3, 3, 4))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["head.weight"], other["head.weight"])


def test_flatten_and_unflatten():
    params = init_params(TINY, dtype="float64")
    flat, views = flatten(params)
    assert flat.shape == (count_params(params),) and flat.dtype == "float64"
    assert list(views) == list(params)
    for name, view in views.items():
        assert np.array_equal(view, params[name]) and np.shares_memory(view, flat)
        assert not np.shares_memory(view, params[name])
    flat *= 2
    assert np.array_equal(views["norm.weight"], np.full(8, 2.0))
    again = unflatten(flat, param_shapes(TINY))
    assert all(np.shares_memory(again[name], views[name]) for name in views)
    assert flat[: views["cls_token"].size].tolist() == views["cls_token"].ravel().tolist()
