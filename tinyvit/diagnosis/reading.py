"""What can be read off a wrong gradient itself, without a formula to compare it with.

Each function yields pairs (kind, message), the plainest first.
"""

import numpy as np

from .evidence import AGREE, difference
from .where import where_wrong


def exchanged(evidence, name):
    """Two gradients returned in each other's place.

    evidence : `Evidence`
    name : of the gradient
    """
    got, right = evidence.got, evidence.right
    for other, value in right.items():
        if other == name or other not in got or not value.any():
            continue
        if difference(got[name], value) < AGREE and difference(got[other], right[name]) < AGREE:
            yield "swapped", f"this is {other}, and {other} is {name}: exchange them"


def factor_or_part(evidence, name):
    """Zero, a part that is zero, or a factor (arguments as above)."""
    got, right = evidence.got[name], evidence.right[name]
    if np.abs(got).max(initial=0) < 1e-12 * np.abs(right).max(initial=0):
        yield "incomplete", "it is 0 everywhere: no gradient arrives here"
        return
    part = np.where(got == 0, 0, right)
    factor = (got * part).sum() / (part * part).sum() if part.any() else 0
    is_part = difference(part, right) > AGREE
    if is_part and difference(got, factor * part) < AGREE:
        letters = evidence.letters.get(name)
        where = where_wrong(part, right, letters, evidence.sizes).partition(", all of them at ")[2]
        kind = "dropped_head" if where.startswith("head") else "incomplete"
        message = f"a part of it is 0: look at {where or 'where it is 0'}"
        if abs(factor - 1) < AGREE:
            yield kind, f"{message}; the rest is right"
        else:
            more = "sign" if abs(factor + 1) < AGREE else "scale"
            yield f"{kind}+{more}", f"{message}; the rest is {factor:.6g} times the right one"
    factor = (got * right).sum() / (right * right).sum() if right.any() else 0
    if factor > 0 and right.size > 1 and difference(got, factor * right) < AGREE:
        yield "scale", f"it is {factor:.6g} times the right one, everywhere"


def with_known(evidence, name):
    """Another gradient, or an input that is a factor or a term too many or too few (as above)."""
    got, right = evidence.got[name], evidence.right[name]
    for other, value in evidence.right.items():
        if other != name and difference(got, value) < AGREE:
            yield "swapped", f"this is {other}: look at the order in which you return things"
    for other, value in evidence.known.items():
        try:
            value = np.broadcast_to(np.asarray(value, np.float64), right.shape)
        except ValueError:
            continue
        if value.any() and difference(got, right * value) < AGREE:
            yield "wrong_factor", f"it is {other} times the right one: a factor {other} too many"
        if value.all() and difference(got, right / value) < AGREE:
            yield "missing_factor", f"times {other} it would be right: a factor {other} is missing"
        yield from _term(got, right, other, value)


def _term(got, right, other, value):
    size = (value * value).sum()
    factor = ((got - right) * value).sum() / size if size else 0
    if abs(factor) < 1e-9 or difference(got, right + factor * value) > AGREE:
        return
    amount = "" if abs(abs(factor) - 1) < AGREE else f"{abs(factor):.6g} * "
    if factor < 0:
        yield "missing_term", f"{amount}{other} is missing in it: add it, and it is right"
    else:
        yield "extra_term", f"{amount}{other} is too much in it: without it, it is right"
