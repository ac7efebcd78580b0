"""ViTConfig: the presets, and what it says to numbers that do not fit together."""

from dataclasses import FrozenInstanceError, replace

import pytest

from tinyvit import ViTConfig
from tinyvit.config import PRESETS
from tinyvit.errors import InputError


def test_the_default_is_vit_base():
    assert ViTConfig() == ViTConfig.preset("vit_base_patch16_224")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_whole(name):
    config = ViTConfig.preset(name)
    assert config.num_patches == (config.img_size // config.patch_size) ** 2
    assert config.hidden_dim == config.embed_dim * config.mlp_ratio


def test_the_presets_of_the_paper():
    sizes = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12)}
    for name, expected in (sizes | {"large": (1024, 24, 16)}).items():
        config = ViTConfig.preset(f"vit_{name}_patch16_224")
        assert (config.embed_dim, config.depth, config.num_heads) == expected
        assert (config.num_patches, config.hidden_dim) == (196, 4 * config.embed_dim)
        assert (config.in_chans, config.num_classes, config.eps) == (3, 1000, 1e-6)


def test_the_presets_with_other_patches():
    for name, side in {"small_patch32": 32, "base_patch32": 32, "large_patch14": 14}.items():
        config = ViTConfig.preset(f"vit_{name}_224")
        usual = ViTConfig.preset(f"vit_{name.partition('_')[0]}_patch16_224")
        assert config == replace(usual, patch_size=side)


def test_the_presets_of_deit():
    for name in ("tiny", "small", "base"):
        config = ViTConfig.preset(f"deit_{name}_distilled_patch16_224")
        assert config == replace(ViTConfig.preset(f"vit_{name}_patch16_224"), distilled=True)
        assert config.num_prefix_tokens == 2 and config.num_tokens == 198


def test_tokens_before_the_patches():
    for changes, count in (
        ({}, 1),
        ({"global_pool": "avg"}, 1),
        ({"global_pool": "avg", "class_token": False}, 0),
        ({"distilled": True}, 2),
    ):
        config = ViTConfig.preset("digits", **changes)
        assert (config.num_prefix_tokens, config.num_tokens) == (count, 16 + count)


def test_a_preset_with_fields_replaced():
    config = ViTConfig.preset("digits", depth=2, norm="post")
    assert (config.depth, config.norm) == (2, "post")
    assert ViTConfig.preset("digits", depth=config.depth, norm="post") == config
    assert ViTConfig.preset("digits").norm == "pre"


def test_frozen():
    with pytest.raises(FrozenInstanceError):
        ViTConfig().depth = 3


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"img_size": 28, "patch_size": 5},
            "image 28x28 is not divisible by patch size 5: try 2, 4, 7, 14 or 28",
        ),
        (
            {"img_size": 7, "patch_size": 2},
            "image 7x7 is not divisible by patch size 2: try 7",
        ),
        (
            {"embed_dim": 64, "num_heads": 5},
            "embed_dim 64 is not divisible by 5 heads: try 2, 4 or 8 heads",
        ),
        (
            {"embed_dim": 10**9},
            "embed_dim should be 1,000,000 at most: no model is as large as this one",
        ),
        (
            {"activation": "swish"},
            "activation 'swish' is not known: use gelu, gelu_tanh or relu",
        ),
        ({"norm": "both"}, "norm 'both' is not known: use pre or post"),
        (
            {"pos_embed": "rope"},
            "pos_embed 'rope' is not known: use learned, sincos2d or none",
        ),
        ({"global_pool": "max"}, "global_pool 'max' is not known: use token or avg"),
        ({"depth": 0}, "depth should be a whole number of 1 or more, not 0"),
        ({"num_heads": 2.0}, "num_heads should be a whole number of 1 or more, not 2.0"),
        ({"num_classes": True}, "num_classes should be a whole number of 1 or more, not True"),
        ({"patch_size": -4}, "patch_size should be a whole number of 1 or more, not -4"),
        ({"drop_rate": 1.0}, "drop_rate 1.0 is outside [0, 1): try 0.1"),
        ({"attn_drop_rate": -0.5}, "attn_drop_rate -0.5 is outside [0, 1): try 0.1"),
        ({"drop_path_rate": 2}, "drop_path_rate 2 is outside [0, 1): try 0.1"),
        ({"mlp_ratio": 0.001}, "mlp_ratio 0.001 leaves the MLP no width: try 4"),
        (
            {"pos_embed": "sincos2d", "embed_dim": 18, "num_heads": 3},
            "sincos2d positions need an embed_dim divisible by 4 and at least 8 (sine and cosine "
            "of x and of y), not 18",
        ),
        ({"qkv_bias": 1}, "qkv_bias should be True or False, not 1"),
        ({"class_token": "no"}, "class_token should be True or False, not 'no'"),
        ({"distilled": None}, "distilled should be True or False, not None"),
        (
            {"class_token": False},
            "global_pool token reads the class token, and class_token is off: "
            "use global_pool avg, or leave class_token on",
        ),
        (
            {"distilled": True, "global_pool": "avg"},
            "distilled reads the class token and the distillation token: "
            "use global_pool token, with class_token on",
        ),
        (
            {"distilled": True, "global_pool": "avg", "class_token": False},
            "distilled reads the class token and the distillation token: "
            "use global_pool token, with class_token on",
        ),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
def test_error(fields, text):
    with pytest.raises(InputError) as error:
        ViTConfig(**fields)
    assert str(error.value) == text


def test_unknown_preset():
    with pytest.raises(InputError) as error:
        ViTConfig.preset("vit_huge")
    assert str(error.value).startswith("no preset 'vit_huge': use digits, mnist, vit_tiny")


def test_unknown_field():
    with pytest.raises(InputError) as error:
        ViTConfig.preset("digits", heads=2)
    assert str(error.value).startswith(
        "ViTConfig has no field 'heads'; it has img_size, patch_size"
    )
