"""Matrices as coloured squares, with numbers in them where there is room."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from ..backend import to_numpy
from .style import TEXT, blank_figure

SIGNED, POSITIVE = "RdBu_r", "viridis"
WITH_NUMBERS = 12  # columns or rows up to which the numbers are written


def heatmaps(
    matrices,
    *,
    rows="",
    columns="",
    row_names=None,
    column_names=None,
    same_scale=True,
    per_line=4,
    numbers=None,
    digits=2,
    unit="",
):
    """Draw matrices side by side: blue below zero, white at zero, red above.

    Where no number is negative, colours go from dark (small) to light (large).

    matrices : dict title -> (R, C) array; a vector is drawn as one row
    rows, columns : what the axes are: "token", "feature" ...
    row_names, column_names : of the single rows and columns, for small matrices
    same_scale : whether a colour is the same number in all of them
    per_line : matrices in a line, at most
    numbers : whether the numbers are written; None writes them where there is room
    digits : behind the point of those numbers
    unit : of the numbers, for the colours' scale

    Returns the Figure. Each title gets its matrix's shape beneath it.
    """
    arrays = {title: np.atleast_2d(to_numpy(m)).astype(float) for title, m in matrices.items()}
    shapes = {title: np.shape(m) for title, m in matrices.items()}
    across = min(per_line, len(arrays))
    down = -(-len(arrays) // across)
    shape = max(_box(matrix) for matrix in arrays.values())
    side = min(9.0 / across, 4.5)
    figure = blank_figure(min(11.0, across * side + 2), down * (side * shape + 1.2))
    grid = figure.subplots(down, across, squeeze=False)
    for axes in grid.ravel()[len(arrays) :]:
        axes.set_axis_off()
    whole = _limits(*arrays.values())
    for axes, (title, matrix) in zip(grid.ravel(), arrays.items(), strict=False):
        low, high = whole if same_scale else _limits(matrix)
        colours = SIGNED if low < 0 else POSITIVE
        image = axes.imshow(
            matrix, cmap=colours, vmin=low, vmax=high, aspect="auto", interpolation="nearest"
        )
        axes.set_box_aspect(_box(matrix))
        axes.set_title(f"{title}\n{shapes[title]}", fontsize=TEXT)
        axes.tick_params(labelsize=TEXT - 1, length=0)
        _ticks(axes.xaxis, matrix.shape[1], column_names)
        _ticks(axes.yaxis, matrix.shape[0], row_names)
        axes.set_xlabel(columns, fontsize=TEXT)
        axes.set_ylabel(rows, fontsize=TEXT)
        written = max(matrix.shape) <= WITH_NUMBERS if numbers is None else numbers
        if written:
            _write(axes, matrix, low, high, digits)
        if not same_scale:
            _bar(figure, image, axes, unit)
    if same_scale:
        _bar(figure, image, grid, unit)
    return figure


def _box(matrix):
    """Height of a matrix's box divided by its width: its own, but no needles."""
    rows, columns = matrix.shape
    return float(np.clip(rows / columns, 0.15, 1.2))


def _limits(*arrays):
    finite = np.concatenate([a[np.isfinite(a)].ravel() for a in arrays])
    low, high = finite.min(), finite.max()
    if low < 0:
        most = max(-low, high)
        return -most, most
    return 0.0, high or 1.0


def _ticks(axis, count, names):
    if names is not None:
        axis.set_ticks(range(count), labels=[str(name) for name in names])
    elif count == 1:
        axis.set_ticks([])
    elif count <= WITH_NUMBERS:
        axis.set_ticks(range(count))
    else:
        axis.set_ticks([0, count - 1])


def _write(axes, matrix, low, high, digits):
    size = TEXT if max(matrix.shape) <= 6 else TEXT - 3
    for (row, column), value in np.ndenumerate(matrix):
        share = (value - low) / (high - low)
        dark = abs(share - 0.5) > 0.33 if low < 0 else share < 0.55
        text = f"{round(value, digits) + 0.0:.{digits}f}"  # + 0.0: no "-0.00"
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=size,
            color="white" if dark else "black",
        )


def _bar(figure, image, axes, unit):
    bar = figure.colorbar(image, ax=axes, shrink=0.9, pad=0.015, aspect=18)
    bar.ax.tick_params(labelsize=TEXT - 1)
    bar.locator = MaxNLocator(5)
    bar.update_ticks()
    if unit:
        bar.set_label(unit, fontsize=TEXT)
