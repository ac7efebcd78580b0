"""A matrix product, laid out so that rows meet columns."""

import numpy as np
from matplotlib.patches import Rectangle

from ..backend import to_numpy
from .heat import SIGNED
from .style import ORANGE, TEXT, blank_figure

WIDE, TALL = 0.62, 0.46  # inches of a number
GAP = 0.55  # inches between two matrices
LINE = 1.3 * TEXT / 72  # inches that a line of letters takes


def product(
    left, right, *, names=("left", "right", "out"), axes=("", "", ""), entry=None, digits=1
):
    """Draw out = left @ right: each number of out lies where a row of left meets a column of right.

    left : (O, R)
    right : (R, I)
    names : of left, right and out
    axes : what O, R and I count: "output", "token", "input"
    entry : (o, i) of a number to follow: its row and its column are framed, its sum is written out
    digits : behind the point of the numbers in the factors; the result gets one more

    Returns the Figure. Blue is below zero, white zero, red above, the same in all three.
    """
    left, right = to_numpy(left), to_numpy(right)
    out = left @ right
    (lines, inner), across = left.shape, right.shape[1]
    most = max(abs(m).max() for m in (left, right, out)) or 1.0
    margin, above = 0.45 + 2 * LINE, 2 * LINE
    width = margin + inner * WIDE + GAP + across * WIDE + 0.3
    height = above + inner * TALL + GAP + lines * TALL + 3.6 * LINE
    figure = blank_figure(width, height)
    figure.set_layout_engine("none")

    def block(matrix, x, y, points):
        rows, columns = matrix.shape
        box = (x / width, 1 - (y + rows * TALL) / height)
        box += (columns * WIDE / width, rows * TALL / height)
        panel = figure.add_axes(box)
        panel.imshow(matrix, cmap=SIGNED, vmin=-most, vmax=most, aspect="auto")
        for (row, column), value in np.ndenumerate(matrix):
            colour = "white" if abs(value) > 0.66 * most else "black"
            place = {"ha": "center", "va": "center", "fontsize": TEXT - 1, "color": colour}
            panel.text(column, row, _number(value, points), **place)
        panel.set_xticks(range(columns))
        panel.set_yticks(range(rows))
        panel.tick_params(labelsize=TEXT - 1, length=0)
        return panel

    x, y = margin + inner * WIDE + GAP, above + inner * TALL + GAP
    first = block(left, margin, y, digits)
    second = block(right, x, above, digits)
    third = block(out, x, y, digits + 1)
    for panel, name, matrix in zip((first, third), names[::2], (left, out), strict=True):
        panel.set_xlabel(
            f"{axes[1 if panel is first else 2]}\n{name} {matrix.shape}", fontsize=TEXT
        )
    first.set_ylabel(axes[0], fontsize=TEXT)
    second.set_title(f"{names[1]} {right.shape}", fontsize=TEXT)
    second.set_ylabel(axes[1], fontsize=TEXT)
    second.set_xticks([])
    third.set_yticks([])
    if entry is not None:
        o, i = entry
        _frame(first, -0.5, o - 0.5, inner, 1)
        _frame(second, i - 0.5, -0.5, 1, inner)
        _frame(third, i - 0.5, o - 0.5, 1, 1)
        said = [f"{names[2]}[{o}, {i}] ="]
        said += [
            f"{_number(a, digits):>5} × {_number(b, digits):>5}  = {_number(a * b, digits + 1):>6}"
            for a, b in zip(left[o], right[:, i], strict=True)
        ]
        said += [f"{'sum':>13}  = {_number(out[o, i], digits + 1):>6}"]
        style = {"fontsize": TEXT, "family": "monospace", "va": "top", "linespacing": 1.3}
        figure.text(margin / width, 1 - above / height, "\n".join(said), **style)
    return figure


def _number(value, digits):
    return f"{round(float(value), digits) + 0.0:.{digits}f}"


def _frame(axes, x, y, wide, tall):
    style = {"fill": False, "edgecolor": ORANGE, "lw": 3.5, "clip_on": False, "zorder": 5}
    axes.add_patch(Rectangle((x, y), wide, tall, **style))
