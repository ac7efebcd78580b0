"""Right or wrong, and what is wrong: what a student's functions gave, held against the textbook.

The checks have the order in which one would look for a mistake oneself: did it run, did it return
the right number of things, of the right shapes and types, did it leave its inputs alone, are there
NaNs, and only then: are the values right?
"""

import functools
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..diagnosis import Finding, difference, explain
from ..diagnosis.gradients import not_recognised
from ..gradcheck import only_rounded
from . import checker
from .expected import TOLERANCE, expectations
from .sandbox import described

TOLERANCE32 = 1e-4
STAGES = ("run", "number", "shape", "dtype", "modified", "finite", "value")


@dataclass(frozen=True)
class Result:
    """What was found for one quantity.

    name : "out", "dx", "dweight" ...
    task : "forward", "backward", or the function's name
    ok : whether it is right
    error : largest relative error; None where nothing could be compared
    diagnosis : short stable name of what is wrong; None if nothing is
    message : in words; also a remark on something that is right
    stage : which of STAGES failed; None if none did
    got, expected : the arrays of the first case in which the value is wrong
    """

    name: str
    task: str
    ok: bool
    error: float | None = None
    diagnosis: str | None = None
    message: str = ""
    stage: str | None = None
    got: np.ndarray | None = field(default=None, repr=False, compare=False)
    expected: np.ndarray | None = field(default=None, repr=False, compare=False)


class Trouble(NamedTuple):
    """What is wrong with one quantity in one case: the first of STAGES that failed, and why."""

    stage: str
    kind: str
    message: str


def judge(answer, ran):
    """Judge what a student's file gave.

    answer : `Answer`
    ran : `Ran`

    Returns a list of `Result`, in the order of the tasks and of what each returns.
    """
    results = []
    for task in answer.exercise.tasks:
        if task.what == "check_backward" and task.what in answer.written:
            results += _judge_checker(ran)
        elif task.what in answer.written:
            records = [case for case in ran.cases if task.what in case]
            expected = expectations(answer.exercise.stem, task.what)
            looks = [
                Look(one, record, task, ran.arrays)
                for one, record in zip(expected, records, strict=True)
            ]
            found = functools.cache(_Diagnosis(looks).of)
            results += [_result(name, looks, found) for name in looks[0].expected.right]
    return results


class Look:
    """One case of a task, looked at: what came of it, and what is wrong with it.

    expected : `Expected`
    record : what the student's process wrote down for this case
    task : `Task`
    arrays : dict key -> array, of the whole run
    """

    def __init__(self, expected, record, task, arrays):
        self.expected, self.case, self.task = expected, expected.case, task
        self.record, self._arrays = record, arrays
        self.got, self.troubles = {}, {}
        own = record[task.what]
        trouble = self._did_not_run(own) or self._wrong_number(own)
        if trouble is None:
            self._name(own["returned"])
            if own["modified"]:
                names = " and ".join(own["modified"])
                text = f"{task.function} changes {names}: inputs are to be left as they are"
                trouble = Trouble("modified", "modified_input", text)
        for name in expected.right:
            found = self._trouble(name)
            if trouble and (not found or STAGES.index(found.stage) >= STAGES.index(trouble.stage)):
                found = trouble
            if found:
                self.troubles[name] = found

    def error(self, name):
        """The relative error of a quantity, None where there is none."""
        got, right = self.got.get(name), self.expected.right[name]
        if got is None or got.shape != right.shape or not np.isfinite(got).all():
            return None
        return float(difference(np.asarray(got, np.float64), np.asarray(right, np.float64)))

    @functools.cached_property
    def evidence(self):
        """What this case gave, for the diagnosis: only what has a value to compare."""
        got = {
            name: np.asarray(self.got[name], np.float64)
            for name in self.expected.right
            if self.error(name) is not None
        }
        return self.expected.evidence(got)

    def array(self, record, name):
        """The array of a quantity in another record of this case, None where there is none."""
        items = record.get("returned", [])
        if len(items) != len(self.expected.names):
            return None
        found = _items_by_name(items, self.expected.names).get(name, {})
        return self._arrays[found["key"]] if found.get("kind") == "array" else None

    def _did_not_run(self, own):
        if "arguments" in own:
            wanted = "(dout, cache)" if self.task.what == "backward" else "what the stub takes"
            text = f"{self.task.function} takes {own['takes']}, should take {wanted}"
            return Trouble("run", "wrong_arguments", f"{text}: {own['arguments']}")
        if "error" in own:
            kind = "not_written" if own["error"]["type"] == "NotImplementedError" else "raised"
            return Trouble("run", kind, described(own["error"]))
        return None

    def _wrong_number(self, own):
        items, values = own["returned"], self.expected.values
        function = self.task.function
        if self.task.what == "forward" and "own_cache" not in own:
            what = f"{len(items)} things" if own["many"] else _kind(items[0], self._arrays)
            text = f"{function} returns {what}, should return 2: out, cache"
            return Trouble("number", "wrong_number", text)
        present = [value for value in values if value is not None]
        if len(items) not in (len(values), len(present)):
            names = ", ".join(self.expected.names)
            what = f"{len(items)} things" if own["many"] else _kind(items[0], self._arrays)
            text = f"{function} returns {what}, should return {len(values)}: {names}"
            return Trouble("number", "wrong_number", text)
        return None

    def _name(self, items):
        names, values = self.expected.names, self.expected.values
        if len(items) != len(names):
            names = [n for n, value in zip(names, values, strict=True) if value is not None]
        for name, item in _items_by_name(items, names).items():
            if item["kind"] == "array":
                self.got[name] = self._arrays[item["key"]]
            elif item["kind"] != "none":
                self.got[name] = None
                self.troubles[name] = item["type"] if item["kind"] == "other" else "a dict"

    def _trouble(self, name):
        """The first thing that is wrong with one quantity."""
        right = self.expected.right[name]
        if name not in self.got:
            return Trouble("number", "wrong_number", f"{name} is missing in what is returned")
        got = self.got[name]
        if got is None:
            kind = self.troubles.pop(name)
            return Trouble("shape", "wrong_shape", f"{name} should be an array, got {kind}")
        if got.shape != right.shape:
            return self._wrong_shape(name, got, right)
        if got.dtype != right.dtype and not (right.ndim == 0 and got.dtype == np.float64):
            text = f"{name} should be {right.dtype} as its inputs are, got {got.dtype}"
            if (right.dtype, got.dtype) == (np.float32, np.float64):
                text += ": np.zeros(shape) and NumPy's own numbers are float64"
            return Trouble("dtype", "wrong_dtype", text)
        if not np.isfinite(got).all() and np.isfinite(right).all():
            count = np.count_nonzero(~np.isfinite(got))
            first = tuple(int(i) for i in np.argwhere(~np.isfinite(got))[0])
            what = "NaN" if np.isnan(got).any() else "infinite"
            place = f" first at {first}" if got.ndim else ""
            text = f"{name} is {what} in {count} of {got.size} places,{place}".rstrip(",")
            return Trouble("finite", "not_finite", text)
        tolerance = TOLERANCE if right.dtype == np.float64 else TOLERANCE32
        if self.error(name) > tolerance and not only_rounded(got, right):
            return Trouble("value", "unknown", "")
        return None

    def _wrong_shape(self, name, got, right):
        letters = self.expected.shapes.get(name)
        expected = f"{letters} = {right.shape}" if letters else f"{right.shape}"
        text = f"{name} should be {expected}, got {got.shape}"
        if got.ndim > 1 and got.shape[::-1] == right.shape or got.T.shape == right.shape:
            values = difference(np.asarray(got.T, float), np.asarray(right, float)) < 1e-6
            text += ": transposed? (its transpose is right)" if values else ": transposed?"
            return Trouble("shape", "transposed", text)
        for other, value in self.expected.right.items():
            if other != name and difference(got, value) < TOLERANCE:
                return Trouble("shape", "swapped", f"{text}: this is {other}, look at the order")
        if got.ndim > right.ndim and got.size > right.size:
            text += ": is a sum over the leading axes missing?"
        elif got.ndim < right.ndim and got.size < right.size:
            text += ": is something summed that should stay?"
        return Trouble("shape", "wrong_shape", text)


def _result(name, looks, found):
    """What all cases together say of one quantity."""
    cases = [look for look in looks if name in look.expected.right and not look.case.probe]
    required = [look for look in cases if look.case.required]
    errors = [look.error(name) for look in required if look.error(name) is not None]
    facts = {"name": name, "task": looks[0].task.what, "error": max(errors, default=None)}
    wrong = [look for look in required if name in look.troubles]
    if not wrong:
        return Result(ok=True, message=_remark(name, cases), **facts)
    arguments = [look for look in wrong if look.troubles[name].kind == "wrong_arguments"]
    first = (arguments or wrong)[0]
    stage, kind, message = first.troubles[name]
    if stage != "value":
        where = f" ({first.case.label})" if first.case.label else ""
        return Result(ok=False, diagnosis=kind, message=f"{message}{where}", stage=stage, **facts)
    finding = _of_all_variants(name, first, wrong, looks, found)
    return Result(
        ok=False,
        diagnosis=finding.kind,
        message=finding.message,
        stage=stage,
        got=first.got[name],
        expected=first.expected.right[name],
        **facts,
    )


def _of_all_variants(name, first, wrong, looks, found):
    """The mistake in the plain case, and another one that only a variant shows."""
    said = {}
    for look in [first, *(look for look in wrong if look.troubles[name].stage == "value")]:
        if look.case.variant not in said:
            said[look.case.variant] = look, _why(name, look, looks, found)
    kinds = {}
    for look, finding in said.values():
        is_news = not kinds or finding.kind != "unknown"
        if is_news and not set(finding.kind.split("+")) <= set("+".join(kinds).split("+")):
            label = f"{look.case.label}: " if look.case.label else ""
            kinds[finding.kind] = f"{label}{finding.message}"
    return Finding("+".join(kinds), "; and ".join(kinds.values()))


def _why(name, first, looks, found):
    """The mistake behind a wrong value."""
    known = _of_the_cache(name, first) or found(first).get(name)
    if known:
        return known
    finding = not_recognised(first.evidence, name)
    vanishes = [
        look.case.label
        for look in looks
        if look.case.probe and not first.case.variant and name not in look.troubles
    ]
    if vanishes:
        text = f"{finding.message}; it is right where {' or '.join(vanishes)}"
        return Finding(finding.kind, text)
    return finding


def _of_the_cache(name, look):
    """A right backward behind a wrong forward: None where it is not that."""
    again = look.record.get("with_textbook_cache")
    value = look.array(again, name) if again else None
    if value is not None and difference(value, look.expected.right[name]) < TOLERANCE:
        text = "with the textbook's cache it is right: your forward keeps something else in it"
        return Finding("wrong_cache", text)
    if look.record.get("for_own_forward", {}).get(name):
        text = "it is the right gradient of your own forward, whose out is wrong: mend out first"
        return Finding("other_forward", text)
    return None


class _Diagnosis:
    """The explanations of all that is wrong in a case, held against the other cases."""

    def __init__(self, looks):
        self._looks = [look for look in looks if look.case.required and not look.case.probe]

    def of(self, look):
        others = [o for o in self._looks if o is not look and o.case.variant == look.case.variant]
        others += [o for o in self._looks if o is not look and o not in others]
        known = [name for name in look.troubles if _of_the_cache(name, look)]
        evidence = (one.evidence for one in others if one.troubles)
        return explain(look.evidence, *evidence, explained=known)


def _remark(name, cases):
    """What is to be said of a quantity that is right: the cases that are not required."""
    for look in cases:
        if name in look.troubles:
            stage, _, message = look.troubles[name]
            message = message or f"it is off by {look.error(name):.0e}"
            return f"right; but {look.case.label} {message.replace(f'{name} ', 'it ', 1)}"
    for look in cases:
        error = look.error(name)
        if look.case.required and error is not None and error > TOLERANCE:
            return "right to the 7 digits of float32: a part of it is computed in float32"
    return ""


def _judge_checker(ran):
    """The student's own gradient checker: does it tell right from wrong?"""
    records = [case["check_backward"] for case in ran.cases if "check_backward" in case]
    for trial, record in zip(checker.trials(), records, strict=True):
        facts = {"name": trial.name, "task": "check_backward"}
        if "arguments" in record:
            text = f"check_backward takes {record['takes']}: {record['arguments']}"
            yield Result(ok=False, diagnosis="wrong_arguments", message=text, stage="run", **facts)
        elif "error" in record:
            text = described(record["error"])
            yield Result(ok=False, diagnosis="raised", message=text, stage="run", **facts)
        elif _said(record, ran) is None:
            text = "check_backward should return True or False"
            yield Result(ok=False, diagnosis="wrong_number", message=text, stage="number", **facts)
        elif record["modified"]:
            text = "check_backward changes args: they are to be left as they are"
            kind = "modified_input"
            yield Result(ok=False, diagnosis=kind, message=text, stage="modified", **facts)
        elif _said(record, ran) != trial.right:
            text, kind = trial.message, "wrong_verdict"
            yield Result(ok=False, diagnosis=kind, message=text, stage="value", **facts)
        else:
            yield Result(ok=True, **facts)


def _said(record, ran):
    """True or False; None where something else was returned."""
    item = record["returned"][0]
    value = ran.arrays[item["key"]] if item["kind"] == "array" else None
    is_bool = value is not None and value.dtype.kind == "b" and value.ndim == 0
    return bool(value) if is_bool and len(record["returned"]) == 1 else None


def _items_by_name(items, names):
    """Give returned items their names; a dict brings its own."""
    found = {}
    for name, item in zip(names, items, strict=True):
        found |= item["items"] if item["kind"] == "dict" else {name: item}
    return found


def _kind(item, arrays):
    if item["kind"] == "array":
        return f"one array {arrays[item['key']].shape}"
    return {"none": "None", "dict": "a dict"}.get(item["kind"], item.get("type"))
