"""Photographs that a model has named: what it saw, where it looked, what it said."""

import numpy as np
from matplotlib import colormaps

from ..backend import to_numpy
from .style import BLUE, GREY, TEXT, as_rgb, blank_figure, end_of, enlarged

SIDE = 3.2  # inches, of an image
BARS = 3.9  # inches, of the names and their bars


def classified(images, probabilities, class_names, titles, maps, top=5):
    """Draw photographs, the attention over each of them, and the classes most likely in it.

    images : (n, C, H, W) uint8, as the model saw them
    probabilities : (n, K), each row sums to 1
    class_names : K strings
    titles : n strings, of the images; file names
    maps : dict title -> (n, H', W') share of attention on each patch; may be empty
    top : how many classes to name

    Returns the Figure. A map goes from its own smallest share, dark, to its largest, bright; both
    are written below it, so that a map of nearly equal shares is known as one.
    """
    images, probabilities = to_numpy(images), to_numpy(probabilities)
    across = 1 + len(maps)
    figure = blank_figure(across * (SIDE + 0.1) + BARS, len(images) * (SIDE + 0.65))
    widths = [SIDE] * across + [BARS]
    grid = figure.subplots(len(images), across + 1, squeeze=False, width_ratios=widths)
    for n, (image, row, title) in enumerate(zip(images, probabilities, titles, strict=True)):
        shown = as_rgb(image)
        first, *others, last = grid[n]
        first.imshow(shown)
        first.set_title(end_of(title, 26), fontsize=TEXT)
        first.set_xlabel(f"{image.shape[1]}x{image.shape[2]} pixels", fontsize=TEXT)
        for axes, (name, shares) in zip(others, maps.items(), strict=True):
            share = to_numpy(shares)[n]
            axes.imshow(_lit(shown, share))
            axes.set_title(name, fontsize=TEXT)
            low, high = 100 * share.min(), 100 * share.max()
            axes.set_xlabel(f"a patch: {low:.2f} to {high:.2f} %", fontsize=TEXT)
        for axes in (first, *others):
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        _name_the_best(last, row, class_names, top)
    return figure


def _lit(shown, share):
    """Lay attention over an image as colour, dark where there is least: (H, W, 3)."""
    spread = np.ptp(share) or 1.0
    heat = enlarged(colormaps["inferno"]((share - share.min()) / spread)[..., :3], shown)
    return 0.6 * heat + 0.4 * shown.mean(axis=-1, keepdims=True)


def _name_the_best(axes, probabilities, class_names, top):
    """Write the likeliest classes above each other, each on its bar."""
    best = np.argsort(-probabilities, kind="stable")[:top]
    places, shares = np.arange(len(best)), 100 * probabilities[best]
    axes.barh(places, shares, color=[BLUE] + [GREY] * (len(best) - 1), height=0.3)
    for place, k, share in zip(places, best, shares, strict=True):
        name = class_names[k]
        name = name if len(name) <= 32 else f"{name[:31]}…"
        number = f"{share:.1f} %" if share >= 0.05 else "< 0.1 %"
        axes.text(0, place - 0.25, name, fontsize=TEXT, va="bottom")
        axes.text(100, place - 0.25, number, fontsize=TEXT, va="bottom", ha="right")
    axes.set_xlim(0, 100)
    axes.set_ylim(max(top, len(best)) - 0.7, -0.8)
    axes.set_axis_off()
