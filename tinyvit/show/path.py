"""The data's path through a Vision Transformer: every array as a block, all to one scale."""

from dataclasses import dataclass
from math import floor, log10, prod

import numpy as np
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

from ..backend import to_numpy
from ..trace_table import short
from .style import BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY, TITLE, as_rgb, blank_figure, paler
from .tensors import SHEETS, sheet_size, stack_depth

WIDTH, LANE, LEFT, RIGHT = 11.0, 0.62, 0.84, 10.6  # inches: figure, residual stream, the rest
ARROW, STEP = 0.85, 0.03  # inches: an arrow, sheet to sheet
LOWEST, HIGHEST = 0.1, 1.0  # inches: room for a vector, the highest block
SMALL = 11.5  # points
LETTER, DIGIT, LINE = 0.58 * SMALL / 72, 0.51 * SMALL / 72, 1.2 * SMALL / 72  # inches
ABOVE, BELOW = 0.2, 2 * LINE + 0.16  # inches above and below the blocks of a line
HEADING = 0.32  # inches
COLOURS = {
    **{"images": BLUE, "patches": BLUE, "tokens": BLUE, "x": BLUE, "logits": BLUE},
    **{"logits_dist": BLUE},
    **{"q": ORANGE, "k": GREEN, "v": PINK, "scores": RED, "attn": RED},
    **{"context": PINK, "merged": PINK, "hidden": GREY, "active": GREY},
}  # all others: SKY


def data_path(trace, *, direction="forward", image=None):
    """Draw the arrays between images and logits to scale, and the stages as arrows between them.

    An arrow bears its stage's name and multiply-adds. Of the blocks, all alike, the first is drawn;
    the line at its left is the residual stream. The sheets of a stack are channels, heads, images.

    trace : Trace, as `tinyvit.trace` makes it
    direction : "forward"; or "backward": the gradients, which have the shapes of the arrays
    image : (C, H, W) to draw in the place of `images`, uint8 or float in [-1, 1]; None draws none

    Returns the Figure. All lengths are to scale, but a vector's thickness, which must be seen.
    Raises InputError for the way back where the trace did not go it.
    """
    title, parts = _title(trace, direction), _parts(trace, direction)
    unit = _unit(parts)
    lines = [part.lines(unit) for part in parts]
    for part, broken in zip(parts, lines, strict=True):
        part.height = sum(max(i.height(unit) for i in line) + ABOVE + BELOW for line in broken)
        part.height += part.end_height
    in_blocks = [part for part in parts if part.name.startswith("blocks.")]
    in_blocks[0].height += HEADING
    picture = _Picture(unit, direction, sum(part.height for part in parts) + 0.9)
    picture.title(title)
    for part, broken in zip(parts, lines, strict=True):
        if part is in_blocks[0]:
            more = trace.config.depth - 1
            words = f"blocks.0, and {more} more like it" if more else "blocks.0, the only one"
            picture.frame(sum(part.height for part in in_blocks), part.height, words)
        picture.part(part, broken, image, last=part is parts[-1])
    picture.scale(deep=any(item.is_deep for part in parts for item in part.items))
    return picture.figure


@dataclass
class _Item:
    """A stage's arrow and what it leads to."""

    stage: str
    multiply_adds: int
    shapes: dict
    also: str = ""  # what it reads beside the item before

    @property
    def arrow(self):
        """Inches of the arrow: as long as what it bears."""
        return max(ARROW, len(self.stage) * LETTER + 0.2) if self.stage else 0

    @property
    def is_deep(self):
        return any(prod(shape[:-2]) > SHEETS for shape in self.shapes.values())

    @property
    def words(self):
        names, shape = ", ".join(self.shapes), next(iter(self.shapes.values()))
        return f"{names}\n{'each ' if len(self.shapes) > 1 else ''}{shape}"

    def width(self, unit):
        blocks = sum(
            sheet_size(shape, unit)[0] + stack_depth(shape, STEP) for shape in self.shapes.values()
        )
        written = max(len(line) for line in self.words.splitlines()) * DIGIT
        return max(blocks + 0.1 * (len(self.shapes) - 1), written)

    def height(self, unit):
        sizes = [(sheet_size(s, unit)[1], stack_depth(s, STEP)) for s in self.shapes.values()]
        return max(LOWEST, *map(sum, sizes))


@dataclass
class _Part:
    """A row of items from one place of the residual stream to another."""

    name: str
    items: list
    add: str = ""  # how it ends: the stage that adds it to the stream,
    norm: str = ""  # and the stage that then normalises the stream
    height: float = 0.0

    @property
    def end_height(self):
        return 0.22 * bool(self.add) + 0.45 * bool(self.norm)

    def lines(self, unit):
        """Break the row, as words are."""
        lines, right = [[]], LEFT
        for item in self.items:
            if lines[-1] and right + item.arrow + item.width(unit) > RIGHT:
                lines.append([])
                right = LEFT
            lines[-1].append(item)
            right += item.arrow + item.width(unit)
        return lines

    def fits(self, unit):
        return all(LEFT + item.arrow + item.width(unit) <= RIGHT for item in self.items)


def _parts(trace, direction):
    costs = {s.name: s.multiply_adds for s in trace.stages if s.direction == direction}
    d = "d" if direction == "backward" else ""
    first = next(iter(trace.stages))
    parts = [_Part("", [_Item("", 0, {f"{d}images": first.inputs["images"]})])]
    for stage in trace.stages:
        later = stage.name.startswith("blocks.") and not stage.name.startswith("blocks.0.")
        if stage.direction == "backward" or later:
            continue
        word = stage.name.rpartition(".")[2]
        if list(stage.inputs) == ["x", "branch"]:
            parts[-1].add = word
        elif list(stage.inputs) == list(stage.outputs) == ["x"]:
            parts[-1].norm = word
        else:
            shapes = {f"{d}{name}": shape for name, shape in stage.outputs.items()}
            if "x" in stage.inputs:
                parts.append(_Part(stage.name, []))
            also = f"{d}v" if "v" in stage.inputs else ""
            items, cost = parts[-1].items, costs[stage.name]
            if word == "head_dist":  # beside the head, not behind it
                both = items.pop()
                word, shapes = f"{both.stage}, {word}", both.shapes | shapes
                cost += both.multiply_adds
            items.append(_Item(word, cost, shapes, also))
    return parts


def _unit(parts):
    """Inches that a number takes: the most with which as few lines are needed as can be."""
    rows = max((1, *shape)[-2] for part in parts for i in part.items for shape in i.shapes.values())
    units = [unit for unit in HIGHEST / rows * 0.97 ** np.arange(200) if _fit(parts, unit)][:25]
    return min(units, key=lambda unit: sum(len(part.lines(unit)) for part in parts))


def _fit(parts, unit):
    return all(part.fits(unit) for part in parts)


def _title(trace, direction):
    part = trace.part("", direction)
    if direction == "backward":
        words = f"The way back: {part.gradients:,} gradients"
    else:
        words = f"The way there: {part.params:,} parameters"
    words += f", {short(part.multiply_adds)} multiply-adds"
    return words + (f", {short(part.kept)}B kept for the way back" if part.kept else "")


class _Picture:
    """The figure, filled from the top down; all lengths in inches."""

    def __init__(self, unit, direction, height):
        self.unit, self.back = unit, direction == "backward"
        self.colour = RED if self.back else "#444444"
        self.figure = blank_figure(WIDTH, height)
        self.figure.set_layout_engine("none")
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, WIDTH), ylim=(height, 0))
        self.axes.set_axis_off()
        self.top, self.stream = 0.5, None  # how far it is filled, and drawn the stream
        self.tops = {}  # name of an array -> the middle of its upper edge

    def title(self, words):
        self.axes.text(0.25, 0.3, words, fontsize=TITLE, va="center")

    def frame(self, height, first, words):
        place, size = (0.15, self.top + 0.05), (WIDTH - 0.3, height - 0.03)
        style = {"boxstyle": "round,pad=0,rounding_size=0.12", "zorder": 0}
        box = FancyBboxPatch(place, *size, facecolor="#F3F3F3", edgecolor="#CCCCCC", **style)
        self.axes.add_patch(box)
        self.top += HEADING
        self._write(LEFT, self.top - 0.12, words, ha="left", va="center", size=13)
        middle = self.top + (first - HEADING) / 2
        self._write(LANE - 0.27, middle, "residual stream", va="center", rotation=90, color=BLUE)

    def part(self, part, lines, image, last=False):
        """Draw a part below the last one, and the residual stream beside it."""
        end = turn = None
        for line in lines:
            high = max(item.height(self.unit) for item in line)
            middle, below = self.top + ABOVE + high / 2, self.top + ABOVE + high + BELOW
            if end is None and self.stream is not None:
                self._line(LANE, self.stream, LANE, middle)
                self._knot(middle, adds=self.back and not last)
                end = [(LANE + 0.1, middle)]
            elif end is not None:
                corners = ((turn, end[0][1]), (turn, self.top), (LEFT, self.top), (LEFT, middle))
                end += corners
            left, self.tops = LEFT, {}
            for item in line:
                left, end = self._item(item, left, middle, high, end, image)
            self.top, turn = below, left + 0.15
        self._finish(part, end, turn)

    def _item(self, item, left, middle, high, way, image):
        """Draw an item and the way to it; returns where the next begins, and its way's start."""
        start = left + item.arrow
        width = item.width(self.unit)
        blocks = [sheet_size(s, self.unit)[0] + stack_depth(s, STEP) for s in item.shapes.values()]
        right = start + (width - sum(blocks) - 0.1 * (len(blocks) - 1)) / 2
        if way:
            self._way([*way, (right - 0.04, middle)])
            centre = (max(way[-1][0], LANE) + right) / 2
            self._write(centre, middle - 0.05, item.stage, va="bottom")
            below = short(item.multiply_adds)
            if item.also in self.tops:
                (x, y), above = self.tops[item.also], middle - 0.06 - LINE
                around = [(x, y), (x, y - 0.08), (centre, y - 0.08), (centre, above)]
                self._way(around, colour=PINK)
            elif item.also:
                below += f"\nwith {item.also}"
            self._write(centre, middle + 0.06, below, va="top", linespacing=1.1)
        for (name, shape), wide in zip(item.shapes.items(), blocks, strict=True):
            self._block(name, shape, right, middle, image)
            self.tops[name] = right + wide / 2, middle - item.height(self.unit) / 2 - 0.03
            right += wide + 0.1
        self._write(
            start + width / 2, middle + high / 2 + 0.07, item.words, va="top", linespacing=1.1
        )
        return start + width, [(right - 0.1 + 0.04, middle)]

    def _block(self, name, shape, left, middle, image):
        wide, high = sheet_size(shape, self.unit)
        top = middle + (high + stack_depth(shape, STEP)) / 2 - high
        name = name.removeprefix("d") if self.back else name
        for sheet in reversed(range(min(prod(shape[:-2]), SHEETS))):
            place = left + sheet * STEP, top - sheet * STEP
            for number, part in enumerate("qkv" if name == "qkv" else [name]):
                parts = 3 if name == "qkv" else 1
                colour = paler(COLOURS.get(part, SKY), 0.15 + 0.5 * sheet / SHEETS)
                corner = place[0] + number * wide / parts, place[1]
                style = {"facecolor": colour, "edgecolor": "white", "linewidth": 0.5}
                box = Rectangle(corner, wide / parts, high, label=name, zorder=2, **style)
                self.axes.add_patch(box)
        if name == "images" and image is not None:
            extent = (left, left + wide, top + high, top)
            self.axes.imshow(as_rgb(to_numpy(image)), extent=extent, zorder=3, aspect="auto")

    def _finish(self, part, end, turn):
        """Lead the part back to the stream, or begin the stream."""
        below = self.top
        if part.name == "":
            self._way([*end, (turn, end[0][1]), (turn, below), (LANE, below)], head=False)
            self.stream = below
        if part.add:
            below += 0.02
            self._way([*end, (turn, end[0][1]), (turn, below), (LANE + 0.1, below)])
            self._write(LANE + 0.2, below - 0.05, part.add, ha="left", va="bottom")
            self._line(LANE, self.stream, LANE, below)
            self._knot(below, adds=not self.back)
            self.stream = below
        if part.norm:
            middle = below + 0.38
            self._line(LANE, below, LANE, middle)
            style = {"boxstyle": "round,pad=0.25", "facecolor": paler(SKY, 0.5), "linewidth": 0}
            self._write(LANE, middle, part.norm, va="center", bbox=style)
            self.stream = middle
        self.top += part.end_height

    def _way(self, points, head=True, colour=None):
        """A line with corners and an arrow's head at its end; on the way back, at its start."""
        x, y = np.array(points).T
        colour = colour or self.colour
        self.axes.plot(x, y, color=colour, linewidth=1.4, zorder=1, solid_joinstyle="round")
        if not head:
            return
        before, tip = (points[1], points[0]) if self.back else (points[-2], points[-1])
        style = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.4, "shrinkA": 0}
        self.axes.annotate("", tip, before, arrowprops=style | {"shrinkB": 0}, zorder=1)

    def _line(self, *ends):
        x0, y0, x1, y1 = ends
        self.axes.plot((x0, x1), (y0, y1), color=BLUE, linewidth=4, zorder=1)

    def _knot(self, y, adds):
        """Where two ways meet, a plus; where one becomes two, a dot."""
        style = {"facecolor": "white" if adds else BLUE, "edgecolor": BLUE, "linewidth": 2}
        self.axes.add_patch(Circle((LANE, y), 0.11 if adds else 0.07, zorder=3, **style))
        if adds:
            self._write(LANE, y, "+", va="center_baseline", zorder=4, size=14)

    def scale(self, deep):
        """Draw a bar that says how long a number is."""
        most = 1.5 / self.unit
        power = 10 ** floor(log10(most))
        numbers = max(digit * power for digit in (1, 2, 5) if digit * power <= most)
        right, y = RIGHT, self.top + 0.06
        left = right - numbers * self.unit
        self.axes.plot((left, left, right, right), (y - 0.06, y, y, y - 0.06), color=GREY, lw=1.5)
        words = f"{SHEETS} sheets are drawn at most;   " if deep else ""
        self._write(left - 0.1, y, f"{words}{numbers} numbers", ha="right", va="center")

    def _write(self, x, y, words, ha="center", size=SMALL, **style):
        self.axes.text(x, y, words, ha=ha, fontsize=size, **style)
