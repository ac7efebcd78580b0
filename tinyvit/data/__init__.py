"""Data sets: images of uint8 pixels with their labels, read from IDX files."""

from .datasets import NAMES, Dataset, load_dataset, normalize

__all__ = ["NAMES", "Dataset", "load_dataset", "normalize"]
