"""Where the lessons are, and which there are."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .cells import read_cells

PACKAGE = Path(__file__).resolve().parent / "files"  # an installed wheel keeps them here,
CHECKOUT = Path(__file__).resolve().parents[2] / "lessons"  # a checkout here


@dataclass(frozen=True)
class Lesson:
    """One lesson on the shelf.

    path : its script
    number, stem : 4 and "layernorm" of `04_layernorm.py`
    title : its first heading
    about : the line below: how long it takes, what it needs
    """

    path: Path
    number: int
    stem: str
    title: str
    about: str


def shipped(name):
    """The path of a file that comes with the lessons.

    name : below the lessons' folder: "models/mnist.safetensors"
    """
    folder = PACKAGE if PACKAGE.is_dir() else CHECKOUT
    return folder / name


def all_lessons():
    """Every lesson, in order.

    Raises InputError where none are installed.
    """
    paths = sorted(shipped(".").glob("[0-9][0-9]_*.py"))
    if not paths:
        raise InputError(f"no lessons in {shipped('.')}: install tinyvit again")
    return [_lesson(path) for path in paths]


def find_lesson(name):
    """The lesson of a number, a stem, or both.

    name : "4", "04", "layernorm" or "04_layernorm"

    Raises InputError where there is none, with those there are.
    """
    name = name.removesuffix(".py")
    lessons = all_lessons()
    for lesson in lessons:
        if name.isdigit() and int(name) == lesson.number or name in (lesson.stem, lesson.path.stem):
            return lesson
    known = ", ".join(f"{lesson.number} {lesson.stem}" for lesson in lessons)
    raise InputError(f"no lesson {name!r}: there are {known}")


def _lesson(path):
    number, _, stem = path.stem.partition("_")
    heading, _, about, *_ = read_cells(path.read_text("utf-8"))[0].source.splitlines()
    return Lesson(path, int(number), stem, heading.partition(" · ")[2], about.strip("*"))
