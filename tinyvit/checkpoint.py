"""Checkpoints: weights and configuration in one safetensors file, in timm's names."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .config import replace_fields
from .errors import InputError
from .files import whole_file
from .models import get_model, model_of


def save_checkpoint(path, params, config, *, format="timm"):
    """Write parameters and configuration to one file, whole or not at all.

    path : a file whose name ends in .safetensors
    params : dict name -> NumPy array
    config : configuration of any registered model
    format : "timm": timm's names, which its models load as they are

    Raises InputError for another format, OSError where the folder cannot be written.
    """
    if format != "timm":
        raise InputError(f'checkpoint format {format!r} is not known: use "timm"')
    from safetensors.numpy import save

    note = {"model": model_of(config).name, "config": asdict(config)}
    arrays = {name: np.ascontiguousarray(value) for name, value in params.items()}
    with whole_file(path) as temporary:
        temporary.write_bytes(save(arrays, metadata={"tinyvit": json.dumps(note)}))


def load_checkpoint(path, **overrides):
    """Read parameters and configuration that `save_checkpoint` wrote.

    path : a .safetensors file
    overrides : fields of the configuration to replace

    Returns
        params : dict name -> array, in the order of the model's shape table
        config : the configuration
    Raises InputError, naming the file and the tensor, when the file is missing, damaged, of another
    kind, or when names, shapes or values are not what the configuration calls for. Nothing in the
    file is run.
    """
    arrays, metadata = read_safetensors(path)
    try:
        note = json.loads(metadata["tinyvit"])
        model = get_model(note["model"])
        config = replace_fields(model.config_class(**note["config"]), **overrides)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: holds tensors but no tinyvit configuration: another program wrote it"
        ) from error
    return _as_expected(arrays, model.param_shapes(config), path), config


def read_safetensors(path):
    """Read every array of a safetensors file.

    path : the file

    Returns
        arrays : dict name -> NumPy array
        metadata : dict of strings
    Raises InputError when the file is missing, cut short or no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return arrays, file.metadata() or {}
    except (SafetensorError, TypeError) as error:
        raise InputError(
            f"{path}: is no whole safetensors file ({error}): cut short, damaged or of another kind"
        ) from error


def _as_expected(arrays, shapes, path):
    missing = [name for name in shapes if name not in arrays]
    extra = [name for name in arrays if name not in shapes]
    if missing or extra:
        what = f"{missing[0]} is missing" if missing else f"{extra[0]} is not expected"
        raise InputError(
            f"{path}: {what} ({len(arrays)} tensors found, its configuration calls for "
            f"{len(shapes)})"
        )
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise InputError(f"{path}: {name} is {arrays[name].shape}, expected {shape}")
        if arrays[name].dtype.kind != "f":
            raise InputError(f"{path}: {name} holds {arrays[name].dtype}, expected float32")
        if not np.isfinite(arrays[name]).all():
            raise InputError(f"{path}: {name} holds NaN or infinity: the training had failed")
    return {name: arrays[name] for name in shapes}
