"""Check a student's file at each save."""

import time
from functools import partial

from ..errors import InputError
from .progress import Progress, command, record
from .shelf import all_exercises

look_again = partial(time.sleep, 0.3)


def saves(paths, wait):
    """Yield the path that was saved last, and then, for ever, each that is saved.

    paths : that are looked at; one that is missing may come later
    wait : called between two looks
    """
    stamps = {path: _stamp(path) for path in paths}
    yield max(paths, key=lambda path: stamps[path] or (0, 0))
    while True:
        wait()
        for path in paths:
            stamp = _stamp(path)
            if stamp not in (stamps[path], None):  # None: an editor is about to put it back
                stamps[path] = stamp
                yield path


def watch(exercises, console, wait=look_again):
    """Check the file saved last, then each file when it is saved, until Ctrl-C.

    exercises : dict path of a student's file -> `Exercise`
    console : where the reports go
    wait : called between two looks at the files
    """
    try:
        for path in saves(exercises, wait):
            console.clear()
            _check(path, exercises[path], console)
            now = time.strftime("%H:%M:%S")
            console.print(f"{now} · checked at each save · Ctrl-C ends", style="dim")
    except KeyboardInterrupt:
        if console.is_terminal:
            console.print()  # the terminal has written ^C
        console.print("stopped watching")


def _check(path, exercise, console):
    from .check import check_file
    from .show_report import show_report

    try:
        report = check_file(path, exercise.stem)
    except (InputError, OSError) as error:
        console.print(str(error), soft_wrap=True)
        return
    show_report(report, console)
    record(path, exercise.stem, report.states)
    console.print()
    console.print(_advice(exercise, report, Progress(path.parent)), style="bold", soft_wrap=True)


def _advice(exercise, report, progress):
    if report.bad_input:
        return "Now: mend this, and save."
    for state, do in (("wrong", "mend"), ("open", "write")):
        for task in exercise.tasks:
            if report.states.get(task.what) == state:
                hint = command(progress.folder, "hint", exercise.stem, task.what)
                return f"Now: {do} {task.function}, and save.\nStuck: {hint}"
    after, _ = progress.first_open(all_exercises())
    if after is None:
        return f"All of {exercise.title} is right, and so are all the other exercises."
    how = command(progress.folder, "next")
    return f"All of {exercise.title} is right. Next is {after.title}: {how}"


def _stamp(path):
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
