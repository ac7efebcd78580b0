"""Checking a student's file, from reading it to the diagnosis."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ..workers import granted_cores
from .judge import STAGES, Result, judge
from .progress import record
from .reading import BadFile, NotAnAnswer, read_answer
from .sandbox import Stopped, run_answer


@dataclass(frozen=True)
class FileReport:
    """What was found in one file.

    file : its path, as it was given
    exercise : stem; None where no exercise was recognised
    results : tuple of `Result`
    states : dict what -> "open" (not written), "right" or "wrong"
    bad_input : whether the file could not be read as a student's answer at all
    printed : the first characters it printed
    """

    file: str
    exercise: str | None = None
    results: tuple = ()
    states: dict = field(default_factory=dict)
    bad_input: bool = False
    printed: str = ""

    @property
    def passed(self):
        """Whether something is written, and all that is written is right."""
        return bool(self.results) and all(result.ok for result in self.results)

    @property
    def first(self):
        """The result to say first: of the earliest check that failed; None if none did."""
        wrong = [result for result in self.results if not result.ok]
        return min(wrong, key=lambda result: STAGES.index(result.stage), default=None)


def check_file(path, stem=None):
    """Check a student's file.

    path : of the file
    stem : of the exercise; None finds it out

    Returns a `FileReport`. The student's code runs in a process of its own.
    """
    file = str(path)
    try:
        answer = read_answer(path, stem)
    except BadFile as error:
        return FileReport(file, stem, (_failed("unreadable", error),), bad_input=True)
    except NotAnAnswer as error:
        return FileReport(file, stem, (_failed(error.kind, error),))
    exercise = answer.exercise
    states = {task.what: "open" for task in exercise.tasks}
    if not answer.written:
        names = " or ".join(task.function for task in exercise.tasks)
        results = _failed("not_written", f"nothing is written yet: write {names}")
        return FileReport(file, exercise.stem, (results,), states)
    printed = ""
    try:
        ran = run_answer(answer)
        results, printed = tuple(judge(answer, ran)), ran.printed
    except Stopped as error:
        results = (_failed(error.kind, error),)
    for what in answer.written:
        wrong = any(not result.ok for result in results if result.task in (what, "file"))
        states[what] = "wrong" if wrong else "right"
    record(answer.path, exercise.stem, states)
    flooded = results[0].diagnosis == "endless_print"
    return FileReport(file, exercise.stem, results, states, flooded, printed)


def check_files(paths, stem=None):
    """Check many files, one on each core at a time; yields a `FileReport` each, in their order."""
    with ThreadPoolExecutor(granted_cores()) as pool:
        yield from pool.map(lambda path: check_file(path, stem), paths)


def _failed(kind, message):
    return Result("file", "file", False, None, kind, str(message), "run")
