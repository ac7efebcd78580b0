"""Says what a file is that is no file of weights to read here, and what to do with it."""

import re
import shlex

CONVERT = (
    'python -c "import sys, torch; from safetensors.torch import save_file; '
    "d = torch.load(sys.argv[1], map_location='cpu', weights_only=True); "
    "d = d.get('model', d.get('state_dict', d)); "
    "save_file({k: v.clone().contiguous() for k, v in d.items() if torch.is_tensor(v)}, "
    'sys.argv[2])"'
)
UNPACK = "is a {} file: unpack it first"
IMAGE = "is a {} image, expected a file of weights"
STARTS = [  # how a file begins, what it is and what to do
    (b"version https://git-lfs", "is a Git LFS pointer, not the weights: run git lfs pull"),
    (b"\x89HDF\r\n\x1a\n", "is an HDF5 file (Keras?): save its arrays with numpy.savez"),
    (b"GGUF", "is a GGUF file, of a language model: expected safetensors or .npz"),
    (b"\x93NUMPY", "is one array (.npy), not a set: save all of them with numpy.savez"),
    (b"\x1f\x8b", UNPACK.format("gzip")),
    (b"BZh", UNPACK.format("bzip2")),
    (b"\xfd7zXZ", UNPACK.format("xz")),
    (b"\x28\xb5\x2f\xfd", UNPACK.format("zstd")),
    (b"7z\xbc\xaf", UNPACK.format("7z")),
    (b"\xff\xd8\xff", IMAGE.format("JPEG")),
    (b"\x89PNG", IMAGE.format("PNG")),
]
PICKLE = re.compile(rb"\x80[\x02-\x05](?!\0{2})..", re.DOTALL)
MSGPACK = re.compile(rb"([\x81-\x8f]|\xde..)[\xa1-\xbf]\w{2}", re.DOTALL)
GRAPH = re.compile(rb"\x08[\x01-\x20]\x12")


def what_it_is(path, start):
    """Describe a file by its first bytes.

    path : where it is, a Path
    start : its first 512 bytes, or all of them

    Returns what follows "path: " in the error.
    """
    if not start:
        return "is no whole safetensors file, it is empty (0 bytes): get it again"
    for signature, what in STARTS:
        if start.startswith(signature):
            return what
    if PICKLE.match(start) or start[257:262] == b"ustar":
        return torch_file(path)
    if MSGPACK.match(start):
        return "is msgpack (Flax?): save its arrays with numpy.savez, or in safetensors"
    if GRAPH.match(start):
        return "is an ONNX or TensorFlow graph: save its arrays with numpy.savez"
    text = start.decode("utf-8", "surrogateescape")
    readable = sum(letter.isprintable() or letter in "\r\n\t" for letter in text)
    if readable >= 0.98 * len(text):  # a letter may be cut at the end
        return f"is a text file ({_begin(text)}), no whole safetensors file and no .npz file"
    return (
        f"is no whole safetensors file and no .npz file (it begins with {start[:8].hex(' ')}): cut "
        "short, damaged or of another kind"
    )


def torch_file(path):
    """Say why a PyTorch file is not read, and how to make a safetensors file of it.

    path : where it is, a Path

    Returns what follows "path: " in the error.
    """
    new = path.with_suffix(".safetensors")
    if new == path:
        new = path.with_name(f"{path.stem}_converted.safetensors")
    names = " ".join(shlex.quote(name.as_posix()) for name in (path, new))
    return (
        "is a pickle (PyTorch?): to open it can run code, so it is not read; where torch is "
        f"installed, this makes a safetensors file of its arrays: {CONVERT} {names}"
    )


def _begin(text):
    line = " ".join(text.split())[:40]
    return repr("".join(letter for letter in line if letter.isprintable()))
