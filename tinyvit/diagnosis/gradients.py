"""The diagnosis of a backward's gradients, whoever wrote the pair."""

import inspect

import numpy as np

from .evidence import Evidence
from .explain import Finding, explain
from .mistake import Before, with_mistakes
from .sizes import axis_letters, shapes_in_letters, sizes_of
from .subject import Subject, library, named_values, textbook_pair
from .where import where_wrong


def diagnose_gradients(forward, args, kwargs, dout, got, right, tolerance=1e-7):
    """Say what is wrong with each wrong gradient.

    forward : the forward that the gradients belong to; where it is called as one of the textbook's
        and gives the same, the mistakes known for that pair are tried, too
    args, kwargs : it was called with
    dout : the gradient that backward was given
    got, right : dict name -> array, of one shape each; a right one that is None is the textbook's
    tolerance : relative error up to which a gradient is right

    Returns dict name -> `Finding` of every wrong one; its kind is "unknown" where the mistake was
    not recognised, and the message then says where it is wrong.
    """
    evidence = gradient_evidence(forward, args, kwargs, dout, got, right, tolerance)
    found = explain(evidence)
    for name in evidence.wrong:
        if name not in found:
            found[name] = not_recognised(evidence, name)
    return found


def gradient_evidence(forward, args, kwargs, dout, got, right, tolerance=1e-7):
    """What is known of a backward's gradients, as `Evidence` (arguments as above)."""
    stem = getattr(forward, "__name__", "").removesuffix("_forward")
    pair = textbook_pair(stem)
    parameters = list(inspect.signature(pair[0] if pair else forward).parameters)
    arguments = dict(zip(parameters, args, strict=False)) | kwargs
    known = {name: value for name, value in arguments.items() if hasattr(value, "shape")}
    evidence = {"known": {"dout": np.asarray(dout), **known}, "tolerance": tolerance}
    if pair is None or not _same(pair[0], forward, args, kwargs):
        right = {name: value for name, value in right.items() if value is not None}
        return Evidence(got, right, **evidence)
    _, cache = pair[0](*args, **kwargs)
    names = gradient_names(pair[0], args)
    defaults = inspect.signature(pair[0]).bind(*args, **kwargs)
    defaults.apply_defaults()

    def after(mistake):
        _, cache = with_mistakes(pair[0], (mistake,))(*args, **kwargs)
        return (dout, cache), {}

    subject = Subject(
        pair[1],
        lambda: ((dout, cache), {}),
        lambda returned: named_values(returned, names),
        given=defaults.arguments,
        before=[
            Before(one.kind, f"it follows from the forward: {one.message}", one)
            for one in library(stem, "FORWARD")["mistakes"]
        ],
        after=after,
        **library(stem, "BACKWARD"),
    )
    shapes = shapes_in_letters(pair[1])
    letters = {
        name: axis_letters(shapes[name], value.ndim)
        for name, value in got.items()
        if name in shapes
    }
    sizes = sizes_of(pair[0], arguments)
    textbook = subject.values()
    right = {name: textbook.get(name) if value is None else value for name, value in right.items()}
    return Evidence(got, right, sizes, letters, subject, **evidence)


def gradient_names(forward, args):
    """The names of the gradients that belong to a call's arguments: dx, dweight ..."""
    parameters = inspect.signature(forward).parameters
    return [f"d{name}" for name, arg in zip(parameters, args, strict=False) if _takes_gradient(arg)]


def _takes_gradient(value):
    """Whether an argument has a place among the gradients: float arrays, dicts of them, None."""
    if isinstance(value, dict):
        return any(_takes_gradient(one) for one in value.values())
    return value is None or getattr(getattr(value, "dtype", None), "kind", "") == "f"


def not_recognised(evidence, name):
    """An honest "unknown", with where the gradient is wrong."""
    where = where_wrong(
        evidence.got[name], evidence.right[name], evidence.letters.get(name), evidence.sizes
    )
    return Finding("unknown", f"not recognised: {where}")


def _same(textbook, forward, args, kwargs):
    """Whether the textbook gives the same out."""
    if textbook is forward:
        return True
    try:
        ours, theirs = textbook(*args, **kwargs)[0], forward(*args, **kwargs)[0]
        return np.allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return False
