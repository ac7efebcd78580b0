"""One array of a weights file: what it is called and how large it is, its numbers on demand."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError

ITEM_SIZES = {
    **{"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2},
    **{"int64": 8, "int32": 4, "int16": 2, "int8": 1},
    **{"uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1, "bool": 1},
}
LONGEST_LIST = 4 * 2**20  # bytes; the list of arrays in a ViT-L/16's file takes 0.04 MB


@dataclass(frozen=True)
class Tensor:
    """An array in a file, not read yet.

    name : as the file has it
    shape : tuple of int
    dtype : NumPy's name of the numbers' kind, or "bfloat16"
    stored : function that gives the array as the file has it, bfloat16 as uint16
    """

    name: str
    shape: tuple
    dtype: str
    stored: Callable = field(repr=False)

    def read(self):
        """Read the numbers; float16 and bfloat16 become float32, other kinds stay as they are.

        Returns an array of the tensor's shape.
        Raises InputError, naming file and tensor, when the numbers are damaged.
        """
        array = self.stored()
        if self.dtype == "bfloat16":  # the upper half of a float32
            return (array.astype(np.uint32) << 16).view(np.float32)
        return array.astype(np.float32) if self.dtype == "float16" else array


def check_tensor(path, name, shape, dtype, size):
    """Refuse a name that cannot be printed, a kind that is not read, sizes that contradict.

    path, name, shape, dtype : as in `Tensor`
    size : how many bytes the file has for it

    Raises InputError.
    """
    if not (0 < len(name) <= 500 and name.isprintable()):
        raise InputError(f"{path}: {name[:60]!r} is no name of a tensor: damaged?")
    if dtype not in ITEM_SIZES:
        raise InputError(
            f"{path}: {name} holds {dtype}, expected float32 (float64, float16, bfloat16 and whole "
            "numbers can be read too)"
        )
    if len(shape) > 32 or 0 in shape:
        raise InputError(f"{path}: {name} is {one_line(shape)}, which is no shape of weights")
    needed = math.prod(shape) * ITEM_SIZES[dtype]
    if needed != size:
        raise InputError(
            f"{path}: {name} has {size:,} bytes, expected {one_line(f'{needed:,}')} for {dtype} of "
            f"{one_line(shape)}"
        )


def one_line(message):
    """Put what a library said on one line, not too long."""
    text = " ".join(str(message).split())
    text = "".join(letter for letter in text if letter.isprintable())
    return text if len(text) <= 200 else f"{text[:200]}..."
