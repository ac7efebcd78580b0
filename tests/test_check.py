"""`tinyvit check`: the order of checks, what a student is told, and what no file can do."""

import csv
import inspect
import json
import time

import numpy as np
import pytest
from catalogue import results_of
from tiny import REPO, tree

from tinyvit.cli import main
from tinyvit.exercises import sandbox
from tinyvit.exercises.cases import cases_of
from tinyvit.exercises.check import check_file
from tinyvit.exercises.shelf import all_exercises, find_exercise
from tinyvit.exercises.textbook import textbook_functions
from tinyvit.gradcheck import numerical_gradient

STEMS = [exercise.stem for exercise in all_exercises()]
RELU = "def relu_backward(dout, cache):\n    {}\n"
LINEAR = """
import numpy as np

def linear_backward(dout, cache):
    x, weight, bias = cache
    dx = dout @ weight
    dweight = np.einsum("ro,ri->oi", dout.reshape(-1, len(weight)), x.reshape(-1, x.shape[-1]))
    dbias = None if bias is None else dout.sum(axis=tuple(range(dout.ndim - 1)))
    {}
    return dx, dweight, dbias
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name, source):
    with open(name, "w", encoding="utf-8") as file:
        file.write(source)
    return name


def solution_of(stem):
    """The textbook's own file, as a student's would be."""
    if stem == "gradcheck":
        path = REPO / "lessons" / "exercises" / "solutions" / "gradcheck.py"
        return f"{path.read_text('utf-8')}\n\n{inspect.getsource(numerical_gradient)}"
    path = REPO / "tinyvit" / {"vit": "vit.py", "adamw": "optim.py"}.get(stem, f"ops/{stem}.py")
    source = path.read_text("utf-8").replace("from ..", "from tinyvit.")
    package = "tinyvit" if stem in ("vit", "adamw") else "tinyvit.ops"
    return source.replace("from . import", f"from {package} import").replace(
        "from .", f"from {package}."
    )


def check(source, name="answer.py", **options):
    """Check an answer as the command does, in a process of its own."""
    return check_file(write(name, source), **options)


def result(source, name="dx", stem=None):
    """The result for one quantity, found in this process."""
    results = {one.name: one for one in results_of(source, stem)}
    return results[name]


# ---- stubs and solutions


@pytest.mark.parametrize("stem", STEMS)
def test_a_stub_as_given_fails_with_a_helpful_line(stem, here):
    exercise = find_exercise(stem)
    report = check(exercise.path.read_text("utf-8"))
    assert (report.exercise, report.passed, report.bad_input) == (stem, False, False)
    assert set(report.states.values()) == {"open"}
    for task in exercise.tasks:
        assert task.function in report.first.message and "write" in report.first.message


@pytest.mark.parametrize("stem", STEMS)
def test_every_solution_passes(stem):
    results = results_of(solution_of(stem), stem)
    assert all(one.ok and not one.message for one in results), results
    wanted = {task.what for task in find_exercise(stem).tasks}
    assert {one.task for one in results} == wanted
    errors = [one.error for one in results if one.error is not None]
    assert max(errors, default=0.0) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("stem", STEMS)
def test_a_check_takes_less_than_two_seconds(stem, here):
    solution, stub = solution_of(stem), find_exercise(stem).path.read_text("utf-8")
    for source in (solution, stub):
        start = time.perf_counter()
        check(source, stem=stem)
        assert time.perf_counter() - start < 2


@pytest.mark.parametrize("stem", [stem for stem in STEMS if stem not in ("adamw", "gradcheck")])
def test_either_side_alone_is_checked_with_the_textbooks_other_side(stem):
    for what, other in (("forward", "backward"), ("backward", "forward")):
        source = solution_of(stem).replace(f"def {stem}_{other}(", f"def not_{other}(")
        results = results_of(source, stem)
        assert {one.task for one in results} == {what} and all(one.ok for one in results)


def test_a_stub_with_one_side_written():
    stub = find_exercise("relu").path.read_text("utf-8")
    half = stub.replace(
        'raise NotImplementedError("write relu_backward")', "return dout * cache[0]"
    )
    results = results_of(half, None)
    assert [(one.name, one.ok) for one in results] == [("dx", True)]


def test_a_list_is_as_good_as_a_tuple():
    source = """
def relu_forward(x):
    return [x * (x > 0), [x > 0]]

def relu_backward(dout, cache):
    return [dout * cache[0]]
"""
    assert [one.ok for one in results_of(source, None)] == [True, True]


def test_an_own_cache_is_used():
    source = """
def relu_forward(x):
    return x * (x > 0), {"x": x}

def relu_backward(dout, cache):
    return dout * (cache["x"] > 0)
"""
    assert [one.ok for one in results_of(source, None)] == [True, True]


# ---- which exercise is it?


def test_the_exercise_is_found_by_the_functions():
    both = "def softmax_forward(x):\n    ...\ndef attention_backward(dout, cache):\n    return dout"
    assert {one.task for one in results_of(both, None)} == {"backward"}


def test_the_largest_exercise_wins_but_for_the_files_name(here):
    source = RELU.format("return dout * cache[0]") + "def mlp_forward(x):\n    return x, 1\n"
    assert check(source, "somebody.py").exercise == "mlp"
    assert check(source, "relu.py").exercise == "relu"
    assert check(source, "somebody.py", stem="relu").passed


def test_a_name_that_is_nearly_right(here):
    report = check("\ndef relu_backwards(dout, cache):\n    return dout")
    assert report.first.message == "line 2 defines relu_backwards: is relu_backward meant?"
    report = check("def f(x):\n    return x", stem="relu")
    assert "relu_forward or relu_backward is not there: it defines f" in report.first.message
    assert report.exercise == "relu" and not report.bad_input


# ---- the order of checks


@pytest.mark.parametrize(
    "line, kind, words",
    [
        (
            "return dx, dweight",
            "wrong_number",
            "returns 2 things, should return 3: dx, dweight, dbias",
        ),
        ("return dx", "wrong_number", "returns one array (3, 5, 8), should return 3"),
        (
            "dweight = dweight.T",
            "transposed",
            "dweight should be (O, I) = (7, 8), got (8, 7): transposed?",
        ),
        ("dweight = x.T", "wrong_shape", "dweight should be (O, I) = (7, 8), got (8, 5, 3)"),
        ("dbias = dout", "wrong_shape", "is a sum over the leading axes missing?"),
        ("dbias = dout.sum()", "wrong_shape", "is something summed that should stay?"),
        ("dweight = 'text'", "wrong_shape", "dweight should be an array, got str"),
        (
            "dweight = dweight.astype('f')",
            "wrong_dtype",
            "should be float64 as its inputs are, got float32",
        ),
        ("x += 1", "modified_input", "linear_backward changes cache"),
        ("dout *= 2", "modified_input", "linear_backward changes dout"),
        ("dx = dx * np.nan", "not_finite", "dx is NaN in 120 of 120 places, first at (0, 0, 0)"),
        (
            "dx[0, 0, 0] = np.inf",
            "not_finite",
            "dx is infinite in 1 of 120 places, first at (0, 0, 0)",
        ),
        ("dx = -dx", "sign", "the sign"),
        ("return dbias, dweight, dx", "swapped", "got (7,): this is dbias, look at the order"),
        (
            "raise ValueError('no idea')",
            "raised",
            "line 9: ValueError: no idea, in: raise ValueError",
        ),
        ("return undefined", "raised", "NameError: name 'undefined' is not defined"),
    ],
)
def test_the_first_thing_that_fails_is_said(line, kind, words):
    wrong = [one for one in results_of(LINEAR.format(line), None) if not one.ok]
    assert {one.diagnosis for one in wrong} >= {kind}
    assert any(words in one.message for one in wrong), [one.message for one in wrong]


def test_stages_come_in_their_order():
    both = LINEAR.format("dx = -dx; dweight = dweight.T; dout += 1")
    kinds = {one.name: one.diagnosis for one in results_of(both, None)}
    assert kinds == {"dx": "modified_input", "dweight": "transposed", "dbias": "modified_input"}


@pytest.mark.parametrize(
    "source, kind, words",
    [
        (
            "def relu_backward(dout):\n    return dout",
            "wrong_arguments",
            "takes (dout), should take (dout, cache)",
        ),
        (
            "def relu_forward(x):\n    return x * (x > 0)",
            "wrong_number",
            "should return 2: out, cache",
        ),
        ("def gelu_forward(x):\n    return x, x", "wrong_arguments", "too many positional"),
        ("def block_backward(dout, cache):\n    return dout, {}", "wrong_number", "is missing"),
        ("def block_backward(dout, cache):\n    return dout, 3", "wrong_number", "is missing"),
    ],
)
def test_names_arguments_and_numbers(source, kind, words):
    wrong = [one for one in results_of(source, None) if not one.ok]
    assert kind in {one.diagnosis for one in wrong}
    assert any(words in one.message for one in wrong), [one.message for one in wrong]


def test_float32_in_and_float64_out_is_a_remark():
    source = "import numpy as np\n" + RELU.format(
        "g = np.zeros(dout.shape); g[cache[0]] = dout[cache[0]]; return g"
    )
    found = result(source)
    assert found.ok and "for float32" in found.message and "got float64" in found.message


def test_what_is_wrong_in_float32_only_is_a_remark():
    wrong = RELU.format("return dout * cache[0] * (1 if dout.dtype == 'd' else 1 + dout[0, 0, 0])")
    found = result(wrong)
    assert found.ok and "right; but for float32 it is off by" in found.message


def test_right_to_float32():
    source = "import numpy as np\n" + RELU.format(
        "return (dout.astype('f') * cache[0]) * np.float64(1)"
    )
    found = result(source)
    assert found.ok


def test_scores_too_large_for_exp_are_a_remark():
    source = """
import numpy as np

def softmax_forward(x):
    out = np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)
    return out, (out,)
"""
    found = result(source, "out")
    assert found.ok and "for scores of size 1000" in found.message and "NaN" in found.message


@pytest.mark.parametrize(
    "change, words",
    [
        ("* (1 + (abs(dout).max() > 100))", "right where"),
        ("* (1 + (abs(dout).max() < 0.1))", "right where"),
        ("* (1 + (len(dout) == 1))", "for a single image"),
        ("* (1 + (dout.shape[0] == dout.shape[1]))", ""),
    ],
)
def test_mistakes_at_some_size_only_are_found(change, words):
    assert not result(RELU.format(f"return dout * cache[0] {change}")).ok


def test_a_wrong_cache_is_told_from_a_wrong_backward():
    source = """
def relu_forward(x):
    return x * (x > 0), (x < 0,)

def relu_backward(dout, cache):
    (positive,) = cache
    return dout * positive
"""
    found = result(source)
    assert found.diagnosis == "wrong_cache" and "your forward" in found.message
    assert result(source, "out").ok


def test_the_gradient_of_an_own_wrong_forward():
    source = """
def relu_forward(x):
    return 3 * x * (x > 0), {"x": x}

def relu_backward(dout, cache):
    return 3 * dout * (cache["x"] > 0)
"""
    assert (
        result(source).diagnosis == "other_forward" and "mend out first" in result(source).message
    )


def test_what_is_not_recognised_says_where_and_when_not():
    source = """
def layernorm_backward(dout, cache):
    xhat, std, weight = cache
    tokens = tuple(range(dout.ndim - 1))
    dxhat = dout * weight
    dx = dxhat - dxhat.mean(-1, keepdims=True) - xhat * (dxhat * xhat).mean(-1, keepdims=True)
    dx = dx / std
    dx[:, 1:] += dx[:, :-1] ** 3
    return dx, (dout * xhat).sum(tokens), dout.sum(tokens)
"""
    found = result(source)
    assert found.diagnosis == "unknown"
    assert "of 210 places, all of them at tokens 1, 2, 3, 4" in found.message
    assert "right where there is a single token" in found.message


def test_what_is_not_recognised_says_which_input_makes_it_right():
    source = """
def layernorm_backward(dout, cache):
    xhat, std, weight = cache
    tokens = tuple(range(dout.ndim - 1))
    dxhat = dout * (2 * weight**3 - weight**2)
    dx = dxhat - dxhat.mean(-1, keepdims=True) - xhat * (dxhat * xhat).mean(-1, keepdims=True)
    return dx / std, (dout * xhat).sum(tokens), dout.sum(tokens)
"""
    found = result(source)
    assert found.diagnosis == "unknown"
    assert "it is right where weight is all ones or weight is 0" in found.message


# ---- the exercise of writing a checker


def test_a_one_sided_difference_is_named():
    source = """
import numpy as np

def numerical_gradient(call, x, dout, step=1e-5):
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        kept = x[index]
        here = call.out()
        x[index] = kept + step
        gradient[index] = (dout * (call.out() - here)).sum() / step
        x[index] = kept
    return gradient
"""
    found = result(source, "gradient")
    assert not found.ok and found.diagnosis != "unknown", found


@pytest.mark.parametrize(
    "old, new, trial",
    [
        (
            "standard_normal(np.shape(out))",
            "permutation(np.ones(np.shape(out)))",
            "softmax with a plain mean",
        ),
        ("zip(args, grads, strict=True)", "[(args[0], grads[0])]", "last gradient"),
        ("expected).max() > tolerance", "expected).mean() > 0.05", "one element"),
        ("tolerance * size + rounding", "tolerance", "small gradients"),
        ("np.isfinite(got).all()", "True", "NaN"),
        ("np.shape(got) != x.shape", "False", "another shape"),
        ("if len(grads) != len(args):", "if False:", "one too few"),
        ("return True", "return False", "right linear"),
        ("args = [arg.copy() for arg in args]", "args[0] += 1", "right linear"),
        ("return True", "return 1", "right gelu"),
    ],
)
def test_each_trial_of_a_checker_finds_its_mistake(old, new, trial):
    source = solution_of("gradcheck")
    assert source.count(old) == 1
    results = {one.name: one for one in results_of(source.replace(old, new), None)}
    assert not results[trial].ok, results


def test_a_checker_that_passes_wrong_backwards_is_told_so():
    source = """
import numpy as np

def check_backward(forward, backward, args, seed=0, step=1e-5, tolerance=1e-7):
    out, cache = forward(*args)
    grads = backward(np.ones_like(out), cache)
    return True
"""
    results = {one.name: one for one in results_of(source, None)}
    wrong = {name for name, one in results.items() if not one.ok}
    assert "softmax with a plain mean" in wrong and "right linear" not in wrong
    assert {results[name].diagnosis for name in wrong} == {"wrong_verdict"}
    assert "dout" in results["softmax with a plain mean"].message


# ---- bad files, and files that do harm


def line_of(source, **options):
    report = check(source, **options)
    assert len(report.results) == 1 and "\n" not in report.first.message
    return report.first.diagnosis, report.first.message, report.bad_input


def test_syntax_error(here):
    kind, message, bad = line_of("x = 1\ndef relu_backward(dout, cache):\n    return dout *")
    assert (kind, bad) == ("syntax_error", False) and message.startswith(
        "line 3: this is no Python"
    )


def test_import_error(here):
    kind, message, _ = line_of("import numpi\n" + RELU.format("return dout"))
    assert kind == "import_error" and message.startswith("line 1: ModuleNotFoundError")


@pytest.mark.parametrize(
    "body, kind, words",
    [
        ("import sys; sys.exit(0)", "exit", "line 2: the file ends Python"),
        ("import os; os._exit(3)", "exit", "the file ended Python itself (status 3)"),
        (
            "import numpy as np; return np.ones((10**4, 10**5))",
            "out_of_memory",
            "line 2: more than 3 GB",
        ),
        ("raise KeyboardInterrupt", "exit", "line 2: "),
    ],
)
def test_a_file_that_ends_python(body, kind, words, here):
    found, message, bad = line_of(RELU.format(body))
    assert (found, bad) == (kind, False) and message.startswith(words), message


@pytest.mark.parametrize(
    "body",
    [
        "i = 0\n    while True:\n        i += 1",
        "while True:\n        try: print()\n        except: pass",
    ],
)
def test_an_endless_loop(body, here, monkeypatch):
    monkeypatch.setattr(sandbox, "SECONDS", 1.0)
    start = time.perf_counter()
    kind, message, bad = line_of(RELU.format(body))
    assert (kind, bad) == ("endless_loop", False)
    assert message.startswith("line ") and "still running after 1 s" in message
    assert time.perf_counter() - start < 8


def test_endless_prints(here):
    kind, message, bad = line_of(RELU.format("while True: print('x' * 1000)"))
    assert (kind, bad) == ("endless_print", True) and message.startswith("line 2: more than 1 MB")


def test_endless_recursion(here):
    report = check("def f(x):\n    return f(x)\n" + RELU.format("return f(dout)"))
    assert report.first.diagnosis == "raised" and "line 2: RecursionError" in report.first.message


def test_what_a_file_starts_does_not_hold_up_the_check(here):
    source = "import subprocess, threading, time\n" + RELU.format(
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "    subprocess.Popen(['sleep', '60'])\n    return dout * cache[0]"
    )
    start = time.perf_counter()
    assert check(source).passed
    assert time.perf_counter() - start < 8


def test_a_file_cannot_change_the_judge(here):
    source = "import numpy as np\nnp.abs = np.isfinite = np.array_equal = lambda *a, **k: True\n"
    source += "import tinyvit.ops as ops\nops.relu_backward = lambda dout, cache: dout\n"
    assert not check(source + RELU.format("return dout")).passed


def test_modules_beside_the_file_can_be_imported(here):
    write("helper.py", "def mask(dout, positive):\n    return dout * positive\n")
    assert check("import helper\n" + RELU.format("return helper.mask(dout, cache[0])")).passed
    assert tree(here) == ["answer.py", "helper.py"]


def test_nothing_is_left_behind(here):
    check(RELU.format("return dout"))
    assert tree(here) == ["answer.py"]


# ---- the command


def run(capsys, *words):
    return main(["check", *map(str, words)]), *capsys.readouterr()


def test_a_right_file(here, capsys):
    write("mine.py", RELU.format("return dout * cache[0]"))
    status, out, err = run(capsys, "mine.py")
    assert (status, err) == (0, "") and "relu · mine.py" in out and "✓ right" in out
    assert "forward: not written yet" in out


def test_a_wrong_file(here, capsys):
    write("mine.py", LINEAR.format("dbias = dout.mean(axis=(0, 1)) if dbias is not None else None"))
    status, out, err = run(capsys, "mine.py")
    assert (status, err) == (1, "") and "✗ WRONG" in out
    assert "dbias is averaged" in out and "got " in out and "expected " in out
    assert max(map(len, out.splitlines())) <= 80


def test_not_recognised_draws_a_map(here, capsys):
    write("mine.py", RELU.format("g = dout * cache[0]; g[:, 1:3] = g[:, 1:3] ** 2 + 1; return g"))
    status, out, _ = run(capsys, "mine.py", "--plot", "wrong.png")
    assert status == 1 and "not recognised" in out and "█" in out and "· right" in out
    assert (here / "wrong.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_to_draw(here, capsys):
    write("mine.py", RELU.format("return dout * cache[0]"))
    assert "nothing to draw" in run(capsys, "mine.py", "--plot", "wrong.png")[1]
    assert tree(here) == ["mine.py"]


def test_what_a_file_prints_is_shown(here, capsys):
    write("mine.py", RELU.format("print('the mask:', cache[0].shape); return dout * cache[0]"))
    assert "the file printed:\n    the mask: (3, 5, 11)" in run(capsys, "mine.py")[1]


def test_json(here, capsys):
    write("right.py", RELU.format("return dout * cache[0]"))
    write("wrong.py", LINEAR.format("dx = -dx"))
    status, out, err = run(capsys, "right.py", "wrong.py", "--json")
    right, wrong = json.loads(out)
    assert (status, err) == (1, "")
    assert (right["file"], right["exercise"], right["passed"]) == ("right.py", "relu", True)
    assert wrong["passed"] is False and wrong["exercise"] == "linear"
    results = {one["name"]: one for one in wrong["results"]}
    assert list(results) == ["dx", "dweight", "dbias"]
    assert results["dx"]["ok"] is False and results["dx"]["diagnosis"] == "sign"
    assert results["dx"]["error"] == pytest.approx(2) and "sign" in results["dx"]["message"]
    assert results["dweight"] == {
        **{
            "name": "dweight",
            "task": "backward",
            "ok": True,
            "diagnosis": None,
            "message": "",
            "evidence": "",
        },
        "error": pytest.approx(0, abs=1e-12),
    }


def test_bad_files_get_a_line_each_and_the_others_their_rows(here, capsys):
    (here / "folder").mkdir()
    (here / "binary.py").write_bytes(bytes(range(256)))
    (here / "gbk.py").write_bytes("# 层归一化\n".encode("gbk"))
    write("floods.py", RELU.format("while True: print('x' * 1000)"))
    write("王 小明.py", RELU.format("return dout * cache[0]"))
    files = "nothing.py", "folder", "binary.py", "gbk.py", "floods.py", "王 小明.py"
    status, out, err = run(capsys, *files, "--csv", "marks.csv")
    assert status == 2
    said = err.splitlines()
    assert len(said) == 5 and all(line.startswith("tinyvit: ") for line in said)
    for line, words in zip(
        said, ("no such file", "folder", "no text", "UTF-8", "1 MB"), strict=True
    ):
        assert words in line
    assert "1 of 6 files passed" in out and "Traceback" not in out + err
    with open("marks.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == list(files)
    assert [row["passed"] for row in rows] == ["no"] * 5 + ["yes"]
    assert rows[-1]["right"] == "dx" and rows[4]["diagnosis"] == "endless_print"


def test_many_files_at_80_columns(here, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for i in range(4):
        write(f"student{i}.py", LINEAR.format(("dx = -dx", "dweight = 2 * dweight", "", "oops")[i]))
    status, out, _ = run(capsys, *(f"student{i}.py" for i in range(4)))
    assert status == 1 and "1 of 4 files passed" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    "words, expected",
    [
        (["x.py", "--exercise", "nothing"], "no exercise 'nothing': there are patchify"),
        ([], "the following arguments are required: FILE"),
        (["x.py", "--plot", "wrong.txt"], "the name should end in .png"),
        (["x.py", "--csv", "no/folder/x.csv"], "no/folder"),
    ],
)
def test_wrong_usage(words, expected, here, capsys):
    write("x.py", RELU.format("return dout * cache[0]"))
    status, _, err = run(capsys, *words)
    assert status == 2 and expected in err and len(err.splitlines()) == 1


def test_help_says_that_it_is_practice(capsys):
    assert run(capsys, "--help")[0] == 0
    main(["check", "--help"])
    assert "not a secure examination" in capsys.readouterr().out


def test_a_check_is_recorded_where_the_student_works(here, capsys):
    main(["exercise", "start", "relu", "--dir", "mine"])
    path = here / "mine" / "relu.py"
    stub = path.read_text("utf-8")
    path.write_text(
        stub.replace('raise NotImplementedError("write relu_backward")', "return dout"), "utf-8"
    )
    run(capsys, path)
    state = json.loads((here / "mine" / "progress.json").read_text("utf-8"))
    assert state["relu"]["backward"] == "wrong" and state["relu"]["forward"] == "open"


# ---- the calls that answers are checked with


@pytest.mark.parametrize("stem", [stem for stem in STEMS if stem != "gradcheck"])
def test_cases_are_odd_and_various(stem):
    cases = cases_of(stem)
    assert not cases[0].label and cases[0].required
    if stem != "adamw":
        assert {case.dout_scale for case in cases} == {1.0, 1e3, 1e-3}
    shapes = {
        tuple(np.shape(arg) for arg in case.arguments()[0] if isinstance(arg, np.ndarray))
        for case in cases
        if case.required
    }
    assert len(shapes) >= 3
    for function in textbook_functions(stem).values():
        assert callable(function)


def test_arguments_are_fresh_each_time():
    case = cases_of("dropout")[0]
    (one, _), kwargs = case.arguments()
    one += 1
    assert not np.array_equal(one, case.arguments()[0][0])
    assert kwargs["rng"].random() == case.arguments()[1]["rng"].random()
