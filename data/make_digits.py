"""Make data/digits once, from scikit-learn's copy of the UCI digits.

pip install -e . scikit-learn
python data/make_digits.py
"""

import gzip
import hashlib
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from tinyvit.data.idx import idx_bytes

FOLDER = Path(__file__).parent / "digits"
TEST = 359  # a fifth of 1,797


def main():
    """Write the four files and print their MD5s, as README.md lists them."""
    images, labels = load_digits(return_X_y=True)
    images = np.rint(images.reshape(-1, 8, 8) * 255 / 16).astype(np.uint8)  # 0..16 -> 0..255
    labels = labels.astype(np.uint8)
    order = np.random.default_rng(0).permutation(len(images))
    FOLDER.mkdir(exist_ok=True)
    for split, chosen in (("train", order[TEST:]), ("t10k", order[:TEST])):
        save(f"{split}-images-idx3-ubyte", images[chosen])
        save(f"{split}-labels-idx1-ubyte", labels[chosen])


def save(name, array):
    """Write one array as a gzip IDX file, whose bytes hold no date, and print its line."""
    plain = idx_bytes(array)
    zipped = gzip.compress(plain, mtime=0)
    (FOLDER / f"{name}.gz").write_bytes(zipped)
    md5s = [hashlib.md5(content).hexdigest() for content in (plain, zipped)]
    print(f"| {name}.gz | {'x'.join(map(str, array.shape))} | {md5s[0]} | {md5s[1]} |")


if __name__ == "__main__":
    main()
