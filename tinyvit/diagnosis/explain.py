"""The search for the mistake that gives just the numbers that were found."""

import warnings
from dataclasses import dataclass
from itertools import chain

import numpy as np

from .change import changes
from .evidence import difference
from .pairs import pairs_of_changes, pairs_of_effects
from .reading import exchanged, factor_or_part, with_known

COMPARED = 2  # calls of other sizes that an explanation is held against
MOST_PAIRS = 500  # pairs of mistakes that are made together
MANY = 20_000  # numbers in all gradients up to which pairs are tried


@dataclass(frozen=True)
class Finding:
    """What is wrong with one gradient.

    kind : short stable name: "missing_term"; two mistakes are joined by "+"
    message : for a student
    evidence : what it rests on, if that is not in the message
    """

    kind: str
    message: str
    evidence: str = ""


@dataclass(frozen=True)
class Explanation:
    """Mistakes in the textbook's formula, then a general change; each may be missing."""

    mistakes: tuple = ()
    change: object = None

    def value(self, evidence, name):
        """What it gives for a gradient; None where it cannot be."""
        right = evidence.right
        value = (evidence.subject.values(*self.mistakes) if self.mistakes else right).get(name)
        if value is None or self.change is None:
            return value
        for change in changes(value.shape, evidence.sizes):
            if change.name == self.change.name:
                return change.of(value)
        return None

    def finding(self, evidence, name):
        """As a `Finding`."""
        parts = (*self.mistakes, *([self.change] if self.change else []))
        agreement = difference(evidence.got[name], self.value(evidence, name))
        return joined(parts, agreement)


def joined(parts, agreement):
    """The `Finding` of one mistake, or of two at once.

    parts : each with kind and message
    agreement : relative difference between what they give and what was found
    """
    kinds = dict.fromkeys(part.kind for part in parts)
    messages = [part.message for part in parts]
    message = messages[0] if len(messages) == 1 else f"two mistakes: {'; and '.join(messages)}"
    numbers = f"your numbers to {agreement:.0e}" if agreement else "exactly your numbers"
    return Finding("+".join(kinds), message, f"so changed, the textbook gives {numbers}")


def explain(first, *others, explained=()):
    """Find the mistake behind each wrong gradient.

    first : the `Evidence` that is searched
    others : evidence of other sizes, against which what was found is held
    explained : names of gradients whose mistake is known already

    Returns dict name -> `Finding` for the gradients whose mistake was recognised: those whose
    numbers an explanation gives to 1e-6, while the right ones are at least ten times as far away.
    """
    found = {}
    for stage in STAGES:
        missing = [name for name in first.wrong if name not in found and name not in explained]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a wrong formula divides by
            possible = stage(first, missing) if missing else {}
        for name, explanations in possible.items():
            best = _supported(explanations, name, others)
            if best:
                is_explained = isinstance(best, Explanation)
                found[name] = best.finding(first, name) if is_explained else best
    return found


def _exchanged(evidence, names):
    return {name: [Finding(*one) for one in exchanged(evidence, name)] for name in names}


def _known_mistakes(evidence, names):
    return _in_formula(evidence, names, _subject(evidence, "mistakes"))


def _general_changes(evidence, names):
    found = {}
    for name in names:
        right = evidence.right[name]
        found[name] = [
            Explanation(change=change)
            for change in changes(right.shape, evidence.sizes)
            if evidence.fits(name, change.of(right))
        ] or [Finding(*one) for one in factor_or_part(evidence, name)]
    return found


def _slips_of_the_pen(evidence, names):
    return _in_formula(evidence, names, _subject(evidence, "slips"))


def _wrong_inputs(evidence, names):
    return _in_formula(evidence, names, _subject(evidence, "wrong_inputs"))


def _known_arrays(evidence, names):
    return {name: [Finding(*one) for one in with_known(evidence, name)] for name in names}


def _doubtful_mistakes(evidence, names):
    """Mistakes that would make wrong what is right: made in one place only, or made good again."""
    sources = "mistakes", "slips", "wrong_inputs"
    mistakes = chain.from_iterable(_subject(evidence, source) for source in sources)
    return _in_formula(evidence, names, mistakes, consistent=False)


def _before_it(evidence, names):
    """The right formula, with what a wrong forward gives it."""
    return _in_formula(evidence, names, _subject(evidence, "before"))


def _in_formula(evidence, names, mistakes, consistent=True):
    """The mistakes that give each gradient, those that explain the most gradients first."""
    fitting = []
    for mistake in mistakes:
        values = evidence.subject.values(mistake)
        explained = [name for name in names if name in values and evidence.fits(name, values[name])]
        if explained and evidence.leaves_right(values) == consistent:
            fitting.append((explained, Explanation((mistake,))))
    fitting.sort(key=lambda pair: -len(pair[0]))
    return {name: [one for explained, one in fitting if name in explained] for name in names}


def _mistake_and_change(evidence, names):
    """A mistake of the formula and a general one."""
    found = {name: [] for name in names}
    sources = "mistakes", "slips", "wrong_inputs", "before"
    for mistake in chain.from_iterable(_subject(evidence, source) for source in sources):
        for name, value in evidence.subject.values(mistake).items():
            if name in names and value.shape == evidence.right[name].shape:
                for change in _changes_to(evidence.got[name], value, evidence.sizes):
                    explanation = Explanation((mistake,), change)
                    if evidence.fits(name, explanation.value(evidence, name)):
                        found[name].append(explanation)
    return found


def _changes_to(got, value, sizes):
    """The general changes that may lead from a value to the one found.

    What moves numbers keeps their length, and a factor keeps their direction: the others need not
    be tried.
    """
    product, length, wanted = (got * value).sum(), (value * value).sum(), (got * got).sum()
    if abs(product * product - length * wanted) < 1e-4 * length * wanted:
        return [one for one in changes(value.shape, sizes) if one.kind in ("sign", "scale")]
    if abs(length - wanted) < 1e-4 * wanted:
        return [one for one in changes(value.shape, sizes) if one.kind not in ("sign", "scale")]
    return []


def _two_effects(evidence, names):
    """Two mistakes whose effects add up, or multiply."""
    mistakes = [
        mistake
        for source in ("mistakes", "slips", "wrong_inputs")
        for mistake in _subject(evidence, source)
        if _may_be(evidence, mistake)
    ]
    found = {}
    for name in names:
        pairs = pairs_of_effects(evidence, name, mistakes) or pairs_of_changes(evidence, name)
        found[name] = [joined(pair, agreement) for pair, agreement in pairs]
    return found


def _two_mistakes(evidence, names):
    """Two mistakes made together: known ones, slips, one in the forward, a wrong input."""
    found = {name: [] for name in names}
    if sum(value.size for value in evidence.right.values()) > MANY:
        return found
    known, inputs, slips, before = (
        [one for one in _subject(evidence, source) if _may_be(evidence, one)]
        for source in ("mistakes", "wrong_inputs", "plain_slips", "before")
    )
    pairs = [*_combined(known, known), *_combined(slips, slips)]
    pairs += [*_combined(before, known), *_combined(inputs, known)]
    for pair in pairs:
        explanation = Explanation(pair)
        for name in names:
            value = explanation.value(evidence, name)
            if value is not None and evidence.fits(name, value):
                found[name].append(explanation)
    return found


def _combined(some, others):
    """Pairs, those from the fronts of both lists first."""
    places = [(i, j) for j in range(len(others)) for i in range(j if some is others else len(some))]
    return [(some[i], others[j]) for i, j in sorted(places, key=sum)[:MOST_PAIRS]]


def _may_be(evidence, mistake):
    return evidence.leaves_right(evidence.subject.values(mistake))


def _subject(evidence, source):
    return getattr(evidence.subject, source) if evidence.subject else ()


def _supported(explanations, name, others):
    """The first explanation that the other sizes do not speak against; None if there is none."""
    others = [evidence for evidence in others if name in evidence.wrong][:COMPARED]
    for explanation in explanations:
        if not isinstance(explanation, Explanation):
            return explanation
        values = [(evidence, explanation.value(evidence, name)) for evidence in others]
        if all(value is not None and e.fits(name, value) for e, value in values):
            return explanation
    return None


STAGES = (
    *(_exchanged, _known_mistakes, _general_changes, _slips_of_the_pen, _wrong_inputs),
    *(_known_arrays, _doubtful_mistakes, _before_it, _mistake_and_change, _two_effects),
    _two_mistakes,
)
