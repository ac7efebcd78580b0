"""What holds for every pair, in every variant: dtypes, purity, shapes, and how it is written."""

import ast
import inspect
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest

from tinyvit import ops
from tinyvit.examples import op_examples

EXAMPLES = op_examples()
FILES = sorted(Path(ops.__file__).parent.glob("[a-z]*.py"))
each_example = pytest.mark.parametrize("name", EXAMPLES)
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def arrays_in(value, place="value"):
    """Place and array of every array in nested tuples, lists and dicts."""
    if isinstance(value, (np.ndarray, np.floating)):
        yield place, value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from arrays_in(one, f"{place}[{key!r}]")
    elif isinstance(value, (tuple, list)):
        for i, one in enumerate(value):
            yield from arrays_in(one, f"{place}[{i}]")


def mapped(change, value):
    """The same structure with `change` applied to each array of floats."""
    if isinstance(value, dict):
        return {key: mapped(change, one) for key, one in value.items()}
    if isinstance(value, (tuple, list)):
        return tuple(mapped(change, one) for one in value)
    is_float = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return change(value) if is_float else value


def random_dout(out):
    dout = np.random.default_rng(1).standard_normal(np.shape(out))
    return dout.astype(out.dtype) if np.shape(out) else out.dtype.type(dout)


def run(example, change=lambda array: array):
    """Value and gradients with `change` applied to each input and to dout."""
    out, cache = example.forward(*mapped(change, example.args), **example.kwargs)
    dout = random_dout(out)
    return out, example.backward(mapped(change, dout), cache)


def assert_equal(one, other, **tolerance):
    one, other = list(arrays_in(one)), list(arrays_in(other))
    assert [place for place, _ in one] == [place for place, _ in other]
    for (place, first), (_, second) in zip(one, other, strict=True):
        assert first.dtype == second.dtype and first.shape == second.shape, place
        if tolerance:
            np.testing.assert_allclose(first, second, **tolerance, err_msg=place)
        else:
            assert np.array_equal(first, second), place


@each_example
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_in_is_dtype_out(name, dtype):
    out, grads = run(EXAMPLES[name], lambda array: array.astype(dtype))
    assert out.dtype == dtype
    for place, grad in arrays_in(grads):
        assert grad.dtype == dtype, place


@each_example
def test_float32_is_close_to_float64(name):
    exact_out, exact_grads = run(EXAMPLES[name])
    out, grads = run(EXAMPLES[name], lambda array: array.astype("float32"))
    for (place, got), (_, expected) in zip(
        arrays_in((out, grads)), arrays_in((exact_out, exact_grads)), strict=True
    ):
        error = abs(got - expected).max()
        assert error < 2e-5 * max(abs(expected).max(), 1), place


@each_example
def test_nothing_that_was_given_is_modified(name):
    example = EXAMPLES[name]
    args = deepcopy(example.args)
    out, cache = example.forward(*args, **example.kwargs)
    assert_equal(args, example.args)
    dout = random_dout(out)
    before = deepcopy((args, dout, out, cache))
    example.backward(dout, cache)
    assert_equal((args, dout, out, cache), before)


@each_example
def test_read_only_arrays_will_do(name):
    def locked(array):
        array = array.copy()
        array.setflags(write=False)
        return array

    assert_equal(run(EXAMPLES[name], locked), run(EXAMPLES[name]))


@each_example
def test_backward_can_be_called_twice(name):
    example = EXAMPLES[name]
    out, cache = example.forward(*example.args, **example.kwargs)
    dout = random_dout(out)
    first = deepcopy(example.backward(dout, cache))
    example.backward(2 * dout, cache)
    assert_equal(example.backward(dout, cache), first)


@each_example
def test_gradients_have_the_shapes_of_the_inputs(name):
    example = EXAMPLES[name]
    _, grads = run(example)
    grads = grads if isinstance(grads, tuple) else (grads,)
    expected = [
        arg
        for arg in example.args
        if arg is None or isinstance(arg, dict) or getattr(arg, "dtype", None) == "float64"
    ]
    assert len(grads) == len(expected)
    for grad, arg in zip(grads, expected, strict=True):
        if isinstance(arg, dict):
            assert [(key, value.shape) for key, value in grad.items()] == [
                (key, value.shape) for key, value in arg.items()
            ]
        else:
            assert np.shape(grad) == np.shape(arg) and (grad is None) == (arg is None)


@each_example
def test_strided_inputs_give_the_same_answer(name):
    def every_second(array):
        return np.repeat(array, 2, axis=-1)[..., ::2]

    def backwards(array):
        return array[::-1].copy()[::-1]

    for change in (np.asfortranarray, every_second, backwards):
        got = run(EXAMPLES[name], change)
        assert_equal(got, run(EXAMPLES[name]), rtol=1e-12, atol=1e-12)


def test_two_threads_at_once():
    other = op_examples(seed=1)
    expected = {name: (run(EXAMPLES[name]), run(other[name])) for name in EXAMPLES}

    def work(examples):
        return [{name: run(example) for name, example in examples.items()} for _ in range(5)]

    with ThreadPoolExecutor(2) as pool:
        for i, rounds in enumerate(pool.map(work, (EXAMPLES, other))):
            for answers in rounds:
                for name, answer in answers.items():
                    assert_equal(answer, expected[name][i], rtol=1e-13, atol=1e-13)


def test_every_pair_has_an_example():
    stems = {path.stem for path in FILES}
    assert {name.partition(",")[0] for name in EXAMPLES} == stems
    assert set(ops.__all__) == {f"{stem}_{way}" for stem in stems for way in WAYS}
    assert ops.__all__ == sorted(ops.__all__)


WAYS = ("forward", "backward")


@each_file
def test_backward_starts_right_below_forward(path):
    body = ast.parse(path.read_text()).body
    first = next(i for i, node in enumerate(body) if isinstance(node, ast.FunctionDef))
    assert [node.name for node in body[first : first + 2]] == [f"{path.stem}_{way}" for way in WAYS]
    assert all(isinstance(node, (ast.Expr, ast.Import, ast.ImportFrom)) for node in body[:first])
    for node in body[first + 2 :]:
        assert not isinstance(node, ast.FunctionDef) or node.name.startswith("_"), node.name


@each_file
def test_imports_nothing_of_tinyvit_but_backend_and_ops(path):
    own = {file.stem for file in FILES}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            from_ops = node.level == 1 and node.module in own
            from_backend = node.level == 2 and node.module == "backend"
            assert from_ops or from_backend or (node.level == 0 and node.module == "math")
        assert not isinstance(node, ast.Import), "numpy comes from get_array_module"


@pytest.mark.parametrize("name", ops.__all__)
def test_docstring(name):
    function = getattr(ops, name)
    text = inspect.getdoc(function)
    assert text and text.splitlines()[0].endswith(".")
    described = [line.partition(" : ")[0] for line in text.splitlines() if " : " in line]
    described = {word.strip() for words in described for word in words.split(",")}
    assert set(inspect.signature(function).parameters) <= described
    assert "Returns" in text
    assert ("Derivation: " in text) == name.endswith("backward")
    assert ("Raises" in text) == ("raise " in inspect.getsource(function))
