"""Right formulas with a wrong input: one that is turned, cut off, left out or shared."""

import ast
import inspect
from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import numpy as np

from .source import source_tree


class WrongInput(NamedTuple):
    """One input of a function, changed before it is called.

    kind : short stable name
    message : what is wrong, for a student
    path : of the input: number of the argument or its name, then the place in a cache
    of : function of the right array that returns the wrong one
    """

    kind: str
    message: str
    path: tuple
    of: Callable


def wrong_inputs(function, args, kwargs):
    """Every general change of each array that a function is given: a list of `WrongInput`.

    An array in a cache counts where the function's code gives it a name.
    """
    return [
        WrongInput(kind, message, path, of)
        for path, name, value in _arrays(function, args, kwargs)
        for kind, message, of in _changes(name, value)
    ]


def with_input(args, kwargs, wrong):
    """Arguments with one input changed.

    Returns args, kwargs.
    """
    first, *rest = wrong.path
    if isinstance(first, str):
        return args, kwargs | {first: _put(kwargs[first], rest, wrong.of)}
    return (*args[:first], _put(args[first], rest, wrong.of), *args[first + 1 :]), kwargs


def _put(value, path, of):
    if not path:
        return of(value)
    if isinstance(value, dict):
        return value | {path[0]: _put(value[path[0]], path[1:], of)}
    items = list(value)
    items[path[0]] = _put(items[path[0]], path[1:], of)
    return tuple(items)


def _arrays(function, args, kwargs):
    """The arrays among arguments: path, name, value."""
    parameters = list(inspect.signature(function).parameters)
    places = [((i,), name, arg) for i, (name, arg) in enumerate(zip(parameters, args))]  # noqa: B905
    places += [((name,), name, value) for name, value in kwargs.items()]
    for path, name, value in places:
        if isinstance(value, dict):
            items = value.items()
        elif isinstance(value, tuple) and name == "cache":
            items = enumerate(value)
        else:
            items = ()
            yield from _if_array(path, name, value)
        called = _names_in_cache(function) if isinstance(value, tuple) else None
        for key, item in items:
            if called is None or key < len(called):
                yield from _if_array((*path, key), called[key] if called else key, item)


def _if_array(path, name, value):
    if isinstance(value, np.ndarray) and value.dtype.kind in "fb" and value.size > 1:
        yield path, name, value


def _names_in_cache(function):
    """The names of `xhat, std, weight = cache`."""
    for node in ast.walk(source_tree(function)):
        is_cache = isinstance(node, ast.Assign) and ast.unparse(node.value) == "cache"
        if is_cache and isinstance(node.targets[0], ast.Tuple):
            return [ast.unparse(one) for one in node.targets[0].elts]
    return []


def _changes(name, value):
    """What may have become of an array: kind, message, function."""
    if value.dtype.kind == "f":
        yield "sign", f"{name} has the wrong sign", np.negative
        yield "missing_factor", f"{name} is left out, as if it were 1", np.ones_like
        yield "missing_term", f"{name} is left out, as if it were 0", np.zeros_like
        yield "wrong_factor", f"the square of {name} stands where {name} belongs", np.square
        yield "wrong_factor", f"1/{name} stands where {name} belongs", lambda a: 1 / a
    for a, b in combinations(range(value.ndim), 2):
        if value.shape[a] == value.shape[b] > 1:
            message = f"{name} is transposed: axes {a} and {b} are exchanged"
            yield "transposed", message, lambda x, a=a, b=b: x.swapaxes(a, b)
    if value.ndim == 2 and value.shape[0] != value.shape[1]:
        message = f"{name} is reshaped where it should be transposed"
        yield "transposed", message, lambda x: x.T.reshape(x.shape)
        yield "transposed", message, lambda x: x.reshape(x.shape[::-1]).T
    for axis, size in enumerate(value.shape):
        if size > 1:
            yield from _along(name, axis, size)


def _along(name, axis, size):
    """Changes along one axis: turned round, shifted, cut off, shared."""
    where = f"along axis {axis}"
    yield "wrong_order", f"{name} is turned round {where}", lambda x: np.flip(x, axis)
    for by in (1, -1):
        message = f"{name} is shifted by one place {where}"
        yield "wrong_order", message, lambda x, by=by: np.roll(x, by, axis)
    for place, index in (("first", 0), ("last", -1)):
        only = lambda x, i=index: x * _at(x, axis, i)  # noqa: E731
        yield "incomplete", f"only the {place} of {name} {where} is used", only
        if size > 2:
            rest = lambda x, i=index: x * (1 - _at(x, axis, i))  # noqa: E731
            yield "incomplete", f"the {place} of {name} {where} is left out", rest
        message = f"the {place} of {name} {where} stands for all of them"
        yield "wrong_variable", message, lambda x, i=index: 0 * x + np.take(x, [i], axis)
    for what, how in (("mean", np.mean), ("sum", np.sum)):
        message = f"the {what} of {name} {where} stands where its single values belong"
        spread = lambda x, how=how: 0 * x + how(x, axis, keepdims=True)  # noqa: E731
        yield "wrong_variable", message, spread


def _at(x, axis, index):
    """1 at an index of an axis, 0 elsewhere; to be multiplied with x."""
    mask = np.zeros(x.shape[axis])
    mask[index] = 1
    return np.expand_dims(mask, [i for i in range(x.ndim) if i != axis])
