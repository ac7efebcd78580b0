"""What runs in the student's process: calls their functions and writes down what they give.

`python -m tinyvit.exercises.inside FOLDER` reads FOLDER/question.json and writes answers.json and
arrays.npz beside it. Nothing is judged here: whatever the student's file does to this process, the
judge is in another one.
"""

import contextlib
import inspect
import io
import json
import os
import sys
import threading
import time
import traceback
from pathlib import Path

import numpy as np

from . import checker
from .cases import cases_of
from .textbook import bound, textbook_functions

PRINTED = 1_000_000  # characters that a file may print
STUCK = 86  # exit status of a process that did not come to its end
KEPT = 4_000  # of them, to be shown


def main(folder):
    """Answer one question.

    folder : with question.json: path, stem, functions (dict what -> name), seconds, bytes
    """
    question = json.loads(Path(folder, "question.json").read_text("utf-8"))
    watched = Path(folder, "line.txt"), question["path"], question["seconds"]
    threading.Thread(target=_end, args=(*watched, threading.get_ident()), daemon=True).start()
    _limit(question["bytes"])
    printed = Printed()
    sys.stdout = sys.stderr = printed
    recorder = Recorder(question["path"])
    answers = recorder.calling(answers_to, question, recorder)
    answers["printed"] = printed.text[:KEPT]
    np.savez(Path(folder, "arrays.npz"), **recorder.arrays)
    Path(folder, "answers.json").write_text(json.dumps(answers), "utf-8")
    os._exit(0)  # threads that the file has started do not hold this process up


def _end(note, path, seconds, thread):
    """End the process when its time is up, and note the line of the student's file it is at."""
    time.sleep(seconds)
    frame = None
    while frame is None:  # it may just be somewhere else
        frame = sys._current_frames().get(thread)
        while frame and frame.f_code.co_filename != path:
            frame = frame.f_back
    note.write_text(str(frame.f_lineno), "utf-8")
    os._exit(STUCK)


def answers_to(question, recorder):
    """Load a student's file and call its functions on every case of the exercise.

    question : dict: path, stem, functions (dict what -> name)
    recorder : `Recorder`

    Returns a dict with "cases": a list of dicts.
    """
    namespace = _load(question["path"])
    for what, function in textbook_functions(question["stem"]).items():
        if what not in question["functions"]:  # a function that calls one not written yet
            namespace[function.__name__] = function
    functions = {what: namespace[name] for what, name in question["functions"].items()}
    if question["stem"] == "gradcheck":
        return {"cases": checker.run(functions, recorder)}
    textbook = textbook_functions(question["stem"])
    calls = _run_pair if "forward" in textbook else _run_function
    cases = cases_of(question["stem"])
    return {"cases": [calls(functions, textbook, case, recorder) for case in cases]}


def _load(path):
    """The names that a student's file defines."""
    sys.path.insert(0, str(Path(path).parent))
    namespace = {"__name__": "student", "__file__": path}
    exec(compile(Path(path).read_text("utf-8-sig"), path, "exec"), namespace)
    return namespace


def _run_pair(functions, textbook, case, recorder):
    """One case with forward, backward or both; what is not written is the textbook's."""
    answer = {}
    out, textbook_cache = _call(textbook["forward"], case.arguments())
    own_out = own_cache = None
    if "forward" in functions:
        args, kwargs = case.arguments()
        kept = snapshot((args, kwargs))
        answer["forward"] = recorder.call(functions["forward"], args, kwargs, first_only=True)
        names = bound(textbook["forward"], args, kwargs)
        answer["forward"]["modified"] = changed(kept, (args, kwargs), names)
        own_out, own_cache = answer["forward"].pop("both", (None, None))
    if "backward" in functions:
        dout = case.dout(out)
        cache = textbook_cache if own_out is None else own_cache
        given = {"dout": dout, "cache": cache}
        kept = snapshot(given)
        answer["backward"] = recorder.call(functions["backward"], (dout, cache), {})
        answer["backward"]["modified"] = changed(kept, given, given)
        if own_out is not None:
            _, fresh = _call(textbook["forward"], case.arguments())
            again = recorder.call(functions["backward"], (case.dout(out), fresh), {})
            answer["with_textbook_cache"] = again
            if not same(out, own_out):
                answer["for_own_forward"] = _for_own_forward(functions, case)
    return answer


def _run_function(functions, textbook, case, recorder):
    """One case of a function that stands by itself."""
    ((what, function),) = functions.items()
    args, kwargs = case.arguments()
    kept = snapshot((args, kwargs))
    answer = recorder.call(function, args, kwargs)
    names = bound(textbook[what], args, kwargs)
    return {what: answer | {"modified": changed(kept, (args, kwargs), names)}}


def _for_own_forward(functions, case):
    """Which gradients are right for the student's own forward: dict name -> bool."""
    from ..gradcheck import check_backward

    args, kwargs = case.arguments()
    try:
        with np.errstate(all="ignore"):
            report = check_backward(
                functions["forward"], functions["backward"], args, kwargs=kwargs, directions=3
            )
    except Exception:  # noqa: BLE001  whatever a student's file raises
        return {}
    return {gradient.name: gradient.ok for gradient in report.gradients}


def _call(function, arguments):
    args, kwargs = arguments
    with np.errstate(all="ignore"):
        return function(*args, **kwargs)


class Recorder:
    """Writes down what a student's function returned or raised, in plain words and arrays.

    path : of the student's file
    """

    def __init__(self, path):
        self.path, self.arrays = path, {}

    def call(self, function, args, kwargs, first_only=False):
        """Call a function; returns a dict: "arguments", "error", or "returned".

        first_only : whether it should return (out, cache), of which only out is written down
        """
        try:
            inspect.signature(function).bind(*args, **kwargs)
        except TypeError as error:
            return {"arguments": str(error), "takes": str(inspect.signature(function))}
        return self.calling(self._call, function, args, kwargs, first_only)

    def calling(self, what, *args):
        """Do something with the student's code; whatever it raises is written down."""
        try:
            with np.errstate(all="ignore"):
                return what(*args)
        except BaseException as error:  # noqa: BLE001  SystemExit, KeyboardInterrupt too
            return {"error": self.described(error)}

    def _call(self, function, args, kwargs, first_only):
        returned = function(*args, **kwargs)
        many = isinstance(returned, (tuple, list))
        if first_only and many and len(returned) == 2:
            out, cache = returned
            found = {"returned": [self.item(out)], "many": True, "own_cache": True}
            return found | {"both": (out, cache)}
        items = [self.item(one) for one in (returned if many else [returned])]
        return {"returned": items, "many": many}

    def item(self, value):
        """One returned value: an array's key, a dict of items, or the name of its type."""
        if value is None:
            return {"kind": "none"}
        if isinstance(value, dict):
            return {"kind": "dict", "items": {str(k): self.item(v) for k, v in value.items()}}
        if isinstance(value, (np.ndarray, np.generic, int, float)):
            array = np.array(value)
            if array.dtype.kind in "fiubc":
                key = f"a{len(self.arrays)}"
                self.arrays[key] = array
                return {"kind": "array", "key": key}
        return {"kind": "other", "type": type(value).__name__}

    def described(self, error):
        """An exception: its type, text, and the last line of the student's file that led to it."""
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame for frame in frames if frame.filename == self.path]
        line = lines[-1].lineno if lines else getattr(error, "lineno", None)
        code = lines[-1].line if lines else ""
        return {"type": type(error).__name__, "text": str(error), "line": line, "code": code}


class TooMuchPrinted(BaseException):
    """A file prints more than it may."""


class Printed(io.TextIOBase):
    """Where prints go: kept up to a limit, above which the print raises."""

    def __init__(self):
        self.text, self._length = "", 0

    def writable(self):
        """As any file that can be written."""
        return True

    def write(self, text):
        """Keep the first characters; raise `TooMuchPrinted` above the limit."""
        self._length += len(text)
        if self._length > PRINTED:
            raise TooMuchPrinted
        if len(self.text) < KEPT:
            self.text += text
        return len(text)


def snapshot(value):
    """A copy of arrays in tuples, lists and dicts."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {name: snapshot(one) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [snapshot(one) for one in value]
    return value


def same(a, b):
    """Whether two values hold the same numbers to 9 digits."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.shape(a) == np.shape(b) and np.allclose(a, b, 1e-9, 1e-12, equal_nan=True)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    return a is b or isinstance(a, (int, float)) and np.isclose(a, b)


def changed(kept, now, names):
    """The names of what is not as it was.

    kept, now : a dict, or a pair (args, kwargs)
    names : of their values, in order
    """
    before, after = ([*_values(one)] for one in (kept, now))
    return [
        name
        for name, one, other in zip(names, before, after, strict=False)
        if not _untouched(one, other)
    ]


def _values(value):
    if isinstance(value, dict):
        return value.values()
    args, kwargs = value
    return [*args, *kwargs.values()]


def _untouched(kept, now):
    if isinstance(now, np.ndarray):
        return np.array_equal(kept, now, equal_nan=now.dtype.kind == "f")
    if isinstance(now, dict):
        return kept.keys() == now.keys() and all(_untouched(kept[k], now[k]) for k in now)
    if isinstance(now, (tuple, list)):
        return len(kept) == len(now) and all(map(_untouched, kept, now))
    return True


def _limit(size):
    try:
        import resource
    except ModuleNotFoundError:  # Windows: the time limit alone
        return
    for limit, most in ((resource.RLIMIT_AS, size), (resource.RLIMIT_FSIZE, 100_000_000)):
        with contextlib.suppress(ValueError, OSError):  # a system that has less, or does not limit
            resource.setrlimit(limit, (most, resource.getrlimit(limit)[1]))


if __name__ == "__main__":
    main(sys.argv[1])
