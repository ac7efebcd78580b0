"""Data sets: images of uint8 pixels with their labels, read from IDX files."""

from .datasets import Dataset, load_dataset, normalize

__all__ = ["Dataset", "load_dataset", "normalize"]
