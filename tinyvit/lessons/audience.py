"""Who looks at a lesson: what it draws is shown to them, what it asks is asked of them.

A lesson is a script. It says `figure(...)` and `predict(...)`, and these find out where it runs: in
a notebook, as a plain script, or in a class that the stepper leads.
"""

import builtins
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

FOLDER = Path("figures")  # where a script leaves its pictures


class Script:
    """A lesson that runs as `python lessons/04_layernorm.py`: pictures become files."""

    def __init__(self, folder=FOLDER):
        self._folder, self._told = Path(folder), set()

    def figure(self, drawing, name):
        """Save a picture; a picture that changes is told of once."""
        from .. import show

        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.png"
        show.save(drawing, path)
        if name not in self._told:
            print(f"[figure: {path}]")
        self._told.add(name)
        return path

    def ask(self):
        """Nobody is there to answer."""


class Notebook:
    """A lesson in Jupyter: pictures appear below their cell."""

    def __init__(self, shell):
        self._shell, self._shown = shell, {}

    def figure(self, drawing, name):
        """Show a picture; one of the same name, in the same run of a cell, takes its place."""
        from IPython.display import Image, display

        from .. import show

        picture = Image(show.as_png(drawing))
        if name in self._shown and self._shown[name][0] == self._shell.execution_count:
            self._shown[name][1].update(picture)
        else:
            self._shown[name] = self._shell.execution_count, display(picture, display_id=True)

    def ask(self):
        """A notebook is read, or run from top to bottom: it does not wait."""


_audience = ContextVar("audience", default=None)
_found = {}


def audience():
    """The audience of this lesson: the stepper's, or else what is found by itself."""
    given = _audience.get()
    if given is not None:
        return given
    if "here" not in _found:
        shell = getattr(builtins, "get_ipython", None)
        _found["here"] = Notebook(shell()) if shell else Script()
    return _found["here"]


@contextmanager
def before(someone):
    """Run a lesson before someone else: `with before(Script(folder)): ...`."""
    token = _audience.set(someone)
    try:
        yield someone
    finally:
        _audience.reset(token)


def figure(drawing, name):
    """Show a picture to whoever looks: a file, a notebook's output, a page in class.

    drawing : a matplotlib Figure, as `tinyvit.show` makes them
    name : of the picture, starting with the lesson's number: "04_statistics"; the same name again
        replaces the picture, so that one can watch it change
    """
    audience().figure(drawing, name)


def predict(question, answer):
    """Ask before showing: wait for an answer in class, then show the true one.

    question : what to predict: a shape, a sign, a number
    answer : the true answer, computed
    """
    print(f"? {question}")
    audience().ask()
    print(f"  it is: {answer}")
