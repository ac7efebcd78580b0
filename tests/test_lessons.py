"""The lessons keep their form, their shapes are what they say, and they run in three ways."""

import ast
import re
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from tiny import REPO, environment

from tinyvit.exercises.shelf import find_exercise
from tinyvit.lessons.audience import Script, before
from tinyvit.lessons.cells import read_cells
from tinyvit.lessons.notebook import write_notebook
from tinyvit.lessons.play import Play
from tinyvit.lessons.shelf import all_lessons, find_lesson

LESSONS = all_lessons()
STEMS = [lesson.stem for lesson in LESSONS]
PAIRS = [
    *("patchify", "linear", "embed", "layernorm", "softmax"),
    *("attention", "gelu", "mlp", "block", "cross_entropy"),
]
SHAPE = re.compile(r"#.*?\((\d+(?:, \d+)*),?\)|#.*?\(\)")
FENCE = re.compile(r"^ {4}\S")

each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=STEMS)


def test_lessons_are_numbered_without_gaps():
    assert [lesson.number for lesson in LESSONS] == list(range(17))


def test_every_pair_of_the_vit_has_its_lesson():
    assert STEMS[1:11] == PAIRS
    assert all((REPO / "tinyvit" / "ops" / f"{stem}.py").exists() for stem in PAIRS)
    assert all((REPO / "lessons" / "exercises" / f"{stem}.py").exists() for stem in PAIRS)
    assert len(set(STEMS)) == len(STEMS)


@each_lesson
def test_first_cell_names_title_minutes_and_needs(lesson):
    assert lesson.path.read_text("utf-8").startswith(f"# %% [markdown]\n# # {lesson.number} · ")
    assert ":" in lesson.title
    assert re.match(r"\d+ minutes.* · needs .+ · .*[\u4e00-\u9fff]", lesson.about)


@each_lesson
def test_cells_are_short_and_fit_a_terminal(lesson):
    for cell in read_cells(lesson.path.read_text("utf-8")):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        where = f"{lesson.path.name}:{cell.line}"
        if cell.kind == "code":
            assert len(lines) <= 15, where
            assert max(map(len, lines)) <= 78, where
        else:
            assert "$" not in cell.source, f"{where}: formulas are written as code is"
            assert all(len(line) <= 80 for line in lines if FENCE.match(line)), where


@each_lesson
def test_a_lesson_asks_draws_checks_and_names_the_next(lesson):
    source = lesson.path.read_text("utf-8")
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = [getattr(call, "id", getattr(call, "attr", "")) for call in calls]
    assert names.count("predict") >= 2
    assert names.count("figure") >= 1
    assert any("check_backward" in name for name in names)
    assert "backward" in source
    last = read_cells(source)[-1]
    assert last.kind == "text" and "**What to keep.**" in last.source and "Next:" in last.source
    if lesson is not LESSONS[-1]:
        assert f"`{LESSONS[LESSONS.index(lesson) + 1].path.stem}`" in last.source


@each_lesson
def test_a_lesson_on_a_pair_names_its_exercise(lesson):
    last = read_cells(lesson.path.read_text("utf-8"))[-1].source
    if lesson.stem in PAIRS:
        assert f"`tinyvit exercise start {lesson.stem}`" in last
    for stem in re.findall(r"tinyvit exercise start (\w+)", last):
        assert find_exercise(stem).lesson == lesson.number


@each_lesson
def test_lessons_use_the_library_and_numpy_alone(lesson):
    tree = ast.parse(lesson.path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules = {node.module.split(".")[0]}
        else:
            continue
        assert modules - set(sys.stdlib_module_names) <= {"numpy", "tinyvit"}


@each_lesson
def test_figures_carry_the_lessons_number(lesson):
    tree = ast.parse(lesson.path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "figure":
            assert node.args[1].value.startswith(f"{lesson.number:02}_")


def promised_shapes(source):
    """The shapes that a cell's comments promise: yields name, shape."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Assign):
            continue
        comment = SHAPE.search(lines[node.end_lineno - 1])
        target = node.targets[0]
        target = target.elts[0] if isinstance(target, ast.Tuple) else target
        if comment and isinstance(target, ast.Name):
            yield target.id, tuple(map(int, re.findall(r"\d+", comment[1] or "")))


def test_promised_shapes_are_read():
    source = "q = f(x)  # (1, 12), per head\na, b = f(x)  # (3,)\nc = f(x)  # not (a, shape)\n"
    assert list(promised_shapes(source)) == [("q", (1, 12)), ("a", (3,))]


@pytest.mark.slow
@each_lesson
def test_shapes_in_comments_are_those_of_the_arrays(lesson, tmp_path, capsys):
    play = Play(lesson)
    seen = 0
    for number, cell in enumerate(play.cells):
        with before(Script(tmp_path)):
            play.run(number)
        if cell.kind == "code":
            values = play.variables(number + 1)
            for name, shape in promised_shapes(cell.source):
                assert np.shape(values[name]) == shape, f"{lesson.path.name}: {name}"
                seen += 1
    assert seen >= 6
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80 or "figure:" in printed


def run_in(folder, *words):
    """Run Python on some words, warnings as errors; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *map(str, words)],
        cwd=folder,
        env=environment() | {"XDG_STATE_HOME": str(folder), "COLUMNS": "80"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert done.stderr == ""
    return done.stdout


@pytest.mark.slow
@each_lesson
def test_as_a_script(lesson, tmp_path):
    printed = run_in(tmp_path, lesson.path)
    drawn = re.findall(r"\[figure: (.+?)\]", printed)
    assert drawn and all((tmp_path / path).stat().st_size > 5000 for path in drawn)
    assert printed.count("\n? ") + printed.startswith("? ") >= 2


@pytest.mark.slow
@each_lesson
def test_in_the_stepper(lesson, tmp_path):
    printed = run_in(tmp_path, "-m", "tinyvit", "lesson", lesson.number, "--no-pause")
    assert f"{lesson.number} {lesson.stem}: " in printed and "What to keep." in printed
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of Jupyter's own
@each_lesson
def test_as_a_notebook(lesson, tmp_path, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    path = write_notebook(lesson, tmp_path)
    notebook = nbformat.read(path, as_version=4)
    assert len(notebook.cells) == len(read_cells(lesson.path.read_text("utf-8")))
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": tmp_path}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert not (tmp_path / "figures").exists()


@pytest.mark.skipif(not find_spec("jupytext"), reason="no jupytext")
@each_lesson
def test_cells_are_those_that_jupytext_sees(lesson):
    import jupytext

    ours = read_cells(lesson.path.read_text("utf-8"))
    theirs = jupytext.read(lesson.path, fmt="py:percent").cells
    kinds = {"markdown": "text", "code": "code"}
    expected = [(kinds[cell.cell_type], cell.source.strip()) for cell in theirs]
    assert [(cell.kind, cell.source.strip()) for cell in ours] == expected


@pytest.mark.parametrize("name", ["4", "04", "layernorm", "04_layernorm", "04_layernorm.py"])
def test_lessons_are_found_by_number_and_name(name):
    assert find_lesson(name).stem == "layernorm"


@each_lesson
def test_the_door_names_every_lesson_with_its_minutes_and_a_picture(lesson):
    page = (REPO / "lessons" / "README.md").read_text("utf-8")
    (row,) = [line for line in page.splitlines() if f"({lesson.path.name})" in line]
    picture = f"pictures/{lesson.path.stem}.png"
    assert f"[{lesson.number} {lesson.stem}]" in row and picture in row
    assert f"| {re.match(r'[0-9]+', lesson.about)[0]} |" in row
    assert (REPO / "lessons" / picture).exists()


@each_lesson
def test_the_teachers_page_plans_with_every_lesson(lesson):
    page = (REPO / "lessons" / "TEACHING.md").read_text("utf-8")
    plan = page[page.index("## Eight classes") :]
    assert re.search(rf"(?<!\d){lesson.number} {lesson.stem}\b", plan)
