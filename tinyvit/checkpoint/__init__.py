"""Checkpoints: weights and configuration, in the file formats of the field."""

from .load import Checkpoint, load_checkpoint, open_checkpoint, weights_in
from .positions import interpolate_pos_embed
from .safetensors_file import read_safetensors
from .save import save_checkpoint

__all__ = [
    "Checkpoint",
    "interpolate_pos_embed",
    "load_checkpoint",
    "open_checkpoint",
    "read_safetensors",
    "save_checkpoint",
    "weights_in",
]
