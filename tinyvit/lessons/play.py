"""Running a lesson cell by cell, forwards and back."""

import contextlib
import linecache
import traceback
import types

from .audience import before
from .cells import read_cells


class CellError(Exception):
    """A cell's code raised; the text says in which line, and what."""


class Play:
    """A lesson being run: its cells and the variables that they made.

    A cell always starts from the variables as they were before it ran first, so that running it
    again, or an edited version of it, gives what it would have given the first time.

    lesson : `Lesson`
    """

    def __init__(self, lesson):
        self.cells = read_cells(lesson.path.read_text("utf-8"))
        self._name = str(lesson.path)
        # One dict for all cells: a function finds names there that later cells give.
        self._names = {"__name__": "__main__", "__file__": self._name}
        self._before = {0: dict(self._names)}  # the variables before a cell
        self.edited = {}  # cell's number -> its new source

    def source(self, number):
        """The source of a cell, as edited last."""
        return self.edited.get(number, self.cells[number].source)

    def run(self, number):
        """Run one cell, from the variables as they were before it.

        number : of the cell, from 0; all cells before it have run

        Raises CellError when its code raises.
        """
        self._names.clear()
        self._names.update(self._before[number])
        if self.cells[number].kind == "code":
            try:
                self._execute(number)
            except (Exception, SystemExit) as error:
                raise CellError(self._explain(number, error)) from error
        self._before[number + 1] = dict(self._names)

    def run_before(self, number):
        """Run all cells before one that have not run yet, with nothing printed or shown.

        Raises CellError, as `run`.
        """
        with before(Nobody()), contextlib.redirect_stdout(None):
            for cell in range(max(self._before), number):
                self.run(cell)

    def variables(self, number):
        """The variables that the lesson made before a cell: dict name -> value."""
        return {
            name: value
            for name, value in self._before[number].items()
            if not name.startswith("_")
            and not isinstance(value, types.ModuleType)
            and not callable(value)
        }

    def _execute(self, number):
        source = self.source(number)
        name = self._name
        if number in self.edited:  # its lines are not those of the file
            name = f"<cell {number + 1}, edited>"
            lines = source.splitlines(keepends=True)
            linecache.cache[name] = len(source), None, lines, name
        else:
            source = "\n" * (self.cells[number].line - 1) + source
        exec(compile(source, name, "exec", dont_inherit=True), self._names)

    def _explain(self, number, error):
        """Say in which line of the lesson it happened, and what."""
        names = {self._name, f"<cell {number + 1}, edited>"}
        if isinstance(error, SyntaxError) and error.filename in names:
            where, line = error.lineno, (error.text or "").strip()
        else:
            frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in names]
            where, line = (frames[-1].lineno, frames[-1].line) if frames else (None, "")
        if where and number not in self.edited:
            where -= self.cells[number].line - 1
        what = getattr(error, "msg", None) or str(error)
        place = f"line {where} of the cell: {line}\n" if where else ""
        return f"{place}{type(error).__name__}: {what}"


class Nobody:
    """An audience that is not there: for cells that are run again on the way back to a place."""

    def figure(self, drawing, name):
        """Show nothing."""

    def ask(self):
        """Answer nothing."""
