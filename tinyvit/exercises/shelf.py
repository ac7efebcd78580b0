"""Which exercises there are: their stubs, their hints, and where the textbook's answers are."""

import ast
import inspect
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from .. import gradcheck, ops, optim, vit
from ..errors import InputError
from ..lessons.shelf import shipped

ORDER = (  # of the lessons; what is put together comes after its parts
    *("patchify", "linear", "embed", "layernorm", "softmax", "attention", "relu", "gelu", "mlp"),
    *("dropout", "drop_path", "block", "log_softmax", "cross_entropy", "gradcheck", "vit", "adamw"),
)


@dataclass(frozen=True)
class Task:
    """One function to write.

    what : "forward", "backward", or the function's name where there is no such pair
    function : "layernorm_forward"
    difficulty : "easy", "medium" or "hard"
    minutes : about how long it takes
    """

    what: str
    function: str
    difficulty: str
    minutes: int


@dataclass(frozen=True)
class Exercise:
    """One exercise on the shelf.

    stem, title : "layernorm" and "LayerNorm"
    lesson : number of the lesson to read before
    tasks : tuple of `Task`
    path : the stub
    text : what is to be done
    """

    stem: str
    title: str
    lesson: int
    tasks: tuple
    path: Path
    text: str

    def task(self, name):
        """The task of a name: "backward" or "layernorm_backward".

        Raises InputError where there is none, with those there are.
        """
        for task in self.tasks:
            if name in (task.what, task.function):
                return task
        known = ", ".join(task.what for task in self.tasks)
        raise InputError(f"no task {name!r} in {self.stem}: there are {known}")


def all_exercises():
    """Every exercise, in a good order of learning."""
    return [_exercise(stem) for stem in ORDER]


def find_exercise(stem):
    """The exercise of a stem.

    stem : "layernorm", or "layernorm.py"

    Raises InputError where there is none, with those there are.
    """
    if stem.removesuffix(".py") not in ORDER:
        raise InputError(f"no exercise {stem!r}: there are {', '.join(ORDER)}")
    return _exercise(stem.removesuffix(".py"))


def hints(exercise):
    """The hints of an exercise: dict task's what -> list of texts, from a nudge to the formula."""
    lists = tomllib.loads(exercise.path.with_suffix(".toml").read_text("utf-8"))
    return {what: [hint.strip("\n") for hint in lists[what]] for what in lists}


def solution(exercise, what):
    """The source of the textbook's function.

    exercise : `Exercise`
    what : of one of its tasks
    """
    name = exercise.task(what).function
    if name == "check_backward":  # the library's own does more than is asked for
        source = (exercise.path.parent / "solutions" / "gradcheck.py").read_text("utf-8")
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                return ast.get_source_segment(source, node) + "\n"
    module = {"vit": vit, "adamw": optim, "gradcheck": gradcheck}.get(exercise.stem, ops)
    return inspect.getsource(getattr(module, name))


def _exercise(stem):
    path = shipped("exercises") / f"{stem}.py"
    heading, _, facts, _, *text = ast.get_docstring(ast.parse(path.read_text("utf-8"))).splitlines()
    lesson, *tasks = facts.split(" · ")
    text = [line for line in text if not re.match("(Check|Stuck):", line)]
    return Exercise(
        stem,
        heading.removeprefix("Exercise: ").rstrip("."),
        int(lesson.removeprefix("after lesson ")),
        tuple(_task(stem, task) for task in tasks),
        path,
        "\n".join(text).strip("\n"),
    )


def _task(stem, words):
    what, difficulty, minutes = re.fullmatch(r"(\w+): (\w+), (\d+) minutes", words).groups()
    function = f"{stem}_{what}" if what in ("forward", "backward") else what
    return Task(what, function, difficulty, int(minutes))
