"""Images: the photograph that the lessons use, images in a row, patches, attention on top."""

import numpy as np
from matplotlib import cbook, colormaps
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, withStroke

from ..backend import to_numpy
from .style import TEXT, as_rgb, blank_figure, enlarged


def photograph(size=224):
    """Load the photograph that comes with matplotlib: Grace Hopper, computer scientist.

    size : H = W [pixels]; the middle of the photograph's width is taken, from its top

    Returns (1, 3, size, size) float32 in [-1, 1], as the ViT authors' code scales pixels.

    Source: matplotlib's sample data, grace_hopper.jpg: a portrait by the U.S. Navy, public domain.
    """
    from PIL import Image

    with Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        side = min(image.size)
        left = (image.width - side) // 2
        square = image.convert("RGB").crop((left, 0, left + side, side))
        pixels = np.asarray(square.resize((size, size), Image.Resampling.BILINEAR), np.float32)
    return (pixels / 127.5 - 1).transpose(2, 0, 1)[None]  # (H, W, 3) -> (1, 3, H, W)


def pictures(images, *, grid=None, per_line=4, height=3.2):
    """Draw images side by side.

    images : dict title -> (C, H, W), uint8 or float in [-1, 1]
    grid : P, to draw the edges of patches; None draws none
    per_line : images in a line, at most
    height : of an image [inches]

    Returns the Figure. Each title gets its image's shape beneath it.
    """
    images = {title: to_numpy(image) for title, image in images.items()}
    figure, grid_of_axes = _lines_of(len(images), per_line, height, 0.6)
    for axes, (title, image) in zip(grid_of_axes, images.items(), strict=False):
        axes.imshow(as_rgb(image))
        axes.set_title(f"{title}\n{image.shape}", fontsize=TEXT)
        if grid:
            _, rows, columns = image.shape
            axes.hlines(np.arange(0, rows + 1, grid) - 0.5, -0.5, columns - 0.5, "white", lw=0.8)
            axes.vlines(np.arange(0, columns + 1, grid) - 0.5, -0.5, rows - 0.5, "white", lw=0.8)
    return figure


def looks(image, maps, *, asking=None):
    """Draw where someone looks: an image, darker where little attention falls.

    image : (C, H, W), uint8 or float in [-1, 1]
    maps : dict title -> (H', W') attention over the patches; each is scaled to its own largest
    asking : dict title -> (row, column) of the patch that looks, framed; None frames none

    Returns the Figure. The first image is the bare one.
    """
    shown = as_rgb(to_numpy(image))
    figure, grid_of_axes = _lines_of(len(maps) + 1, 4, 2.7, 0.45)
    grid_of_axes[0].imshow(shown)
    grid_of_axes[0].set_title("image", fontsize=TEXT)
    for axes, (title, share) in zip(grid_of_axes[1:], maps.items(), strict=False):
        share = to_numpy(share) / to_numpy(share).max()
        heat = colormaps["inferno"](share)[..., :3]  # (H', W', 3)
        axes.imshow(0.65 * enlarged(heat, shown) + 0.35 * shown)
        axes.set_title(title, fontsize=TEXT)
        if asking and title in asking:
            row, column = asking[title]
            tall, wide = [n // m for n, m in zip(shown.shape, share.shape, strict=False)]
            axes.add_patch(_frame(column * wide, row * tall, wide, tall))
    return figure


def _frame(left, top, wide, tall):
    """A frame that is seen on dark and on bright ground."""
    edge = [withStroke(linewidth=5, foreground="black"), Normal()]
    style = {"fill": False, "edgecolor": "white", "linewidth": 2.5, "path_effects": edge}
    return Rectangle((left - 0.5, top - 0.5), wide, tall, **style)


def _lines_of(count, per_line, height, title):
    across = min(per_line, count)
    down = -(-count // across)
    figure = blank_figure(across * (height + 0.15), down * (height + title))
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for one in axes:
        one.set_axis_off()
    return figure, axes
