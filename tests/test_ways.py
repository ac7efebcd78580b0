"""The other ways to write the textbook's functions: each computes what the textbook does."""

import inspect
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tinyvit.diagnosis import ways
from tinyvit.diagnosis.slips import slips
from tinyvit.diagnosis.subject import textbook_pair
from tinyvit.exercises.cases import cases_of
from tinyvit.optim import adamw

STEMS = sorted(path.stem for path in Path(ways.__file__).parent.glob("[a-z]*.py"))
MODULES = {stem: import_module(f"{ways.__name__}.{stem}") for stem in STEMS}
PLAIN_ERRORS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, NameError)


def of_table(table):
    return [
        pytest.param(stem, way, id=f"{stem}-{way.__name__}")
        for stem, module in MODULES.items()
        for way in getattr(module, table, ())
    ]


ALL = of_table("FORWARD") + of_table("BACKWARD") + of_table("FUNCTION")


def required(stem):
    return [case for case in cases_of(stem) if case.required]


def with_given(monkeypatch, function, textbook, args, kwargs):
    """Put the forward's arguments where a way looks for them."""
    bound = inspect.signature(textbook).bind(*args, **kwargs)
    bound.apply_defaults()
    given = SimpleNamespace(**bound.arguments)
    monkeypatch.setitem(function.__globals__, "given", given)


def assert_close(got, right):
    if isinstance(right, dict):
        assert list(got) == list(right)
        got, right = tuple(got.values()), tuple(right.values())
    if isinstance(right, tuple):
        assert len(got) == len(right)
        for one, other in zip(got, right, strict=True):
            assert_close(one, other)
    elif right is None:
        assert got is None
    else:
        assert np.shape(got) == np.shape(right)
        np.testing.assert_allclose(got, right, rtol=1e-10, atol=1e-10 * np.abs(right).max())


@pytest.mark.parametrize("stem, way", of_table("FORWARD"))
def test_forward_equals_the_textbook(stem, way):
    textbook, _ = textbook_pair(stem)
    assert inspect.signature(way) == inspect.signature(textbook)
    for case in required(stem):
        (args, kwargs), (same_args, same_kwargs) = case.arguments(), case.arguments()
        out, cache = way(*args, **kwargs)
        assert cache is None
        assert_close(out, textbook(*same_args, **same_kwargs)[0])


@pytest.mark.parametrize("stem, way", of_table("BACKWARD"))
def test_backward_equals_the_textbook(stem, way, monkeypatch):
    forward, backward = textbook_pair(stem)
    assert inspect.signature(way) == inspect.signature(backward)
    for case in required(stem):
        args, kwargs = case.arguments()
        out, cache = forward(*args, **kwargs)
        with_given(monkeypatch, way, forward, args, kwargs)
        assert_close(way(case.dout(out), cache), backward(case.dout(out), cache))


@pytest.mark.parametrize("stem, way", of_table("FUNCTION"))
def test_function_equals_the_textbook(stem, way):
    assert inspect.signature(way) == inspect.signature(adamw)
    for case in required(stem):
        (args, kwargs), (same_args, same_kwargs) = case.arguments(), case.arguments()
        assert_close(way(*args, **kwargs), adamw(*same_args, **same_kwargs))


def test_each_drops_as_the_textbook_does():
    """Dropout inside attention, MLP and block: their required calls have none."""
    for stem, rates in (
        ("attention", {"attn_drop_rate": 0.4}),
        ("mlp", {"drop_rate": 0.4}),
        ("block", {"drop_rate": 0.2, "attn_drop_rate": 0.4, "drop_path_rate": 0.3}),
    ):
        forward, backward = textbook_pair(stem)
        case = cases_of(stem)[0]
        args, kwargs = case.arguments()
        out, cache = forward(*args, **kwargs, **rates, rng=np.random.default_rng(7))
        for way in MODULES[stem].FORWARD:
            got, _ = way(*args, **kwargs, **rates, rng=np.random.default_rng(7))
            assert_close(got, out)
        for way in MODULES[stem].BACKWARD:
            assert_close(way(case.dout(out), cache), backward(case.dout(out), cache))


@pytest.mark.slow
@pytest.mark.parametrize("stem, way", ALL)
def test_every_slip_runs_or_says_why_not(stem, way, monkeypatch):
    case = cases_of(stem)[0]
    args, kwargs = case.arguments()
    pair = textbook_pair(stem)
    out, cache = pair[0](*args, **kwargs) if pair else (None, None)
    run = 0
    for slip in slips(way):
        args, kwargs = case.arguments()
        if pair:
            with_given(monkeypatch, slip.function, pair[0], args, kwargs)
        if "cache" in inspect.signature(way).parameters:
            args, kwargs = (case.dout(out), cache), {}
        with np.errstate(all="ignore"):
            try:
                slip.function(*args, **kwargs)
            except PLAIN_ERRORS:
                continue
        run += 1
    assert run > 5
