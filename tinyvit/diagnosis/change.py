"""Mistakes that can be made with any gradient: changes of the right one that need no formula."""

import functools
from collections.abc import Callable
from itertools import chain, combinations
from math import sqrt
from typing import NamedTuple

import numpy as np

WORDS = {
    **{"B": "images", "N": "tokens", "D": "features", "d": "features a head", "h": "heads"},
    **{"K": "classes", "C": "channels", "P": "pixels", "M": "hidden features"},
    **{"O": "outputs", "I": "inputs", "H": "rows", "W": "columns", "L": "blocks"},
}
TOO_SMALL = "a mean where a sum belongs, or a division too many"
TOO_LARGE = "a sum where a mean belongs, or a division forgotten"
PLAIN = {
    2.0: "twice the right one: something is added, or counted, twice",
    0.5: "half of the right one: a factor 2 is missing, or one of two equal parts",
    3.0: "three times the right one",
    1 / 3: "a third of the right one",
    4.0: "four times the right one",
    0.25: "a quarter of the right one",
}


class Change(NamedTuple):
    """What becomes of a right gradient by a general mistake.

    kind : short stable name: "scale", "transposed" ...
    name : of this change, the same whatever the sizes are: "1/B"
    message : what is wrong, for a student
    of : function of the right gradient (an array) that returns the wrong one
    """

    kind: str
    name: str
    message: str
    of: Callable


def changes(shape, sizes):
    """Every general change of a gradient, the most common ones first.

    shape : of the gradient
    sizes : dict letter -> length, as `sizes_of` gives it

    Returns a tuple of `Change`.
    """
    return _changes(shape, tuple(sizes.items()))


@functools.cache
def _changes(shape, sizes):
    sizes = dict(sizes)
    moved = _transposed(shape), _qkv(shape, sizes), _moved(shape), _sums(shape)
    return (*_factors(sizes), *chain.from_iterable(moved))


def _factors(sizes):
    """The changes by a factor: the sign, and what can be made of 2 and of the sizes."""
    yield Change("sign", "sign", "the sign is wrong: it is -1 times the right one", np.negative)
    for factor in (2.0, 0.5):
        yield _factor(factor, str(factor), PLAIN[factor])
    long = {letter: size for letter, size in sizes.items() if size > 1}
    for count in (1, 2):
        for letters in combinations(long, count):
            name = "*".join(letters)
            size = np.prod([long[letter] for letter in letters])
            few = f"1/{name}" if count == 1 else f"1/({name})"
            values = ", ".join(f"{a} = {long[a]} {WORDS.get(a, '')}".strip() for a in letters)
            yield _factor(1 / size, few, f"{few} of the right one ({values}): {TOO_SMALL}")
            yield _factor(size, name, f"{name} times the right one ({values}): {TOO_LARGE}")
    for a, size in long.items():
        root, off = f"sqrt({a})", f"{a}/({a} - 1)"
        said = f"times the right one ({a} = {size})"
        yield _factor(1 / sqrt(size), f"1/{root}", f"1/{root} {said}: divided by it too often")
        yield _factor(sqrt(size), root, f"{root} {said}: the division by it is missing")
        if size > 2:
            divided = f"{off} {said}: divided by {a} - 1 instead of {a}"
            yield _factor(size / (size - 1), off, divided)
    for factor in (3.0, 1 / 3, 4.0, 0.25):
        yield _factor(factor, str(factor), PLAIN[factor])


def _factor(factor, name, message):
    return Change("scale", name, f"it is {message}", lambda right: float(factor) * right)


def _transposed(shape):
    for a, b in reversed(list(combinations(range(len(shape)), 2))):
        if shape[a] == shape[b] > 1:
            message = f"it is transposed: axes {a} and {b} are exchanged"
            turn = lambda right, a=a, b=b: right.swapaxes(a, b)  # noqa: E731
            yield Change("transposed", f"transposed {a} {b}", message, turn)


def _qkv(shape, sizes):
    """The rows of a weight (3D, D) or bias (3D,) of q, k and v in another order."""
    width, heads = sizes.get("D"), sizes.get("h")
    if not (width and heads and shape and shape[0] == 3 * width):
        return
    for order in ((0, 2, 1), (1, 0, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)):
        names = ", ".join("qkv"[i] for i in order)
        message = f"its rows are in the order {names}; they should be q, k, v"
        move = lambda right, i=order: right.reshape(3, -1)[list(i)].reshape(right.shape)  # noqa: E731
        yield Change("swapped", f"order {names}", message, move)
    message = (
        "its rows go head by head (q, k, v of head 0, then of head 1 ...); they should be q of "
        "every head, then k, then v"
    )

    def by_heads(right):
        parts = right.reshape(3, heads, width // heads, -1)
        return parts.swapaxes(0, 1).reshape(right.shape)

    yield Change("wrong_order", "by heads", message, by_heads)


def _moved(shape):
    for axis, size in enumerate(shape):
        if size > 1:
            message = f"its order along axis {axis} is turned round"
            turn = lambda right, axis=axis: np.flip(right, axis)  # noqa: E731
            yield Change("wrong_order", f"flipped {axis}", message, turn)
        for by in (1, -1) if size > 2 else ():
            message = f"it is shifted by one place along axis {axis}"
            roll = lambda right, axis=axis, by=by: np.roll(right, by, axis)  # noqa: E731
            yield Change("wrong_order", f"shifted {axis} {by}", message, roll)


def _sums(shape):
    for axis, size in enumerate(shape):
        for how, function in (("mean", np.mean), ("sum", np.sum)) if size > 1 else ():
            message = f"it is the {how} of the right one over axis {axis}, which should stay"

            def spread(right, function=function, axis=axis):
                return np.broadcast_to(function(right, axis, keepdims=True), right.shape)

            yield Change("wrong_axis", f"{how} over {axis}", message, spread)
