"""Patches: an image cut up, one patch as a vector, what filters answer, small maps on a grid."""

import numpy as np
from matplotlib.patches import ConnectionPatch, Rectangle

from ..backend import to_numpy
from .heat import POSITIVE, SIGNED
from .style import BLUE, COLOURS, GREEN, GREY, ORANGE, RED, TEXT, as_rgb, blank_figure

PLANES = RED, GREEN, BLUE  # edges of the channels of a colour image
NAMES = "red", "green", "blue"
LINE = 1.25 * TEXT / 72  # inches that a line of letters takes


def patch_grid(image, patches, patch_size):
    """Draw an image with the lines along which it is cut, and its patches, apart, in their order.

    image : (C, H, W), uint8 or float in [-1, 1]
    patches : (N, C*P*P) of this image, as `patchify_forward` cuts them
    patch_size : P, side of a patch [pixels]

    Returns the Figure. To the left of each line of patches stand its first and its last number.
    """
    image, patches = to_numpy(image), to_numpy(patches)
    P, gap = patch_size, max(patch_size // 4, 1)
    C, H, W = image.shape
    rows, columns = H // P, W // P
    step = P + gap
    apart = np.ones((rows * step - gap, columns * step - gap, 3))
    for n, patch in enumerate(patches):
        row, column = divmod(n, columns)
        place = slice(row * step, row * step + P), slice(column * step, column * step + P)
        apart[place] = as_rgb(patch.reshape(C, P, P))
    figure = blank_figure(11, 4.85 * H / W + 0.55)
    left, right = figure.subplots(1, 2)
    left.imshow(as_rgb(image))
    left.hlines(np.arange(P, H, P) - 0.5, -0.5, W - 0.5, "white", lw=1)
    left.vlines(np.arange(P, W, P) - 0.5, -0.5, H - 0.5, "white", lw=1)
    left.set_title(f"image {image.shape}", fontsize=TEXT)
    right.imshow(apart)
    right.set_title(f"patches {patches.shape}", fontsize=TEXT)
    for axes in (left, right):
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    spans = [f"{row * columns} to {(row + 1) * columns - 1}" for row in range(rows)]
    right.set_yticks(np.arange(rows) * step + P / 2 - 0.5, labels=spans)
    right.tick_params(labelsize=TEXT - 1, length=0)
    return figure


def patch_vector(image, vector, patch_size, number):
    """Draw how one patch becomes a vector: where it lies, its channels, its numbers in a row.

    image : (C, H, W), uint8 or float in [-1, 1]
    vector : (C*P*P,) this patch, as `patchify_forward` lays it out
    patch_size : P, side of a patch [pixels]
    number : n of the patch

    Returns the Figure. A number is the same grey in its channel and in the row: dark is small.
    """
    image, vector = to_numpy(image), to_numpy(vector)
    C, P, (row, column) = len(image), patch_size, divmod(number, image.shape[-1] // patch_size)
    low, high = (0, 255) if image.dtype == np.uint8 else (-1, 1)
    grey = {"cmap": "gray", "vmin": low, "vmax": high, "interpolation": "nearest"}
    figure = blank_figure(11, 4.7)
    grid = figure.add_gridspec(
        2, C + 2, height_ratios=(2.35, 1), width_ratios=(1.45, *[1] * (C + 1))
    )
    whole, patch = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    whole.imshow(as_rgb(image))
    place = {"xy": (column * P - 0.5, row * P - 0.5), "width": P, "height": P}
    whole.add_patch(Rectangle(**place, fill=False, edgecolor=ORANGE, lw=3))
    whole.set_title(f"image\n{image.shape}", fontsize=TEXT)
    patch.imshow(as_rgb(vector.reshape(C, P, P)), interpolation="nearest")
    patch.set_title(f"patch {number}\n{vector.reshape(C, P, P).shape}", fontsize=TEXT)
    _edge(patch, ORANGE)
    _join(figure, whole, (column * P + P, row * P + P / 2), patch, (0, P / 2))
    for c, plane in enumerate(vector.reshape(C, P, P)):
        axes = figure.add_subplot(grid[0, c + 2])
        axes.imshow(plane, **grey)
        name = f", {NAMES[c]}" if C == 3 else ""
        axes.set_title(f"channel {c}{name}\n{plane.shape}", fontsize=TEXT)
        _edge(axes, PLANES[c % len(PLANES)])
    strip = figure.add_subplot(grid[1, :])
    strip.imshow(vector[None], aspect="auto", extent=(0, len(vector), 1, 0), **grey)
    strip.set_title(f"the vector {vector.shape}", fontsize=TEXT)
    for c in range(C):
        style = {"edgecolor": PLANES[c % len(PLANES)], "fill": False, "lw": 3, "clip_on": False}
        strip.add_patch(Rectangle((c * P * P, 0), P * P, 1, **style))
        strip.text(
            *((c + 0.5) * P * P, 1.12, f"channel {c}, row by row"),
            **{"fontsize": TEXT, "ha": "center", "va": "top", "color": style["edgecolor"]},
        )
    strip.set_xticks(np.arange(C + 1) * P * P)
    strip.set_yticks([])
    strip.tick_params(labelsize=TEXT, length=3)
    for axes in (whole, *figure.axes[1 : C + 2]):
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def patch_places(image, patches, patch_size, *, names=("image", "patches"), back=False):
    """Draw where each number of a small image goes: a colour for each patch, in both.

    image : (H, W) one channel of few pixels; whole numbers
    patches : (N, P*P) the same numbers in patches, or on their way back
    patch_size : P, side of a patch [pixels]
    names : of the two
    back : whether the arrow leads from the patches to the image; zeros are then drawn pale

    Returns the Figure.
    """
    image, patches, P = to_numpy(image), to_numpy(patches), patch_size
    (H, W), (N, length) = image.shape, patches.shape
    row, column = np.divmod(np.arange(H * W).reshape(H, W), W)
    owner = row // P * (W // P) + column // P
    cell = min(0.75, 8.0 / (W + length))  # inches
    figure = blank_figure(W * cell + length * cell + 3.0, max(H, N) * cell + 0.9)
    widths = {"width_ratios": (W, 1.1 / cell, length)}
    left, middle, right = figure.subplots(1, 3, gridspec_kw=widths)
    owners = np.arange(N)[:, None] * np.ones((1, length), int)
    for axes, matrix, whose in ((left, image, owner), (right, patches, owners)):
        rows, columns = matrix.shape
        axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), aspect="equal")
        for place, value in np.ndenumerate(matrix):
            colour = COLOURS[whose[place] % len(COLOURS)]
            corner = place[1] - 0.5, place[0] - 0.5
            strength = 0.35 if not back else 0.8 if value else 0.15
            axes.add_patch(Rectangle(corner, 1, 1, facecolor=colour, alpha=strength, lw=0))
            style = {"ha": "center", "va": "center", "fontsize": TEXT}
            style |= {"weight": "bold"} if back and value else {"color": GREY} if back else {}
            axes.text(*place[::-1], f"{round(float(value))}", **style)
        axes.tick_params(labelsize=TEXT, length=0)
        axes.spines[:].set_visible(False)
    left.set_xticks([])
    left.set_yticks([])
    left.set_title(f"{names[0]} {image.shape}", fontsize=TEXT)
    right.set_xticks([])
    right.set_yticks(range(N), labels=[f"patch {n}" for n in range(N)])
    right.set_title(f"{names[1]} {patches.shape}", fontsize=TEXT)
    middle.set_axis_off()
    ends = ((0.1, 0.5), (0.9, 0.5)) if back else ((0.9, 0.5), (0.1, 0.5))
    arrow = {"arrowstyle": "-|>", "color": GREY, "lw": 2.5, "mutation_scale": 22}
    middle.annotate("", *ends, xycoords="axes fraction", arrowprops=arrow)
    return figure


def answers(image, filters, maps, *, titles=None):
    """Draw what filters answer: an image, each filter, and below it its answer at every patch.

    image : (C, H, W), uint8 or float in [-1, 1]
    filters : (O, C, P, P); drawn as the mean over the channels
    maps : (O, H', W'), one number a patch
    titles : O names; None counts

    Returns the Figure. Blue is below zero, white zero, red above; each filter and each map is
    scaled to its own largest number.
    """
    image, filters, maps = to_numpy(image), to_numpy(filters), to_numpy(maps)
    count = len(filters)
    titles = titles or [f"feature {o}" for o in range(count)]
    figure = blank_figure(11, 4.6)
    grid = figure.add_gridspec(
        2, count + 1, height_ratios=(1, 2.1), width_ratios=(1.75, *[1] * count)
    )
    whole = figure.add_subplot(grid[:, 0])
    whole.imshow(as_rgb(image))
    whole.set_title(f"image {image.shape}", fontsize=TEXT)
    panels = [whole]
    for o in range(count):
        for line, matrix, kind in ((0, filters[o].mean(axis=0), "filter"), (1, maps[o], "answers")):
            axes = figure.add_subplot(grid[line, o + 1])
            most = abs(matrix).max() or 1.0
            axes.imshow(matrix, cmap=SIGNED, vmin=-most, vmax=most, interpolation="nearest")
            shape = (filters[o] if kind == "filter" else matrix).shape
            title = f"{titles[o]}\nfilter {shape}" if kind == "filter" else f"answers {shape}"
            axes.set_title(title, fontsize=TEXT)
            panels.append(axes)
    for axes in panels:
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def tiles(maps, *, rows="", columns="", row_names=None, column_names=None, unit="", limits=None):
    """Draw small maps on a grid, each where it belongs.

    maps : dict title -> (R, C, r, c); the map [i, j] is drawn in line i, column j of the grid
    rows, columns : what the grid's axes are: "row of the patch" ...
    row_names, column_names : of the lines and columns; None counts
    unit : of the numbers, for the colours' scale
    limits : (low, high) of the colours; None takes the smallest and the largest number

    Returns the Figure. Each title gets the shape of its small maps beneath it. Where `low` is
    negative, blue is below zero, white zero, red above; else dark is small and light is large.
    """
    maps = {title: to_numpy(m) for title, m in maps.items()}
    low, high = limits or (min(m.min() for m in maps.values()), max(m.max() for m in maps.values()))
    if low < 0:
        low, high = -max(-low, high), max(-low, high)
    R, C = next(iter(maps.values())).shape[:2]
    wide = 9.6 / len(maps)
    figure = blank_figure(11, min(wide * R / C, 6.5) + 4 * LINE)
    panels = figure.subplots(1, len(maps), squeeze=False)[0]
    for axes, (title, four) in zip(panels, maps.items(), strict=True):
        (R, C, r, c), gap = four.shape, max(four.shape[-1] // 8, 1)
        sheet = np.full((R * (r + gap) - gap, C * (c + gap) - gap), np.nan)
        for i, j in np.ndindex(R, C):
            sheet[i * (r + gap) :, j * (c + gap) :][:r, :c] = four[i, j]
        style = {"cmap": SIGNED if low < 0 else POSITIVE, "vmin": low, "vmax": high}
        style["interpolation"] = "nearest"
        shown = axes.imshow(sheet, **style)
        axes.set_title(f"{title}\neach map {four[0, 0].shape}", fontsize=TEXT)
        names = range(C) if column_names is None else column_names
        axes.set_xticks(np.arange(C) * (c + gap) + c / 2 - 0.5, labels=names)
        names = range(R) if row_names is None else row_names
        axes.set_yticks(np.arange(R) * (r + gap) + r / 2 - 0.5, labels=names)
        axes.tick_params(labelsize=TEXT - 1, length=0)
        axes.set_xlabel(columns, fontsize=TEXT)
        axes.set_ylabel(rows, fontsize=TEXT)
        axes.spines[:].set_visible(False)
    bar = figure.colorbar(shown, ax=panels, shrink=0.8, pad=0.015, aspect=20)
    bar.ax.tick_params(labelsize=TEXT - 1)
    bar.set_label(unit, fontsize=TEXT)
    return figure


def _edge(axes, colour):
    axes.spines[:].set_color(colour)
    axes.spines[:].set_linewidth(3)


def _join(figure, one, start, other, end):
    style = {"coordsA": one.transData, "coordsB": other.transData, "color": GREY}
    style |= {"arrowstyle": "-|>", "lw": 1.4, "mutation_scale": 14, "shrinkA": 3, "shrinkB": 5}
    figure.add_artist(ConnectionPatch(start, end, **style))
