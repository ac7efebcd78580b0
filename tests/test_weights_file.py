"""Files of weights open by their content; any other file gets one line that says what it is."""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save
from tiny import environment

from tinyvit.checkpoint import npz_file, read_safetensors, safetensors_file
from tinyvit.checkpoint.weights_file import Tensor, open_weights
from tinyvit.errors import InputError

KINDS = ["safetensors", "npz", "deflated npz"]
each_kind = pytest.mark.parametrize("kind", KINDS)
HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"


def arrays():
    """Arrays of every kind that is read, in no sorted order."""
    rng = np.random.default_rng(0)
    found = {"z/kernel": rng.standard_normal((2, 3, 5)).astype("float32")}
    found |= {"a.weight": rng.standard_normal((4, 3)), "half": rng.random(7).astype("float16")}
    for i, kind in enumerate(("int64", "int32", "int16", "int8", "uint64", "uint8", "bool")):
        found[f"{kind}"] = rng.integers(0, 2, (i + 1, 2)).astype(kind)
    return found | {"scalar": np.full((), 2.5, "float32")}


def content(kind, tensors):
    """The bytes of a file of tensors."""
    if kind == "safetensors":
        return save(tensors)
    file = io.BytesIO()
    (np.savez if kind == "npz" else np.savez_compressed)(file, **tensors)
    return file.getvalue()


def write(folder, data, name="weights"):
    path = folder / name
    path.write_bytes(data)
    return path


def npy(header=HEADER, data=bytes(24), version=b"\1\0"):
    """An .npy file from its parts."""
    text = header.encode("latin-1").ljust(118)
    width = "<H" if version == b"\1\0" else "<I"
    return b"\x93NUMPY" + version + struct.pack(width, len(text)) + text + data


def zipped(members, method=zipfile.ZIP_STORED):
    """A zip archive of names and bytes; a name can be there twice."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as archive:
        warnings.simplefilter("ignore", UserWarning)  # a name is there twice
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def listed(entries, data=b""):
    """A safetensors file from its list, an object or text."""
    text = entries.encode() if isinstance(entries, str) else json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(begin, end, shape, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def message(path, *words):
    """Open and read a file that is bad; return the one line, which names the file and has words."""
    with pytest.raises(InputError) as caught:
        for tensor in open_weights(path)[0].values():
            tensor.read()
    text = str(caught.value)
    assert "\n" not in text and text.startswith(f"{path}: ")
    for word in words:
        assert word in text, text
    return text


# ---- good files


@each_kind
def test_every_kind_of_number_comes_back(tmp_path, kind):
    expected = arrays()
    tensors, metadata = open_weights(write(tmp_path, content(kind, expected)))
    assert metadata == {} and tensors.keys() == expected.keys()
    for name, tensor in tensors.items():
        array, want = tensor.read(), expected[name]
        assert (tensor.name, tensor.shape, tensor.dtype) == (name, want.shape, str(want.dtype))
        assert array.dtype == ("float32" if tensor.dtype == "float16" else want.dtype)
        assert array.dtype.isnative and array.flags.aligned and type(array) is np.ndarray
        np.testing.assert_array_equal(array, want)


def test_the_order_is_the_files(tmp_path):
    names = ["b", "a/c", "a"]
    path = write(tmp_path, content("npz", {name: np.ones(1) for name in names}))
    assert list(open_weights(path)[0]) == names
    path = write(tmp_path, listed({"b": entry(0, 4, [1]), "a": entry(4, 8, [1])}, bytes(8)))
    assert list(open_weights(path)[0]) == ["b", "a"]


@each_kind
def test_a_name_says_nothing(tmp_path, kind):
    data = content(kind, {"w": np.arange(3.0)})
    for name in ("weights.safetensors", "weights.npz", "weights.pth", "weights"):
        tensors, _ = open_weights(str(write(tmp_path, data, name)))
        np.testing.assert_array_equal(tensors["w"].read(), [0, 1, 2])


def test_metadata_comes_with_a_safetensors_file(tmp_path):
    path = write(tmp_path, save({"w": np.ones(2)}, metadata={"format": "pt", "note": "a\nb"}))
    assert open_weights(path)[1] == {"format": "pt", "note": "a\nb"}
    loaded, metadata = read_safetensors(path)
    assert metadata == {"format": "pt", "note": "a\nb"} and loaded["w"].tolist() == [1, 1]


def test_bfloat16_is_the_upper_half_of_float32(tmp_path):
    bits = np.array([0x3F80, 0xC020, 0x0001, 0x7F7F], "<u2")  # 1, -2.5, and both ends
    expected = [1, -2.5, 2.0**-133, (2 - 2.0**-7) * 2.0**127]
    paths = [
        write(tmp_path, listed({"w": entry(0, 8, [4], "BF16")}, bits.tobytes()), "a"),
        write(tmp_path, zipped([("w.npy", npy(_described("<V2", "(4,)"), bits.tobytes()))]), "b"),
        write(tmp_path, zipped([("w.npy", npy(_described("|V2", "(4,)"), bits.tobytes()))]), "c"),
    ]
    for path in paths:
        tensor = open_weights(path)[0]["w"]
        assert (tensor.shape, tensor.dtype) == ((4,), "bfloat16")
        assert tensor.read().dtype == np.float32 and tensor.read().tolist() == expected


def _described(descr, shape, order="False"):
    return f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}"


def test_jax_bfloat16_files_are_read(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    value = np.linspace(-3, 5, 6).reshape(2, 3).astype(ml_dtypes.bfloat16)
    tensor = open_weights(write(tmp_path, content("npz", {"w": value})))[0]["w"]
    np.testing.assert_array_equal(tensor.read(), value.astype(np.float32))


@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize("dtype", [">f4", ">f8", ">f2", ">i4", "<f4"])
def test_big_endian_and_fortran_order_come_out_right(tmp_path, kind, dtype):
    value = np.arange(30).reshape(2, 3, 5).astype(dtype)
    fortran = np.asfortranarray(value)
    tensors, _ = open_weights(write(tmp_path, content(kind, {"c": value, "f": fortran})))
    for tensor in tensors.values():
        assert tensor.shape == (2, 3, 5) and tensor.read().dtype.isnative
        np.testing.assert_array_equal(tensor.read(), value)


@pytest.mark.parametrize("version", [b"\1\0", b"\2\0", b"\3\0"])
def test_headers_of_other_versions_and_spacings_are_read(tmp_path, version):
    data = np.arange(6, dtype="<f4").tobytes()
    long = "{ 'descr':'<f4','fortran_order':False,'shape':(2L, 3L)}\n"
    for header in (HEADER, long):
        path = write(tmp_path, zipped([("w.npy", npy(header, data, version))]))
        assert open_weights(path)[0]["w"].read().tolist() == [[0, 1, 2], [3, 4, 5]]


def test_numbers_at_an_odd_place_are_aligned(tmp_path):
    data = np.arange(3, dtype="<f4").tobytes()
    for spaces in range(4):
        text = json.dumps({"w": entry(0, 12, [3])}) + " " * spaces
        array = open_weights(write(tmp_path, listed(text, data)))[0]["w"].read()
        assert array.flags.aligned and array.tolist() == [0, 1, 2]


def test_a_large_file_is_mapped_and_what_is_written_stays_out_of_it(tmp_path, monkeypatch):
    values = {"w": np.arange(1000, dtype="float32"), "b": np.ones(3)}
    path = write(tmp_path, save(values))
    before = path.read_bytes()
    owners = []
    for limit in (len(before), len(before) - 1):
        monkeypatch.setattr(safetensors_file, "MAPPED_FROM", limit)
        tensors, _ = open_weights(path)
        owner = tensors["w"].read()
        np.testing.assert_array_equal(owner, values["w"])
        assert type(owner) is np.ndarray
        owner += 1
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        owners.append(type(owner))
    assert owners == [np.ndarray, np.memmap]
    assert path.read_bytes() == before


def test_read_safetensors_gives_arrays_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(safetensors_file, "MAPPED_FROM", 0)
    path = write(tmp_path, save({"w": np.ones(5)}))
    loaded, _ = read_safetensors(path)
    assert loaded["w"].flags.owndata and type(loaded["w"]) is np.ndarray


def test_torch_and_transformers_files_of_half_precision_are_read(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    value = torch.linspace(-2, 3, 12).reshape(3, 4)
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        save_file({"w": value.to(dtype)}, tmp_path / "a")
        tensor = open_weights(tmp_path / "a")[0]["w"]
        assert tensor.dtype == str(dtype).removeprefix("torch.")
        np.testing.assert_array_equal(tensor.read(), value.to(dtype).double().numpy())


def peak(function):
    tracemalloc.start()
    result = function()
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return largest, result


@each_kind
def test_memory_is_that_of_one_copy(tmp_path, kind):
    size = 40 * 2**20
    values = {name: np.zeros(size // 4 // 4, "float32") for name in "abcd"}
    path = write(tmp_path, content("npz" if kind == "npz" else "safetensors", values))
    if kind == "deflated npz":
        path = write(tmp_path, content(kind, values))
    opened, (tensors, _) = peak(lambda: open_weights(path))
    assert opened < 2**20  # nothing is read yet
    largest, _ = peak(lambda: [tensor.read() for tensor in tensors.values()])
    assert largest < 2**20 if kind == "safetensors" else size <= largest < size + 5 * 2**20


def test_an_npz_file_can_be_replaced_and_leaves_no_open_file(tmp_path):
    path = write(tmp_path, content("npz", {"w": np.ones(3)}))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        open_weights(path)[0]["w"].read()
        with pytest.raises(InputError):
            open_weights(write(tmp_path, b"PK\3\4" + bytes(99), "bad"))
    assert not caught


# ---- files of another kind


def test_what_is_no_file(tmp_path):
    message(tmp_path / "no.npz", "there is no such file")
    message(tmp_path, "there is no such file, but a folder")
    message(tmp_path / ("n" * 3000), "File name too long" if os.name != "nt" else "")
    message(write(tmp_path, b""), "it is empty (0 bytes)")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(tmp_path):
    path = write(tmp_path, b"secret")
    path.chmod(0)
    message(path, "Permission denied")


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_is_unpickled(tmp_path, protocol):
    trap = tmp_path / "trap"
    pickled = pickle.dumps({"model": Trap(trap)}, protocol)
    array = np.array([Trap(trap)], object)
    plain = io.BytesIO()
    np.lib.format.write_array(plain, array, allow_pickle=True)
    files = {
        "plain.npz": pickled,
        "torch.pth": zipped([("archive/data.pkl", pickled), ("archive/version", b"3")]),
        "objects.npz": zipped([("good.npy", npy()), ("bad.npy", plain.getvalue())]),
        "member.npz": zipped([("good.npy", npy()), ("bad.npy", pickled)]),
        "pickle.npy": plain.getvalue(),
    }
    for name, data in files.items():
        message(write(tmp_path, data, name))
    assert not trap.exists()
    message(tmp_path / "objects.npz", "bad holds Python objects", "expected float32")
    if protocol >= 2:
        message(tmp_path / "plain.npz", "can run code", "weights_only=True")
    message(tmp_path / "torch.pth", "can run code", "weights_only=True")


@pytest.mark.slow
@pytest.mark.parametrize("wrapped", ["plain", "model", "state_dict", "plain, not zip"])
def test_the_command_that_converts_a_pytorch_file_works(tmp_path, wrapped):
    torch = pytest.importorskip("torch")
    state = {"head.weight": torch.arange(6.0).reshape(2, 3).T, "head.bias": torch.ones(3)}
    state["tied"] = state["head.bias"]  # safetensors refuses shared memory
    saved = {"step": 7} | state  # what is no tensor is left out
    saved = saved if "plain" in wrapped else {wrapped: saved, "epoch": 3, "args": None}
    path = tmp_path / "it's a model.pth"
    torch.save(saved, path, _use_new_zipfile_serialization="not zip" not in wrapped)
    command = message(path, "can run code").partition("of its arrays: ")[2]
    assert command.startswith("python -c ")
    command = f'"{sys.executable}"{command.removeprefix("python")}'
    subprocess.run(command, shell=True, check=True, env=environment())
    tensors, _ = open_weights(tmp_path / "it's a model.safetensors")
    assert tensors.keys() == state.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(tensor.read(), state[name].numpy())


def test_that_command_never_writes_over_the_file_it_reads(tmp_path):
    text = message(write(tmp_path, pickle.dumps({"w": 1}), "model.safetensors"))
    assert text.endswith("model.safetensors " + str(tmp_path / "model_converted.safetensors"))


def old_torch_tar():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"), io.BytesIO())
    return file.getvalue()


@pytest.mark.parametrize(
    "data, words",
    [
        (b"hello\nworld\n" * 50, "is a text file ('hello world hello"),
        (b"<!DOCTYPE html>\n<html>", "is a text file ('<!DOCTYPE html> <html>')"),
        (b'{"a": {"b": 1}}', "is a text file"),
        ("Grüße, \u4f60\u597d".encode() * 99, "is a text file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "git lfs pull"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "is an HDF5 file (Keras?)"),
        (b"\x81\xa6params\x81\xa1a\xc7\x1d\x01", "is msgpack (Flax?)"),
        (b"\xde\x00\x1e\xa3abc\x01", "is msgpack (Flax?)"),
        (b"\x08\x07\x12\x07pytorch\x1a\x052.0.0", "is an ONNX or TensorFlow graph"),
        (b"GGUF\3\0\0\0" + bytes(99), "is a GGUF file"),
        (npy(), "is one array (.npy)"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\xff", "is a gzip file: unpack it first"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is a PNG image, expected a file of weights"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "is a JPEG image"),
        (pickle.dumps([1], 2), "is a pickle (PyTorch?)"),
        (old_torch_tar(), "is a pickle (PyTorch?)"),
        (b"\x93\x17\xfe\xff" * 99, "it begins with 93 17 fe ff"),
        (bytes(range(256)) * 9, "it begins with 00 01 02 03"),
        (bytes(5000), "no whole safetensors file and no .npz file"),
        (zipped([("model/config.json", b"{}")]), "is a zip archive with model/config.json"),
    ],
)
def test_another_kind_is_told(tmp_path, data, words):
    message(write(tmp_path, data, "weights.npz"), words)


# ---- bad safetensors files


@pytest.mark.parametrize("length", [2**60, 2**63, 2**64 - 1, 2**40, 10**9])
def test_a_list_longer_than_the_file(tmp_path, length):
    path = write(tmp_path, struct.pack("<Q", length) + b'{"a":' + bytes(99))
    largest, text = peak(lambda: message(path, "no whole safetensors file"))
    assert largest < 2**20
    assert f"{length:,} bytes in a file of 112 bytes" in text or length == 2**64 - 1


@pytest.mark.parametrize(
    "entries, words",
    [
        ({"w": entry(0, 8, [3])}, ["safetensors file", "w"]),
        ({"w": entry(0, 12, [3]), "v": entry(8, 20, [3])}, ["safetensors file", "v"]),
        ({"w": entry(0, 12, [3]), "v": entry(0, 12, [3])}, ["safetensors file"]),
        ({"w": entry(4, 16, [3])}, ["safetensors file"]),
        ({"w": entry(0, 2**63, [2**61])}, ["safetensors file"]),
        ({"w": entry(0, 12, [2**63, 2**63])}, ["safetensors file"]),
        ({"w": entry(0, 0, [0, 3])}, ["w is (0, 3), which is no shape of weights"]),
        ({"w": entry(0, 12, [1] * 33 + [3])}, ["w is (1, 1,", "no shape of weights"]),
        ({"w": entry(0, 12, [12], "F8_E4M3")}, ["w holds F8_E4M3, expected float32"]),
        ({"w": entry(0, 12, [3], "F33\nF")}, ["safetensors file", "`F33 F`"]),
        ({"a\nb": entry(0, 12, [3])}, [r"'a\nb' is no name of a tensor"]),
        ({"": entry(0, 12, [3])}, ["'' is no name of a tensor"]),
        ({"n" * 501: entry(0, 12, [3])}, ["nnn' is no name of a tensor"]),
        ({"w": {"dtype": "F32", "shape": [3]}}, ["safetensors file"]),
        ({"w": 3}, ["safetensors file"]),
        ({"w": ["F32", [3], [0, 12]]}, ["w is listed as ['F32', [3], [0, 12]], expected dtype"]),
        ({"w": entry(0, 12, [3], {"F32": None})}, ["w is listed as {'dtype': {'F32': None}"]),
        ({"__metadata__": {"a": 1}}, ["safetensors file"]),
        ('{"w": ' + "[" * 5000, ["safetensors file"]),
        ("{" + " " * 4 * 2**20 + "}", ["a list of 4,194,306 bytes"]),
    ],
)
def test_a_bad_list_is_refused(tmp_path, entries, words):
    size = 0 if isinstance(entries, dict) and entries.get("w") == entry(0, 0, [0, 3]) else 12
    message(write(tmp_path, listed(entries, bytes(size))), *words)


def test_a_name_twice_in_the_list_is_harmless(tmp_path):
    once = '"w": {"dtype":"F32","shape":[3],"data_offsets":[%d,%d]}'
    for offsets in [(0, 12, 0, 12), (0, 9999, 0, 12), (0, 12, 0, 9999)]:
        text = "{" + ", ".join([once, once]) % offsets + "}"
        path = write(tmp_path, listed(text, bytes(12)))
        if offsets[3] == 12:
            assert open_weights(path)[0]["w"].read().tolist() == [0, 0, 0]
        else:
            message(path)


@each_kind
def test_a_file_cut_short_is_refused_at_every_length(tmp_path, kind):
    whole = content(kind, {"w": np.arange(30, dtype="float32"), "v": np.ones((2, 3))})
    for length in [*range(0, len(whole), 1 if kind == "safetensors" else 9), len(whole) - 1]:
        message(write(tmp_path, whole[:length]))
    assert len(open_weights(write(tmp_path, whole))[0]) == 2


# ---- bad .npz files


@pytest.mark.parametrize(
    "member, words",
    [
        (npy(_described("|O", "(2, 3)")), ["Python objects", "expected float32"]),
        (npy(_described("<c8", "(3,)")), ["holds <c8, expected float32"]),
        (npy(_described("<U6", "()")), ["holds <U6"]),
        (npy(_described("<f16", "()")), ["holds <f16"]),
        (npy(_described("<f1", "(24,)")), ["holds <f1"]),
        (npy(_described("<M8[s]", "(3,)")), ["holds <M8[s]"]),
        (npy(_described("|V3", "(8,)")), ["holds |V3"]),
        (npy(_described("", "(8,)")), ["holds"]),
        (npy(HEADER.replace("'<f4'", "[('x', '<f4')]")), ["holds [('x', '<f4')], expected"]),
        (npy(_described("<f4", "(2, 4)")), ["has 24 bytes, expected 32 for float32 of (2, 4)"]),
        (npy(_described("<f4", "(10**9,)")), ["is no array of NumPy's"]),
        (npy(_described("<f4", f"({'9' * 5000},)")), ["no array"]),
        (npy(_described("<f4", f"({'9' * 30}, 2)")), [f"expected 7,{'999,' * 9}992 for"]),
        (npy(_described("<f4", f"({'9' * 2000},)")), ["has 24 bytes, expected 399,999,", "..."]),
        (npy(_described("<f4", "(-2, -3)")), ["no array"]),
        (npy(_described("<f4", "(0, 3)"), b""), ["is (0, 3), which is no shape of weights"]),
        (npy(_described("<f4", "(4611686018427387904, 0)"), b""), ["no shape of weights"]),
        (npy(_described("<f4", f"({'1, ' * 33}6)")), ["no shape of weights"]),
        (npy(_described("<f4", "(L2, 3)")), ["no array"]),
        (npy(_described("<f4", "(2L3,)")), ["no array"]),
        (npy(_described("<f4", "(2 3)")), ["no array"]),
        (npy(_described("<f4", "(2, 3)", "1")), ["no array"]),
        (npy(_described(">V2", "(12,)")), ["holds >V2"]),
        (npy("{'descr': '<f4'}"), ["no array"]),
        (npy("__import__('os').system('false')"), ["no array"]),
        (npy("(" * 9000), ["no array"]),
        (npy(data=bytes(23)), ["has 23 bytes, expected 24"]),
        (npy(data=bytes(25)), ["has 25 bytes, expected 24"]),
        (npy(version=b"\4\0"), ["no array"]),
        (b"\x93NUMPY", ["no array"]),
        (b"\x93NUMPY\1", ["no array"]),
        (b"\x93NUMPY\2\0\xff\xff\xff\xff" + HEADER.encode(), ["no array"]),
        (b"hello", ["no array"]),
        (b"", ["no array"]),
    ],
)
def test_a_bad_array_is_named(tmp_path, member, words):
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        data = zipped([("good/bias.npy", npy()), ("bad/kernel.npy", member)], method)
        message(write(tmp_path, data), "bad/kernel ", *words)


def test_a_bad_list_of_members_is_refused(tmp_path):
    assert open_weights(write(tmp_path, zipped([]))) == ({}, {})
    twice = zipped([("w.npy", npy()), ("w.npy", npy())])
    message(write(tmp_path, twice), "w.npy is in it twice")
    message(write(tmp_path, zipped([("w\n.npy", npy())])), "is no name of a tensor")
    message(write(tmp_path, zipped([(".npy", npy())])), "'' is no name of a tensor")
    message(write(tmp_path, zipped([("folder/", b"")])), "a zip archive with folder/")
    message(write(tmp_path, zipped([("a.txt", b"")])), "with a.txt, expected .npy files alone")
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        data = zipped([("w.npy", npy())], method)
        message(write(tmp_path, data), f"w.npy is packed by method {method}, expected stored")
    many = zipped([(f"{i}.npy", b"") for i in range(10_001)])
    message(write(tmp_path, many), "has 10,001 arrays, expected 10,000 at most")


def test_an_encrypted_member_is_named(tmp_path):
    data = bytearray(zipped([("w.npy", npy())]))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    message(write(tmp_path, data), "w.npy is encrypted", "without a password")


def test_a_way_of_packing_that_python_does_not_know_is_refused(tmp_path):
    data = bytearray(zipped([("w.npy", npy())]))
    data[data.index(b"PK\1\2") + 8] |= 32  # "compressed patched data"
    message(write(tmp_path, data), "w is damaged", "patched data")


def test_a_damaged_array_is_named(tmp_path):
    for kind in KINDS[1:]:
        whole = content(kind, {"v": np.ones(3), "w": np.arange(3000.0)})
        place = whole.index(b"w.npy") + 2000
        data = whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :]
        message(write(tmp_path, data), "w is damaged (")
    last = bytearray(content("npz", {"w": np.ones(3)}))
    last[last.index(b"PK\1\2") - 1] ^= 1
    message(write(tmp_path, last), "w is damaged (Bad CRC-32")
    first = bytearray(content("deflated npz", {"w": np.ones(3)}))
    size_of_name, size_of_extra = struct.unpack("<2H", first[26:30])
    first[30 + size_of_name + size_of_extra] = 0xFF
    message(write(tmp_path, first), "w is damaged (Error -3 while decompressing")


def test_a_directory_of_many_gigabytes_is_refused(tmp_path):
    """The list of members claims 5 MB of a file that has them: they are not read."""
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0, 0, 5_000_000, 4, 0)
    path = write(tmp_path, b"PK\3\4" + bytes(5_000_000) + end)
    largest, _ = peak(lambda: message(path, "a list of members of 5,000,000 bytes"))
    assert largest < 2**20


def claiming(size, data):
    """A zip archive of one member that says it is of another size than it is."""
    data, claimed = bytearray(data), struct.pack("<L", size)
    place = data.index(b"PK\1\2") + 24
    data[22:26] = data[place : place + 4] = claimed
    return data


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    bomb = zipped([("w.npy", npy(_described("<f4", "(75000000,)")))], zipfile.ZIP_DEFLATED)
    path = write(tmp_path, claiming(300_000_128, bomb))
    largest, _ = peak(lambda: message(path, "w.npy claims 300,000,128 bytes", "most 268,435,456"))
    assert largest < 2**20


def test_a_file_may_unpack_to_twenty_times_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(npz_file, "ALWAYS_ALLOWED", 0)
    for random, is_allowed in ((6000, True), (4000, False)):
        value = np.zeros(100_000, "uint8")
        value[:random] = np.random.default_rng(0).integers(0, 256, random)
        path = write(tmp_path, content("deflated npz", {"w": value}))
        assert (20 * path.stat().st_size >= 100_128) == is_allowed
        if is_allowed:
            np.testing.assert_array_equal(open_weights(path)[0]["w"].read(), value)
        else:
            message(path, "w.npy claims 100,128 bytes")


@pytest.mark.slow
def test_a_real_zip_bomb_needs_no_memory(tmp_path):
    bomb = npy(_described("<f4", "(250, 1000000)"), bytes(10**9))
    path = write(tmp_path, zipped([("v.npy", npy()), ("w.npy", bomb)], zipfile.ZIP_DEFLATED))
    assert path.stat().st_size < 10**6
    largest, _ = peak(lambda: message(path, "w.npy claims 1,000,000,128 bytes"))
    assert largest < 2**20


def test_a_member_cannot_be_smaller_than_it_claims(tmp_path):
    member = zipped([("w.npy", npy(_described("<f4", "(1000000,)")))], zipfile.ZIP_DEFLATED)
    largest, _ = peak(
        lambda: message(write(tmp_path, claiming(4_000_128, member)), "w is damaged", "ends after")
    )
    assert largest < 6 * 2**20


def test_a_member_that_unpacks_to_more_than_it_claims_is_refused(tmp_path):
    real = npy(data=bytes(50_000_000))
    data = claiming(len(npy()), zipped([("w.npy", real)], zipfile.ZIP_DEFLATED))
    largest, _ = peak(lambda: message(write(tmp_path, data), "w is damaged"))
    assert largest < 2 * 2**20


def test_a_tensor_shows_itself():
    tensor = Tensor("w", (2, 3), "float32", lambda: None)
    assert repr(tensor) == "Tensor(name='w', shape=(2, 3), dtype='float32')"
