"""What is in a safetensors file: the length of a list, the list as JSON, the numbers."""

import json
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import InputError
from .tensor import LONGEST_LIST, Tensor, check_tensor, one_line

MAPPED_FROM = 32 * 2**20  # bytes; smaller files are read, and can be replaced on Windows, too
DTYPES = {
    **{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"},
    **{"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8"},
    **{"U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool"},
}


def open_safetensors(path):
    """List the arrays of a safetensors file.

    A large file is mapped into memory: its numbers come from the disk when they are first used, and
    what is written to an array stays out of the file.

    path : the file

    Returns
        tensors : dict name -> Tensor, in the file's order
        metadata : dict of strings
    Raises InputError when the file is missing, cut short or no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        length = _list_length(path)
        with safe_open(path, framework="numpy"):  # checks the list against the file's size
            pass
        mapped = path.stat().st_size > MAPPED_FROM
        data = np.memmap(path, np.uint8, "c") if mapped else np.fromfile(path, np.uint8)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(
            f"{path}: is no whole safetensors file ({one_line(error)}): cut short, damaged or of "
            "another kind"
        ) from error
    entries = json.loads(data[8 : 8 + length].tobytes())
    metadata = entries.pop("__metadata__", None) or {}
    return _tensors(path, entries, data[8 + length :].view(np.ndarray)), metadata


def read_safetensors(path):
    """Read every array of a safetensors file.

    path : the file

    Returns
        arrays : dict name -> NumPy array
        metadata : dict of strings
    Raises InputError when the file is missing, cut short or no safetensors file.
    """
    tensors, metadata = open_safetensors(path)
    return {name: np.array(tensor.read()) for name, tensor in tensors.items()}, metadata


def _list_length(path):
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > LONGEST_LIST:
        size = path.stat().st_size
        raise ValueError(f"a list of {length:,} bytes in a file of {size:,} bytes")
    return length


def _tensors(path, entries, data):
    tensors = {}
    for name, entry in entries.items():
        try:
            shape, (begin, end) = tuple(entry["shape"]), entry["data_offsets"]
            dtype = DTYPES.get(entry["dtype"], entry["dtype"])
        except TypeError as error:  # ["F32", [3], [0, 12]], which the library takes, too
            raise InputError(
                f"{path}: {one_line(name)} is listed as {one_line(entry)}, expected dtype, shape "
                "and data_offsets"
            ) from error
        check_tensor(path, name, shape, dtype, end - begin)
        tensors[name] = Tensor(name, shape, dtype, partial(_part, data, begin, end, shape, dtype))
    return tensors


def _part(data, begin, end, shape, dtype):
    kind = "uint16" if dtype == "bfloat16" else dtype
    array = data[begin:end].view(np.dtype(kind).newbyteorder("<")).reshape(shape)
    return np.require(array, kind, "A")  # a copy where the numbers begin at an odd place
