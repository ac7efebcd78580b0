"""The pictures; matplotlib's only place.

Each function makes a `matplotlib.figure.Figure` of its own and touches nothing else (no pyplot, no
settings), so that several threads may draw at once.
"""

from .attention_maps import dots, maps_below
from .classified import classified
from .heat import heatmaps
from .lines import bars, lines
from .patches import answers, patch_grid, patch_places, patch_vector, tiles
from .path import data_path
from .photos import looks, photograph, pictures
from .product import product
from .style import (
    BLUE,
    COLOURS,
    DPI,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    RED,
    SKY,
    TEXT,
    TITLE,
    as_png,
    as_rgb,
    blank_figure,
    save,
)
from .tensors import tensors
from .training import attention, confusion, curves, hardest, predictions

__all__ = [
    "BLUE",
    "COLOURS",
    "DPI",
    "GREEN",
    "GREY",
    "ORANGE",
    "PINK",
    "RED",
    "SKY",
    "TEXT",
    "TITLE",
    "answers",
    "as_png",
    "as_rgb",
    "attention",
    "bars",
    "blank_figure",
    "classified",
    "confusion",
    "curves",
    "data_path",
    "dots",
    "hardest",
    "heatmaps",
    "lines",
    "looks",
    "maps_below",
    "patch_grid",
    "patch_places",
    "patch_vector",
    "photograph",
    "pictures",
    "predictions",
    "product",
    "save",
    "tensors",
    "tiles",
]
