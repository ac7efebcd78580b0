"""Files damaged in many ways: each gives right weights, or one line that names the file.

Never another exception, never much memory, never a long wait. Every run makes the same tries; for
more of them, and how they ended:

    TINYVIT_FUZZ_TRIES=20000 python -m pytest --slow -s tests/test_fuzz_checkpoint.py
"""

import io
import json
import os
import re
import signal
import struct
import tempfile
import tracemalloc
import warnings
import zipfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save
from tiny import first_params, small_config

from tinyvit.checkpoint import load_checkpoint, read_safetensors, save_checkpoint
from tinyvit.checkpoint.weights_file import open_weights
from tinyvit.errors import InputError
from tinyvit.models import model_of

pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

os.environ.setdefault(  # it would keep a folder of its own here
    "HYPOTHESIS_STORAGE_DIRECTORY", str(Path(tempfile.gettempdir(), "hypothesis"))
)
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of a failure
MOST_MEMORY = 16 * 2**20  # bytes; the files have some 10,000
LONGEST = 3  # seconds
AT_ONCE = 500  # hypothesis remembers them all, and is slow where they are many
TRIES = [60, int(os.environ.get("TINYVIT_FUZZ_TRIES", 1000))]
quick_and_slow = pytest.mark.parametrize(
    "tries", [TRIES[0], pytest.param(TRIES[1], marks=pytest.mark.slow)], ids=["quick", "slow"]
)


def fuzz(tries, strategy, attempt):
    """Call attempt(value) for many values; print how often it ended in which way."""
    ends = Counter()
    options = {"database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}

    def counted(value):
        ends[attempt(value)] += 1

    for done in range(0, tries, AT_ONCE):
        some = settings(max_examples=min(AT_ONCE, tries - done), **options)
        seed(done)(some(given(strategy)(counted)))()
    print(f"\n{ends.total():,} tries: {dict(ends)}")


def opened(path):
    """Read every array of a file, all of them what the list of the file says."""
    tensors, metadata = open_weights(path)
    for name, tensor in tensors.items():
        array = tensor.read()
        assert tensor.name == name and array.shape == tensor.shape
        assert array.dtype.kind in "fiub" and array.dtype.isnative and array.flags.aligned
    assert all(isinstance(value, str) for value in metadata.values())


def loaded(path):
    """Load a checkpoint: finite arrays of the shapes that its configuration calls for."""
    params, config = load_checkpoint(path)
    assert {name: a.shape for name, a in params.items()} == model_of(config).param_shapes(config)
    for array in params.values():
        assert array.dtype in ("float32", "float64") and np.isfinite(array).all()


def outcome(path, function):
    """Run a function on a file: the words "read" or "refused", within memory and time."""
    tracemalloc.start()
    try:
        with no_longer_than(LONGEST), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what the file does not say
            function(path)
        end = "read"
    except InputError as error:
        assert len(str(error).splitlines()) == 1 and str(path.parent) in str(error)
        assert len(str(error)) < 2000
        end = "refused"
    finally:
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert memory < MOST_MEMORY
    return end


@contextmanager
def no_longer_than(seconds):
    """Stop what takes longer (where the system can)."""

    def stop(*_):
        raise AssertionError(f"it takes longer than {seconds} s")

    if not hasattr(signal, "setitimer"):  # Windows
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "weights"


def tried(path):
    """Function that writes a file's content and opens and loads it."""

    def attempt(data):
        path.write_bytes(data)
        return f"{outcome(path, opened)}, then {outcome(path, loaded)}"

    return attempt


# ---- good files to start from


@cache
def good_files():
    """Bytes of a small model in every format and kind of file, by name."""
    config = small_config("vit", embed_dim=64, depth=1, num_heads=1, mlp_ratio=0.1, patch_size=8)
    params = first_params(config, "vit", "float32")
    files = {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # other numerics
        for format, suffix in (("timm", "safetensors"), ("hf", "safetensors"), ("google", "npz")):
            path = Path(folder, f"{format}.{suffix}")
            save_checkpoint(path, params, config, format=format)
            files[format] = path.read_bytes()
            if suffix == "safetensors":
                arrays, _ = read_safetensors(path)
                files[f"{format} without a note"] = save(arrays)
                half = {name: array.astype("float16") for name, array in arrays.items()}
                files[f"{format} in half precision"] = save(half)
            else:
                arrays = dict(np.load(path))
                deflated, strange = io.BytesIO(), io.BytesIO()
                np.savez_compressed(deflated, **arrays)
                files["google deflated"] = deflated.getvalue()
                turned = {name: np.asfortranarray(a.astype(">f8")) for name, a in arrays.items()}
                np.savez(strange, **turned)
                files["google in another order"] = strange.getvalue()
        path, config = Path(folder, "cnn.safetensors"), small_config("cnn")
        save_checkpoint(path, first_params(config, "cnn", "float32"), config)
        files["cnn"] = path.read_bytes()
    return files


def test_the_good_files_are_good(path):
    for data in good_files().values():
        assert tried(path)(data) == "read, then read"


# ---- bytes


SIGNATURES = [
    *(b"", b"PK\3\4", b"PK\5\6", b"\x93NUMPY\1\0", b"\x80\x04", b"\x81\xa6params", b"\xde\0\x1e"),
    *(b"\x1f\x8b", b"\x89HDF\r\n\x1a\n", b"GGUF", b"version https://git-lfs", b"\x08\7\x12", b"{"),
    *(struct.pack("<Q", n) + b'{"a":' for n in (5, 100, 2**31, 2**60, 2**64 - 1)),
]
anything = st.tuples(st.sampled_from(SIGNATURES), st.binary(max_size=300)).map(b"".join)


@quick_and_slow
def test_any_bytes(path, tries):
    fuzz(tries, anything, tried(path))


STARTLING = [
    *(bytes(2), bytes(4), bytes(8), b"\xff\xff", b"\xff" * 4, b"\xff" * 8, b"\x7f\xff\xff\xff"),
    *(struct.pack("<Q", 2**n) for n in (16, 24, 31, 32, 40, 60, 63)),
    *(b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"\x93NUMPY", b"\n", b'"', b"{", b"["),
]
piece = st.one_of(st.sampled_from(STARTLING), st.binary(max_size=4))
place = st.one_of(  # most of what can go wrong is near the ends and in the lists
    st.integers(0, 400),
    st.integers(-3000, -1),
    st.integers(-100, -1),
    st.integers(0, 10_000),
    st.tuples(st.sampled_from([b"PK\1\2", b"PK\3\4", b"PK\5\6"]), st.integers(0, 60)),
)
edit = st.tuples(st.sampled_from(["over", "insert", "delete", "cut", "copy"]), place, piece, place)


def place_in(data, place):
    if isinstance(place, tuple):
        places = [match.start() for match in re.finditer(re.escape(place[0]), data)] or [0]
        place = places[place[1] % 7 % len(places)] + place[1]
    return min(place, len(data)) if place >= 0 else max(len(data) + place, 0)


def edited(value):
    """Overwrite, insert, delete, cut off or copy at some places of a file, or join two files."""
    name, other, edits = value
    data = good_files()[name]
    if other is not None:
        cut = place_in(data, other[1])
        data = data[:cut] + good_files()[other[0]][cut:]
    for kind, place, new, end in edits:
        start, end = place_in(data, place), place_in(data, end)
        if kind == "over":
            data = data[:start] + new + data[start + len(new) :]
        elif kind == "insert":
            data = data[:start] + new + data[start:]
        elif kind == "delete":
            data = data[:start] + data[start + len(new) :]
        elif kind == "cut":
            data = data[:start]
        else:
            data = data[:start] + data[end : end + 50] + data[start:]
    return data


names = st.sampled_from(list(good_files()))
damaged = st.tuples(
    names, st.none() | st.tuples(names, place), st.lists(edit, min_size=1, max_size=5)
).map(edited)


@quick_and_slow
def test_damaged_bytes(path, tries):
    fuzz(tries, damaged, tried(path))


# ---- the list in a safetensors file


number = st.one_of(
    st.integers(-2, 20),
    st.integers(-(2**65), 2**65),
    st.sampled_from([2**31, 2**32, 2**53, 2**60, 10**9, 10**400, 0.5, 1e300, float("nan"), True]),
)
word = st.one_of(
    st.text(max_size=5),
    st.sampled_from(["F32", "F64", "BF16", "I64", "U8", "F8_E5M2", "a\nb", "\x1b[2J", "\u2028"]),
    st.sampled_from(["gelu", "relu", "sincos2d", "none", "avg", "token", "post", "vit", "cnn"]),
)
value = st.recursive(
    st.none() | number | word,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(word, inner, max_size=2),
    max_leaves=5,
)


@st.composite
def relisted(draw):
    """A safetensors file whose list was changed, the numbers cut or padded to fit or not."""
    data = good_files()[draw(st.sampled_from([n for n in good_files() if "google" not in n]))]
    length = int.from_bytes(data[:8], "little")
    entries, numbers = json.loads(data[8 : 8 + length]), data[8 + length :]
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(list(entries) or ["w"]))
        entry = entries.get(name)
        what = draw(st.sampled_from(["field", "shape", "swap", "rename", "remove", "replace"]))
        if what == "rename":
            entries[draw(word | st.sampled_from(list(entries)))] = entries.pop(name, None)
        elif what == "remove":
            entries.pop(name, None)
        elif what == "replace":
            entries[name] = draw(value)
        elif what == "swap":
            other = draw(st.sampled_from(list(entries) or ["w"]))
            entries[name], entries[other] = entries.get(other), entries.get(name)
        elif isinstance(entry, dict) and what == "shape" and entry.get("shape"):
            shape = entry["shape"]
            if isinstance(shape, list):
                entry["shape"] = draw(st.permutations(shape) | st.lists(number, max_size=4))
        elif isinstance(entry, dict) and entry:
            entry[draw(st.sampled_from(list(entry)))] = draw(value)
    text = json.dumps(entries).encode()
    if draw(st.booleans()):
        numbers = numbers[: draw(st.integers(0, len(numbers)))]
    return struct.pack("<Q", len(text)) + text + numbers


@quick_and_slow
def test_changed_lists(path, tries):
    fuzz(tries, relisted(), tried(path))


# ---- the arrays in an .npz file


HEADERS = [
    *(b"|O", b"<f2", b"<f8", b">f4", b"<V2", b"<c8", b"|S4", b"<U1", b"<i4", b"|u1", b"|b1"),
    *(b"True", b"(", b")", b"9" * 30, b"-1", b"0", b"L", b"'", b"\n", b"\0", b", 'x': 1"),
]


@st.composite
def rezipped(draw):
    """An .npz file with arrays changed, taken away and put twice, by the rules of zip archives."""
    data = good_files()[draw(st.sampled_from([n for n in good_files() if "google" in n]))]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [[info.filename, archive.read(info)] for info in archive.infolist()]
    for _ in range(draw(st.integers(1, 3))):
        i = draw(st.integers(0, len(members) - 1))
        name, array = members[i]
        what = draw(st.sampled_from(["header", "header", "bytes", "rename", "swap", "twice"]))
        if what == "header":
            at, new = draw(st.integers(6, 80)), draw(st.sampled_from(HEADERS) | st.binary())
            array = array[:at] + new + array[at + len(new) :]
        elif what == "bytes":
            array = array[: draw(st.integers(0, len(array)))] + draw(st.binary(max_size=9))
        elif what == "rename":
            name = draw(st.sampled_from(["w", "../x.npy", "", "data.pkl"]) | word)
            name += draw(st.sampled_from(["", ".npy"]))
        elif what == "swap":
            array = members[draw(st.integers(0, len(members) - 1))][1]
        else:
            members.append([name, array])
        members[i] = [name, array]
    file = io.BytesIO()
    kind = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", kind) as archive:
        warnings.simplefilter("ignore", UserWarning)  # a name is there twice
        for name, array in members:
            archive.writestr(zipfile.ZipInfo(name), array, kind)
    return file.getvalue()


@quick_and_slow
def test_changed_arrays(path, tries):
    fuzz(tries, rezipped(), tried(path))


# ---- what a file says of its model, and config.json


@st.composite
def renoted(draw):
    """A checkpoint of tinyvit's whose note says something else."""
    data = good_files()[draw(st.sampled_from(["timm", "cnn"]))]
    length = int.from_bytes(data[:8], "little")
    entries = json.loads(data[8 : 8 + length])
    note = json.loads(entries["__metadata__"]["tinyvit"])
    part = draw(st.sampled_from([note, note["config"], note["config"], note["config"]]))
    for _ in range(draw(st.integers(1, 2))):
        part[draw(st.sampled_from(list(part)) | word)] = draw(value)
    entries["__metadata__"]["tinyvit"] = json.dumps(note)
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


@quick_and_slow
def test_changed_notes(path, tries):
    fuzz(tries, renoted(), tried(path))


FIELDS = [
    *("num_attention_heads", "layer_norm_eps", "hidden_act", "architecture", "num_classes"),
    *("global_pool", "model_args", "num_labels", "id2label", "image_size", "patch_size"),
]
GIVEN = st.dictionaries(
    st.sampled_from(["num_heads", "depth", "img_size", "class_token"]), value, max_size=2
)
besides = st.one_of(
    st.dictionaries(st.sampled_from(FIELDS), value | GIVEN, max_size=3).map(
        lambda note: json.dumps(note).encode()
    ),
    value.map(lambda note: json.dumps(note).encode()),
    st.binary(max_size=20),
    st.sampled_from([b"[" * 5000, b'{"a":' * 2000, b"\xff\xfe{\0}\0", b"9" * 5000]),
)


@quick_and_slow
def test_a_changed_config_json(path, tries):
    def attempt(value):
        name, note = value
        path.write_bytes(good_files()[name])
        path.with_name("config.json").write_bytes(note)
        return outcome(path, loaded)

    files = st.sampled_from(["timm without a note", "hf without a note", "google"])
    try:
        fuzz(tries, st.tuples(files, besides), attempt)
    finally:
        path.with_name("config.json").unlink()


STARTLING_VALUES = (0, -1, 2**31, 10**18 + 9, 10**400, 1e300, 1e-300, "x", None, True, [], {})


@pytest.mark.parametrize("startling", STARTLING_VALUES, ids=lambda value: repr(value)[:9])
@pytest.mark.parametrize("field", sorted(asdict(small_config("vit"))))
def test_no_value_of_a_field_leads_astray(path, field, startling):
    data = good_files()["timm"]
    length = int.from_bytes(data[:8], "little")
    entries = json.loads(data[8 : 8 + length])
    note = json.loads(entries["__metadata__"]["tinyvit"])
    note["config"][field] = startling
    entries["__metadata__"]["tinyvit"] = json.dumps(note)
    text = json.dumps(entries).encode()
    tried(path)(struct.pack("<Q", len(text)) + text + data[8 + length :])
