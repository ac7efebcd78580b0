"""A trace as tables, for 80 columns or more."""

from io import StringIO
from itertools import groupby

from .display import make_console

WIDE = 110  # columns from which there is room for what goes in


def as_text(trace, width=80):
    """The tables of a trace as plain text.

    trace : Trace
    width : of the text [columns]
    """
    text = StringIO()
    print_tables(trace, make_console(file=text, width=width))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def print_tables(trace, console):
    """Print a table for each direction, and what is counted; later blocks are one line each.

    trace : Trace
    console : of rich
    """
    B, side = len(trace.logits), trace.config.img_size
    images = f"{B} image{'s' if B > 1 else ''} of {trace.config.in_chans}x{side}x{side}"
    batch = "shapes without the batch's 1" if B == 1 else "shapes with the batch in front"
    for direction in trace.directions:
        console.print(f"{direction}: {images}, {trace.logits.dtype}; {batch}")
        console.print(_table(trace, direction, console.width))
        console.print()
    for line in trace.counted:
        console.print(line)
    for direction in trace.directions:
        console.print(_sum(trace.part("", direction)))


def _sum(whole):
    kept = f", {short(whole.kept, 4)}B kept" if whole.kept else ""
    what = "parameters" if whole.direction == "forward" else "gradients"
    return (
        f"{whole.direction}: {whole.params or whole.gradients:,} {what}, "
        f"{short(whole.multiply_adds, 4)} multiply-adds{kept}, {whole.seconds:.2g} s"
    )


def _table(trace, direction, width):
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table

    wide, forward = width >= WIDE, direction == "forward"
    words, whole = {"overflow": "fold"}, {"no_wrap": True}
    number = {"justify": "right", "no_wrap": True}
    columns = [Column("stage", **whole), Column("operation", **words)]
    columns += [Column("in", **words)] * wide
    columns += [Column("out", **words), Column("parameters" if forward else "gradients", **number)]
    columns += [Column("mul-\nadds", **number)]
    columns += [Column("kept\n[B]", **number)] * forward
    columns += [Column("time\n[ms]", **number)]
    table = Table(*columns, box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    for name, stage in _rows(trace, direction):
        if stage is None:
            table.add_row(name)
            continue
        if name == "all":
            table.add_section()
        count = stage.params if forward else stage.gradients
        table.add_row(
            *(name, stage.operation.replace("; ", "\n")),
            *[_shapes(stage.inputs)] * wide,
            *(_shapes(stage.outputs), f"{count:,}" if count else ""),
            *(_cell(stage.multiply_adds), *[_cell(stage.kept)] * forward),
            f"{1e3 * stage.seconds:.{0 if stage.seconds > 1 else 1}f}",
        )
    return table


def _rows(trace, direction):
    """Name and Stage of each row; None for a heading. Of the blocks, only the first is in full."""
    stages = [stage for stage in trace.stages if stage.direction == direction]
    for part, group in groupby(stages, key=lambda stage: ".".join(stage.name.split(".")[:2])):
        if part == "blocks.0":
            yield part, None
            yield from ((f" {stage.name.removeprefix('blocks.0.')}", stage) for stage in group)
        else:
            yield part, trace.part(part, direction)
    yield "all", trace.part("", direction)


def _shapes(shapes):
    """As 197x768; as 3x12x197x64 where three arrays are alike."""
    first, *others = shapes.values()
    if others and all(shape == first for shape in others):
        return _shape((len(shapes), *_without_one(first)))
    return "\n".join(_shape(_without_one(shape)) for shape in shapes.values())


def _shape(shape):
    return "x".join(map(str, shape))


def _without_one(shape):
    return shape[1:] if shape[0] == 1 else shape


def _cell(number):
    return short(number).replace(" ", "")


def short(number, digits=3):
    """A number in few characters: 349 M, 1.82 M, 17.6 G; nothing for 0."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:#.{digits}g}".rstrip(".") + f" {letter}"
    return f"{number} " if number else ""
