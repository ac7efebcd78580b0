"""timm's models loaded here, and ours there: the same logits, and the same step of training.

timm (huggingface/pytorch-image-models) makes, saves, runs and trains its own models.
"""

from dataclasses import replace

import pytest
from side_by_side import (
    IN_COLOUR,
    ODD,
    TOLERANCE,
    TorchSide,
    assert_same_logits_and_step,
    batch,
    difference,
    logits_here,
    mend_torchvision,
    random_values,
)

from tinyvit import ViTConfig, load_checkpoint, save_checkpoint, vit_forward
from tinyvit.checkpoint.timm import opens_with
from tinyvit.errors import InputError
from tinyvit.params import param_shapes

SAME_WORDS = (
    *("img_size", "patch_size", "in_chans", "num_classes", "embed_dim", "depth", "num_heads"),
    *("mlp_ratio", "qkv_bias", "global_pool", "class_token"),
)
SMALL = {
    "odd": ODD,
    "in colour": IN_COLOUR,
    "average": replace(ODD, global_pool="avg"),
    "no class token": replace(ODD, global_pool="avg", class_token=False),
    "distilled": replace(ODD, distilled=True),
}
FULL_SIZE = (
    *("vit_tiny_patch16_224", "vit_base_patch16_224", "vit_base_patch32_224"),
    "deit_tiny_distilled_patch16_224",
)
UNSAID = ("num_heads", "global_pool")  # no shape in a file says them

both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])
small = pytest.mark.parametrize("config", SMALL.values(), ids=SMALL)
pytestmark = pytest.mark.usefixtures("timm")


@pytest.fixture(scope="module")
def timm():
    mend_torchvision()
    return pytest.importorskip("timm")


def timm_model(config, **more):
    """timm's model of a configuration."""
    from timm import create_model

    name = "deit_tiny_distilled_patch16_224" if config.distilled else "vit_tiny_patch16_224"
    same = {word: getattr(config, word) for word in SAME_WORDS}
    return create_model(name, **({"act_layer": config.activation, "fc_norm": False} | same | more))


class TimmSide(TorchSide):
    """A model of timm's, saved as most of its users do."""

    def save(self, folder):
        from safetensors.torch import save_file

        folder.mkdir(exist_ok=True)
        save_file(self.model.state_dict(), folder / "weights.safetensors")
        return folder / "weights.safetensors"


def unsaid(config):
    return {name: getattr(config, name) for name in UNSAID}


def ours_in_a_file(path, config, **options):
    """Save a random model of ours; return params, images and logits."""
    params = random_values(param_shapes(config), seed=2)
    save_checkpoint(path, params, config, **options)
    images, _ = batch(config, "float32")
    logits, _ = vit_forward(images, params, config)
    return params, images, logits


@both_types
@small
def test_small_models(tmp_path, config, dtype):
    side = TimmSide(timm_model(config), dtype)
    assert config == assert_same_logits_and_step(side, tmp_path, dtype, **unsaid(config))


@pytest.mark.slow
@both_types
@pytest.mark.parametrize("name", FULL_SIZE)
def test_full_size_models(tmp_path, timm, name, dtype):
    config = ViTConfig.preset(name)
    side = TimmSide(timm.create_model(name, weight_init="skip"), dtype)
    assert config == assert_same_logits_and_step(side, tmp_path, dtype, **unsaid(config))


@small
def test_what_save_for_hf_writes_says_all(tmp_path, config):
    from timm.models import save_for_hf

    side = TimmSide(timm_model(config))
    save_for_hf(side.model, tmp_path, safe_serialization=True)
    params, again = load_checkpoint(tmp_path / "model.safetensors")
    assert again == config
    images, _ = batch(config, "float32")
    logits, _ = vit_forward(images, params, again)
    assert difference(logits, side.logits(images)) < TOLERANCE["float32"]


@pytest.mark.parametrize("activation", ["gelu_tanh", "relu"])
def test_config_json_says_the_activation(tmp_path, activation):
    from timm.models import save_for_hf

    config = replace(IN_COLOUR, activation=activation)
    save_for_hf(timm_model(config), tmp_path, safe_serialization=True)
    assert load_checkpoint(tmp_path)[1] == config


@pytest.mark.parametrize("option", [{"act_layer": "quick_gelu"}, {"pool_include_prefix": True}])
def test_config_json_says_what_we_have_not(tmp_path, option):
    from timm.models import save_for_hf

    save_for_hf(timm_model(SMALL["average"], **option), tmp_path, safe_serialization=True)
    (word,) = option
    with pytest.raises(InputError, match=word):
        load_checkpoint(tmp_path)


@small
def test_ours_loaded_there(tmp_path, config):
    from timm.models import load_checkpoint as load_there

    params, images, ours = ours_in_a_file(tmp_path / "ours.safetensors", config)
    side = TimmSide(timm_model(config), seed=None)
    load_there(side.model, str(tmp_path / "ours.safetensors"), strict=True)
    assert difference(ours, side.logits(images)) < TOLERANCE["float32"]
    assert {name: tuple(value.shape) for name, value in side.model.state_dict().items()} == {
        name: value.shape for name, value in params.items()
    }


VARIANTS = {
    **SMALL,
    "another activation and eps": replace(ODD, activation="relu", eps=0.1),
    "no positions": replace(ODD, pos_embed="none"),
    "sin-cos": replace(ODD, pos_embed="sincos2d"),
}


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)
def test_the_line_that_convert_prints_opens_it_there(tmp_path, config):
    import functools

    import safetensors.torch
    import timm
    import torch

    path = tmp_path / "ours.safetensors"
    _, images, ours = ours_in_a_file(path, config)
    names = {"functools": functools, "safetensors": safetensors, "timm": timm, "torch": torch}
    exec(opens_with(path, config), names)
    side = TorchSide(names["model"], seed=None)
    assert difference(ours, side.logits(images)) < TOLERANCE["float32"]


@pytest.mark.slow
@pytest.mark.parametrize("name", FULL_SIZE)
def test_ours_of_full_size_loaded_there_by_name(tmp_path, timm, name):
    path = tmp_path / "ours.safetensors"
    _, images, ours = ours_in_a_file(path, ViTConfig.preset(name))
    model = timm.create_model(name, weight_init="skip", checkpoint_path=path)
    side = TimmSide(model, seed=None)
    assert difference(ours, side.logits(images)) < TOLERANCE["float32"]


AS_GOOGLE = {
    "odd": replace(ODD, activation="gelu_tanh"),
    "no class token": replace(SMALL["no class token"], activation="gelu_tanh"),
}


@pytest.mark.parametrize("config", AS_GOOGLE.values(), ids=AS_GOOGLE)
def test_our_npz_loaded_there(tmp_path, config):
    _, images, ours = ours_in_a_file(tmp_path / "ours.npz", config, format="google")
    side = TimmSide(timm_model(config))
    side.model.load_pretrained(str(tmp_path / "ours.npz"))
    assert difference(ours, side.logits(images)) < TOLERANCE["float32"]


@pytest.mark.parametrize("name", ["odd", "no class token", "distilled"])
@pytest.mark.parametrize("img_size", [25, 10])
def test_another_image_size(tmp_path, name, img_size):
    from timm.models import load_checkpoint as load_there
    from timm.models.vision_transformer import checkpoint_filter_fn

    config = replace(SMALL[name], img_size=img_size)
    path = TimmSide(timm_model(SMALL[name])).save(tmp_path)
    there = TimmSide(timm_model(config), seed=None)
    load_there(there.model, str(path), filter_fn=checkpoint_filter_fn)
    images, _ = batch(config, "float32")
    ours = logits_here(path, images, img_size=img_size, **unsaid(config))
    assert difference(ours, there.logits(images)) < TOLERANCE["float32"]


@pytest.mark.parametrize(
    "option, words",
    [
        ({"init_values": 0.1}, "blocks.0.ls1.gamma is not expected"),
        ({"qk_norm": True}, "blocks.0.attn.k_norm.bias is not expected"),
        ({"reg_tokens": 1}, "positions has 11 rows, expected 1 and"),
        ({"fc_norm": True, "global_pool": "avg"}, "fc_norm.weight is not expected"),
        ({"pre_norm": True}, "patch_embed.proj.bias is missing"),
        ({"no_embed_class": True}, "positions has 9 rows, expected 1 and"),
    ],
)
def test_a_variant_that_is_not_ours_is_refused(tmp_path, option, words):
    path = TimmSide(timm_model(ODD, **option)).save(tmp_path)
    with pytest.raises(InputError) as caught:
        load_checkpoint(path, **unsaid(ODD))
    assert words in str(caught.value) and str(path) in str(caught.value)
