"""`tinyvit exercise`: the list, files to fill in, hints, solutions, the watch, what is kept."""

import io
import json
import os
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import pytest

from tinyvit.cli import main
from tinyvit.commands import exercise as exercise_command
from tinyvit.display import make_console
from tinyvit.errors import InputError
from tinyvit.exercises import progress, shelf, watch
from tinyvit.lessons.shelf import all_lessons

STUB = '''\
"""Exercise: {title}.

after lesson {lesson} · {tasks}

What is to be done.

Check:  tinyvit check {stem}.py
Stuck:  tinyvit exercise hint {stem}
"""

raise RuntimeError("a stub is read, never run")
'''
PAIR = "forward: easy, 10 minutes · backward: hard, 40 minutes"
STUBS = (
    ("linear", "Linear", 2, PAIR),
    ("softmax", "Softmax", 5, PAIR),
    ("gradcheck", "Gradient check", 11, "check_backward: medium, 20 minutes"),
    ("adamw", "AdamW", 13, "adamw: easy, 15 minutes"),
)
HINTS = """\
forward = ["think of rows", \"\"\"
two lines:
    y = x @ w.T\"\"\"]
backward = ["one", "two", "three"]
"""
SOLUTION = "import numpy\n\n\ndef check_backward():\n    return True\n\n\ndef other():\n    pass\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A shelf of four small exercises; the current folder is a student's."""
    stubs = tmp_path / "lessons" / "exercises"
    (stubs / "solutions").mkdir(parents=True)
    for stem, title, lesson, tasks in STUBS:
        text = STUB.format(stem=stem, title=title, lesson=lesson, tasks=tasks)
        (stubs / f"{stem}.py").write_text(text, "utf-8")
        (stubs / f"{stem}.toml").write_text(HINTS, "utf-8")
    (stubs / "solutions" / "gradcheck.py").write_text(SOLUTION)
    monkeypatch.setattr("tinyvit.lessons.shelf.CHECKOUT", tmp_path / "lessons")
    monkeypatch.setattr(shelf, "ORDER", tuple(stem for stem, *_ in STUBS))
    folder = tmp_path / "my 练习"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")
    return folder


def good(capsys, *words):
    """What the command prints."""
    assert main(["exercise", *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert all(len(line) <= 80 for line in out.splitlines())
    return out


def solution(capsys, *words):
    """The solution that the command prints: lines as the textbook has them, some longer than 80."""
    assert main(["exercise", "solution", *words, "--yes"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def row(out, stem):
    """The row of an exercise in the list, with single spaces."""
    return next(" ".join(line.split()) for line in out.splitlines() if line.startswith(stem))


def bad(capsys, *words):
    """The one line with which the command refuses."""
    assert main(["exercise", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    return err


def kept(folder="exercises"):
    with open(os.path.join(folder, "progress.json"), encoding="utf-8") as file:
        return json.load(file)


def set_states(stem, **states):
    progress.record(f"exercises/{stem}.py", stem, states)


def all_right():
    for exercise in shelf.all_exercises():
        states = {task.what: "right" for task in exercise.tasks}
        progress.record(f"exercises/{exercise.stem}.py", exercise.stem, states)


# ---- the shelf


def test_a_stub_is_read(here):
    linear = shelf.find_exercise("linear.py")
    assert (linear.stem, linear.title, linear.lesson) == ("linear", "Linear", 2)
    assert linear.tasks == (
        shelf.Task("forward", "linear_forward", "easy", 10),
        shelf.Task("backward", "linear_backward", "hard", 40),
    )
    assert linear.text == "What is to be done."
    assert shelf.find_exercise("adamw").tasks[0].function == "adamw"
    assert shelf.hints(linear)["forward"] == ["think of rows", "two lines:\n    y = x @ w.T"]


def test_a_task_has_two_names(here):
    linear = shelf.find_exercise("linear")
    assert linear.task("linear_backward") is linear.task("backward")
    with pytest.raises(InputError, match="there are forward, backward"):
        linear.task("sideways")


def test_the_real_shelf_follows_the_lessons():
    exercises = shelf.all_exercises()
    stubs = {path.stem for path in exercises[0].path.parent.glob("*.py")}
    assert {exercise.stem for exercise in exercises} == stubs and len(exercises) == len(stubs)
    lessons = [exercise.lesson for exercise in exercises]
    assert lessons == sorted(lessons)
    assert set(lessons) <= {lesson.number for lesson in all_lessons()}


def test_every_task_has_a_solution():
    for exercise in shelf.all_exercises():
        assert exercise.text and "tinyvit check" not in exercise.text
        for task in exercise.tasks:
            source = shelf.solution(exercise, task.what)
            assert source.startswith(f"def {task.function}(") and source.endswith("\n")
            compile(source, task.function, "exec")


# ---- the list


def test_the_list_says_how_to_begin_and_writes_nothing(here, capsys):
    out = good(capsys)
    assert row(out, "linear") == "linear 2 · easy 10 min · hard 40 min"
    assert row(out, "adamw") == "adamw 13 · easy 15 min"
    assert (
        "0 of 6 are right  (✓ right  ✗ wrong  · open)\nbegin with: tinyvit exercise start linear\n"
        in out
    )
    assert "this is practice, not a secure examination: the answers are in tinyvit/ops" in out
    assert "solution seen" not in out
    assert good(capsys, "list") == out
    assert list(here.iterdir()) == []


def test_the_list_says_how_far_one_is(here, capsys):
    good(capsys, "start", "linear")
    set_states("linear", forward="right", backward="wrong")
    for what in ("forward", "backward"):
        solution(capsys, "linear", what)
    good(capsys, "start", "softmax")
    solution(capsys, "softmax", "backward")
    good(capsys, "start", "adamw")
    solution(capsys, "adamw")
    out = good(capsys, "list")
    assert row(out, "linear") == "linear 2 ✓ easy 10 min ✗ hard 40 min both"
    assert row(out, "softmax") == "softmax 5 · easy 10 min · hard 40 min backward"
    assert row(out, "adamw") == "adamw 13 · easy 15 min adamw"
    assert (
        "1 of 6 are right  (✓ right  ✗ wrong  · open)\n"
        "go on with linear, backward: tinyvit exercise next\n" in out
    )
    set_states("linear", backward="right")
    all_right()
    assert "6 of 6 are right  (✓ right  ✗ wrong  · open)\nwell done\n" in good(capsys, "list")


def test_the_real_list_fits_80_columns_when_all_was_seen(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    record = {
        exercise.stem: {
            "file": f"{exercise.stem}.py",
            "solution": [task.what for task in exercise.tasks],
        }
        for exercise in shelf.all_exercises()
    }
    (tmp_path / "progress.json").write_text(json.dumps(record))
    out = good(capsys)
    assert len(out.splitlines()) == 1 + len(record) + 4 < 24  # it fits a terminal
    assert max(map(len, out.splitlines())) <= 80


# ---- start, next, reset


def test_start_gives_a_file_and_says_what_to_do(here, capsys):
    out = good(capsys, "start", "linear")
    assert "What is to be done." in out and "backward  hard, about 40 minutes" in out
    for line in (
        "check     tinyvit check exercises/linear.py",
        "  or      tinyvit exercise watch linear   (at each save)",
        "stuck     tinyvit exercise hint linear",
    ):
        assert line in out.splitlines()
    stub = shelf.find_exercise("linear").path
    assert (here / "exercises/linear.py").read_bytes() == stub.read_bytes()
    assert kept() == {"linear": {"file": "linear.py", "forward": "open", "backward": "open"}}


def test_start_never_overwrites(here, capsys):
    good(capsys, "start", "linear")
    (here / "exercises/linear.py").write_text("mine")
    set_states("linear", forward="right")
    out = good(capsys, "start", "linear")
    assert "exercises/linear.py is there, and stays as it is" in out
    assert "to begin again: tinyvit exercise reset linear" in out
    assert (here / "exercises/linear.py").read_text() == "mine"
    assert kept()["linear"]["forward"] == "right"


def test_a_file_that_was_there_before_is_taken_up(here, capsys):
    (here / "exercises").mkdir()
    (here / "exercises/linear.py").write_text("mine")
    assert "stays as it is" in good(capsys, "start", "linear")
    assert kept()["linear"]["file"] == "linear.py"


def test_the_folder_is_the_current_one_where_it_has_a_record(here, capsys, monkeypatch):
    good(capsys, "start", "linear")
    monkeypatch.chdir(here / "exercises")
    assert "tinyvit check softmax.py" in good(capsys, "start", "softmax")
    assert set(kept(".")) == {"linear", "softmax"}


def test_a_named_folder_is_named_in_what_to_do(here, capsys):
    out = good(capsys, "start", "linear", "--dir", "../my 练习/第 3 组")
    assert "tinyvit check '../my 练习/第 3 组/linear.py'" in out
    assert "tinyvit exercise hint linear --dir '../my 练习/第 3 组'" in out
    before = good(capsys, "--dir", "第 3 组", "list")
    assert before == good(capsys, "--dir", "第 3 组") == good(capsys, "list", "--dir", "第 3 组")
    assert "go on with linear, forward: tinyvit exercise next --dir '第 3 组'" in before
    assert not (here / "exercises").exists()


def test_next_starts_what_is_not_there(here, capsys):
    out = good(capsys, "next")
    assert "next: linear, forward: easy, about 10 minutes" in out
    assert "exercises/linear.py is yours to fill in" in out
    set_states("linear", forward="right", backward="wrong")
    out = good(capsys, "next")
    assert "next: linear, backward: hard" in out and "stays as it is" in out
    set_states("linear", backward="right")
    assert "exercises/softmax.py is yours to fill in" in good(capsys, "next")
    all_right()
    assert good(capsys, "next") == "all exercises are right: well done\n"


def test_reset_keeps_what_was_there(here, capsys):
    good(capsys, "start", "linear")
    good(capsys, "hint", "linear")
    file = here / "exercises/linear.py"
    stub = file.read_text("utf-8")
    for text, name in (
        ("first", "linear.py.bak"),
        ("第二", "linear.py.bak2"),
        ("", "linear.py.bak3"),
    ):
        file.write_text(text, "utf-8")
        set_states("linear", forward="right")
        out = good(capsys, "reset", "linear")
        assert out == f"exercises/linear.py is empty again\nwhat you had is in exercises/{name}\n"
        assert (here / "exercises" / name).read_text("utf-8") == text
        assert file.read_text("utf-8") == stub
    assert kept()["linear"]["forward"] == "open"
    assert kept()["linear"]["hints"] == {"forward": 1}


# ---- hints


def test_hints_come_one_by_one_then_all_again(here, capsys):
    good(capsys, "start", "linear")
    out = good(capsys, "hint", "linear")
    assert "Linear, forward: hint 1 of 2" in out and "think of rows" in out
    assert "one more  tinyvit exercise hint linear forward" in out and "two lines" not in out
    assert kept()["linear"]["hints"] == {"forward": 1}
    out = good(capsys, "hint", "linear", "forward")
    assert "hint 2 of 2\n\n  two lines:\n      y = x @ w.T\n" in out and "rows" not in out
    assert "tinyvit exercise solution linear forward" in out
    again = good(capsys, "hint", "linear")
    assert again.index("hint 1 of 2") < again.index("hint 2 of 2")
    assert kept()["linear"]["hints"] == {"forward": 2}


def test_a_hint_is_for_the_first_task_that_is_not_right(here, capsys):
    good(capsys, "start", "linear")
    set_states("linear", forward="right")
    assert "Linear, backward: hint 1 of 3" in good(capsys, "hint", "linear")
    set_states("linear", backward="right")
    assert "no hint is needed" in good(capsys, "hint", "linear")
    assert "Linear, forward: hint 1 of 2" in good(capsys, "hint", "linear", "linear_forward")
    assert kept()["linear"]["hints"] == {"backward": 1, "forward": 1}


# ---- solutions


class Keyboard:
    """A terminal at which someone types."""

    def __init__(self, typed):
        self.readline = iter([*typed, "", ""]).__next__
        self.fileno = sys.__stdin__.fileno

    def isatty(self):
        return True


def test_where_nobody_answers_a_solution_needs_yes(here, capsys, monkeypatch):
    good(capsys, "start", "linear")
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(["exercise", "solution", "linear"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "nobody is there to answer (--yes shows it)" in err
    assert "solution" not in kept()["linear"]
    textbook = shelf.solution(shelf.find_exercise("linear"), "backward")
    assert solution(capsys, "linear", "backward") == textbook
    assert solution(capsys, "linear") != textbook  # the first that is not right is forward
    solution(capsys, "linear", "backward")
    assert kept()["linear"]["solution"] == ["backward", "forward"]


def test_hints_and_solutions_are_given_before_the_start(here, capsys):
    assert "hint 1 of" in good(capsys, "hint", "linear")
    assert kept()["linear"]["hints"] == {"forward": 1}
    assert solution(capsys, "softmax", "backward").startswith("def softmax_backward")


@pytest.mark.parametrize("answer", ["n\n", "\n", "what?\n"])
def test_a_solution_is_not_shown_on_a_no(here, capsys, monkeypatch, answer):
    good(capsys, "start", "linear")
    monkeypatch.setattr("sys.stdin", Keyboard([answer]))
    assert main(["exercise", "solution", "linear", "backward"]) == 0
    out, err = capsys.readouterr()
    question = "Show the solution of linear backward? [y/N] "
    assert out == "" and err == f"{question}the solution is not shown\n"
    assert "solution" not in kept()["linear"]


def test_a_solution_is_shown_on_a_yes(here, capsys, monkeypatch):
    good(capsys, "start", "gradcheck")
    monkeypatch.setattr("sys.stdin", Keyboard(["y\n"]))
    assert main(["exercise", "solution", "gradcheck"]) == 0
    assert capsys.readouterr().out == "def check_backward():\n    return True\n"
    assert kept()["gradcheck"]["solution"] == ["check_backward"]


def test_a_terminal_shows_a_solution_in_colours(here, capsys, monkeypatch):
    good(capsys, "start", "softmax")
    console = partial(make_console, force_terminal=True, color_system="standard")
    monkeypatch.setattr(exercise_command, "make_console", console)
    assert main(["exercise", "solution", "softmax", "--yes"]) == 0
    out = capsys.readouterr().out
    assert "softmax_forward" in out and "get_array_module(x) is np" in out and "\x1b[1;" in out


def test_which_solution_is_asked_when_all_is_right(here, capsys):
    good(capsys, "start", "linear")
    set_states("linear", forward="right", backward="right")
    assert "say which to show, forward or backward" in bad(capsys, "solution", "linear", "--yes")


# ---- what cannot be done


@pytest.mark.parametrize(
    "words, message",
    [
        ("start nothing", "no exercise 'nothing': there are linear, softmax, gradcheck, adamw"),
        ("start", "STEM (tinyvit exercise start --help shows an example)"),
        ("begin linear", "invalid choice: 'begin'"),
        ("list --dri x", "--dri"),
        ("reset softmax", "not started in exercises: tinyvit exercise start softmax"),
        ("watch softmax", "not started"),
        ("watch --dir none", "no exercise is started in none: tinyvit exercise next --dir none"),
        ("hint linear sideways", "no task 'sideways' in linear: there are forward, backward"),
        ("list --dir file", "file is a file: --dir takes a folder"),
        ("start linear --dir file/below", "file"),
        ("start linear --dir ../lessons/exercises", "holds the stubs themselves"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(here, capsys, words, message):
    good(capsys, "start", "linear")
    (here / "file").write_text("")
    before = sorted(here.rglob("*"))
    assert message in bad(capsys, *words.split())
    assert sorted(here.rglob("*")) == before


def test_a_folder_that_cannot_be_written(here, capsys, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", "exercises/linear.py")

    monkeypatch.setattr(exercise_command, "whole_file", refuse)
    assert "exercises/linear.py: Permission denied" in bad(capsys, "start", "linear")


# ---- the record


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "[" * 100_000, "\ud800", '{"linear": 1}', '{"linear": {}}'),
        '{"linear": {"file": "../linear.py"}}',
        '{"linear": {"file": "linear.py", "forward": "done"}}',
        '{"linear": {"file": "linear.py", "hints": {"forward": -1}}}',
        '{"linear": {"file": "linear.py", "hints": 3}}',
        '{"linear": {"file": "linear.py", "solution": "forward"}}',
    ],
)
def test_a_damaged_record_is_kept(here, capsys, text):
    good(capsys, "start", "linear")
    file = here / "exercises/progress.json"
    damaged = text.encode("utf-8", "surrogatepass")
    for name in ("progress.json.damaged", "progress.json.damaged2"):
        file.write_bytes(damaged)
        assert main(["exercise", "list"]) == 0
        assert file.read_bytes() == damaged  # to look changes nothing
        out, err = capsys.readouterr()
        assert "0 of 6 are right" in out and err == (
            f"tinyvit: exercises/progress.json is damaged: it counts as empty, and will be kept as "
            f"{name}\n"
        )
        assert main(["exercise", "hint", "linear"]) == 0
        assert capsys.readouterr().err.count("\n") == 1
        assert (here / "exercises" / name).read_bytes() == damaged
        assert kept() == {"linear": {"file": "linear.py", "hints": {"forward": 1}}}


def test_nothing_is_recorded_where_no_record_is(here):
    (here / "linear.py").write_text("")
    progress.record("linear.py", "linear", {"forward": "right"})
    assert [path.name for path in here.iterdir()] == ["linear.py"]


def test_a_check_of_another_file_takes_nothing_away(here, capsys):
    good(capsys, "start", "linear")
    set_states("linear", forward="right", backward="open")
    progress.record("exercises/second.py", "linear", {"forward": "open", "backward": "open"})
    assert kept()["linear"]["file"] == "linear.py"
    progress.record("exercises/second.py", "linear", {"forward": "open", "backward": "wrong"})
    assert kept() == {"linear": {"file": "second.py", "forward": "right", "backward": "wrong"}}
    assert "next: linear, backward" in good(capsys, "next")  # with linear.py: second is not there
    assert kept() == {"linear": {"file": "linear.py", "forward": "right", "backward": "wrong"}}


def test_a_file_of_another_name_is_an_exercise_too(here, capsys):
    good(capsys, "start", "linear")
    (here / "exercises/mine.py").write_text("mine")
    progress.record("exercises/mine.py", "softmax", {"forward": "right", "backward": "open"})
    expected = {"file": "mine.py", "forward": "right", "backward": "open"}
    assert kept()["softmax"] == expected
    assert "exercises/mine.py is there" in good(capsys, "start", "softmax")
    assert "hint 1" in good(capsys, "hint", "softmax")
    (here / "exercises/mine.py").unlink()
    assert "exercises/softmax.py is yours to fill in" in good(capsys, "start", "softmax")
    assert kept()["softmax"]["forward"] == "open"


def test_a_record_that_cannot_be_written_does_not_stop_a_check(here, capsys, monkeypatch):
    good(capsys, "start", "linear")

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(progress, "whole_file", refuse)
    set_states("linear", forward="right")
    message = "tinyvit: not recorded: exercises/progress.json: Permission denied\n"
    assert capsys.readouterr().err == message


# ---- watch


@pytest.fixture
def checks(monkeypatch):
    """Stand-ins for check and report: a student's file says itself how far it is."""

    def check_file(path, stem):
        states = json.loads(path.read_text("utf-8"))
        return SimpleNamespace(exercise=stem, states=states, bad_input=not states)

    def show_report(report, console):
        console.print(f"report of {report.exercise}")

    monkeypatch.setitem(
        sys.modules, "tinyvit.exercises.check", SimpleNamespace(check_file=check_file)
    )
    monkeypatch.setitem(
        sys.modules, "tinyvit.exercises.show_report", SimpleNamespace(show_report=show_report)
    )


def save(path, seconds, **states):
    path.write_text(json.dumps(states), "utf-8")
    os.utime(path, (seconds, seconds))


def saving(monkeypatch, *steps):
    """Do one step between two looks each, then Ctrl-C."""
    steps = iter(steps)

    def wait():
        step = next(steps, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    monkeypatch.setattr(watch.watch, "__defaults__", (wait,))


def test_watch_checks_at_each_save(here, capsys, monkeypatch, checks):
    good(capsys, "start", "linear")
    file = here / "exercises/linear.py"
    save(file, 1, forward="open", backward="open")
    saving(
        monkeypatch,
        lambda: save(file, 2, forward="right", backward="wrong"),
        lambda: None,
        file.unlink,
        lambda: save(file, 3, forward="right", backward="right"),
    )
    out = good(capsys, "watch", "linear")
    assert out.count("report of linear") == 3 and "No such file" not in out
    first, second, third = out.split("report of linear")[1:]
    assert "Now: write linear_forward, and save." in first and "Ctrl-C ends" in first
    assert "Now: mend linear_backward, and save." in second
    assert "Stuck: tinyvit exercise hint linear backward" in second
    assert "All of Linear is right. Next is Softmax: tinyvit exercise next" in third
    assert out.endswith("stopped watching\n")
    assert kept()["linear"] == {"file": "linear.py", "forward": "right", "backward": "right"}


def test_watch_without_a_name_follows_what_is_saved(here, capsys, monkeypatch, checks):
    good(capsys, "start", "linear")
    good(capsys, "start", "softmax")
    linear, softmax = here / "exercises/linear.py", here / "exercises/softmax.py"
    save(linear, 2, forward="wrong")
    save(softmax, 1, forward="wrong")
    adamw = here / "exercises/adamw.py"
    saving(
        monkeypatch,
        lambda: save(softmax, 3, forward="open"),
        lambda: save(adamw, 4, adamw="open"),  # started meanwhile
    )
    reports = [line for line in good(capsys, "watch").splitlines() if "report" in line]
    assert reports == ["report of linear", "report of softmax", "report of adamw"]


def test_watch_says_when_all_is_done(here, capsys, monkeypatch, checks):
    good(capsys, "start", "linear")
    all_right()
    save(here / "exercises/linear.py", 1, forward="right", backward="right")
    saving(monkeypatch)
    assert "and so are all the other exercises" in good(capsys, "watch")


def test_watch_goes_on_after_a_bad_file(here, capsys, monkeypatch, checks):
    good(capsys, "start", "linear")
    file = here / "exercises/linear.py"
    save(file, 1)
    saving(monkeypatch, lambda: save(file, 2, forward="right", backward="right"))
    out = good(capsys, "watch", "linear")
    assert "Now: mend this, and save." in out and "All of Linear is right" in out


def test_watch_survives_a_file_that_goes_while_it_is_read(here, capsys, monkeypatch, checks):
    good(capsys, "start", "linear")

    def gone(path, stem):
        raise InputError(f"{path}: there is no such file")

    monkeypatch.setattr(sys.modules["tinyvit.exercises.check"], "check_file", gone)
    saving(monkeypatch, lambda: None)
    out = good(capsys, "watch", "linear")
    assert "exercises/linear.py: there is no such file" in out and "stopped watching" in out


# ---- as a process


def test_as_a_process(tmp_path):
    command = [sys.executable, "-m", "tinyvit", "exercise", "start", "layernorm"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True)
    assert done.returncode == 0 and done.stderr == b""
    assert {path.name for path in (tmp_path / "exercises").iterdir()} == {
        "layernorm.py",
        "progress.json",
    }
