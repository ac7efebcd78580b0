"""`tinyvit lesson`: walk through a lesson, or save lessons as pages or notebooks."""

import sys

from ..display import make_console
from ..errors import InputError
from ..lessons.place import read_places
from ..lessons.shelf import all_lessons, find_lesson

EXAMPLES = """\
examples:
  tinyvit lesson                      which there are, and where you stopped
  tinyvit lesson 4                    step through it: also `tinyvit lesson layernorm`
  tinyvit lesson 4 --large            for a projector
  tinyvit lesson 4 --no-pause         all at once
  tinyvit lesson --save pages         every lesson as a page to hand out
  tinyvit lesson 4 --notebook .       as a Jupyter notebook
"""


def add_arguments(parser):
    """Add this command's options to its parser."""
    add = parser.add_argument
    add("lesson", nargs="?", metavar="LESSON", help="its number or name: 4, layernorm")
    add("--no-pause", action="store_true", help="run it to its end without waiting")
    add("--large", action="store_true", help="for a projector: a cell to a screen, short lines")
    add("--restart", action="store_true", help="begin at the first cell, not where you stopped")
    add("--save", metavar="DIR", help="write a self-contained HTML page (of every lesson)")
    add("--notebook", metavar="DIR", help="write a notebook, .ipynb (of every lesson)")


def run(args):
    """List, step, play, or write; returns the exit status."""
    if sum(map(bool, (args.no_pause, args.save, args.notebook))) > 1:
        raise InputError("--no-pause, --save and --notebook are three ways: take one at a time")
    if args.save or args.notebook:
        return _write(args)
    if args.lesson is None:
        if args.no_pause or args.restart:
            raise InputError("which lesson? tinyvit lesson 4 --no-pause")
        return _list()
    lesson = find_lesson(args.lesson)

    from ..lessons.audience import Script
    from ..lessons.stepper import play_through, step_through
    from ..lessons.terminal import Terminal

    terminal = Terminal(args.large)
    if args.no_pause:
        return play_through(lesson, terminal, Script())
    place = read_places().get(lesson.path.stem)
    start = 0 if place in (None, "done") or args.restart else place
    return step_through(lesson, terminal, start)


def _list():
    from rich.table import Table

    places, lessons = read_places(), {lesson.path.stem: lesson for lesson in all_lessons()}
    table = Table("", "lesson", "", "", box=None, padding=(0, 2, 0, 0), show_header=False)
    for name, lesson in lessons.items():
        place = places.get(name)
        mark = "✓ done" if place == "done" else f"at cell {place + 1}" if place else ""
        table.add_row(f"{lesson.number:2}", lesson.stem, lesson.title.partition(": ")[2], mark)
    console = make_console()
    console.print(table)
    last = places.get("last")
    if last in lessons and isinstance(places.get(last), int):
        lesson = lessons[last]
        console.print(
            f"you stopped in {lesson.number} {lesson.stem}, at cell {places[last] + 1}: "
            f"tinyvit lesson {lesson.number} goes on there"
        )
    else:
        console.print("begin with: tinyvit lesson 0")
    return 0


def _write(args):
    from ..display import saying
    from ..lessons.notebook import write_notebook
    from ..lessons.page import write_pages
    from ..lessons.play import CellError

    lessons = [find_lesson(args.lesson)] if args.lesson else all_lessons()
    if args.notebook:
        for lesson in lessons:
            print(write_notebook(lesson, args.notebook))
        return 0
    try:
        with saying(f"running {len(lessons)} lesson{'s' if len(lessons) > 1 else ''}"):
            for path in write_pages(lessons, args.save, large=args.large):
                print(path)
    except CellError as error:
        print(f"tinyvit: {error}", file=sys.stderr)
        return 1
    return 0
