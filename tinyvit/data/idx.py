"""IDX, the file format of MNIST: a magic number, one size an axis, then the plain bytes.

    bytes 0-1   0, 0
    byte  2     the type: 0x08 is uint8, the only one read here
    byte  3     the number of axes: 1 for labels (n,), 3 for images (n, H, W)
    then        each axis's size, a big-endian uint32
    then        the values, last axis fastest

Source: Y. LeCun, C. Cortes, C. Burges, the MNIST database, "File formats".
"""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

from ..errors import InputError

GZIP_DAMAGE = (gzip.BadGzipFile, EOFError, zlib.error)
MAX_BYTES = 4 * 2**30
CHUNK = 2**20


def find_idx(folder, stem):
    """Find an IDX file under any of its usual names.

    folder : where to look
    stem : MNIST's name without `.gz`, such as "train-images-idx3-ubyte"

    Returns the path, or None where there is none.
    """
    for name in (stem, stem.replace("-idx", ".idx")):
        for path in (Path(folder, f"{name}.gz"), Path(folder, name)):
            if os.path.isfile(path):
                return path
    return None


def unzipped(file):
    """Look through gzip where the content, not the name, says that it is gzip.

    file : a binary file, open at its beginning

    Returns a binary file of the plain bytes.
    """
    is_gzip = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return gzip.GzipFile(fileobj=file) if is_gzip else file


def read_idx(path, axes=None):
    """Read a uint8 array from an IDX file, plain or gzip.

    Memory is bounded by what the file really holds, whatever its header promises.

    path : the file
    axes : how many axes are expected: 3 for images, 1 for labels, None for either

    Returns a uint8 array of the shape that the header gives.
    Raises InputError, in one line that names the file, for whatever is wrong with it.
    """
    try:
        with open(path, "rb") as file:
            return _parse(path, unzipped(file), (axes,) if axes else (1, 3))
    except GZIP_DAMAGE as error:
        raise InputError(
            f"{path}: the gzip data are damaged ({error}): delete it and get it again"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _parse(path, file, expected):
    """Read header and values; check each against the other."""
    magic = _read_upto(file, 4)
    if not magic:
        raise InputError(f"{path}: the file is empty: delete it and get it again")
    if magic not in [bytes([0, 0, 0x08, axes]) for axes in expected]:
        wanted = " or ".join(f"0x0000080{axes} (uint8, {axes} axes)" for axes in expected)
        raise InputError(
            f"{path}: its magic number is 0x{magic.hex()}, expected {wanted}: "
            "it is another kind of file, or labels and images are swapped"
        )
    axes = magic[3]
    header = _read_upto(file, 4 * axes)
    if len(header) < 4 * axes:
        raise InputError(
            f"{path}: the header needs {4 + 4 * axes} bytes, the file holds {4 + len(header)}: "
            "it is cut short; delete it and get it again"
        )
    shape = struct.unpack(f">{axes}I", header)
    promise = f"{path}: header promises {'x'.join(map(str, shape))} = {math.prod(shape)} bytes"
    if math.prod(max(size, 1) for size in shape) > MAX_BYTES:
        raise InputError(f"{promise}, more than the {MAX_BYTES} that are read: it is damaged")

    values = _read_upto(file, math.prod(shape) + 1)
    if len(values) < math.prod(shape):
        raise InputError(
            f"{promise}, the file holds {len(values)}: it is cut short; delete it and get it again"
        )
    if len(values) > math.prod(shape):
        raise InputError(f"{promise}, the file holds more: delete it and get it again")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _read_upto(file, count):
    """Read `count` bytes, or all there are; in chunks, as read(count) takes `count` of memory."""
    values = bytearray()
    while len(values) < count and (chunk := file.read(min(CHUNK, count - len(values)))):
        values += chunk
    return values


def idx_bytes(array):
    """Write a uint8 array as the bytes of an IDX file.

    array : labels (n,) or images (n, H, W), uint8

    Returns the bytes, without gzip.
    """
    header = struct.pack(f">HBB{array.ndim}I", 0, 0x08, array.ndim, *array.shape)
    return header + array.astype(np.uint8, casting="no").tobytes()
