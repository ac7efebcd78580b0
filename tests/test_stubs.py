"""The stubs of the exercises: what is given, what is left to write, and the hints."""

import ast
import inspect
import re
import runpy
import tomllib
from pathlib import Path

import numpy as np
import pytest
from tiny import REPO

from tinyvit import gradcheck, ops, optim, vit
from tinyvit.examples import op_examples

FOLDER = REPO / "lessons" / "exercises"
OPS = {path.stem for path in Path(ops.__file__).parent.glob("[a-z]*.py")}
PAIRS = sorted(OPS - {"conv2d", "maxpool2d"} | {"vit"})  # the ViT uses neither of those two
STEMS = sorted({*PAIRS, "gradcheck", "adamw"})
COMPOSED = ("attention", "mlp", "block", "cross_entropy")
OWN_CACHE = "Your own forward may keep something else: then it is your own cache that you get."
OWN_BACKWARD = "With a backward of your own, keep what it needs."
TASK = re.compile(r"(\w+): (easy|medium|hard), (\d+) minutes")
EXERCISES = {stem: runpy.run_path(str(FOLDER / f"{stem}.py")) for stem in STEMS}
SOLUTION = FOLDER / "solutions" / "gradcheck.py"

each_stem = pytest.mark.parametrize("stem", STEMS)
each_pair = pytest.mark.parametrize("stem", PAIRS)


def functions(stem):
    """The functions that a stub leaves to be written: what -> function."""
    names = {
        "adamw": {"adamw": "adamw"},
        "gradcheck": {name: name for name in ("numerical_gradient", "check_backward")},
    }.get(stem, {side: f"{stem}_{side}" for side in ("forward", "backward")})
    return {what: EXERCISES[stem][name] for what, name in names.items()}


def textbook(name):
    """The textbook's function of a name; None for the exercise's own `check_backward`."""
    if name == "check_backward":
        return None
    return next(getattr(home, name) for home in (ops, vit, optim, gradcheck) if hasattr(home, name))


def with_its_textbook():
    """Pairs (function of a stub, the textbook's)."""
    stubs = [function for stem in STEMS for function in functions(stem).values()]
    return [(stub, textbook(stub.__name__)) for stub in stubs if textbook(stub.__name__)]


each_function = pytest.mark.parametrize(
    ("stub", "book"), with_its_textbook(), ids=lambda function: function.__name__
)


def doc_lines(function):
    return [line.rstrip() for line in inspect.getdoc(function).splitlines()]


def cache_lines(lines):
    """Places of the lines that say what the cache holds: those below "cache :", further in."""
    start = next(i for i, line in enumerate(lines) if line.strip().startswith("cache :"))
    end = start + 1
    while end < len(lines) and depth(lines[end]) > depth(lines[start]):
        end += 1
    return range(start + 1, end)


def depth(line):
    return len(line) - len(line.lstrip()) if line.strip() else 0


def test_every_pair_of_the_vit_has_its_stub_and_its_hints():
    assert len(STEMS) == 17
    assert [path.stem for path in sorted(FOLDER.glob("*.py"))] == STEMS
    assert [path.stem for path in sorted(FOLDER.glob("*.toml"))] == STEMS


def test_the_only_solution_beside_the_stubs_is_that_of_the_gradient_check():
    assert list(SOLUTION.parent.glob("*.py")) == [SOLUTION]


@each_stem
def test_first_lines(stem):
    first, second, third, fourth, *text = EXERCISES[stem]["__doc__"].splitlines()
    assert re.fullmatch(r"Exercise: [A-Z][\w -]+\.", first)
    assert second == fourth == ""
    after, *tasks = third.split(" · ")
    lesson = int(re.fullmatch(r"after lesson (\d+)", after)[1])
    assert list(FOLDER.parent.glob(f"{lesson:02}_*.py"))
    assert all(TASK.fullmatch(task) for task in tasks)
    assert [TASK.fullmatch(task)[1] for task in tasks] == list(functions(stem))
    assert all(5 <= int(TASK.fullmatch(task)[3]) <= 180 for task in tasks)
    assert text[-2:] == [
        f"Check:  tinyvit check {stem}.py",
        f"Stuck:  tinyvit exercise hint {stem}",
    ]


@each_stem
def test_a_stub_with_a_lesson_of_its_own_comes_after_it(stem):
    third = EXERCISES[stem]["__doc__"].splitlines()[2]
    for path in FOLDER.parent.glob(f"[0-9][0-9]_{stem}.py"):
        assert third.startswith(f"after lesson {int(path.stem[:2])} ")


@each_stem
def test_lines_fit_a_terminal(stem):
    lines = EXERCISES[stem]["__doc__"].splitlines()
    parsed = lines.pop(2)
    assert max(map(len, lines)) <= 78
    assert len(parsed) <= 100
    assert max(map(len, (FOLDER / f"{stem}.py").read_text("utf-8").splitlines())) <= 100


@each_pair
def test_two_tasks_are_said_to_be_two(stem):
    text = " ".join(EXERCISES[stem]["__doc__"].split())
    assert "Forward and backward are separate tasks: write either first." in text


@each_stem
def test_nothing_is_written_yet(stem):
    source = (FOLDER / f"{stem}.py").read_text("utf-8")
    written = {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    assert written == {function.__name__ for function in functions(stem).values()}
    for function in functions(stem).values():
        needed = {
            name: None
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.default is inspect.Parameter.empty
        }
        with pytest.raises(NotImplementedError, match=f"^write {function.__name__}$"):
            function(**needed)


@pytest.mark.parametrize("stem", COMPOSED)
def test_the_composed_are_given_the_smaller_pairs_and_no_more(stem):
    book = inspect.getsource(inspect.getmodule(getattr(ops, f"{stem}_forward")))
    used = set(re.findall(r"\b(\w+)_(?:for|back)ward\(", book)) & OPS - {stem}
    sides = ("forward", "backward")
    expected = {f"{pair}_{side}" for pair in used for side in sides}
    given = {name for name in EXERCISES[stem] if name.endswith(sides)}
    assert given - {f"{stem}_{side}" for side in sides} == expected


@pytest.mark.parametrize("stem", sorted({*PAIRS} - {*COMPOSED, "vit"}))
def test_the_small_are_given_no_pair(stem):
    source = (FOLDER / f"{stem}.py").read_text("utf-8")
    assert "tinyvit.ops" not in source and "from tinyvit import" not in source


@each_function
def test_signature_is_the_textbooks(stub, book):
    assert inspect.signature(stub) == inspect.signature(book)


@each_function
def test_docstring_is_the_textbooks_but_for_the_cache(stub, book):
    known, lines = doc_lines(book), doc_lines(stub)
    cache = cache_lines(lines) if stub.__name__.endswith(("_forward", "_backward")) else []
    rest = [line for i, line in enumerate(lines) if i not in cache]
    for line in rest:
        is_cache = line.strip().startswith("cache : from")
        assert (
            re.sub(r": a (tuple|tuple of one|dict)$", "", line) in known
            if is_cache
            else (line in known)
        )
    if not stub.__name__.endswith("_backward"):
        assert rest == known


@each_pair
def test_both_sides_say_the_same_of_the_cache(stem):
    listed = {}
    for side, function in functions(stem).items():
        lines = doc_lines(function)
        listed[side] = [lines[i] for i in cache_lines(lines)]
    first, *forward, last = [line.removeprefix(" " * 8) for line in listed["forward"]]
    *backward, own = [line.removeprefix(" " * 4) for line in listed["backward"]]
    assert first.startswith("The textbook's ") and last == OWN_BACKWARD and own == OWN_CACHE
    assert forward == backward


@each_pair
def test_what_is_said_of_the_cache_is_in_the_textbooks(stem):
    backward = functions(stem)["backward"]
    lines = doc_lines(backward)
    kind = re.search(r": a (tuple of one|tuple|dict)$", "\n".join(lines), re.M)[1]
    text = "\n".join(lines[i] for i in cache_lines(lines)[:-1])
    names = [
        name.removesuffix(".shape")
        for part in re.findall(r"(?:^ {4}|; )([\w., ]+?) : ", text, re.M)
        for name in part.split(", ")
    ]
    if kind == "dict":
        forward = inspect.getsource(textbook(f"{stem}_forward"))
        kept = re.findall(r'cache\["(\w+)"\]|"(\w+)": ', forward)
        expected = {one or other for one, other in kept}
        assert {name for name in names if not name.startswith(("blocks.", "..."))} == expected
        return
    book = inspect.getsource(textbook(backward.__name__))
    taken = re.search(r"^ +(.+) = cache$", book, re.M)[1].replace("(B, C, H, W)", "images")
    assert names == taken.strip("(),").split(", ")
    assert (kind == "tuple of one") == (len(names) == 1)


@each_pair
def test_a_backward_does_not_give_itself_away(stem):
    backward = functions(stem)["backward"]
    book, lines = doc_lines(textbook(backward.__name__)), doc_lines(backward)
    assert "Derivation" not in "\n".join(lines)
    assert not [line for line in lines if re.search(r"[^=<>]=[^=]|@", line)]
    derivation = next(i for i, line in enumerate(book) if line.startswith("Derivation"))
    assert not {line for line in book[derivation:] if line} & set(lines)


@pytest.mark.parametrize(
    ("stem", "mask"),
    [
        ("dropout", "rng.random(x.shape) >= drop_rate"),
        ("drop_path", "rng.random(x.shape[0]) >= drop_rate"),
    ],
)
def test_a_random_mask_can_be_drawn_alike(stem, mask):
    assert f"`{mask}`" in " ".join(EXERCISES[stem]["__doc__"].split())
    assert mask in inspect.getsource(textbook(f"{stem}_forward"))


@each_stem
def test_hints(stem):
    source = (FOLDER / f"{stem}.toml").read_text("utf-8")
    assert source.startswith(f"# Hints, one at a time: tinyvit exercise hint {stem}\n")
    hints = tomllib.loads(source)
    assert list(hints) == list(functions(stem))
    for lists in hints.values():
        assert 2 <= len(lists) <= 5
        assert re.search(r"[=@]", lists[-1]), "the last hint is the formula"
        for hint in lists:
            assert hint == hint.strip() != ""
            lines = hint.splitlines()
            assert len(lines) <= 5 and max(map(len, lines)) <= 76
    every = [hint for lists in hints.values() for hint in lists]
    assert len(set(every)) == len(every)


def test_the_solution_has_the_stubs_signatures_and_docstrings():
    solution = runpy.run_path(str(SOLUTION))
    stub = functions("gradcheck")["check_backward"]
    assert inspect.signature(solution["check_backward"]) == inspect.signature(stub)
    assert inspect.getdoc(solution["check_backward"]) == inspect.getdoc(stub)
    assert solution["numerical_gradient"] is gradcheck.numerical_gradient


def the_check():
    return runpy.run_path(str(SOLUTION))["check_backward"]


def arrays_only(example):
    return not example.kwargs and all(
        isinstance(arg, np.ndarray) and arg.dtype == np.float64 for arg in example.args
    )


SIMPLE = {name: example for name, example in op_examples().items() if arrays_only(example)}


@pytest.mark.parametrize("name", SIMPLE)
def test_the_solution_passes_the_textbook(name):
    forward, backward, args = SIMPLE[name].forward, SIMPLE[name].backward, SIMPLE[name].args
    before = [arg.copy() for arg in args]
    assert the_check()(forward, backward, args) is True
    assert all(np.array_equal(one, other) for one, other in zip(args, before, strict=True))


def wrong_backwards():
    def scaled(dout, cache):
        return ops.softmax_backward(dout, cache) * 1.001

    def passes_ones(dout, cache):  # both are 0 for a dout of ones
        (out,) = cache
        return out * (dout - dout.mean(axis=-1, keepdims=True))

    def not_finite(dout, cache):
        return ops.softmax_backward(dout, cache) * np.nan

    def broadcast(dout, cache):
        return ops.softmax_backward(dout, cache)[None]

    def nothing(dout, cache):
        return None

    def one_too_many(dout, cache):
        return ops.softmax_backward(dout, cache), dout

    return scaled, passes_ones, not_finite, broadcast, nothing, one_too_many


@pytest.mark.parametrize("backward", wrong_backwards(), ids=lambda function: function.__name__)
def test_the_solution_finds_what_is_wrong(backward):
    x = np.random.default_rng(0).standard_normal((3, 5))
    assert the_check()(ops.softmax_forward, ops.softmax_backward, (x,)) is True
    assert the_check()(ops.softmax_forward, backward, (x,)) is False


def test_the_solution_looks_at_every_gradient():
    rng = np.random.default_rng(0)
    args = tuple(rng.standard_normal(shape) for shape in ((3, 4), (2, 4), 2))

    def wrong_bias(dout, cache):
        dx, dweight, dbias = ops.linear_backward(dout, cache)
        return dx, dweight, dbias / len(dout)

    assert the_check()(ops.linear_forward, ops.linear_backward, args) is True
    assert the_check()(ops.linear_forward, wrong_bias, args) is False


def test_the_solution_takes_a_gradient_of_zero_as_right():
    def forward(x):
        return ops.softmax_forward(x)[0].sum(axis=-1), x.shape  # always 1, up to rounding

    def backward(dout, shape):
        return np.zeros(shape)

    x = np.random.default_rng(0).standard_normal((3, 5))
    assert the_check()(forward, backward, (x,)) is True


def test_the_solution_does_not_touch_the_inputs():
    x = np.random.default_rng(0).standard_normal((3, 5))
    x.setflags(write=False)
    assert the_check()(ops.softmax_forward, ops.softmax_backward, (x,)) is True
