"""What a student has done so far: `progress.json`, in the folder of the student's files."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from ..errors import InputError
from ..files import whole_file
from ..lessons.shelf import shipped

NAME = "progress.json"
STATES = ("open", "wrong", "right")
NO_TASKS = ("file", "hints", "solution")  # all else in an entry is a task and its state


def find_folder(given=None):
    """The folder of the student's files; it need not exist yet.

    given : by the user; without it the current folder if it has a record, else `exercises` in it

    Raises InputError where no student's files can be: a file, or the folder of the stubs.
    """
    folder = _usual_folder() if given is None else Path(given)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: --dir takes a folder")
    if folder.resolve() == shipped("exercises").resolve():
        raise InputError(f"{folder} holds the stubs themselves: name another folder with --dir")
    return folder


def command(folder, *words):
    """How to call `tinyvit exercise` from here: "tinyvit exercise hint layernorm".

    folder : of the student's files; named by --dir unless it is found without
    words : after `tinyvit exercise`
    """
    where = [] if folder == _usual_folder() else ["--dir", quoted(folder)]
    return " ".join(["tinyvit exercise", *words, *where])


def quoted(path):
    """A path as it is typed in a shell."""
    return subprocess.list2cmdline([str(path)]) if os.name == "nt" else shlex.quote(str(path))


class Progress:
    """The record of one folder; what it is told is kept when `write` is called.

    A record that cannot be read counts as empty, which is said in one line; the next `write` keeps
    the file under another name.

    folder : of the student's files
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self._path = self.folder / NAME
        self._entries, self._keep_as = self._read()

    def _read(self):
        try:
            entries = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return {}, None
        except (ValueError, RecursionError):
            entries = None
        if isinstance(entries, dict) and all(map(_is_entry, entries.values())):
            return entries, None
        keep_as = free_name(self._path.with_name(f"{NAME}.damaged"))
        print(
            f"tinyvit: {self._path} is damaged: it counts as empty, and will be kept as "
            f"{keep_as.name}",
            file=sys.stderr,
        )
        return {}, keep_as

    def file(self, stem):
        """The path of the student's file, whether it is there or not."""
        own = self.folder / f"{stem}.py"
        kept = self.folder / self._entries.get(stem, {}).get("file", own.name)
        return kept if kept.exists() else own

    def state(self, stem, what):
        """The state of a task: "open", "wrong" or "right"."""
        return self._entries.get(stem, {}).get(what, "open")

    def hints(self, stem, what):
        """How many hints of a task were shown."""
        return self._entries.get(stem, {}).get("hints", {}).get(what, 0)

    def seen(self, stem, what):
        """Whether the solution of a task was shown."""
        return what in self._entries.get(stem, {}).get("solution", [])

    def first_open(self, exercises):
        """The first task that is not right yet.

        exercises : list of `Exercise`

        Returns its exercise and the task; None, None where all are right.
        """
        for exercise in exercises:
            for task in exercise.tasks:
                if self.state(exercise.stem, task.what) != "right":
                    return exercise, task
        return None, None

    def set_states(self, stem, file, states):
        """Set states of tasks.

        file : name of the file that they are about
        states : dict what -> "open", "wrong" or "right"
        """
        self._entries[stem] = self._entries.get(stem, {}) | {"file": file} | states

    def set_hints(self, stem, what, count):
        """Set how many hints of a task were shown."""
        self._entry(stem).setdefault("hints", {})[what] = count

    def set_seen(self, stem, what):
        """Remember that the solution of a task was shown."""
        if not self.seen(stem, what):
            self._entry(stem).setdefault("solution", []).append(what)

    def _entry(self, stem):
        return self._entries.setdefault(stem, {"file": self.file(stem).name})

    def write(self):
        """Write the record.

        Raises OSError where the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._keep_as:
            self._path.rename(self._keep_as)
            self._keep_as = None
        with whole_file(self._path) as temporary:
            text = json.dumps(self._entries, indent=2, ensure_ascii=False)
            temporary.write_text(text + "\n", "utf-8")


def record(path, stem, states):
    """Record what a check found, where the file's folder has a record.

    What a second file of the same exercise leaves open takes nothing away from the first.
    A folder that cannot be written gets a line on stderr: the check has been done all the same.

    path : of the student's file
    stem : of the exercise
    states : dict what -> "open", "wrong" or "right"
    """
    path = Path(path)
    if not (path.parent / NAME).is_file():
        return
    try:
        progress = Progress(path.parent)
        known = progress.file(stem)
        if known.name != path.name and known.exists():
            states = {what: state for what, state in states.items() if state != "open"}
        if states:
            progress.set_states(stem, path.name, states)
            progress.write()
    except OSError as error:
        print(f"tinyvit: not recorded: {error.filename}: {error.strerror}", file=sys.stderr)


def free_name(path):
    """`path`, or the first of `path`2, `path`3 ... that is not taken."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}{number}")
    return free


def _usual_folder():
    return Path() if Path(NAME).is_file() else Path("exercises")


def _is_entry(entry):
    if not isinstance(entry, dict):
        return False
    file, hints, solution = entry.get("file"), entry.get("hints", {}), entry.get("solution", [])
    return (
        (isinstance(file, str) and file != "" and Path(file).name == file)
        and (isinstance(hints, dict) and all(type(n) is int and n >= 0 for n in hints.values()))
        and (isinstance(solution, list) and all(isinstance(what, str) for what in solution))
        and all(state in STATES for what, state in entry.items() if what not in NO_TASKS)
    )
