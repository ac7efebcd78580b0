"""Checkpoints in the names of Hugging Face's transformers, as it writes them on disk.

Source: transformers/models/vit (huggingface/transformers 5.23).
"""

import re

from ..errors import InputError
from ..params import param_shapes
from .sizes import Sizes, numbered
from .stored import as_it_is, stacked
from .variants import require_variant

FILE = "model.safetensors"
SUFFIX = ".safetensors"
NUMERICS = {"activation": "gelu", "eps": 1e-12}
CANNOT_SAY = {}  # config.json says all
RESIZING = "bicubic"
POSITIONS = "vit.embeddings.position_embeddings"
WITHOUT_POSITIONS = "none"
PATCH = "vit.embeddings.patch_embeddings.projection"
TOP = {
    "cls_token": "vit.embeddings.cls_token",
    "pos_embed": POSITIONS,
    "patch_embed.proj": PATCH,
    "norm": "vit.layernorm",
    "head": "classifier",
}
BLOCK = {
    "norm1": "layernorm_before",
    "attn.proj": "attention.output.dense",
    "norm2": "layernorm_after",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}
IN_MEMORY = {  # transformers 5 calls them so while it runs, and some files do
    "attention.q_proj": "attention.attention.query",
    "attention.k_proj": "attention.attention.key",
    "attention.v_proj": "attention.attention.value",
    "attention.o_proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}
WITHOUT_VIT = ("embeddings.", "encoder.", "layers.", "layernorm.", "pooler.")
QKV_BIAS = re.compile(r"attention\.(query|key|value)\.bias$")
LAYER = re.compile(r"vit\.encoder\.layer\.(\d+)\.")
ACTIVATIONS = {"gelu": "gelu", "relu": "relu"} | dict.fromkeys(
    ("gelu_new", "gelu_pytorch_tanh", "gelu_fast"), "gelu_tanh"
)
WORDS = {
    "num_attention_heads": "num_heads",
    "layer_norm_eps": "eps",
    "hidden_act": "activation",
}


def recognises(names):
    """Whether some names of tensors are Hugging Face's."""
    return any(_on_disk(name).startswith("vit.") for name in names)


def canonical(tensors):
    """Give each tensor its name in `table`; the pooler, which no logit needs, is left out.

    tensors : list of Tensor

    Returns list of (name, Tensor).
    """
    renamed = [(_on_disk(tensor.name), tensor) for tensor in tensors]
    return [(name, tensor) for name, tensor in renamed if not name.startswith("vit.pooler.")]


def sizes(found):
    """Read the sizes of a ViT off the shapes of its tensors.

    found : `Found` tensors, under the names of `table`
    """
    first = "vit.encoder.layer.0."
    D = found.sizes(f"{TOP['norm']}.weight", "D")["D"]
    patch = found.sizes(f"{PATCH}.weight", "D C P P", D=D)
    return Sizes(
        embed_dim=D,
        in_chans=patch["C"],
        patch_size=patch["P"],
        hidden_dim=found.sizes(f"{first}intermediate.dense.bias", "M")["M"],
        depth=numbered(LAYER, found),
        rows=found.rows(POSITIONS, D),
        num_classes=found.classes("classifier.bias", "classifier.weight", "K D"),
        class_token=True,
        distilled=False,
        qkv_bias=any(QKV_BIAS.search(name) for name in found),
    )


def table(config):
    """Every parameter's tensors in the file, by name and shape.

    config : ViTConfig

    Returns dict parameter -> `Stored`.
    """
    stored = {}
    for param, shape in param_shapes(config).items():
        module, _, kind = param.rpartition(".")
        if param in TOP:
            stored[param] = as_it_is(TOP[param], shape)
        elif module in TOP:
            stored[param] = as_it_is(f"{TOP[module]}.{kind}", shape)
        else:
            _, i, module = module.split(".", 2)  # "blocks", "0", "attn.qkv"
            layer = f"vit.encoder.layer.{i}."
            if module == "attn.qkv":
                parts = [
                    f"{layer}attention.attention.{x}.{kind}" for x in ("query", "key", "value")
                ]
                stored[param] = stacked(parts, (shape[0] // 3, *shape[1:]), shape)
            else:
                stored[param] = as_it_is(f"{layer}{BLOCK[module]}.{kind}", shape)
    return stored


def beside(note):
    """What a config.json of transformers says of the model: dict of ViTConfig's fields.

    note : the file's content, a dict

    Raises InputError for an activation that is not known here.
    """
    fields = {ours: note[theirs] for theirs, ours in WORDS.items() if theirs in note}
    if "activation" in fields:
        if fields["activation"] not in ACTIVATIONS:
            raise InputError(
                f"hidden_act {fields['activation']!r} is not known: {', '.join(ACTIVATIONS)} are"
            )
        fields["activation"] = ACTIVATIONS[fields["activation"]]
    return fields


def config_json(config):
    """What transformers wants to find in config.json beside the weights.

    config : ViTConfig

    Returns dict.
    """
    tanh = config.activation == "gelu_tanh"
    return {
        "architectures": ["ViTForImageClassification"],
        "model_type": "vit",
        "hidden_size": config.embed_dim,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.num_heads,
        "intermediate_size": config.hidden_dim,
        "hidden_act": "gelu_pytorch_tanh" if tanh else config.activation,
        "hidden_dropout_prob": config.drop_rate,
        "attention_probs_dropout_prob": config.attn_drop_rate,
        "layer_norm_eps": config.eps,
        "image_size": config.img_size,
        "patch_size": config.patch_size,
        "num_channels": config.in_chans,
        "qkv_bias": config.qkv_bias,
        "id2label": {str(k): f"LABEL_{k}" for k in range(config.num_classes)},
        "label2id": {f"LABEL_{k}": k for k in range(config.num_classes)},
    }


def require(config):
    """Raise InputError where transformers' ViT has no such variant."""
    wanted = {"norm": "pre", "global_pool": "token", "class_token": True, "distilled": False}
    require_variant(config, "transformers' ViT", **wanted)


def opens_with(path, config):
    """The line of Python that opens a file there: transformers asks for the folder.

    path : of the file; transformers looks for the name model.safetensors
    config : ViTConfig that was saved
    """
    if path.name != FILE:
        return f"transformers, once it is called {FILE}"
    return f"model = transformers.ViTForImageClassification.from_pretrained({str(path.parent)!r})"


def _on_disk(name):
    if name.startswith(WITHOUT_VIT):
        name = f"vit.{name}"
    name = re.sub(r"^vit\.layers\.(\d+)\.", r"vit.encoder.layer.\1.", name)
    layer = LAYER.match(name)
    if layer:
        module, _, kind = name[layer.end() :].rpartition(".")
        name = f"{layer.group()}{IN_MEMORY.get(module, module)}.{kind}"
    return name
