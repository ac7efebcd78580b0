"""Checking a student's file, from reading it to the diagnosis."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ..workers import granted_cores
from .judge import Result, judge
from .look import STAGES
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
    return _report(path, stem, *_read_and_run(path, stem))


def check_files(paths, stem=None):
    """Check many files; yields a `FileReport` each, in their order.

    Several run at a time, one on each core; they are judged one after the other.
    """
    with ThreadPoolExecutor(granted_cores()) as pool:
        done = pool.map(lambda path: _read_and_run(path, stem), paths)
        for path, (answer, outcome) in zip(paths, done, strict=True):
            yield _report(path, stem, answer, outcome)


def _read_and_run(path, stem):
    """The `Answer` in a file, and its `Ran`; or None, and the exception that says why not."""
    answer = None
    try:
        answer = read_answer(path, stem)
        return answer, run_answer(answer) if answer.written else None
    except (BadFile, NotAnAnswer, Stopped) as error:
        return answer, error


def _report(path, stem, answer, outcome):
    file = str(path)
    if isinstance(outcome, BadFile):
        return FileReport(file, stem, (_failed("unreadable", outcome),), bad_input=True)
    if isinstance(outcome, NotAnAnswer):
        return FileReport(file, stem, (_failed(outcome.kind, outcome),))
    exercise = answer.exercise
    states = {task.what: "open" for task in exercise.tasks}
    if not answer.written:
        names = " or ".join(task.function for task in exercise.tasks)
        result = _failed("not_written", f"nothing is written yet: write {names}")
        return FileReport(file, exercise.stem, (result,), states)
    if isinstance(outcome, Stopped):
        results, printed = (_failed(outcome.kind, outcome),), ""
    else:
        results, printed = tuple(judge(answer, outcome)), outcome.printed
    for what in answer.written:
        wrong = any(not result.ok for result in results if result.task in (what, "file"))
        states[what] = "wrong" if wrong else "right"
    record(answer.path, exercise.stem, states)
    flooded = results[0].diagnosis == "endless_print"
    return FileReport(file, exercise.stem, results, states, flooded, printed)


def _failed(kind, message):
    return Result("file", "file", False, diagnosis=kind, message=str(message), stage="run")
