"""Where heads look: a dot for each head of each layer, and several kinds of maps under images."""

import numpy as np
from matplotlib import colormaps

from ..backend import to_numpy
from .lines import MARKERS
from .style import (
    BLUE,
    COLOURS,
    GREY,
    LINES,
    RED,
    TEXT,
    TITLE,
    as_rgb,
    blank_figure,
    enlarged,
    name_axes,
)


def dots(x, groups, *, levels=None, xlabel="", ylabel=""):
    """Draw several values at each place as dots, a group with a colour and a marker of its own.

    x : (n,) the places, each named on the axis: layers, for example
    groups : dict label -> (n, m), m values a place
    levels : dict label -> number, drawn as a level line with its name; None draws none
    xlabel, ylabel : in words, with units in [brackets]

    Returns the Figure. The groups stand a little apart, so that none hides another.
    """
    figure = blank_figure(9.5, 5)
    axes = figure.subplots()
    x = to_numpy(x).astype(float)
    step = 0.24 * (np.diff(x).min() if len(x) > 1 else 1.0)
    for number, (label, values) in enumerate(groups.items()):
        values = to_numpy(values)
        places = np.repeat(x + (number - (len(groups) - 1) / 2) * step, values.shape[1])
        style = {"marker": MARKERS[number % len(MARKERS)], "s": 85, "linewidths": 1.6}
        colour = COLOURS[number % len(COLOURS)]
        filled = colour if number == 0 else "none"
        axes.scatter(places, values.ravel(), label=label, fc=filled, ec=colour, **style, zorder=3)
    for number, (label, level) in enumerate((levels or {}).items()):
        axes.axhline(level, color=GREY, lw=2, ls=LINES[(number + 1) % len(LINES)], label=label)
    axes.set_xticks(x, labels=[f"{place:g}" for place in x])
    name_axes(axes, xlabel, ylabel)
    axes.set_ylim(bottom=0)
    axes.grid(visible=False, axis="x")
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.15), "ncols": 4}
    axes.legend(fontsize=TEXT, frameon=False, columnspacing=1.4, **below)
    return figure


def maps_below(images, maps, labels, predictions=None):
    """Draw images in a line, and below each of them maps of several kinds, one kind a line.

    images : (n, C, H, W) uint8, or float in [-1, 1]
    maps : dict title -> (n, H', W') over the patches; each map is scaled to its own largest
    labels : (n,) int, the true classes
    predictions : (n,) int; left out, the labels alone are named

    Returns the Figure.
    """
    images, labels = to_numpy(images), to_numpy(labels)
    across, down = len(images), len(maps) + 1
    side = min(1.3, 9.6 / across)
    figure = blank_figure(across * (side + 0.06) + 1.3, down * (side + 0.06) + 0.45)
    grid = figure.subplots(down, across, squeeze=False)
    for axes in grid.ravel():
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    for place, (axes, image) in enumerate(zip(grid[0], images, strict=True)):
        axes.imshow(as_rgb(image))
        text, colour = f"{labels[place]}", "black"
        if predictions is not None:
            right = predictions[place] == labels[place]
            text = f"✓ {labels[place]}" if right else f"✗ {predictions[place]} (is {labels[place]})"
            colour = BLUE if right else RED
        axes.set_title(text, fontsize=TITLE, color=colour, fontweight="bold", pad=4)
    style = {"fontsize": TEXT, "rotation": 0, "ha": "right", "va": "center"}
    grid[0, 0].set_ylabel("image", **style)
    for line, (title, kind) in zip(grid[1:], maps.items(), strict=True):
        line[0].set_ylabel(title, **style)
        for axes, image, share in zip(line, images, to_numpy(kind), strict=True):
            shown = as_rgb(image)
            heat = colormaps["inferno"](share / share.max())[..., :3]  # (H', W', 3)
            heat = enlarged(heat, shown)
            axes.imshow(heat + (1 - heat) * 0.4 * shown)  # the image shines through
    return figure
