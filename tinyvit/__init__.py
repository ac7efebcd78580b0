"""tinyvit: a Vision Transformer from scratch, forward and backward, on NumPy or CuPy."""

__version__ = "0.1.0"

from . import ops
from .backend import get_array_module, to_device, to_numpy
from .checkpoint import load_checkpoint, save_checkpoint
from .config import ViTConfig
from .gradcheck import check_backward
from .params import init_params
from .trace import trace
from .vit import vit_backward, vit_forward

__all__ = [
    "ViTConfig",
    "__version__",
    "check_backward",
    "get_array_module",
    "init_params",
    "load_checkpoint",
    "ops",
    "save_checkpoint",
    "to_device",
    "to_numpy",
    "trace",
    "vit_backward",
    "vit_forward",
]
