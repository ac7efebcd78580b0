"""Opens a file of weights of either kind, and says of any other file what it is."""

from pathlib import Path

from ..errors import InputError
from .npz_file import open_npz
from .other_kinds import what_it_is
from .safetensors_file import open_safetensors
from .tensor import Tensor

__all__ = ["Tensor", "open_weights"]


def open_weights(path):
    """List the arrays of a file of weights, which its first bytes tell, not its name.

    path : a safetensors file, or an .npz file

    Returns
        tensors : dict name -> Tensor, in the file's order; nothing is read until `tensor.read()`
        metadata : dict of strings; {} for .npz
    Raises InputError when the file is missing, damaged or of another kind. Nothing in it is run.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise InputError(f"{path}: there is no such file, but a folder: name the file in it")
        if not path.is_file():
            raise InputError(f"{path}: there is no such file")
        with open(path, "rb") as file:
            start = file.read(512)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    length = int.from_bytes(start[:8], "little")
    if start[8:9] == b"{" and length < path.stat().st_size:
        return open_safetensors(path)
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return open_npz(path)
    if start[8:9] == b"{" and 0 in start[:8]:
        return open_safetensors(path)  # which says what is wrong with it
    raise InputError(f"{path}: {what_it_is(path, start)}")
