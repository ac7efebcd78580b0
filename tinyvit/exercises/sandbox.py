"""Running a student's file in a process of its own, with limits on time, memory and prints."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .inside import STUCK

SECONDS = 10.0
GRACE = 5.0  # more of them, for a process that starts slowly, or cannot be ended from within
BYTES = 3_000_000_000


@dataclass(frozen=True)
class Ran:
    """What a student's file gave.

    cases : list of dicts, as `inside.py` writes them
    arrays : dict key -> array
    printed : the first characters it printed
    """

    cases: list
    arrays: dict
    printed: str


class Stopped(Exception):
    """A student's file did not come to its end; the text says why, with the line.

    kind : "endless_loop", "endless_print", "exit", "out_of_memory", "import_error"
    """

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def run_answer(answer, seconds=None):
    """Run a student's functions on every case of their exercise.

    answer : `Answer`
    seconds : time limit; None takes SECONDS

    Returns a `Ran`. Raises Stopped where the file does not load, or does not end by itself.
    """
    seconds = seconds or SECONDS
    with tempfile.TemporaryDirectory(prefix="tinyvit-") as folder:
        question = {"path": str(answer.path), "stem": answer.exercise.stem}
        question |= {"functions": answer.written, "seconds": seconds, "bytes": BYTES}
        Path(folder, "question.json").write_text(json.dumps(question), "utf-8")
        status = _run(folder, seconds + GRACE)
        if status in (None, STUCK):
            raise _endless(Path(folder, "line.txt"), seconds)
        answers = _answers(folder, status)
        if "error" in answers:
            raise _stopped(answers["error"])
        for case in answers["cases"]:
            for record in case.values():
                error = record.get("error") if isinstance(record, dict) else None
                if error and error["type"] in ENDS:
                    raise _stopped(error)
        with np.load(Path(folder, "arrays.npz"), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    return Ran(answers["cases"], arrays, answers["printed"])


def _run(folder, seconds):
    command = [sys.executable, "-m", "tinyvit.exercises.inside", folder]
    package = str(Path(__file__).resolve().parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL")}
    environment = {**os.environ, **threads, "PYTHONPATH": os.pathsep.join(paths)}
    environment |= {"PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    process = subprocess.Popen(command, env=environment, start_new_session=True, **quiet)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _kill(process)


def _kill(process):
    """End the process and what it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _answers(folder, status):
    written = Path(folder, "answers.json")
    if status or not written.exists():
        text = f"the file ended Python itself (status {status}): leave that to tinyvit"
        raise Stopped("exit", text)
    return json.loads(written.read_text("utf-8"))


def _endless(note, seconds):
    """What to say of a file that was still running; `note` holds the line where it was."""
    line = note.read_text("utf-8") if note.exists() else ""
    message = f"{_at(line)}still running after {seconds:g} s, and stopped: an endless loop?"
    return Stopped("endless_loop", message)


def _stopped(error):
    if error["type"] not in ENDS:
        return Stopped("import_error", described(error))
    kind, message = ENDS[error["type"]]
    return Stopped(kind, f"{_at(error['line'])}{message}")


def described(error):
    """One line on an exception: `line 12: ValueError: ... in: dx = ...`."""
    where = _at(error["line"])
    code = f", in: {error['code']}" if error["code"] else ""
    text = " ".join(error["text"].split())
    text = f"{text[:200]} ..." if len(text) > 200 else text
    return f"{where}{error['type']}: {text}{code}" if text else f"{where}{error['type']}{code}"


def _at(line):
    return f"line {line}: " if line else ""


ENDS = {
    "SystemExit": ("exit", "the file ends Python (exit): leave that out"),
    "TooMuchPrinted": ("endless_print", "more than 1 MB is printed: a print in a loop?"),
    "MemoryError": ("out_of_memory", "more than 3 GB of memory is asked for"),
    "_ArrayMemoryError": ("out_of_memory", "more than 3 GB of memory is asked for"),
    "KeyboardInterrupt": ("exit", "the file raises KeyboardInterrupt: leave that out"),
}
