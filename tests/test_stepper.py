"""The stepper, driven by a class that types: keys, places, edits, errors."""

import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny import REPO

from tinyvit import show
from tinyvit.lessons import audience, place
from tinyvit.lessons.edit import edit
from tinyvit.lessons.play import CellError, Play
from tinyvit.lessons.shelf import Lesson
from tinyvit.lessons.stepper import describe, play_through, step_through

TEXT = """\
# %% [markdown]
# # 3 · Small: a lesson for a test

# %%
from tinyvit.lessons import figure, predict
x = [1]

# %%
x = x + [2]
print("x is", x)

# %%
predict("how long is x?", len(x))

# %% [markdown]
# The end.
"""


class Typed:
    """A terminal in which someone types; what it shows is kept."""

    large = False

    def __init__(self, *keys):
        self.keys, self.shown = list(keys), []

    def title(self, lesson, count):
        self.shown.append(("title", count))

    def cell(self, cell, source, number, count):
        self.shown.append(("cell", number, source))

    def say(self, words):
        self.shown.append(("say", words))

    def wrong(self, words):
        self.shown.append(("wrong", words))

    def variables(self, rows):
        self.shown.append(("variables", rows))

    def ask(self, words):
        self.shown.append(("ask", words))
        return self.keys.pop(0) if self.keys else None

    ask_for_key = ask

    def said(self, kind):
        return [one[1] for one in self.shown if one[0] == kind]


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    monkeypatch.setattr(place, "places_file", lambda: tmp_path / "state" / "lessons.json")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "03_small.py"
    path.write_text(TEXT, "utf-8")
    return Lesson(path, 3, "small", "Small: a lesson for a test", "")


def test_enter_shows_then_runs_then_goes_on(lesson, capsys):
    terminal = Typed("", "", "", "", "", "", "three", "", "")
    assert step_through(lesson, terminal) == 0
    assert terminal.said("cell") == [0, 1, 2, 3, 4]
    assert capsys.readouterr().out == "x is [1, 2]\n? how long is x?\n  it is: 2\n"
    assert place.read_places() == {"03_small": "done", "last": "03_small"}


def test_back_and_repeat_run_from_the_same_variables(lesson, capsys):
    terminal = Typed("", "", "", "", "r", "b", "b", "", "", "", "q")
    step_through(lesson, terminal)
    assert terminal.said("cell") == [0, 1, 2, 1, 0, 1, 2]
    assert capsys.readouterr().out == "x is [1, 2]\nx is [1, 2]\n"


def test_quitting_keeps_the_place_and_coming_back_runs_what_was_before(lesson, capsys):
    step_through(lesson, Typed("", "", "", "q"))
    assert place.read_places()["03_small"] == 2
    terminal = Typed("q")
    step_through(lesson, terminal, start=4)
    assert terminal.said("cell") == [4] and len(terminal.said("ask")) == 1  # the question is not
    assert capsys.readouterr().out == ""  # nothing of cells 1 to 4 is seen
    terminal = Typed("b", "", "two", "r", "2", "q")
    step_through(lesson, terminal, start=4)
    assert terminal.said("cell") == [4, 3]
    assert capsys.readouterr().out == "? how long is x?\n  it is: 2\n" * 2


def test_the_end_of_the_input_quits(lesson):
    terminal = Typed("")
    assert step_through(lesson, terminal) == 0
    assert "stopped at cell 2 of 5: tinyvit lesson 3" in terminal.said("say")


def test_an_edited_cell_runs_instead_until_the_lessons_own_is_asked_for(
    lesson, capsys, monkeypatch
):
    monkeypatch.setattr("tinyvit.lessons.stepper.edit", lambda source: "print('mine', x)")
    terminal = Typed("", "", "", "e", "b", "", "", "", "o", "", "q")
    step_through(lesson, terminal)
    assert capsys.readouterr().out == "mine [1]\nmine [1]\nx is [1, 2]\n"
    assert lesson.path.read_text("utf-8") == TEXT


@pytest.mark.parametrize(
    "source, message",
    [
        ("y = 1\nprint(x[5])", "line 2 of the cell: print(x[5])\nIndexError: list index out of ra"),
        ("y = (1", "line 1 of the cell: y = (1\nSyntaxError: '(' was never closed"),
        ("exit(3)", "line 1 of the cell: exit(3)\nSystemExit: 3"),
        ("import numpy\nnumpy.ones(3) @ numpy.ones(4)", "line 2 of the cell: numpy.ones(3) @ "),
    ],
)
def test_a_mistake_is_told_in_two_lines_and_the_lesson_goes_on(
    lesson, monkeypatch, source, message
):
    monkeypatch.setattr("tinyvit.lessons.stepper.edit", lambda old: source)
    terminal = Typed("", "", "", "e", "o", "", "", "q")
    assert step_through(lesson, terminal) == 0
    assert terminal.said("wrong")[0].startswith(message)
    assert terminal.said("cell")[-1] == 3


def test_a_mistake_in_the_file_is_told_by_its_line_and_ends_a_lesson_without_pauses(lesson):
    lesson.path.write_text(TEXT + "\n# %%\na = 1\nb = nothing\n", "utf-8")
    terminal = Typed()
    assert play_through(lesson, terminal, audience.Script()) == 1
    assert terminal.said("wrong") == [
        "line 2 of the cell: b = nothing\nNameError: name 'nothing' is not defined"
    ]


def test_variables_are_shown_with_shapes(lesson):
    terminal = Typed("", "v", "", "v", "q")
    step_through(lesson, terminal)
    assert "no variables yet" in terminal.said("say")
    assert terminal.said("variables") == [[("x", "list", "[1]")]]
    values = {"q": np.zeros((2, 3), "float32"), "grads": {str(n): n for n in range(99)}, "h": 12}
    assert describe(values) == [
        ("q", "float32", "(2, 3)"),
        ("grads", "dict", "99 entries"),
        ("h", "int", "12"),
    ]


def test_figures_go_to_a_page_that_shows_the_latest(lesson, monkeypatch, capsys):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    draw = "from tinyvit import show\nfrom tinyvit.lessons import figure\n"
    draw += 'figure(show.bars({"a": 1.0}), "03_a")\nfigure(show.bars({"b": 2.0}), "03_b")\n'
    lesson.path.write_text(f"# %%\n{draw}", "utf-8")
    step_through(lesson, Typed("", ""))
    folder = lesson.path.parent / "figures"
    assert (folder / "latest.png").read_bytes() == (folder / "03_b.png").read_bytes()
    assert (folder / "03_a.png").read_bytes() != (folder / "03_b.png").read_bytes()
    assert "latest.png" in (folder / "latest.html").read_text("utf-8")
    assert capsys.readouterr().out.count("open figures/latest.html in a browser") == 1


def test_a_picture_that_changes_is_told_of_once(tmp_path, capsys):
    drawings = [show.bars({"a": value}) for value in (1.0, 2.0)]
    with audience.before(audience.Script(tmp_path)):
        for drawing in drawings:
            audience.figure(drawing, "03_a")
    assert capsys.readouterr().out == f"[figure: {tmp_path / '03_a.png'}]\n"
    show.save(drawings[1], tmp_path / "second.png")
    assert (tmp_path / "03_a.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_a_damaged_place_is_no_place(lesson):
    file = place.places_file()
    file.parent.mkdir()
    for text in ("{", "[1]", ""):
        file.write_text(text)
        assert place.read_places() == {}
    place.keep_place("03_small", 2)
    assert json.loads(file.read_text()) == {"03_small": 2, "last": "03_small"}


def test_no_place_is_kept_where_nothing_can_be_written(lesson, monkeypatch):
    (lesson.path.parent / "file").write_text("")
    monkeypatch.setattr(place, "places_file", lambda: lesson.path.parent / "file" / "x.json")
    place.keep_place("03_small", 2)
    assert place.read_places() == {}


def test_a_failing_cell_leaves_no_variables_behind(lesson):
    play = Play(lesson)
    for number in range(2):
        play.run(number)
    play.edited[2] = "z = 1\nx = nothing"
    with pytest.raises(CellError):
        play.run(2)
    assert play.variables(2) == {"x": [1]}


def test_the_users_editor_is_used(monkeypatch, tmp_path):
    script = tmp_path / "ed.py"
    script.write_text(
        "import sys; p = sys.argv[1]; t = open(p).read(); open(p, 'w').write(t + 'b')"
    )
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"'{sys.executable}' '{script}'")
    assert edit("a") == "a\nb"
    script.write_text("")
    assert edit("a") is None


def test_an_editor_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("VISUAL", "no-such-editor")
    with pytest.raises(Exception, match="no-such-editor"):
        edit("a")


class Tmux:
    """A real terminal: `type` sends keys, `wait_for` reads the screen."""

    def __init__(self, size, folder):
        width, height = size.split("x")
        self.name = f"tinyvit-{size}"
        shell = f"cd '{folder}'; PS1='$ '; exec bash --norc"
        command = ["tmux", "new-session", "-d", "-s", self.name, "-x", width, "-y", height, shell]
        variables = {"XDG_STATE_HOME": str(folder), "PYTHONPATH": str(REPO)}
        subprocess.run(command, check=True)
        for name, value in variables.items():
            self.type(f"export {name}='{value}'", "Enter")
        self.type("unset EDITOR VISUAL; clear", "Enter")

    def type(self, *keys):
        subprocess.run(["tmux", "send-keys", "-t", self.name, *keys], check=True)

    def screen(self):
        command = ["tmux", "capture-pane", "-p", "-t", self.name]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def wait_for(self, *texts):
        for _ in range(300):
            screen = self.screen()
            if all(text in screen for text in texts):
                return screen
            time.sleep(0.1)
        raise AssertionError(f"{texts} not in\n{screen}")

    def close(self):
        subprocess.run(["tmux", "kill-session", "-t", self.name], check=False)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("tmux"), reason="no tmux")
@pytest.mark.parametrize("size", ["80x24", "120x40"])
def test_in_a_real_terminal(size, tmp_path):
    terminal = Tmux(size, tmp_path)
    try:
        terminal.type(f"'{sys.executable}' -m tinyvit lesson layernorm", "Enter")
        terminal.wait_for("cell 1 of", "every token", "Enter next")
        terminal.type("Enter")
        terminal.wait_for("cell 2 of", "import numpy", "Enter runs it")
        terminal.type("Enter")
        terminal.wait_for("Enter next")
        terminal.type("Enter")
        terminal.wait_for("cell 3 of")
        terminal.type("Enter")
        terminal.wait_for("cell 4 of", "Enter runs it")
        terminal.type("Enter")
        terminal.wait_for("x.shape = (1, 196, 768)", "Enter next")
        terminal.type("b", "Enter")
        terminal.wait_for("cell 3 of", "Enter next")
        terminal.type("Enter")
        terminal.wait_for("Enter runs it")
        terminal.type("e", "Enter")
        terminal.wait_for("Ctrl-S or F5 runs it")
        terminal.type("# mine", "Enter", "print(6 * 7)", "Enter", "F5")
        terminal.wait_for("# mine", "\n42\n", "x.shape = (1, 196, 768)")
        terminal.type("v", "Enter")
        terminal.wait_for("spread", "float32", "(1, 196)")
        terminal.type("q", "Enter")
        terminal.wait_for("stopped at cell 4")
        terminal.type(f"clear; '{sys.executable}' -m tinyvit lesson", "Enter")
        terminal.wait_for("you stopped in 4 layernorm, at cell 4")
        terminal.type(f"clear; '{sys.executable}' -m tinyvit lesson 4", "Enter")
        screen = terminal.wait_for("going on at cell 4", "images = show.photograph()")
        assert max(map(len, screen.splitlines())) <= int(size.partition("x")[0])
    finally:
        terminal.close()
