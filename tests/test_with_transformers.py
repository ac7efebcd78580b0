"""Hugging Face's models loaded here, and ours there: the same logits, and the same step.

transformers (huggingface/transformers) makes, saves, runs and trains its own models.
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
from tinyvit.params import param_shapes

THEIR_WORDS = {
    "hidden_size": "embed_dim",
    "num_hidden_layers": "depth",
    "num_attention_heads": "num_heads",
    "intermediate_size": "hidden_dim",
    "layer_norm_eps": "eps",
    "image_size": "img_size",
    "patch_size": "patch_size",
    "num_channels": "in_chans",
    "num_labels": "num_classes",
    "qkv_bias": "qkv_bias",
}
THEIR_ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "relu": "relu"}
USUAL = replace(ODD, eps=1e-12)
SMALL = {
    "odd": USUAL,
    "in colour": replace(IN_COLOUR, eps=1e-12),
    "another eps": replace(ODD, eps=0.1),
    "tanh": replace(USUAL, activation="gelu_tanh"),
    "relu": replace(USUAL, activation="relu"),
}
FULL_SIZE = ("vit_tiny_patch16_224", "vit_base_patch16_224", "vit_base_patch32_224")

both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])
small = pytest.mark.parametrize("config", SMALL.values(), ids=SMALL)
pytestmark = pytest.mark.usefixtures("transformers")


@pytest.fixture(scope="module")
def transformers():
    """The package; what it says of its progress is of no use here."""
    mend_torchvision()
    package = pytest.importorskip("transformers")
    package.logging.disable_progress_bar()
    return package


class HuggingFaceSide(TorchSide):
    """A model of transformers', saved by `save_pretrained`, which writes the names of old."""

    def outputs(self, images):
        return self.model(images).logits

    def save(self, folder):
        self.model.save_pretrained(folder)
        return folder / "model.safetensors"


def hf_model(config, **more):
    """transformers' model of a configuration."""
    from transformers import ViTConfig as TheirConfig
    from transformers import ViTForImageClassification

    words = {theirs: getattr(config, ours) for theirs, ours in THEIR_WORDS.items()}
    words["hidden_act"] = THEIR_ACTIVATIONS[config.activation]
    # their own attention takes its softmax in float32, even in a model of float64
    return ViTForImageClassification(TheirConfig(**(words | more), attn_implementation="sdpa"))


@both_types
@small
def test_small_models(tmp_path, config, dtype):
    side = HuggingFaceSide(hf_model(config), dtype)
    assert config == assert_same_logits_and_step(side, tmp_path, dtype)


@pytest.mark.slow
@both_types
@pytest.mark.parametrize("name", FULL_SIZE)
def test_full_size_models(tmp_path, name, dtype):
    config = ViTConfig.preset(name, eps=1e-12)
    side = HuggingFaceSide(hf_model(config), dtype)
    assert config == assert_same_logits_and_step(side, tmp_path, dtype)


@pytest.mark.parametrize("act", ["gelu_new", "gelu_fast"])
def test_their_other_names_for_the_tanh(tmp_path, act):
    side = HuggingFaceSide(hf_model(USUAL, hidden_act=act), "float64")
    assert_same_logits_and_step(side, tmp_path, "float64")


@pytest.mark.parametrize("in_memory", [True, False], ids=["in memory", "on disk"])
@pytest.mark.parametrize("prefix", [True, False], ids=["with vit.", "without vit."])
def test_all_their_names(tmp_path, in_memory, prefix):
    from safetensors.torch import load_file, save_file

    side = HuggingFaceSide(hf_model(USUAL))
    written = side.save(tmp_path)
    tensors = side.model.state_dict() if in_memory else load_file(written)
    names = {name: name if prefix else name.removeprefix("vit.") for name in tensors}
    assert any(name.startswith("vit.") for name in names)
    assert ("vit.layers.0.attention.q_proj.weight" in names) is in_memory
    assert ("vit.encoder.layer.0.attention.attention.query.weight" in names) is not in_memory
    save_file({names[name]: tensor for name, tensor in tensors.items()}, written)
    images, _ = batch(USUAL, "float32")
    ours = logits_here(written, images)
    assert difference(ours, side.logits(images)) < TOLERANCE["float32"]


def test_without_config_json(tmp_path):
    side = HuggingFaceSide(hf_model(USUAL))
    path = side.save(tmp_path)
    path.with_name("config.json").unlink()
    images, _ = batch(USUAL, "float32")
    ours = logits_here(path, images, num_heads=USUAL.num_heads)
    assert difference(ours, side.logits(images)) < TOLERANCE["float32"]


@small
def test_ours_loaded_there(tmp_path, config):
    from transformers import ViTForImageClassification

    images, ours = ours_in_a_folder(tmp_path, config)
    model, said = ViTForImageClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(said.values()), said
    assert difference(ours, HuggingFaceSide(model, seed=None).logits(images)) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", FULL_SIZE)
def test_ours_of_full_size_loaded_there(tmp_path, name):
    from transformers import ViTForImageClassification

    images, ours = ours_in_a_folder(tmp_path, ViTConfig.preset(name, eps=1e-12))
    model = ViTForImageClassification.from_pretrained(tmp_path)
    assert difference(ours, HuggingFaceSide(model, seed=None).logits(images)) < 1e-5


def ours_in_a_folder(folder, config):
    """Save a random model of ours in their names; return images and logits."""
    params = random_values(param_shapes(config), seed=2)
    save_checkpoint(folder / "model.safetensors", params, config, format="hf")
    images, _ = batch(config, "float32")
    logits, _ = vit_forward(images, params, config)
    return images, logits


class AtAnySize(HuggingFaceSide):
    """The model, interpolating its positions to the images it is given."""

    def outputs(self, images):
        return self.model(images, interpolate_pos_encoding=True).logits


@pytest.mark.parametrize("img_size", [25, 10])
def test_another_image_size(tmp_path, img_size):
    side = AtAnySize(hf_model(USUAL))
    path = side.save(tmp_path)
    images, _ = batch(replace(USUAL, img_size=img_size), "float32")
    ours = logits_here(path, images, img_size=img_size)
    assert difference(ours, side.logits(images)) < TOLERANCE["float32"]


def test_the_pooler_of_a_bare_model_is_left_out(tmp_path):
    from transformers import ViTModel

    classifier = hf_model(USUAL)
    side = TorchSide(ViTModel(classifier.config))
    side.model.save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="head"):
        params, config = load_checkpoint(tmp_path, num_classes=7)
    images, _ = batch(USUAL, "float32")
    _, cache = vit_forward(images, params, config)
    import torch

    with torch.no_grad():
        theirs = side.model(torch.from_numpy(images)).last_hidden_state.numpy()
    assert difference(cache["stages"]["norm"], theirs) < TOLERANCE["float32"]
