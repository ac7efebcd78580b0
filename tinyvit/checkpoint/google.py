"""Checkpoints of google-research/vision_transformer and of big_vision: .npz files.

Flax keeps a dense layer's kernel as (inputs, outputs), a convolution's as (rows, columns, channels,
outputs), and attention's by head. The names here are those of the published files.

Source: vit_jax/models_vit.py and vit_jax/checkpoint.py (google-research/vision_transformer);
big_vision/models/vit.py (google-research/big_vision).
"""

import re
from dataclasses import replace
from functools import cache
from math import isqrt

import numpy as np

from ..errors import InputError
from ..params import param_shapes
from .sizes import DEEPEST, Sizes, numbered
from .stored import as_it_is, stacked, transposed
from .variants import require_variant

SUFFIX = ".npz"
NUMERICS = {"activation": "gelu_tanh", "eps": 1e-6}
CANNOT_SAY = NUMERICS
RESIZING = "bilinear_corners"
TOWER = "params/img/"
OTHER_TOWER = re.compile("params/(txt/.*|t|b)")  # for texts, and how the two are compared
PREFIXES = (TOWER, "params/", "opt/target/")
POSITIONS = "Transformer/posembed_input/pos_embedding"
OTHER_POSITIONS = ("pos_embedding", "Transformer/pos_embedding")  # big_vision's
WITHOUT_POSITIONS = "sincos2d"  # what big_vision keeps no table of
BLOCK = re.compile(r"Transformer/encoderblock_(\d+)/")
SCANNED = "Transformer/encoderblock/"  # all blocks in one tensor, the first axis counts them
SUBSCRIPTS = {  # flax came to number each kind of layer by itself
    "MultiHeadDotProductAttention_0": "MultiHeadDotProductAttention_1",
    "MlpBlock_0": "MlpBlock_3",
    "LayerNorm_1": "LayerNorm_2",
}
ATTENTION = "MultiHeadDotProductAttention_1/"
NORMS = {
    "norm": "Transformer/encoder_norm",
    "norm1": "LayerNorm_0",
    "norm2": "LayerNorm_2",
}
LAYERS = {
    "head": "head",
    "attn.proj": f"{ATTENTION}out",
    "mlp.fc1": "MlpBlock_3/Dense_0",
    "mlp.fc2": "MlpBlock_3/Dense_1",
}


def recognises(names):
    """Whether some names of tensors are flax's: words joined by /."""
    return any("/" in name for name in names)


def canonical(tensors):
    """Give each tensor its name in `table`, whichever of the projects' ways it is kept in.

    tensors : list of Tensor; of an image and a text tower (`params/img/`) the first is taken

    Returns list of (name, Tensor).
    """
    named = _without_prefix(tensors)
    class_token = any(name == "cls" for name, _ in named)
    renamed = []
    for name, tensor in [layer for pair in named for layer in _layers(*pair)]:
        block = BLOCK.match(name)
        if block:
            first, _, rest = name[block.end() :].partition("/")
            name = f"{block.group()}{SUBSCRIPTS.get(first, first)}/{rest}"
        elif name in OTHER_POSITIONS:
            name, tensor = POSITIONS, _with_a_row_for_the_class_token(tensor, class_token)
        renamed.append((name, tensor))
    return renamed


def sizes(found):
    """Read the sizes of a ViT off the shapes of its tensors.

    found : `Found` tensors, under the names of `table`
    """
    first = "Transformer/encoderblock_0/"
    D = found.sizes(f"{NORMS['norm']}/scale", "D")["D"]
    patch = found.sizes("embedding/kernel", "P P C D", D=D)
    return Sizes(
        embed_dim=D,
        in_chans=patch["C"],
        patch_size=patch["P"],
        hidden_dim=found.sizes(f"{first}{LAYERS['mlp.fc1']}/bias", "M")["M"],
        depth=numbered(BLOCK, found),
        rows=found.rows(POSITIONS, D),
        num_classes=found.classes("head/bias", "head/kernel", "D K"),
        class_token="cls" in found,
        distilled=False,
        qkv_bias=True,
        num_heads=found.sizes(f"{first}{ATTENTION}query/bias", "h d")["h"],
    )


def table(config):
    """Every parameter's tensors in the file, by name and shape.

    config : ViTConfig

    Returns dict parameter -> `Stored`.
    """
    D, h = config.embed_dim, config.num_heads
    d = D // h
    stored = {}
    for param, shape in param_shapes(config).items():
        module, _, kind = param.rpartition(".")
        at = ""
        if module.startswith("blocks."):
            _, i, module = module.split(".", 2)  # "blocks", "0", "attn.qkv"
            at = f"Transformer/encoderblock_{i}/"
        kernel = "kernel" if kind == "weight" else "bias"
        if param == "cls_token":
            how = as_it_is("cls", shape)
        elif param == "pos_embed":
            how = as_it_is(POSITIONS, shape)
        elif param == "patch_embed.proj.weight":
            P, C = config.patch_size, config.in_chans
            how = transposed("embedding/kernel", (P, P, C, D), (3, 2, 0, 1))
        elif param == "patch_embed.proj.bias":
            how = as_it_is("embedding/bias", shape)
        elif module in NORMS:
            how = as_it_is(f"{at}{NORMS[module]}/{'scale' if kind == 'weight' else 'bias'}", shape)
        elif module == "attn.qkv":
            names = [f"{at}{ATTENTION}{x}/{kernel}" for x in ("query", "key", "value")]
            of_each = (D, h, d) if kind == "weight" else (h, d)
            how = stacked(names, of_each, shape, transpose=kind == "weight")
        elif param.endswith("attn.proj.weight"):
            how = stacked([f"{at}{LAYERS[module]}/kernel"], (h, d, D), shape, transpose=True)
        elif kind == "weight":
            how = transposed(f"{at}{LAYERS[module]}/kernel", shape[::-1], (1, 0))
        else:
            how = as_it_is(f"{at}{LAYERS[module]}/bias", shape)
        stored[param] = how
    return stored


def beside(note):
    """Nothing: these files say all in their shapes."""
    return {}


def require(config):
    """Raise InputError where google-research/vision_transformer has no such variant."""
    pool = "token" if config.class_token else "avg"
    wanted = {"norm": "pre", "qkv_bias": True, "distilled": False, "global_pool": pool}
    require_variant(config, "google's ViT", **wanted)


def opens_with(path, config):
    """The line of Python that opens a file there.

    path : of the file
    config : ViTConfig that was saved
    """
    return f"params = vit_jax.checkpoint.load({str(path)!r})"


def _without_prefix(tensors):
    names = [tensor.name for tensor in tensors]
    prefix = next((p for p in PREFIXES if any(name.startswith(p) for name in names)), "")
    kept = [t for t in tensors if prefix != TOWER or not OTHER_TOWER.fullmatch(t.name)]
    return [(tensor.name.removeprefix(prefix), tensor) for tensor in kept]


def _layers(name, tensor):
    """Cut a tensor of all blocks into one for each; leave any other whole."""
    if not name.startswith(SCANNED):
        return [(name, tensor)]
    if not tensor.shape or tensor.shape[0] > DEEPEST:
        raise InputError(
            f"{tensor.name} is {tensor.shape}, expected (depth, ...) of {DEEPEST:,} at most"
        )
    read_once = cache(tensor.stored)

    def layer(i):
        return replace(tensor, shape=tensor.shape[1:], stored=lambda: read_once()[i])

    rest = name.removeprefix(SCANNED)
    return [(f"{SCANNED[:-1]}_{i}/{rest}", layer(i)) for i in range(tensor.shape[0])]


def _with_a_row_for_the_class_token(tensor, class_token):
    """big_vision gives the class token no position any more: a row of zeros is as good."""
    if not class_token or len(tensor.shape) != 3 or isqrt(tensor.shape[1]) ** 2 != tensor.shape[1]:
        return tensor
    one, rows, D = tensor.shape

    def stored():
        table = tensor.stored()
        return np.concatenate([np.zeros_like(table[:, :1]), table], axis=1)

    return replace(tensor, shape=(one, rows + 1, D), stored=stored)
