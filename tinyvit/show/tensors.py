"""Tensors as blocks, drawn to scale: a number is the same length in every block of a picture."""

from math import prod

from matplotlib.patches import Rectangle

from .style import COLOURS, GREY, TEXT, blank_figure

SHEETS = 12  # of a stack, drawn one behind the other; more are told in words
STEP = 0.055  # inches between two sheets
THINNEST = 0.035  # inches: a vector must be seen
LETTER = 0.60 * TEXT / 72  # inches that a letter of the caption takes
LINE = 1.35 * TEXT / 72  # inches that a line of the caption takes
GAP, MARGIN = 0.38, 0.25  # inches


def tensors(arrays, *, width=11.0, arrows=True):
    """Draw arrays in the order of their making, as blocks to scale, with names and shapes.

    The last axis goes to the right, the one before it down; the axes before those are sheets, one
    behind the other. Axes of size 1 in front are not drawn.

    arrays : dict name -> array, or its shape (a tuple)
    width : of the figure [inches]
    arrows : whether arrows lead from block to block

    Returns the Figure.
    """
    shapes = {name: tuple(getattr(a, "shape", a)) for name, a in arrays.items()}
    blocks = [_Block(name, shape) for name, shape in shapes.items()]
    unit = min(
        (width - 2 * MARGIN - block.depth) / max(block.columns, 1) for block in blocks
    )  # inches a number
    unit = min(unit, *(2.6 / block.rows for block in blocks))
    lines = _in_lines(blocks, unit, width - 2 * MARGIN)
    heights = [max(block.height(unit) for block in line) + 2 * LINE + GAP for line in lines]
    figure = blank_figure(width, sum(heights) + MARGIN)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(sum(heights) + MARGIN, 0))
    axes.set_axis_off()
    top = MARGIN
    for line, height in zip(lines, heights, strict=True):
        spare = width - 2 * MARGIN - sum(block.width(unit) for block in line)
        gap = min(spare / max(len(line) - 1, 1), 0.9)
        left, middle = MARGIN, top + (height - 2 * LINE - GAP) / 2
        for place, block in enumerate(line):
            colour = COLOURS[blocks.index(block) % (len(COLOURS) - 1)]
            block.draw(axes, left, middle, unit, colour)
            axes.text(
                *(left + block.width(unit) / 2, top + height - GAP - 2 * LINE + 0.06),
                f"{block.name}\n{block.caption}",
                **{"ha": "center", "va": "top", "fontsize": TEXT, "linespacing": 1.15},
            )
            right = left + (block.width(unit) + block.drawn_width(unit)) / 2
            left += block.width(unit) + gap
            if arrows and block is not blocks[-1] and place < len(line) - 1:
                start = left + (line[place + 1].width(unit) - line[place + 1].drawn_width(unit)) / 2
                axes.annotate(
                    "",
                    *((start - 0.05, middle), (right + 0.05, middle)),
                    arrowprops={"arrowstyle": "-|>", "color": GREY, "linewidth": 1.4},
                )
        top += height
    return figure


class _Block:
    """One array: its size in numbers, and in inches once a number's length is known."""

    def __init__(self, name, shape):
        self.name, self.caption = name, f"({', '.join(map(str, shape))})"
        drawn = [1, 1, *shape]
        self.rows, self.columns = drawn[-2:]
        self.sheets = prod(drawn[:-2])
        self.depth = (min(self.sheets, SHEETS) - 1) * STEP

    def drawn_width(self, unit):
        return max(self.columns * unit, THINNEST) + self.depth

    def width(self, unit):
        letters = max(len(self.name), len(self.caption))
        return max(self.drawn_width(unit), letters * LETTER)

    def height(self, unit):
        return max(self.rows * unit, THINNEST) + self.depth

    def draw(self, axes, left, middle, unit, colour):
        left += (self.width(unit) - self.drawn_width(unit)) / 2
        top = middle - self.height(unit) / 2
        size = max(self.columns * unit, THINNEST), max(self.rows * unit, THINNEST)
        shown = min(self.sheets, SHEETS)
        for sheet in reversed(range(shown)):  # the last sheet is the farthest
            x, y = left + sheet * STEP, top + self.depth - sheet * STEP
            strength = 0.9 - 0.5 * sheet / SHEETS
            style = {"facecolor": colour, "edgecolor": "white", "linewidth": 0.6}
            axes.add_patch(Rectangle((x, y), *size, **style, alpha=None, zorder=2))
            axes.add_patch(
                Rectangle((x, y), *size, facecolor="white", alpha=1 - strength, zorder=2)
            )
        if self.sheets > SHEETS:
            axes.text(
                left + size[0] / 2,
                top + self.depth + size[1] / 2,
                f"x {self.sheets}",
                ha="center",
                va="center",
                fontsize=TEXT,
                color="white",
                zorder=3,
            )


def _in_lines(blocks, unit, width):
    lines, used = [[]], 0.0
    for block in blocks:
        needed = block.width(unit) + GAP
        if lines[-1] and used + needed - GAP > width:
            lines.append([])
            used = 0.0
        lines[-1].append(block)
        used += needed
    return lines
