"""`tinyvit exercise`: write the functions yourself, with hints and a check at each save."""

import argparse
import shutil
import sys
import textwrap

from ..display import make_console
from ..errors import InputError
from ..exercises.progress import Progress, command, find_folder, free_name, quoted
from ..exercises.shelf import all_exercises, find_exercise, hints, solution
from ..files import whole_file

EXAMPLES = """\
examples:
  tinyvit exercise                              which there are, how far you are
  tinyvit exercise start layernorm              a file to fill in, and what to do
  tinyvit exercise watch                        check it each time you save it
  tinyvit exercise hint layernorm               one more hint
  tinyvit exercise next                         go on with the next one
  tinyvit exercise solution layernorm backward  the textbook's answer
"""

MARKS = {"right": ("✓", "green"), "wrong": ("✗", "bold red"), "open": ("·", "dim")}


def add_arguments(parser):
    """Add this command's actions to its parser."""
    _add_dir(parser, None)
    parser.set_defaults(action=_list)
    actions = parser.add_subparsers(metavar="ACTION")

    def add(action, about, example):
        name = example.split()[0]
        added = actions.add_parser(
            name,
            help=about,
            description=about[0].upper() + about[1:],
            epilog=f"example: tinyvit exercise {example}",
            allow_abbrev=False,
        )
        _add_dir(added, argparse.SUPPRESS)  # else it would forget what stands before the action
        added.set_defaults(action=action)
        return added.add_argument

    stem = {"metavar": "STEM", "help": "which exercise: layernorm"}
    task = {"nargs": "?", "metavar": "TASK", "help": "forward or backward (the first not right)"}
    add(_list, "which there are, and how far you are", "list")
    add(_start, "give a file to fill in, and say what to do", "start layernorm")("stem", **stem)
    option = add(_hint, "show one more hint", "hint layernorm backward")
    option("stem", **stem)
    option("task", **task)
    add(_next, "go on with the first that is not right yet", "next")
    option = add(_watch, "check your file each time you save it", "watch layernorm")
    option("stem", nargs="?", **stem | {"help": "which exercise (the file saved last)"})
    add(_reset, "put the empty file back, and keep yours", "reset layernorm")("stem", **stem)
    option = add(_solution, "show the textbook's answer", "solution layernorm backward")
    option("stem", **stem)
    option("task", **task)
    option("--yes", action="store_true", help="show it without asking")


def _add_dir(parser, default):
    parser.add_argument(
        "--dir",
        metavar="D",
        default=default,
        help="folder of your files (the current one if it has a progress.json, else exercises)",
    )


def run(args):
    """Do one of the actions; returns the exit status."""
    args.action(args, Progress(find_folder(args.dir)))
    return 0


def _list(args, progress):
    from rich.table import Table

    exercises = all_exercises()
    tasks = [(exercise, task) for exercise in exercises for task in exercise.tasks]
    right = sum(progress.state(exercise.stem, task.what) == "right" for exercise, task in tasks)
    seen = any(progress.seen(exercise.stem, task.what) for exercise, task in tasks)

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("exercise")
    table.add_column("lesson", justify="right")
    for heading in ("forward", "backward", "solution seen" if seen else ""):
        table.add_column(heading)
    for exercise in exercises:
        table.add_row(*_row(exercise, progress))
    console = make_console()
    console.print(table)
    exercise, task = progress.first_open(exercises)
    console.print(f"\n{right} of {len(tasks)} are right  (✓ right  ✗ wrong  · open)")
    if exercise is None:
        print("well done")
    elif progress.file(exercise.stem).exists():
        how = command(progress.folder, "next")
        print(f"go on with {exercise.stem}, {task.what}: {how}")
    else:
        how = command(progress.folder, "start", exercise.stem)
        print(f"{'go on' if right else 'begin'} with: {how}")
    print("this is practice, not a secure examination: the answers are in tinyvit/ops")


def _row(exercise, progress):
    from rich.text import Text

    def cell(task):
        mark, style = MARKS[progress.state(exercise.stem, task.what)]
        return Text.assemble((mark, style), f" {task.difficulty:6} {task.minutes:2} min")

    seen = [task.what for task in exercise.tasks if progress.seen(exercise.stem, task.what)]
    cells = [*map(cell, exercise.tasks), ""][:2]
    which = "both" if len(seen) == 2 else "".join(seen)
    return exercise.stem, str(exercise.lesson), *cells, which


def _start(args, progress):
    _begin(find_exercise(args.stem), progress)


def _next(args, progress):
    exercise, task = progress.first_open(all_exercises())
    if exercise is None:
        print("all exercises are right: well done")
        return
    print(f"next: {exercise.stem}, {task.what}: {task.difficulty}, about {task.minutes} minutes\n")
    _begin(exercise, progress)


def _begin(exercise, progress):
    path = progress.file(exercise.stem)
    if path.exists():
        states = {task.what: progress.state(exercise.stem, task.what) for task in exercise.tasks}
        progress.set_states(exercise.stem, path.name, states)
        progress.write()
        how = command(progress.folder, "reset", exercise.stem)
        print(f"{path} is there, and stays as it is")
        print(f"to begin again: {how}\n")
    else:
        _put_stub(exercise, path, progress)
        print(f"{path} is yours to fill in\n")
        print(f"{exercise.title}; read before: tinyvit lesson {exercise.lesson}")
        width = max(len(task.what) for task in exercise.tasks)
        for task in exercise.tasks:
            print(f"  {task.what:{width}}  {task.difficulty}, about {task.minutes} minutes")
        print(f"\n{exercise.text}\n")
    print(f"write     {path}, in your editor")
    print(f"check     tinyvit check {quoted(path)}")
    print(f"  or      {command(progress.folder, 'watch', exercise.stem)}   (at each save)")
    print(f"stuck     {command(progress.folder, 'hint', exercise.stem)}")


def _put_stub(exercise, path, progress):
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        shutil.copyfile(exercise.path, temporary)
    progress.set_states(exercise.stem, path.name, {task.what: "open" for task in exercise.tasks})
    progress.write()


def _hint(args, progress):
    exercise = find_exercise(args.stem)
    task = _chosen(exercise, args.task, progress)
    if task is None:
        print(f"all of {exercise.title} is right: no hint is needed")
        return
    texts = hints(exercise)[task.what]
    known = progress.hints(exercise.stem, task.what)
    last = min(known + 1, len(texts))
    progress.set_hints(exercise.stem, task.what, last)
    progress.write()
    for number in range(1 if known >= len(texts) else last, last + 1):
        print(f"{exercise.title}, {task.what}: hint {number} of {len(texts)}\n")
        print(f"{textwrap.indent(texts[number - 1], '  ')}\n")
    if last < len(texts):
        print(f"one more  {command(progress.folder, 'hint', exercise.stem, task.what)}")
    else:
        how = command(progress.folder, "solution", exercise.stem, task.what)
        print(f"these are all; the textbook's answer:\n  {how}")


def _watch(args, progress):
    from ..exercises.watch import watch

    if args.stem:
        exercise = _started(args.stem, progress)
        files = {progress.file(exercise.stem): exercise}
    else:
        files = {progress.file(exercise.stem): exercise for exercise in all_exercises()}
        if not any(path.exists() for path in files):
            how = command(progress.folder, "next")
            raise InputError(f"no exercise is started in {progress.folder}: {how}")
    watch(files, make_console())


def _reset(args, progress):
    exercise = _started(args.stem, progress)
    path = progress.file(exercise.stem)
    kept = free_name(path.with_name(f"{path.name}.bak"))
    with whole_file(kept) as temporary:
        shutil.copyfile(path, temporary)
    _put_stub(exercise, path, progress)
    print(f"{path} is empty again\nwhat you had is in {kept}")


def _solution(args, progress):
    exercise = find_exercise(args.stem)
    task = _chosen(exercise, args.task, progress)
    if task is None:
        names = " or ".join(task.what for task in exercise.tasks)
        raise InputError(f"all of {exercise.title} is right: say which to show, {names}")
    if not (args.yes or _agreed(f"Show the solution of {exercise.stem} {task.what}? [y/N] ")):
        print("the solution is not shown", file=sys.stderr)
        return
    progress.set_seen(exercise.stem, task.what)
    progress.write()
    source = solution(exercise, task.what)
    console = make_console()
    if not console.is_terminal:
        print(source, end="")
        return

    from rich.syntax import Syntax

    from ..lessons.terminal import THEME

    python = Syntax(source, "python", theme=THEME, background_color="default", word_wrap=True)
    console.print(python)
    if "get_array_module" in source:
        console.print("get_array_module(x) is np, for NumPy's arrays", style="dim")


def _agreed(question):
    print(question, end="", file=sys.stderr, flush=True)
    try:
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        print(file=sys.stderr)
        raise InputError("not shown: nobody is there to answer (--yes shows it)") from None


def _started(stem, progress):
    exercise = find_exercise(stem)
    if not progress.file(exercise.stem).exists():
        how = command(progress.folder, "start", exercise.stem)
        raise InputError(f"{exercise.stem} is not started in {progress.folder}: {how}")
    return exercise


def _chosen(exercise, name, progress):
    """The task of that name, or the first that is not right; None where all are."""
    return exercise.task(name) if name else progress.first_open([exercise])[1]
