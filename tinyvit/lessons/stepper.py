"""A lesson in the terminal, step by step: for a class at a projector, or alone at a desk."""

from ..errors import InputError
from .audience import Script, before
from .edit import edit
from .place import keep_place
from .play import CellError, Play
from .screen import Screen

KEYS = "Enter {} · b back · r repeat · e edit · v vars · q quit"


class Class(Script):
    """An audience that answers: `predict` waits for it, pictures appear on a page of its own.

    terminal : `Terminal`
    """

    def __init__(self, terminal):
        super().__init__()
        self._terminal, self._screen = terminal, Screen(self._folder)

    def figure(self, drawing, name):
        """Save a picture and put it on the page that stays open beside the terminal."""
        path = super().figure(drawing, name)
        self._screen.show(path)

    def ask(self):
        """Wait for the class's answer; it is not judged."""
        self._terminal.ask("  your answer")


def play_through(lesson, terminal, audience):
    """Show and run a lesson from its first cell to its last without waiting.

    lesson : `Lesson`
    terminal : `Terminal`
    audience : who sees the figures

    Returns the exit status: 1 when a cell failed.
    """
    play = Play(lesson)
    terminal.title(lesson, len(play.cells))
    for number, cell in enumerate(play.cells):
        terminal.cell(cell, cell.source, number, len(play.cells))
        try:
            with before(audience):
                play.run(number)
        except CellError as error:
            terminal.wrong(str(error))
            return 1
    return 0


def step_through(lesson, terminal, start=0):
    """Walk through a lesson at the user's pace.

    A cell is shown; Enter runs it; Enter again goes on to the next.

    lesson : `Lesson`
    terminal : `Terminal`
    start : number of the cell to begin with, from 0; those before it are run first, unseen

    Returns the exit status.
    """
    with before(Class(terminal)):
        return _step_through(lesson, terminal, start)


def _step_through(lesson, terminal, start):
    play = Play(lesson)
    count = len(play.cells)
    number = min(start, count - 1)
    terminal.title(lesson, count)
    if number:
        terminal.say(f"going on at cell {number + 1}; running the {number} before it ...")
        try:
            play.run_before(number)
        except CellError as error:
            terminal.wrong(f"{error}\nbeginning again from cell 1")
            number = 0
    name = lesson.path.stem
    show, ran = True, False
    while number < count:
        cell = play.cells[number]
        if show:
            terminal.cell(cell, play.source(number), number, count)
            ran = cell.kind == "text" and _run(play, number, terminal)
        show = True
        keep_place(name, number)
        what = "runs it" if not ran else "next" if number + 1 < count else "ends it"
        own = " · o original" if number in play.edited else ""
        key = terminal.ask_for_key(KEYS.format(what) + own)
        if key is None or key == "q":
            terminal.say(f"stopped at cell {number + 1} of {count}: tinyvit lesson {lesson.number}")
            return 0
        if key == "b":
            number = max(number - 1, 0)
        elif key == "e" and cell.kind == "code":
            if _edited(play, number, terminal):
                terminal.cell(cell, play.source(number), number, count)
                ran = _run(play, number, terminal)
            show = False
        elif key == "o" and number in play.edited:
            del play.edited[number]
        elif key == "v":
            rows = describe(play.variables(number + ran))
            terminal.variables(rows) if rows else terminal.say("no variables yet")
            show = False
        elif key == "" and ran:
            number += 1
        elif key in ("", "r"):
            ran = _run(play, number, terminal)
            show = False
        else:
            terminal.say("text has nothing to edit" if key == "e" else f"{key!r} is no key here")
            show = False
    keep_place(name, "done")
    terminal.say(f"the end of {lesson.number} {lesson.stem}")
    return 0


def describe(variables):
    """What `v` shows of variables.

    variables : dict name -> value

    Returns a list of (name, what it is, its shape or value), as text.
    """
    return [(name, *_described(value)) for name, value in variables.items()]


def _described(value):
    kind = type(value).__name__
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return (str(value.dtype), str(tuple(value.shape)))
    if isinstance(value, (dict, list, tuple)) and len(str(value)) > 60:
        return kind, f"{len(value)} entries"
    text = " ".join(str(value).split())
    return kind, text if len(text) <= 60 else text[:57] + "..."


def _run(play, number, terminal):
    try:
        play.run(number)
    except CellError as error:
        terminal.wrong(str(error))
        return False
    except KeyboardInterrupt:
        terminal.wrong("stopped")
        return False
    return True


def _edited(play, number, terminal):
    try:
        changed = edit(play.source(number))
    except InputError as error:
        terminal.wrong(str(error))
        return False
    if changed is None:
        terminal.say("left as it was")
        return False
    play.edited[number] = changed
    return True
