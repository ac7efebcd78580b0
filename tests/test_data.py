"""Reading IDX files, finding data sets, and downloading MNIST (from 127.0.0.1)."""

import errno
import functools
import gzip
import hashlib
import http.server
import os
import re
import socket
import struct
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tinyvit.data import Dataset, datasets, download, load_dataset, normalize
from tinyvit.data.idx import idx_bytes, read_idx
from tinyvit.errors import InputError

REPO = Path(__file__).parents[1]
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 3, 4), dtype=np.uint8)
LABELS = np.array([3, 0, 255, 1, 2], np.uint8)


def fails(*texts):
    """Expect an InputError of one line that contains each text."""
    return pytest.raises(
        InputError, match="(?s)^" + "".join(f"(?=.*{re.escape(t)})" for t in texts)
    )


def one_line(caught):
    """Say whether the message is one line."""
    return "\n" not in str(caught.value)


def save_four(folder, *, train=(5, 4, 4), test=(2, 4, 4), spelling="{}.gz"):
    """Write a small data set of random images; return its arrays by file stem."""
    rng = np.random.default_rng(1)
    arrays = {
        "train-images-idx3-ubyte": rng.integers(0, 256, train, dtype=np.uint8),
        "train-labels-idx1-ubyte": np.arange(train[0], dtype=np.uint8),
        "t10k-images-idx3-ubyte": rng.integers(0, 256, test, dtype=np.uint8),
        "t10k-labels-idx1-ubyte": np.arange(test[0], dtype=np.uint8),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for stem, array in arrays.items():
        path = folder / spelling.format(stem)
        content = idx_bytes(array)
        path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return arrays


# ---- IDX ----


@pytest.mark.parametrize("array", [IMAGES, LABELS], ids=["images", "labels"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", ["file", "file.gz"])  # the content decides, not the name
def test_idx_round_trip(tmp_path, array, pack, name):
    (tmp_path / name).write_bytes(pack(idx_bytes(array)))
    back = read_idx(tmp_path / name)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, array)


def test_idx_bytes_are_those_of_the_format():
    assert idx_bytes(np.array([[[7, 8]], [[9, 10]]], np.uint8)) == bytes.fromhex(
        "00000803 00000002 00000001 00000002 0708090a"
    )
    with pytest.raises(TypeError):
        idx_bytes(np.array([1, 256]))


PLAIN = idx_bytes(IMAGES)  # 16 bytes of header, 60 of pixels
ZIPPED = gzip.compress(PLAIN, mtime=0)


@pytest.mark.parametrize(
    "content, texts",
    {
        "empty": (b"", ["the file is empty"]),
        "empty gzip": (gzip.compress(b""), ["the file is empty"]),
        "2 bytes": (PLAIN[:2], ["magic number is 0x0000", "expected 0x00000803"]),
        "labels": (idx_bytes(LABELS), ["magic number is 0x00000801", "expected 0x00000803"]),
        "float": (b"\0\0\x0d\x03" + PLAIN[4:], ["magic number is 0x00000d03"]),
        "png": (b"\x89PNG" + PLAIN, ["magic number is 0x89504e47"]),
        "half a header": (PLAIN[:9], ["header needs 16 bytes, the file holds 9", "cut short"]),
        "cut short": (
            PLAIN[:-1],
            ["header promises 5x3x4 = 60 bytes, the file holds 59: it is cut short; delete"],
        ),
        "cut short, gzip": (gzip.compress(PLAIN[:-20]), ["= 60 bytes, the file holds 40"]),
        "trailing": (PLAIN + b"x", ["header promises 5x3x4 = 60 bytes, the file holds more"]),
        "gzip cut short": (ZIPPED[:-20], ["gzip data are damaged"]),
        "gzip without its sum": (ZIPPED[:-8], ["gzip data are damaged"]),
        "gzip, wrong sum": (ZIPPED[:-8] + b"1234" + ZIPPED[-4:], ["gzip data are damaged", "CRC"]),
        "gzip, wrong data": (ZIPPED[:14] + b"\xff\xff" + ZIPPED[16:], ["gzip data are damaged"]),
        "gzip, trailing": (ZIPPED + b"abc", ["gzip data are damaged"]),
        "huge": (
            struct.pack(">4B3I", 0, 0, 8, 3, *[2**32 - 1] * 3) + b"x",
            ["header promises 4294967295x4294967295x4294967295 = ", "more than the 4294967296"],
        ),
        "huge and empty": (
            struct.pack(">4B3I", 0, 0, 8, 3, 0, 2**32 - 1, 2**32 - 1),
            ["header promises 0x4294967295x4294967295 = 0 bytes, more"],
        ),
    }.values(),
    ids=str,
)
def test_damaged_idx(tmp_path, content, texts):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(content)
    with fails(str(path), *texts) as caught:
        read_idx(path, axes=3)
    assert one_line(caught)


def test_every_cut_and_every_flipped_byte_is_an_input_error_or_read(tmp_path):
    path = tmp_path / "file"
    for content in (PLAIN, ZIPPED):
        for i in range(len(content)):
            flipped = content[:i] + bytes([content[i] ^ 0x41]) + content[i + 1 :]
            for damaged, may_pass in ((content[:i], False), (flipped, True)):
                path.write_bytes(damaged)
                try:
                    read_idx(path)
                except InputError:
                    continue
                assert may_pass  # a pixel of another value cannot be seen in a plain file


def test_missing_and_unreadable_idx(tmp_path):
    with fails(f"{tmp_path}/none: cannot be read: No such file or directory"):
        read_idx(tmp_path / "none")
    with fails(f"{tmp_path}: cannot be read: Is a directory"):
        read_idx(tmp_path)


def test_memory_follows_the_file_not_its_header(tmp_path):
    promise = struct.pack(">4B3I", 0, 0, 8, 3, 4, 2**15, 2**15)  # 4 GiB
    bomb = gzip.compress(idx_bytes(IMAGES) + bytes(50_000_000))
    for content in (promise, gzip.compress(promise), bomb):
        (tmp_path / "file").write_bytes(content)
        tracemalloc.start()
        with pytest.raises(InputError):
            read_idx(tmp_path / "file")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8e6, f"{peak} bytes"


# ---- digits ----


def test_digits_are_real_and_whole():
    digits = load_dataset("digits")
    assert (digits.name, digits.num_classes, digits.image_size) == ("digits", 10, 8)
    assert digits.train_images.shape == (1438, 1, 8, 8)
    assert digits.test_images.shape == (359, 1, 8, 8)
    assert digits.train_images.dtype == digits.test_images.dtype == np.uint8
    assert digits.train_labels.dtype == digits.test_labels.dtype == np.int64

    labels = np.concatenate([digits.train_labels, digits.test_labels])
    # UCI's optdigits.names, class distribution of the test file
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    images = np.concatenate([digits.train_images, digits.test_images])
    steps = {(v * 255 + 8) // 16 for v in range(17)}  # 0..16 scaled and rounded
    assert set(np.unique(images).tolist()) == steps
    assert len(np.unique(images.reshape(1797, 64), axis=0)) == 1797  # none is in both halves


def test_digits_show_what_their_labels_say():
    """The nearest training image has the test image's label: 99.2 % of the time."""
    digits = load_dataset("digits")
    train = digits.train_images.reshape(-1, 64).astype(np.float32)
    test = digits.test_images.reshape(-1, 64).astype(np.float32)
    distances = (train**2).sum(axis=1) - 2 * test @ train.T
    predictions = digits.train_labels[distances.argmin(axis=1)]
    assert (predictions == digits.test_labels).mean() > 0.97


def test_digits_have_the_md5s_of_the_readme():
    rows = re.findall(
        r"^\| (\S+\.gz) \| \S+ \| (\w{32}) \| (\w{32}) \|$",
        (REPO / "data" / "README.md").read_text(),
        re.MULTILINE,
    )
    assert len(rows) == 4
    for name, plain, zipped in rows:
        content = (REPO / "data" / "digits" / name).read_bytes()
        assert hashlib.md5(content).hexdigest() == zipped
        assert hashlib.md5(gzip.decompress(content)).hexdigest() == plain


def test_mnist_md5s_of_readme_and_download_agree():
    readme = (REPO / "data" / "README.md").read_text()
    for stem, md5 in download.MD5.items():
        assert re.search(rf"^\| {stem}\.gz \| \S+ \| {md5} \|$", readme, re.MULTILINE)


def test_digits_are_found_in_an_installed_wheel(tmp_path, monkeypatch):
    save_four(tmp_path / "digits")
    monkeypatch.setattr(datasets, "PACKAGE", tmp_path)
    assert load_dataset("digits").train_images.shape == (5, 1, 4, 4)


def test_normalize():
    pixels = np.array([[0, 51, 102], [153, 204, 255]], np.uint8)
    out = normalize(pixels)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, [[-1, -0.6, -0.2], [0.2, 0.6, 1]], atol=1e-6)
    assert out[0, 0] == -1 and out[1, 2] == 1


# ---- a folder of files ----


@pytest.mark.parametrize("spelling", ["{}.gz", "{}"])
@pytest.mark.parametrize("dot", ["-idx", ".idx"])
def test_folder(tmp_path, spelling, dot):
    arrays = save_four(tmp_path, spelling=spelling)
    for path in tmp_path.iterdir():
        path.rename(path.with_name(path.name.replace("-idx", dot)))
    for given in (tmp_path, str(tmp_path)):
        dataset = load_dataset(given)
        assert dataset.name == str(tmp_path)
        assert (dataset.num_classes, dataset.image_size) == (5, 4)
        np.testing.assert_array_equal(dataset.train_images[:, 0], arrays["train-images-idx3-ubyte"])
        np.testing.assert_array_equal(dataset.train_labels, [0, 1, 2, 3, 4])
        np.testing.assert_array_equal(dataset.test_images[:, 0], arrays["t10k-images-idx3-ubyte"])
        np.testing.assert_array_equal(dataset.test_labels, [0, 1])


def test_classes_are_counted_over_both_halves():
    images = np.zeros((2, 1, 4, 4), np.uint8)
    dataset = Dataset("x", images, np.array([0, 1]), images, np.array([6, 2]))
    assert dataset.num_classes == 7


def test_folder_that_lacks_files(tmp_path):
    save_four(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
    with fails(
        f"{tmp_path} lacks train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz: put them there"
    ):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    "stem, array, text",
    [
        ("train-labels-idx1-ubyte", LABELS[:3], "5 images but 3 labels: the two files do not"),
        ("t10k-labels-idx1-ubyte", LABELS[:3], "2 images but 3 labels"),
        ("t10k-images-idx3-ubyte", IMAGES[:2], "training images are 4x4, test images 3x4"),
        ("train-images-idx3-ubyte", LABELS, "magic number is 0x00000801, expected 0x00000803"),
        ("train-labels-idx1-ubyte", IMAGES, "magic number is 0x00000803, expected 0x00000801"),
    ],
)
def test_folder_of_files_that_do_not_belong_together(tmp_path, stem, array, text):
    save_four(tmp_path)
    (tmp_path / f"{stem}.gz").write_bytes(idx_bytes(array))
    with fails(str(tmp_path), text) as caught:
        load_dataset(tmp_path)
    assert one_line(caught)


@pytest.mark.parametrize(
    "train, test, text",
    [
        ((5, 4, 3), (2, 4, 3), "images are 4x3: they must be square"),
        ((5, 4, 4), (0, 4, 4), "5 training and 0 test images of 4x4 pixels: at least one"),
        ((0, 4, 4), (2, 4, 4), "0 training and 2 test images"),
        ((5, 0, 0), (2, 0, 0), "images of 0x0 pixels: at least one"),
    ],
)
def test_folder_of_unusable_images(tmp_path, train, test, text):
    save_four(tmp_path, train=train, test=test)
    with fails(str(tmp_path), text):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    "name, text",
    [
        (
            "mnst",
            "no dataset 'mnst': did you mean mnist? (digits, mnist, or a folder of IDX files)",
        ),
        ("MNIST", "no dataset 'MNIST': did you mean mnist?"),
        ("digit", "did you mean digits?"),
        ("cifar", "no dataset 'cifar': give digits, mnist, or a folder of IDX files"),
        ("", "no dataset ''"),
        ("a\0b", "no dataset 'a\0b'"),
        ("a" * 5000, "no dataset 'aaa"),
    ],
)
def test_unknown_name(name, text):
    with fails(text):
        load_dataset(name)


# ---- MNIST: where it is looked for ----


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A world without MNIST: an empty current directory and checkout, and no mirrors."""
    for name in ("here", "checkout"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(datasets, "CHECKOUT", tmp_path / "checkout")
    monkeypatch.setattr(download, "MIRRORS", ())
    monkeypatch.delenv("TINYVIT_DATA", raising=False)
    return tmp_path


@pytest.mark.parametrize("below", [".", "mnist"])
def test_mnist_in_tinyvit_data(places, monkeypatch, below):
    save_four(places / "mine" / below, train=(3, 4, 4))
    save_four(places / "here" / "data" / "mnist", train=(4, 4, 4))
    monkeypatch.setenv("TINYVIT_DATA", str(places / "mine"))
    dataset = load_dataset("mnist")
    assert (dataset.name, len(dataset.train_images)) == ("mnist", 3)


def test_mnist_in_the_current_directory_before_the_checkout(places, monkeypatch):
    save_four(places / "checkout" / "mnist", train=(3, 4, 4))
    assert len(load_dataset("mnist").train_images) == 3
    save_four(places / "here" / "data" / "mnist", train=(4, 4, 4))
    assert len(load_dataset("mnist").train_images) == 4
    monkeypatch.setenv("TINYVIT_DATA", str(places / "nowhere"))  # goes on to the next place
    assert len(load_dataset("mnist").train_images) == 4


def test_mnist_nowhere(places, monkeypatch):
    monkeypatch.setenv("TINYVIT_DATA", str(places / "mine"))
    monkeypatch.setattr(download, "MIRRORS", ("http://127.0.0.1:9/a/", "http://127.0.0.1:9/b/"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    looked = [places / "mine", places / "mine/mnist", places / "here/data/mnist"]
    with fails(
        "mnist could not be downloaded (127.0.0.1:9: ",
        "refused; 127.0.0.1:9: ",
        f"looked in {', '.join(map(str, looked))}, {places / 'checkout/mnist'}: put train-images",
        "into data/mnist, or set TINYVIT_DATA",
    ) as caught:
        load_dataset("mnist")
    assert one_line(caught)
    assert list((places / "here").iterdir()) == []  # no empty folder left behind


def test_mnist_is_not_downloaded_where_it_should_not_be(places, monkeypatch):
    monkeypatch.setattr(download, "download_mnist", None)  # a call would be a TypeError
    with fails("mnist is in none of", str(places / "here/data/mnist"), "TINYVIT_DATA") as caught:
        load_dataset("mnist", download=False)
    assert one_line(caught)
    save_four(places / "here" / "data" / "mnist", train=(4, 4, 4))
    assert len(load_dataset("mnist", download=False).train_images) == 4


@pytest.mark.skipif("TINYVIT_DATA" not in os.environ, reason="TINYVIT_DATA is not set")
def test_real_mnist():
    mnist = load_dataset("mnist")
    assert mnist.train_images.shape == (60000, 1, 28, 28)
    assert mnist.test_images.shape == (10000, 1, 28, 28)
    assert (mnist.num_classes, mnist.image_size) == (10, 28)
    assert mnist.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    for stem, array in (
        ("train-images-idx3-ubyte", mnist.train_images[:, 0]),
        ("train-labels-idx1-ubyte", mnist.train_labels.astype(np.uint8)),
        ("t10k-images-idx3-ubyte", mnist.test_images[:, 0]),
        ("t10k-labels-idx1-ubyte", mnist.test_labels.astype(np.uint8)),
    ):
        assert hashlib.md5(idx_bytes(array)).hexdigest() == download.MD5[stem]


# ---- MNIST: downloading ----


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serve a folder; note each path; say nothing."""

    def do_GET(self):
        self.server.paths.append(self.path)
        super().do_GET()

    def log_message(self, *args):
        pass


@pytest.fixture
def mirror(places, monkeypatch):
    """A server of `good/` (right files) and `bad/` (empty); MD5 is set to the right files' sums."""
    arrays = save_four(places / "www" / "good")
    (places / "www" / "bad").mkdir()
    sums = {stem: hashlib.md5(idx_bytes(array)).hexdigest() for stem, array in arrays.items()}
    monkeypatch.setattr(download, "MD5", sums)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = functools.partial(QuietHandler, directory=places / "www")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.paths = []
        server.folder = places / "www"
        server.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_download_from_the_second_mirror(mirror, places, monkeypatch):
    monkeypatch.setattr(download, "MIRRORS", (f"{mirror.url}bad/", f"{mirror.url}good/"))
    assert len(load_dataset("mnist").train_images) == 5
    assert mirror.paths[0] == "/bad/train-images-idx3-ubyte.gz"
    assert [path.split("/")[1] for path in mirror.paths] == ["bad", *["good"] * 4]
    names = sorted(path.name for path in (places / "here/data/mnist").iterdir())
    assert names == sorted(f"{stem}.gz" for stem in download.MD5)

    mirror.paths.clear()  # the second time, nothing is fetched
    assert len(load_dataset("mnist").train_images) == 5
    assert mirror.paths == []


def test_download_fetches_only_what_is_missing(mirror, tmp_path):
    save_four(tmp_path / "mnist")
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    download.download_mnist(tmp_path / "mnist", [f"{mirror.url}good/"])
    assert mirror.paths == ["/good/t10k-labels-idx1-ubyte.gz"]
    assert read_idx(tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").tolist() == [0, 1]


@pytest.mark.parametrize(
    "content, text",
    [
        (idx_bytes(IMAGES), "the content's MD5 is"),
        (gzip.compress(idx_bytes(IMAGES)), "the content's MD5 is"),
        (gzip.compress(idx_bytes(IMAGES))[:-9], "damaged gzip data"),
        (b"<html>please sign in</html>", "the content's MD5 is"),
        (b"", "the content's MD5 is d41d8cd98f00b204e9800998ecf8427e, expected"),
        (bytes(3000), ": more than 2000 bytes"),
        (gzip.compress(bytes(100_000)), "unzips to more than 2000 bytes"),
    ],
)
def test_wrong_content_is_rejected(mirror, tmp_path, monkeypatch, content, text):
    monkeypatch.setattr(download, "MAX_BYTES", 2000)
    monkeypatch.setattr(download, "CHUNK", 100)
    (mirror.folder / "good" / "train-images-idx3-ubyte.gz").write_bytes(content)
    with fails("127.0.0.1", text) as caught:
        download.download_mnist(tmp_path / "mnist", [f"{mirror.url}good/"])
    assert one_line(caught)
    assert not (tmp_path / "mnist").exists()


def test_each_mirrors_reason_is_named(mirror, tmp_path):
    (mirror.folder / "good" / "train-images-idx3-ubyte.gz").write_bytes(b"other")
    with fails("HTTP Error 404: File not found; 127.0.0.1", "the content's MD5 is"):
        download.download_mnist(tmp_path / "m", [f"{mirror.url}bad/", f"{mirror.url}good/"])


def test_silent_mirror_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent, fails("127.0.0.1", "timed out"):
        mirror = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        start = time.monotonic()
        download.download_mnist(tmp_path / "mnist", [mirror], timeout=0.1)
    assert time.monotonic() - start < 5


def test_full_disk_leaves_no_half_file(mirror, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with fails("train-images-idx3-ubyte.gz: cannot be written: No space left on device"):
        download.download_mnist(tmp_path / "mnist", [f"{mirror.url}good/"])
    assert list((tmp_path / "mnist").iterdir()) == []


def test_folder_that_cannot_be_written(mirror, tmp_path):
    (tmp_path / "file").touch()
    with fails("cannot be written: Not a directory") as caught:
        download.download_mnist(tmp_path / "file" / "mnist", [f"{mirror.url}good/"])
    assert one_line(caught)
