"""What is in an .npz file: a zip archive of .npy files, each a short text and the numbers."""

import io
import math
import re
import struct
import weakref
import zipfile
import zlib
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import InputError
from .other_kinds import torch_file
from .tensor import ITEM_SIZES, LONGEST_LIST, Tensor, check_tensor, one_line

PIECE = 2**20  # bytes read at a time
ALWAYS_ALLOWED = 256 * 2**20  # bytes that a file may unpack to, however small it is
MOST_MEMBERS = 10_000  # a ViT-L/16 has 296
LONGEST_HEADER = 4096  # bytes; NumPy writes 128
MAGIC = re.compile(rb"\x93NUMPY[\1-\3].", re.DOTALL)
HEADER = re.compile(
    r"\s*\{\s*'descr':\s*(?P<descr>'[^']*'|\[.*\]),\s*'fortran_order':\s*(?P<order>True|False),"
    r"\s*'shape':\s*\((?P<shape>(?:\s*\d+L?\s*,)*\s*(?:\d+L?\s*)?)\)\s*,?\s*\}\s*"
)
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(OSError, EOFError, ValueError, NotImplementedError),
)


def open_npz(path):
    """List the arrays of an .npz file; nothing is unpacked but the start of each.

    path : the file, as NumPy's savez or savez_compressed writes it

    Returns
        tensors : dict name -> Tensor, in the file's order
        metadata : {}, the format has none
    Raises InputError when the file is missing, damaged, no .npz file, or would unpack to much more
    than its size; and for an array of anything but numbers: Python objects are not unpickled.
    """
    path = Path(path)
    try:
        archive = _archive(path)
    except DAMAGE as error:
        raise InputError(f"{path}: is no whole .npz file ({one_line(error)}): damaged") from error
    _check_list(path, archive)
    tensors = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        start, order, shape, dtype, big = _header(path, archive, member, name)
        check_tensor(path, name, shape, dtype, member.file_size - start)
        read = partial(_read, path, archive, member, start, order, shape, dtype, big)
        tensors[name] = Tensor(name, shape, dtype, read)
    return tensors, {}


class _ShortReads(io.BufferedReader):
    """A file that refuses to be read in one enormous piece, as a false list would have it."""

    def read(self, size=-1):
        if size > LONGEST_LIST:
            raise ValueError(f"a list of members of {size:,} bytes")
        return super().read(size)


def _archive(path):
    file = _ShortReads(io.FileIO(path))
    try:
        archive = zipfile.ZipFile(file)
    except BaseException:
        file.close()
        raise
    weakref.finalize(archive, file.close)
    return archive


def _check_list(path, archive):
    """Refuse, from the list of members alone, what is no set of arrays or unpacks to too much."""
    members, size = archive.infolist(), path.stat().st_size
    if any(member.filename.endswith("data.pkl") for member in members):
        raise InputError(f"{path}: {torch_file(path)}")
    if len(members) > MOST_MEMBERS:
        raise InputError(f"{path}: has {len(members):,} arrays, expected {MOST_MEMBERS:,} at most")
    seen = set()
    for member in members:
        name = one_line(member.filename)
        if not member.filename.endswith(".npy"):
            raise InputError(f"{path}: is a zip archive with {name}, expected .npy files alone")
        if member.filename in seen:
            raise InputError(f"{path}: {name} is in it twice")
        seen.add(member.filename)
        if member.flag_bits & 1:
            raise InputError(f"{path}: {name} is encrypted: save it again without a password")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(
                f"{path}: {name} is packed by method {member.compress_type}, expected stored or "
                "deflated: save it again with numpy.savez"
            )
    total, allowed = sum(member.file_size for member in members), max(ALWAYS_ALLOWED, 20 * size)
    if total > allowed:
        largest = max(members, key=lambda member: member.file_size)
        raise InputError(
            f"{path}: {one_line(largest.filename)} claims {largest.file_size:,} bytes, and all of "
            f"its arrays {total:,}, in a file of {size:,}: expected at most {allowed:,}"
        )


def _header(path, archive, member, name):
    """Read the text at the start of an .npy file: where the numbers begin, and what they are."""
    try:
        with archive.open(member) as file:
            magic = file.read(8)
            width = 2 if magic[6:7] == b"\x01" else 4
            length = int.from_bytes(file.read(width), "little")
            text = file.read(min(length, LONGEST_HEADER))
    except DAMAGE as error:
        raise InputError(f"{path}: {one_line(name)} is damaged ({one_line(error)})") from error
    match = HEADER.fullmatch(text.decode("latin-1"))
    if not MAGIC.fullmatch(magic) or len(text) != length or not match:
        raise InputError(f"{path}: {one_line(name)} is no array of NumPy's: damaged?")
    shape = tuple(int(size) for size in re.findall(r"\d+", match["shape"]))
    big, dtype = _dtype(match["descr"].strip("'"))
    return 8 + width + length, "CF"[match["order"] == "True"], shape, dtype, big


def _dtype(descr):
    """Give whether the most significant byte comes first, and NumPy's name of the kind."""
    if descr.endswith("O"):
        return False, "Python objects, which are not read because they can run code"
    if descr in ("<V2", "|V2"):  # how NumPy writes JAX's bfloat16
        return False, "bfloat16"
    kinds = {"f": "float", "i": "int", "u": "uint", "b": "bool"}
    match = re.fullmatch(r"([<>|=])([fiub])([1248])", descr)
    name = match and kinds[match[2]] + ("" if match[2] == "b" else str(8 * int(match[3])))
    return descr.startswith(">"), name if name in ITEM_SIZES else one_line(descr)


def _read(path, archive, member, start, order, shape, dtype, big):
    kind = np.dtype("uint16" if dtype == "bfloat16" else dtype).newbyteorder("<>"[big])
    array = np.empty(math.prod(shape), kind)
    room = memoryview(array.view(np.uint8))
    try:
        with archive.open(member) as file:
            file.read(start)
            done = 0
            while done < len(room):
                piece = file.read(min(PIECE, len(room) - done))
                if not piece:
                    raise EOFError(f"ends after {done:,} of {len(room):,} bytes")
                room[done : done + len(piece)] = piece
                done += len(piece)
    except DAMAGE as error:
        name = member.filename.removesuffix(".npy")
        raise InputError(f"{path}: {name} is damaged ({one_line(error)})") from error
    return array.astype(kind.newbyteorder("="), copy=False).reshape(shape, order=order)
