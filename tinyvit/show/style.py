"""One style for every picture: colours, sizes of letters, an empty figure, saving it."""

from io import BytesIO

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from ..files import whole_file

# Okabe and Ito's colours, which the colour-blind can tell apart.
BLUE, ORANGE, RED, GREY = "#0072B2", "#E69F00", "#D55E00", "#666666"
GREEN, PINK, SKY = "#009E73", "#CC79A7", "#56B4E9"
COLOURS = (BLUE, RED, GREEN, ORANGE, PINK, SKY, GREY)
LINES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (3, 5)))
TEXT, TITLE = 13, 15  # points
DPI = 120


def save(figure, path):
    """Write a figure whole or not at all; the name's ending (.png, .svg, .pdf) says in what form.

    figure : what the functions below return
    path : the file to write
    """
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=DPI)


def as_png(figure):
    """The bytes of a figure as a PNG, for a notebook or a page."""
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def blank_figure(width, height):
    """Make an empty figure [inches] that fits its parts together by itself."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.09, h_pad=0.09)  # inches
    FigureCanvasAgg(figure)
    return figure


def as_rgb(image):
    """Turn an image (C, H, W), uint8 or float in [-1, 1], to (H, W, 3) in [0, 1]."""
    image = image / 255 if image.dtype == np.uint8 else np.clip((image + 1) / 2, 0, 1)
    image = image.transpose(1, 2, 0)  # (C, H, W) -> (H, W, C)
    return image if image.shape[-1] == 3 else image[..., :1].repeat(3, axis=-1)


def paler(colour, share):
    """Mix a colour with a share of white; returns (red, green, blue) in [0, 1]."""
    return tuple((1 - share) * part + share for part in to_rgb(colour))


def name_axes(axes, xlabel="", ylabel="", title=""):
    """Write an axes' names, and give it the grid and the edges that all have."""
    axes.set_xlabel(xlabel, fontsize=TEXT)
    axes.set_ylabel(ylabel, fontsize=TEXT)
    axes.set_title(title, fontsize=TITLE)
    axes.tick_params(labelsize=TEXT)
    axes.grid(color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def end_of(name, length):
    """The end of a name that is too long to write out: it tells files apart."""
    name = str(name)
    return name if len(name) <= length else "…" + name[1 - length :]


def enlarged(patches, image):
    """Make each of (H', W', ...) as large as its patch of the image (H, W, ...)."""
    sizes = zip(image.shape[:2], patches.shape[:2], strict=True)
    rows, columns = (np.arange(pixels) * count // pixels for pixels, count in sizes)
    return patches[rows][:, columns]
