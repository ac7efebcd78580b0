"""Memory that is used again: arrays nobody holds any more serve the next call.

A fresh large array is memory from the system: a page fault for every 4 KiB, more work than the
arithmetic done on it. The arrays of one training step are those of the next.
"""

import threading
from contextlib import contextmanager
from math import prod
from sys import getrefcount

import numpy as np

LINE = 64  # bytes of a cache line


class Buffers:
    """Arrays of one thread, by shape and dtype."""

    def __init__(self):
        self._arrays = {}

    def empty(self, shape, dtype):
        """An array with arbitrary contents: one that nobody holds any more, else a new one."""
        arrays = self._arrays.setdefault((shape, dtype), [])
        for i in range(len(arrays)):
            if getrefcount(arrays[i]) == _NOBODY and getrefcount(arrays[i].base) == _NO_VIEW:
                return arrays[i]
        arrays.append(_aligned(shape, dtype))
        return arrays[-1]


def empty(shape, dtype):
    """As `numpy.empty`; inside `reuse`, on memory that was used before.

    shape : tuple
    dtype : numpy.dtype
    """
    buffers = getattr(_current, "buffers", None)
    return np.empty(shape, dtype) if buffers is None else buffers.empty(shape, dtype)


@contextmanager
def reuse(buffers):
    """Within this block and thread, `empty` takes its arrays from `buffers`."""
    before = getattr(_current, "buffers", None)
    _current.buffers = buffers
    try:
        yield
    finally:
        _current.buffers = before


_current = threading.local()


def _aligned(shape, dtype):
    """An array that starts where a cache line does; its `base` is the memory, also of its views."""
    size = prod(shape) * dtype.itemsize
    memory = np.empty(size + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    return memory[start : start + size].view(dtype).reshape(shape)


_kept = [_aligned((1,), np.dtype("f4"))]
_NOBODY = getrefcount(_kept[0])  # the list, and the call that counts
_NO_VIEW = getrefcount(_kept[0].base)  # the array itself, and the call
