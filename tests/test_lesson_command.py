"""`tinyvit lesson`: the list, the three ways to write and play, and what is refused."""

import sys

import pytest

from tinyvit.cli import main
from tinyvit.lessons import place
from tinyvit.lessons.shelf import all_lessons

SMALL = """\
# %% [markdown]
# # 3 · Small: a lesson for a test
#
# *5 minutes · needs nothing · 小*

# %%
print("1 + 1 =", 1 + 1)
"""


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A shelf of two small lessons, and a place of its own to keep where one stopped."""
    folder = tmp_path / "lessons"
    folder.mkdir()
    (folder / "03_small.py").write_text(SMALL, "utf-8")
    (folder / "04_wrong.py").write_text(SMALL.replace("1 + 1)", "nothing)"), "utf-8")
    monkeypatch.setattr("tinyvit.lessons.shelf.CHECKOUT", folder)
    monkeypatch.setattr(place, "places_file", lambda: tmp_path / "places.json")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fails(capsys, *words):
    """The one line with which the command refuses."""
    assert main(["lesson", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    return captured.err


def test_the_list_says_where_one_stopped(shelf, capsys):
    assert main(["lesson"]) == 0
    out = capsys.readouterr().out
    assert "3  small  a lesson for a test" in out and "begin with: tinyvit lesson 0" in out
    place.keep_place("03_small", 1)
    assert main(["lesson"]) == 0
    out = capsys.readouterr().out
    assert "at cell 2" in out
    assert "you stopped in 3 small, at cell 2: tinyvit lesson 3 goes on there" in out
    place.keep_place("03_small", "done")
    assert main(["lesson"]) == 0
    assert "✓ done" in capsys.readouterr().out


def test_the_real_list_has_a_line_a_lesson(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["lesson"]) == 0
    out = capsys.readouterr().out
    for lesson in all_lessons():
        assert f"{lesson.stem} " in out


def test_without_pauses_it_runs_to_its_end(shelf, capsys):
    assert main(["lesson", "small", "--no-pause"]) == 0
    out = capsys.readouterr().out
    assert "cell 2 of 2" in out and "1 + 1 = 2" in out


def test_a_lesson_that_fails_ends_with_status_1(shelf, capsys):
    assert main(["lesson", "4", "--no-pause"]) == 1
    assert "NameError: name 'nothing' is not defined" in capsys.readouterr().out
    assert main(["lesson", "4", "--save", "pages"]) == 1
    assert "NameError" in capsys.readouterr().err
    assert list((shelf / "pages").iterdir()) == []


def test_what_is_typed_may_come_from_a_pipe(shelf, capsys, monkeypatch):
    typed = iter(["", "", "q"])
    monkeypatch.setattr("builtins.input", lambda *_: next(typed))
    assert main(["lesson", "3"]) == 0
    out = capsys.readouterr().out
    assert "1 + 1 = 2" in out and "stopped at cell 2 of 2" in out


def test_it_goes_on_where_one_stopped_or_begins_again(shelf, capsys, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *_: "q")
    place.keep_place("03_small", 1)
    assert main(["lesson", "3"]) == 0
    assert "going on at cell 2" in capsys.readouterr().out
    assert main(["lesson", "3", "--restart"]) == 0
    assert "stopped at cell 1" in capsys.readouterr().out


@pytest.mark.parametrize("kept, cell", [(99, 2), (-1, 1), (True, 1), (1.5, 1), ("half", 1)])
def test_a_place_that_is_none_begins_somewhere(shelf, capsys, monkeypatch, kept, cell):
    monkeypatch.setattr("builtins.input", lambda *_: "q")
    place.keep_place("03_small", kept)
    assert main(["lesson"]) == 0
    assert main(["lesson", "3"]) == 0


def test_a_page_is_written(shelf, capsys):
    assert main(["lesson", "3", "--save", "pages/here"]) == 0
    assert capsys.readouterr().out.split() == ["pages/here/03_small.html"]
    assert "1 + 1 = 2" in (shelf / "pages/here/03_small.html").read_text("utf-8")


@pytest.mark.parametrize(
    "words, message",
    [
        (["9"], "no lesson '9': there are 3 small, 4 wrong"),
        (["layernrom"], "no lesson 'layernrom'"),
        (["--no-pause"], "which lesson? tinyvit lesson 4 --no-pause"),
        (["3", "--no-pause", "--save", "x"], "take one at a time"),
        (["3", "--save", "file"], "file"),
        (["3", "--speed"], "--speed"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(shelf, capsys, words, message):
    (shelf / "file").write_text("")
    assert message in fails(capsys, *words)


def test_no_jupytext(shelf, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jupytext", None)
    assert "notebooks need jupytext: pip install jupytext" in fails(
        capsys, "3", "--notebook", "here"
    )
    assert not (shelf / "here").exists()
