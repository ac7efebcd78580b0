"""Tensors as blocks, drawn to scale: a number is the same length in every block of a picture."""

from math import prod

from matplotlib.patches import Rectangle

from .style import COLOURS, GREY, TEXT, blank_figure, paler

SHEETS = 12  # of a stack, drawn one behind the other; more are told in words
STEP = 0.055  # inches between two sheets
THINNEST = 0.035  # inches: a vector must be seen
LETTER = 0.60 * TEXT / 72  # inches that a letter of the caption takes
CAPTION = 3 * 1.35 * TEXT / 72  # inches that a caption of up to three lines takes
HIGHEST = 2.6  # inches
WIDTH, GAP, MARGIN = 11.0, 0.25, 0.25  # inches


def tensors(arrays, *, arrows=True):
    """Draw arrays in the order of their making, as blocks to scale, with names and shapes.

    The last axis goes to the right, the one before it down; the axes before those are sheets, one
    behind the other. Axes of size 1 in front are not drawn.

    arrays : dict name -> array, or its shape (a tuple)
    arrows : whether arrows lead from block to block

    Returns the Figure.
    """
    shapes = {name: tuple(getattr(a, "shape", a)) for name, a in arrays.items()}
    room = WIDTH - 2 * MARGIN
    unit = min(_largest_unit(shape, room) for shape in shapes.values())
    colours = [COLOURS[n % (len(COLOURS) - 1)] for n in range(len(shapes))]
    blocks = [
        _Block(name, shape, unit, colour)
        for (name, shape), colour in zip(shapes.items(), colours, strict=True)
    ]
    lines = _in_lines(blocks, room)
    heights = [max(block.height for block in line) + CAPTION + GAP for line in lines]
    figure = blank_figure(WIDTH, sum(heights) + MARGIN)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(sum(heights) + MARGIN, 0))  # inches, from the upper left
    axes.set_axis_off()
    top = MARGIN
    for line, height in zip(lines, heights, strict=True):
        spare = room - sum(block.width for block in line)
        gap = min(spare / max(len(line) - 1, 1), 0.9)
        left, middle, ends = MARGIN, top + (height - CAPTION - GAP) / 2, []
        for block in line:
            ends.append(block.draw(axes, left, middle))
            block.write(axes, left, top + height - GAP - CAPTION + 0.06)
            left += block.width + gap
        for (_, end), (start, _) in zip(ends, ends[1:] if arrows else [], strict=False):
            style = {"arrowstyle": "-|>", "color": GREY, "linewidth": 1.4}
            axes.annotate("", (start - 0.05, middle), (end + 0.05, middle), arrowprops=style)
        top += height
    return figure


class _Block:
    """One array, all sizes in inches.

    unit : length of a number
    """

    def __init__(self, name, shape, unit, colour):
        self.name, self.colour, self._sheets = name, colour, _sheets(shape)
        self._size, self._depth = sheet_size(shape, unit), stack_depth(shape, STEP)
        self._words = f"{name}\n{shape}"
        if self._sheets > SHEETS:
            self._words += f"\n{SHEETS} of {self._sheets} sheets drawn"
        letters = max(map(len, self._words.splitlines()))
        self.width = max(self._size[0] + self._depth, letters * LETTER)
        self.height = self._size[1] + self._depth

    def draw(self, axes, left, middle):
        """Draw the sheets; returns where they begin and end."""
        left += (self.width - self._size[0] - self._depth) / 2
        top = middle + self.height / 2 - self._size[1]
        for sheet in reversed(range(min(self._sheets, SHEETS))):  # the last is the farthest
            colour = paler(self.colour, 0.1 + 0.5 * sheet / SHEETS)
            style = {"facecolor": colour, "edgecolor": "white", "linewidth": 0.6}
            place = left + sheet * STEP, top - sheet * STEP
            axes.add_patch(Rectangle(place, *self._size, label=self.name, **style))
        return left, left + self._size[0] + self._depth

    def write(self, axes, left, top):
        """Write name and shape below."""
        style = {"ha": "center", "va": "top", "fontsize": TEXT, "linespacing": 1.15}
        axes.text(left + self.width / 2, top, self._words, **style)


def _sheets(shape):
    return prod(shape[:-2])


def sheet_size(shape, unit):
    """Width and height of a sheet [inches], a number being `unit` long."""
    rows, columns = (1, 1, *shape)[-2:]
    return max(columns * unit, THINNEST), max(rows * unit, THINNEST)


def stack_depth(shape, step):
    """How far the last sheet lies behind the first [inches], each `step` behind the one before."""
    return (min(_sheets(shape), SHEETS) - 1) * step


def _largest_unit(shape, room):
    """The longest that a number can be so that the block fits the line and is not too high."""
    rows, columns = (1, 1, *shape)[-2:]
    return min((room - stack_depth(shape, STEP)) / columns, HIGHEST / rows)


def _in_lines(blocks, room):
    """Break a row of blocks into lines, as words are."""
    lines, used = [[]], 0.0
    for block in blocks:
        if lines[-1] and used + block.width > room:
            lines.append([])
            used = 0.0
        lines[-1].append(block)
        used += block.width + GAP
    return lines
