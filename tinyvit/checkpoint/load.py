"""Reading a checkpoint: every tensor that its model calls for, and nothing else."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from ..config import ViTConfig, replace_fields
from ..errors import InputError
from ..models import model_of
from .configuration import from_note, from_shapes, warn
from .formats import FORMATS, format_of
from .positions import interpolate_pos_embed
from .sizes import DEEPEST, Found
from .stored import as_it_is
from .weights_file import Tensor, open_weights

IN_A_FOLDER = ("model.safetensors", "pytorch_model.bin", "checkpoint.safetensors")
FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True)
class Checkpoint:
    """What a file of weights holds.

    params : dict name -> array, in timm's names and order
    config : of the model
    format : whose names the file is in: "timm", "hf" or "google"
    path : the file
    """

    params: dict
    config: object
    format: str
    path: Path


def load_checkpoint(path, **overrides):
    """Read a model's parameters and configuration from a file of weights.

    The file's content says whose names it is in: timm's (and tinyvit's own), Hugging Face's, or
    google-research/vision_transformer's; each brings its own GELU and eps. What no shape can say
    comes from a note in the file or the config.json beside it, else from `overrides`, else it is
    what is usual, with a warning.

    path : a .safetensors or .npz file, or a folder that holds model.safetensors
    overrides : fields of the configuration to replace; for another img_size a learned table of
        positions is interpolated, in the way of the project whose names the file is in

    Returns
        params : dict name -> array, in the order of the model's shape table; of a large
            .safetensors file they are windows into the file, read as they are used
        config : the configuration
    Raises InputError, naming the file and the tensor, when the file is missing, damaged, of another
    kind, or when names, shapes or values are not what the configuration calls for. Nothing in the
    file is run.
    """
    checkpoint = open_checkpoint(path, **overrides)
    return checkpoint.params, checkpoint.config


def open_checkpoint(path, **overrides):
    """As `load_checkpoint`, and tell whose names the file is in: returns a `Checkpoint`."""
    path = _file_of(Path(path))
    try:
        return _open(path, **overrides)
    except InputError as error:
        if str(error).startswith((str(path), str(path.with_name("config.json")))):
            raise
        raise InputError(f"{path}: {error}") from error


def weights_in(folder):
    """The file of weights in a folder, by the names that the projects give it; None without one."""
    files = (Path(folder) / name for name in IN_A_FOLDER)
    return next((file for file in files if file.is_file()), None)


def _file_of(path):
    if not path.is_dir():
        return path
    file = weights_in(path)
    if file is None:
        raise InputError(
            f"{path}: there is no such file, but a folder without model.safetensors or "
            "checkpoint.safetensors: name the file of weights in it"
        )
    return file


def _open(path, img_size=None, **overrides):
    tensors, metadata = open_weights(path)
    config = from_note(metadata)
    if config is not None and not isinstance(config, ViTConfig):
        if img_size is not None:
            overrides["img_size"] = img_size
        return _of_another_model(path, tensors, replace_fields(config, **overrides))

    format = format_of(tensors) if tensors or config is None else "timm"
    names = FORMATS[format]
    found = Found.of(names.canonical(tensors.values()))
    _leave_out_pre_logits(found, path)
    if config is not None:
        config = replace_fields(config, **overrides)
    else:
        sizes = names.sizes(found)
        if sizes.rows is None and img_size is not None:
            overrides["img_size"] = img_size
        config = from_shapes(sizes, names, path, **overrides)
        if sizes.num_classes is None:
            found |= _head_of_zeros(names.table(config))

    if config.depth > DEEPEST:
        raise InputError(f"calls for {config.depth:,} blocks, expected {DEEPEST:,} at most")
    stored = replace(config, pos_embed="learned") if names.POSITIONS in found else config
    params = _params(found, names.table(stored))
    if img_size not in (None, config.img_size):
        config = replace(config, img_size=img_size)
        if "pos_embed" in params:
            params["pos_embed"] = interpolate_pos_embed(
                params["pos_embed"],
                img_size // config.patch_size,
                method=names.RESIZING,
                num_prefix_tokens=config.num_prefix_tokens,
            )
    if config.pos_embed != "learned":
        params.pop("pos_embed", None)  # a fixed table, written out for other programs
    return Checkpoint(params, config, format, path)


def _of_another_model(path, tensors, config):
    shapes = model_of(config).param_shapes(config)
    table = {name: as_it_is(name, shape) for name, shape in shapes.items()}
    return Checkpoint(_params(tensors, table), config, "timm", path)


def _leave_out_pre_logits(found, path):
    layer = [name for name in found if name.startswith("pre_logits")]
    if layer:
        warn(
            f"{path}: {' and '.join(layer)}, a layer before the head, are left out, as timm leaves "
            "them out: features stay the same, logits do not"
        )
    for name in layer:
        del found[name]


def _head_of_zeros(table):
    shapes = {table[param].names[0]: table[param].shape for param in ("head.weight", "head.bias")}
    return {
        name: Tensor(name, shape, "float32", partial(np.zeros, shape, "float32"))
        for name, shape in shapes.items()
    }


def _params(found, table):
    """Put the parameters together from tensors that are all there, and all as expected."""
    shapes = {name: how.shape for how in table.values() for name in how.names}
    missing = [name for name in shapes if name not in found]
    extra = [found[name].name for name in found if name not in shapes]
    if missing or extra:
        what = f"{missing[0]} is missing" if missing else f"{extra[0]} is not expected"
        raise InputError(
            f"{what} ({len(found)} tensors found, its configuration calls for {len(shapes)})"
        )
    for name, shape in shapes.items():
        if found[name].shape != shape:
            raise InputError(f"{found[name].name} is {found[name].shape}, expected {shape}")
        if found[name].dtype not in FLOATS:
            raise InputError(f"{found[name].name} holds {found[name].dtype}, expected float32")
    return {
        param: how.to_param([_finite(found[name]) for name in how.names])
        for param, how in table.items()
    }


def _finite(tensor):
    array = tensor.read()
    if not np.isfinite(array).all():
        raise InputError(f"{tensor.name} holds NaN or infinity: the training had failed")
    return array
