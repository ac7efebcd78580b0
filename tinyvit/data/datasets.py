"""From a name to images and labels: `digits` (shipped), `mnist` (downloaded), or a folder."""

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from .idx import find_idx, read_idx

NAMES = ("digits", "mnist")

FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}

PACKAGE = Path(__file__).resolve().parent  # an installed wheel keeps digits/ here,
CHECKOUT = PACKAGE.parents[1] / "data"  # a checkout here


@dataclass(frozen=True)
class Dataset:
    """Images and labels to train on, and others to test on.

    name : as it was asked for: "digits", "mnist" or a folder
    train_images : (n, C, H, W) uint8, 0 background to 255 ink
    train_labels : (n,) int64, from 0
    test_images : (m, C, H, W) uint8
    test_labels : (m,) int64
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    @property
    def num_classes(self):
        """K: the largest label, plus one."""
        return int(max(self.train_labels.max(), self.test_labels.max())) + 1

    @property
    def image_size(self):
        """H = W [pixels]; raises InputError where images are not square or not all of one size."""
        train, test = self.train_images.shape[2:], self.test_images.shape[2:]
        if train != test:
            raise InputError(
                f"{self.name}: training images are {_by(train)}, test images {_by(test)}: "
                "the files do not belong together"
            )
        if train[0] != train[1]:
            raise InputError(f"{self.name}: images are {_by(train)}: they must be square")
        return train[0]

    def require_fit(self, config):
        """Check that a model can read these images and name these classes.

        config : the model's configuration, with img_size, in_chans and num_classes

        Raises InputError where it cannot.
        """
        size, channels = self.image_size, self.train_images.shape[1]
        if (size, channels) != (config.img_size, config.in_chans):
            raise InputError(
                f"{self.name}: images are {channels}x{size}x{size}, but the model was made for "
                f"{config.in_chans}x{config.img_size}x{config.img_size}"
            )
        if self.num_classes > config.num_classes:
            raise InputError(
                f"{self.name}: labels go up to {self.num_classes - 1}, but the model knows only "
                f"{config.num_classes} classes (0 to {config.num_classes - 1})"
            )


def normalize(images):
    """Bring pixels to [-1, 1]: x / 127.5 - 1, so the black background is -1.

    images : any shape, values 0 to 255

    Returns float32 of the same shape.
    """
    return images.astype(np.float32) / 127.5 - 1


def load_dataset(name_or_path, *, download=True):
    """Load a data set by its name, or from a folder that holds the four IDX files.

    name_or_path : "digits": 1,797 real digits of 8x8 pixels, which come with tinyvit;
        "mnist": 70,000 of 28x28, looked for in $TINYVIT_DATA, in data/mnist here and in
        the checkout, else downloaded to data/mnist here;
        or a folder of files named as MNIST's, with or without .gz
    download : False takes "mnist" only from where it already is

    Returns a Dataset.
    Raises InputError where there is no such data set, a file is missing or damaged, or the files
    do not belong together.
    """
    name = os.fspath(name_or_path)
    if name == "digits":
        shipped = PACKAGE / "digits"
        return _load(name, shipped if shipped.is_dir() else CHECKOUT / "digits")
    if name == "mnist":
        return _load(name, _mnist_folder(download))
    if os.path.isdir(name):
        return _load(name, Path(name))
    close = difflib.get_close_matches(name.lower(), NAMES, n=1)
    choices = f"{', '.join(NAMES)}, or a folder of IDX files"
    hint = f"did you mean {close[0]}? ({choices})" if close else f"give {choices}"
    raise InputError(f"no dataset '{name}': {hint}")


def _mnist_folder(download):
    """Find the folder of MNIST's files; where there is none, download them or say so."""
    download_to = Path.cwd() / "data" / "mnist"
    places = [download_to, CHECKOUT / "mnist"]
    if root := os.environ.get("TINYVIT_DATA"):
        places = [Path(root), Path(root, "mnist"), *places]
    for folder in places:
        if _holds_all(folder):
            return folder
    if not download:
        raise InputError(
            f"mnist is in none of {', '.join(dict.fromkeys(map(str, places)))}: "
            "set TINYVIT_DATA to the folder that holds it, or let it be downloaded"
        )

    from .download import download_mnist  # here, as urllib is slow to import

    try:
        download_mnist(download_to)
    except InputError as error:
        looked = ", ".join(dict.fromkeys(map(str, places)))
        raise InputError(
            f"{error}; looked in {looked}: put {', '.join(f'{f}.gz' for f in FILES.values())} "
            "into data/mnist, or set TINYVIT_DATA to the folder that holds them"
        ) from None
    return download_to


def _holds_all(folder):
    """Say whether a folder holds all four files."""
    return all(find_idx(folder, stem) for stem in FILES.values())


def _load(name, folder):
    """Read a folder's four files and check that they belong together."""
    paths = {part: find_idx(folder, stem) for part, stem in FILES.items()}
    missing = [f"{FILES[part]}.gz" for part, path in paths.items() if path is None]
    if missing:
        raise InputError(f"{folder} lacks {', '.join(missing)}: put them there (.gz or unzipped)")

    arrays = {}
    for split in ("train", "test"):
        images = read_idx(paths[f"{split}_images"], axes=3)
        labels = read_idx(paths[f"{split}_labels"], axes=1)
        if len(images) != len(labels):
            raise InputError(
                f"{paths[f'{split}_images']}: {len(images)} images but {len(labels)} labels: "
                "the two files do not belong together"
            )
        arrays[f"{split}_images"] = images[:, None]  # (n, H, W) -> (n, C=1, H, W)
        arrays[f"{split}_labels"] = labels.astype(np.int64)
    dataset = Dataset(name, **arrays)
    train, test = len(dataset.train_labels), len(dataset.test_labels)
    if not (train and test and dataset.image_size):
        raise InputError(
            f"{folder}: {train} training and {test} test images of "
            f"{_by(images.shape[1:])} pixels: at least one of each is needed"
        )
    return dataset


def _by(shape):
    """Write a size as people do: 28x28."""
    return "x".join(map(str, shape))
