"""What should come of each call of an exercise: the textbook's answer, to compare with."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..diagnosis import Evidence
from ..diagnosis.gradients import gradient_evidence, gradient_names
from ..diagnosis.sizes import axis_letters, shapes_in_letters, sizes_of
from ..diagnosis.subject import Subject, library, named_values
from . import checker
from .cases import Case, cases_of
from .textbook import bound, textbook_functions

TOLERANCE = 1e-7
RETURNED = {"adamw": ["params", "m", "v"], "gradcheck": ["gradient"]}


@dataclass(frozen=True)
class Expected:
    """One task in one case.

    case : `Case`
    names : of what is returned, in order; a dict brings its own
    values : list of arrays, dicts of arrays, and None
    shapes : dict name -> shape in letters, where they are known
    evidence : function of what a student's function gave (dict name -> array), for the diagnosis
    """

    case: Case
    names: list
    values: list
    shapes: dict
    evidence: Callable

    @property
    def right(self):
        """Every array that is expected, by its name."""
        values = named_values(self.values, self.names)
        return {name: np.asarray(one) for name, one in values.items() if one is not None}


def expectations(stem, what):
    """Every case of a task, in the order in which the student's process runs them.

    stem, what : "layernorm" and "backward"

    Yields `Expected`.
    """
    textbook = textbook_functions(stem)
    if stem == "gradcheck":
        for number, (label, *_) in enumerate(checker.derivatives()):
            fresh = partial(checker.derivative_arguments, number)
            yield _of_function(stem, textbook[what], Case(label, ()), fresh)
        return
    for case in cases_of(stem):
        if what == "forward":
            yield _of_forward(stem, textbook[what], case)
        elif what == "backward":
            yield _of_backward(textbook["forward"], textbook[what], case)
        else:
            yield _of_function(stem, textbook[what], case, case.arguments)


def _of_forward(stem, forward, case):
    args, kwargs = case.arguments()
    out, _ = forward(*args, **kwargs)
    arguments = bound(forward, args, kwargs)
    shape = next((s for s in shapes_in_letters(forward, returned=True).values()), None)

    def evidence(got):
        known_of = library(stem, "FORWARD")
        subject = Subject(forward, case.arguments, lambda r: {"out": r[0]}, **known_of)
        letters = {"out": axis_letters(shape, np.ndim(out))} if shape else {}
        sizes, known = sizes_of(forward, arguments), _arrays(arguments)
        return Evidence(got, {"out": np.asarray(out)}, sizes, letters, subject, known, TOLERANCE)

    return Expected(case, ["out"], [out], {"out": shape} if shape else {}, evidence)


def _of_backward(forward, backward, case):
    args, kwargs = case.arguments()
    out, cache = forward(*args, **kwargs)
    dout = case.dout(out)
    values = backward(dout, cache)
    values = list(values) if isinstance(values, tuple) else [values]
    names = gradient_names(forward, args)

    def evidence(got):
        fresh, more = case.arguments()
        right = {n: np.asarray(v) for n, v in named_values(values, names).items() if n in got}
        return gradient_evidence(forward, fresh, more, dout, got, right, TOLERANCE)

    return Expected(case, names, values, shapes_in_letters(backward), evidence)


def _of_function(stem, function, case, fresh):
    args, kwargs = fresh()
    values = function(*args, **kwargs)
    values = list(values) if isinstance(values, tuple) else [values]
    names = RETURNED[stem]

    def evidence(got):
        right = {n: v for n, v in named_values(values, names).items() if n in got}
        known_of = library(stem, "FUNCTION")
        subject = Subject(function, fresh, lambda r: named_values(r, names), **known_of)
        known = _arrays(bound(function, args, kwargs))
        return Evidence(got, right, {}, {}, subject, known, TOLERANCE)

    return Expected(case, names, values, {}, evidence)


def _arrays(arguments):
    return {
        name: value
        for name, value in arguments.items()
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
    }
