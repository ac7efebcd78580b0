"""Two mistakes at once, from what each of them gives alone."""

import numpy as np

from .change import Change, changes
from .evidence import difference

FOUND = 3  # pairs that are enough


def pairs_of_effects(evidence, name, mistakes):
    """Pairs of mistakes whose effects on a gradient add up, or multiply, to the one found.

        got = one + other - right        or        got = one * other / right

    evidence : `Evidence`
    name : of the gradient
    mistakes : that `evidence.subject` can make

    Returns a list of ((mistake, mistake), relative difference from the gradient found).
    """
    got, right = evidence.got[name].ravel(), evidence.right[name].ravel()
    kept, values = [], []
    for mistake in mistakes:
        value = evidence.subject.values(mistake).get(name)
        if value is None or value.size != right.size or not np.isfinite(value).all():
            continue
        if difference(value.ravel(), right) > 1e-9:
            kept.append(mistake)
            values.append(value.ravel())
    if not kept:
        return []
    values = np.array(values)
    found = []
    for i, j, value in _adding_up(values, got, right):
        if evidence.fits(name, value.reshape(evidence.got[name].shape)):
            found.append(((kept[i], kept[j]), difference(got, value)))
    for i, j, value in _multiplying(values, got, right):
        if evidence.fits(name, value.reshape(evidence.got[name].shape)):
            found.append(((kept[i], kept[j]), difference(got, value)))
    return found[:FOUND]


def _adding_up(values, got, right):
    effects, wanted = values - right, got - right
    for i, j in _summing_to(effects, wanted, np.abs(got).max()):
        yield i, j, values[i] + values[j] - right


def _multiplying(values, got, right):
    """As above, of the logarithms, where nothing is 0."""
    usable = (np.abs(right) > 1e-3 * np.abs(right).max()) & (got != 0)
    alive = np.flatnonzero((values[:, usable] != 0).all(axis=1))
    if not usable.any() or not alive.size:
        return
    effects = np.log(np.abs(values[np.ix_(alive, usable)] / right[usable]))
    wanted = np.log(np.abs(got[usable] / right[usable]))
    for i, j in _summing_to(effects, wanted, 1.0):
        value = values[alive[i]] * values[alive[j]]
        value = np.divide(value, right, out=np.zeros_like(right), where=right != 0)
        yield alive[i], alive[j], value


def _summing_to(effects, wanted, size):
    """Pairs of rows that sum to a vector, by what is seen of them from two random sides."""
    sides = np.random.default_rng(0).standard_normal((2, wanted.size))
    seen, target = effects @ sides.T, sides @ wanted
    far = np.abs(seen[:, None] + seen - target).max(axis=-1)
    near = far < 1e-5 * size * np.sqrt(wanted.size)
    for i, j in zip(*np.nonzero(np.triu(near, 1)), strict=True):
        yield int(i), int(j)


def pairs_of_changes(evidence, name):
    """Pairs of general changes of different kinds that give the gradient found (as above)."""
    right, got = evidence.right[name], evidence.got[name]
    plain = list(changes(right.shape, evidence.sizes))
    factors = [change for change in plain if change.kind in ("sign", "scale")]
    others = [change for change in plain if change.kind not in ("sign", "scale")]
    found = []
    for one in [*others, factors[0]]:  # the sign and a factor, too
        value = one.of(right)
        size = (value * value).sum()
        factor = (value * got).sum() / size if size else 0
        if not factor or not evidence.fits(name, factor * value):
            continue
        message = f"it is {factor:.6g} times the right one"
        plain = Change("scale", "factor", message, lambda right, factor=factor: factor * right)
        for other in [*factors, plain]:
            if one.kind != other.kind and evidence.fits(name, other.of(value)):
                found.append(((one, other), difference(got, other.of(value))))
    return found[:FOUND]
