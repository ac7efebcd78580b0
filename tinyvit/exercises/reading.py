"""A student's file as text: is it Python, which exercise is it, what is written in it?"""

import ast
import difflib
from dataclasses import dataclass
from pathlib import Path

from .shelf import all_exercises

LARGEST = 1_000_000  # bytes


class BadFile(Exception):
    """The file cannot be read as a student's answer; the text says why."""


class NotAnAnswer(Exception):
    """It is Python, but not an answer to an exercise.

    kind : "syntax_error" or "missing_function"
    """

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Answer:
    """What a student's file answers.

    path : of the file
    exercise : the `Exercise`
    written : dict what -> name of the function, of those that are written
    """

    path: Path
    exercise: object
    written: dict


def read_answer(path, stem=None):
    """Read a student's file, without running it.

    path : of the file
    stem : of the exercise; None finds it out

    Raises BadFile for what is no text file, NotAnAnswer for what answers no exercise.
    """
    path = Path(path).resolve()
    tree = _parsed(_text(path), path.name)
    functions = _functions(tree)
    exercise = _exercise(functions, path, stem)
    wanted = {task.function: task.what for task in exercise.tasks}
    written = [name for name in functions if name in wanted and _is_written(functions[name])]
    if not wanted.keys() & functions.keys():
        raise NotAnAnswer("missing_function", _missing(functions, list(wanted)))
    return Answer(path, exercise, {wanted[name]: name for name in written})


def _text(path):
    if path.is_dir():
        raise BadFile("this is a folder: name the files in it")
    try:
        if path.stat().st_size > LARGEST:
            raise BadFile(f"larger than {LARGEST // 1000} kB: this is no student's file")
        content = path.read_bytes()
    except FileNotFoundError:
        raise BadFile("there is no such file") from None
    except OSError as error:
        raise BadFile(f"cannot be read: {error.strerror}") from None
    if b"\0" in content:
        raise BadFile("this is no text: a student's file is Python source, NAME.py")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadFile(f"line {line} is not UTF-8: save the file as UTF-8 text") from None


def _parsed(text, name):
    try:
        return ast.parse(text, name)
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        code = f": {error.text.strip()}" if error.text and error.text.strip() else ""
        raise NotAnAnswer("syntax_error", f"{where}this is no Python, {error.msg}{code}") from None
    except (RecursionError, ValueError, MemoryError) as error:
        raise NotAnAnswer("syntax_error", f"this is no Python: {error}") from None


def _functions(tree):
    """The names that are defined at the top: dict name -> node."""
    found = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            found |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
    return found


def _is_written(node):
    """Whether a function does something: not only what the stub does."""
    if not isinstance(node, ast.FunctionDef):
        return True
    body = node.body
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return any(not _does_nothing(statement) for statement in body)


def _does_nothing(statement):
    if isinstance(statement, ast.Raise):
        return "NotImplementedError" in ast.unparse(statement)
    is_constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass) or is_constant


def _exercise(functions, path, stem):
    exercises = {exercise.stem: exercise for exercise in all_exercises()}
    if stem is not None:
        return exercises[stem]
    found = [
        exercise
        for exercise in exercises.values()
        if any(task.function in functions for task in exercise.tasks)
    ]
    for exercise in found:
        if exercise.stem == path.stem:
            return exercise
    if found:
        return found[-1]  # what is put together comes after its parts
    wanted = [task.function for exercise in exercises.values() for task in exercise.tasks]
    raise NotAnAnswer("missing_function", _missing(functions, wanted))


def _missing(functions, wanted):
    several = "x_forward or x_backward of an exercise x"
    expected = " or ".join(wanted) if len(wanted) < 4 else several
    for name in functions:
        close = difflib.get_close_matches(name, wanted, 1, 0.8)
        if close:
            line = functions[name].lineno
            return f"line {line} defines {name}: is {close[0]} meant?"
    defined = f"it defines {', '.join(list(functions)[:5])}" if functions else "it defines nothing"
    return f"{expected} is not there: {defined}"
