"""Checkpoints in timm's names, which are tinyvit's own.

Source: timm/models/vision_transformer.py and deit.py (huggingface/pytorch-image-models).
"""

import re

from ..config import CHOICES, PRESETS, ViTConfig
from ..errors import InputError
from ..params import param_shapes
from .sizes import Sizes, numbered
from .stored import as_it_is

SUFFIX = ".safetensors"
ACTIVATIONS = CHOICES["activation"]  # named alike
NUMERICS = {"activation": "gelu", "eps": 1e-6}
CANNOT_SAY = {}  # tinyvit's own note says all
RESIZING = "bicubic_antialias"
POSITIONS = "pos_embed"
WITHOUT_POSITIONS = "none"
MODEL = "timm.models.VisionTransformer"
ARGUMENTS = (
    *("img_size", "patch_size", "in_chans", "num_classes", "embed_dim", "depth", "num_heads"),
    *("mlp_ratio", "qkv_bias", "class_token", "global_pool"),
)
FIRST_WORDS = ("patch_embed.", "blocks.", "cls_token", "pos_embed", "norm.", "head.")
BLOCK = re.compile(r"blocks\.(\d+)\.")


def recognises(names):
    """Whether some names of tensors are timm's."""
    return any(name.startswith(FIRST_WORDS) for name in names)


def canonical(tensors):
    """Give each tensor its name in `table`: its own.

    tensors : list of Tensor

    Returns list of (name, Tensor).
    """
    return [(tensor.name, tensor) for tensor in tensors]


def sizes(found):
    """Read the sizes of a ViT off the shapes of its tensors.

    found : `Found` tensors, under the names of `table`

    Raises InputError where they do not fit together, or are of another variant.
    """
    if "fc_norm.weight" in found:
        raise InputError(
            "fc_norm.weight is not expected: it normalises after the average, and tinyvit before; "
            "timm does so, too, in a model made with fc_norm=False"
        )
    D = found.sizes("norm.weight", "D")["D"]
    patch = found.sizes("patch_embed.proj.weight", "D C P P", D=D)
    return Sizes(
        embed_dim=D,
        in_chans=patch["C"],
        patch_size=patch["P"],
        hidden_dim=found.sizes("blocks.0.mlp.fc1.bias", "M")["M"],
        depth=numbered(BLOCK, found),
        rows=found.rows(POSITIONS, D),
        num_classes=found.classes("head.bias", "head.weight", "K D"),
        class_token="cls_token" in found,
        distilled="dist_token" in found,
        qkv_bias=any(name.endswith(".attn.qkv.bias") for name in found),
    )


def table(config):
    """Every parameter's name in the file: its own.

    config : ViTConfig

    Returns dict parameter -> `Stored`.
    """
    return {name: as_it_is(name, shape) for name, shape in param_shapes(config).items()}


def beside(note):
    """What a config.json of timm's says of the model: dict of ViTConfig's fields.

    note : the file's content, a dict

    Raises InputError for a variant that is not known here, and that no tensor would show.
    """
    given = note.get("model_args") or {}
    if given.get("pool_include_prefix"):
        raise InputError("pool_include_prefix, a mean with the class token in it, is not known")
    if given.get("act_layer", "gelu") not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise InputError(f"act_layer {given['act_layer']!r} is not known: {known} are")
    name = str(note.get("architecture", "")).partition(".")[0]
    said = {
        "global_pool": note.get("global_pool"),
        "num_heads": given.get("num_heads", PRESETS.get(name, {}).get("num_heads")),
        "activation": given.get("act_layer"),
    }
    return {field: value for field, value in said.items() if value is not None}


def require(config):
    """Nothing to refuse: what timm has no word for, tinyvit's note in the file says."""


def opens_with(path, config):
    """The line of Python that opens a file there, or why none does.

    path : of the file
    config : ViTConfig that was saved
    """
    if config.norm == "post":
        return "nothing but tinyvit: timm has no post-norm ViT"
    words = [name for name in ARGUMENTS if getattr(config, name) != getattr(ViTConfig, name)]
    model = "timm.models.deit.VisionTransformerDistilled" if config.distilled else MODEL
    given = [f"{name}={getattr(config, name)!r}" for name in words]
    given += ["pos_embed='none'"] if config.pos_embed == "none" else []
    given += ["fc_norm=False"] if config.global_pool == "avg" else []
    if config.activation != NUMERICS["activation"]:
        given.append(f"act_layer={config.activation!r}")
    if config.eps != NUMERICS["eps"]:
        given.append(f"norm_layer=functools.partial(torch.nn.LayerNorm, eps={config.eps})")
    load = f"load_state_dict(safetensors.torch.load_file({str(path)!r}))"
    return f"model = {model}({', '.join(given)}); model.{load}"
