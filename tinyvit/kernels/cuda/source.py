"""Compile the .cu files beside this one, for the sizes and the number type at hand."""

from functools import cache
from importlib.resources import files
from re import MULTILINE, sub

import cupy
import numpy as np

BF16 = np.dtype(np.uint16)  # an array of these holds the bits of bf16 numbers
TYPES = {
    "float32": ("float", "float"),
    "float64": ("double", "double"),
    "uint16": ("float", "bf16"),
}
OPTIONS = ("-lineinfo", "--std=c++17")
BLOCK = 256  # threads, where nothing else speaks for another number


class Kernel:
    """One `__global__` function, ready to be launched.

    function : cupy.RawKernel
    real : NumPy type of its `real`
    """

    def __init__(self, function, real):
        self._function, self._real = function, real

    def __call__(self, grid, block, *args, shared=0):
        """Launch it on CuPy's current stream.

        grid, block : up to three numbers each
        args : arrays; None for a null pointer; int for `int`, float for `real`; others as they are
        shared : bytes of dynamic shared memory
        """
        if shared > self._function.max_dynamic_shared_size_bytes:
            self._function.max_dynamic_shared_size_bytes = shared
        self._function(grid, block, [self._argument(arg) for arg in args], shared_mem=shared)

    def rows(self, count, *args):
        """Launch it with a warp for each of `count` rows."""
        self((-(-count // (BLOCK // 32)),), (BLOCK,), *args)

    def elements(self, count, *args):
        """Launch it with a thread for each of `count` elements.

        Raises ValueError where they are too many to be numbered in 32 bits.
        """
        if count >= 1 << 31:
            raise ValueError(f"{count} elements are more than a kernel numbers: take fewer images")
        self((-(-count // BLOCK),), (BLOCK,), *args)

    def _argument(self, value):
        if value is None:
            return np.uintp(0)
        if isinstance(value, int):
            return np.int32(value)
        return self._real(value) if isinstance(value, float) else value


@cache
def kernel(stem, name, dtype="float32", **macros):
    """A kernel of `stem`.cu.

    stem, name : of the file, of the function in it
    dtype : of the activations: float32, float64, or uint16, which stands for bf16
    macros : what the file's `#define`s are to be

    Returns a `Kernel`; compiled at its first launch, and kept on disk by CuPy.
    """
    real, stored = TYPES[str(dtype)]
    code = source(stem, REAL=real, STORED=stored, **macros)
    function = _module(code).get_function(name)
    return Kernel(function, np.float64 if real == "double" else np.float32)


def source(stem, **macros):
    """CUDA C++ of `stem`.cu in one text: macros first, then what it includes, then itself."""
    defines = "".join(f"#define {name} {value}\n" for name, value in macros.items())
    body = sub(
        r'^#include "(.*)"$', lambda match: _text(match[1]), _text(f"{stem}.cu"), flags=MULTILINE
    )
    return defines + body


@cache
def _module(code):
    return cupy.RawModule(code=code, options=OPTIONS)


def _text(name):
    return files(__package__).joinpath(name).read_text()


def vector(width, *arrays):
    """How many neighbours a thread may read at once: 4, 2 or 1.

    width : numbers of which a row is a whole multiple
    arrays : all that are read or written so, or None; where each starts counts, too
    """
    there = [array for array in arrays if array is not None]
    for count in (4, 2):
        if width % count == 0 and all(a.data.ptr % (count * a.itemsize) == 0 for a in there):
            return count
    return 1


def real_of(dtype):
    """The type that is computed with where `dtype` is stored."""
    return np.dtype(np.float32) if dtype == BF16 else np.dtype(dtype)
