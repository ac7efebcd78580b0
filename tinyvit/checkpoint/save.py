"""Writing a checkpoint in the names of tinyvit and timm, of Hugging Face, or of google."""

import json
import warnings
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from ..backend import to_numpy
from ..config import ViTConfig
from ..errors import InputError
from ..files import whole_file
from ..models import model_of
from ..vit import positions
from . import hf
from .formats import FORMATS
from .stored import as_it_is


def save_checkpoint(path, params, config, *, format="timm"):
    """Write parameters and configuration to a file, whole or not at all.

    Each format is what its project loads as it is. Fixed positions (sin-cos) are written as a
    table, since those projects compute none.

    path : the file; its name ends in .safetensors, or in .npz for "google"
    params : dict name -> array
    config : configuration of any registered model for "timm", a ViTConfig for the others
    format : "timm": timm's names, tinyvit's own; "hf": Hugging Face's, with the config.json that
        transformers wants beside it; "google": google-research/vision_transformer's

    Warns where that project computes with another GELU or eps than this model.
    Raises InputError for another format or ending, for a variant that the project has not, or
    where config.json is already there and another program's; OSError where the folder cannot be
    written.

    Source: see `timm.py`, `hf.py` and `google.py` beside this file.
    """
    path, model = Path(path), model_of(config)
    if format not in FORMATS:
        raise InputError(f"checkpoint format {format!r} is not known: use {', '.join(FORMATS)}")
    names = FORMATS[format]
    if path.suffix != names.SUFFIX:
        raise InputError(f"{path}: the name should end in {names.SUFFIX} for format {format!r}")
    metadata = {"tinyvit": json.dumps({"model": model.name, "config": asdict(config)})}
    params = {name: to_numpy(value) for name, value in params.items()}

    if isinstance(config, ViTConfig):
        names.require(config)
        _warn_of_other_numerics(config, names)
        params, config = _with_a_table_of_positions(params, config, format)
        table = names.table(config)
    elif format == "timm":
        table = {name: as_it_is(name, value.shape) for name, value in params.items()}
    else:
        raise InputError(f'format {format!r} is for ViTs, not for the {model.name}: use "timm"')

    tensors = {}
    for name, how in table.items():
        tensors |= zip(how.names, how.from_param(params[name]), strict=True)
    config_json = path.with_name("config.json")
    if format == "hf":
        metadata |= {"format": "pt"}  # transformers insists on it
        _require_no_other(config_json, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if format == "google":
        _write_npz(path, tensors)
    else:
        _write_safetensors(path, tensors, metadata)
    if format == "hf":
        with whole_file(config_json) as temporary:
            temporary.write_text(json.dumps(hf.config_json(config), indent=2) + "\n")


def _warn_of_other_numerics(config, names):
    wrong = {
        name: value for name, value in names.CANNOT_SAY.items() if getattr(config, name) != value
    }
    if wrong:
        ours = ", ".join(f"{name} {getattr(config, name)}" for name in wrong)
        theirs = ", ".join(f"{name} {value}" for name, value in wrong.items())
        warnings.warn(
            f"this model has {ours}; what reads the file takes {theirs}: its logits will differ",
            stacklevel=3,
        )


def _with_a_table_of_positions(params, config, format):
    """The parameters with fixed positions, or none, as the table that the format calls for."""
    if config.pos_embed == "learned" or (config.pos_embed == "none" and format == "timm"):
        return params, config
    table = positions(params, config)
    if table is None:
        table = np.zeros((1, config.num_tokens, config.embed_dim), params["norm.weight"].dtype)
    return params | {"pos_embed": table}, replace(config, pos_embed="learned")


def _write_safetensors(path, tensors, metadata):
    from safetensors.numpy import save_file

    tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    with whole_file(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode  # as umask has it, where save_file would give 0600
        save_file(tensors, temporary, metadata=metadata)
        temporary.chmod(mode)


def _write_npz(path, tensors):
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **tensors)


def _require_no_other(config_json, path):
    """Raise InputError where a config.json is there that transformers did not write."""
    if not config_json.exists():
        return
    try:
        is_ours = json.loads(config_json.read_text(encoding="utf-8"))["model_type"] == "vit"
    except (OSError, ValueError, TypeError, KeyError):
        is_ours = False
    if not is_ours:
        raise InputError(
            f"{config_json}: is another program's, and transformers wants its own of that name: "
            f"put {path.name} into another folder"
        )
