"""Right or wrong, and what is wrong: what a student's functions gave, held against the textbook."""

import functools
from dataclasses import dataclass, field

import numpy as np

from ..diagnosis import Finding, difference, explain
from ..diagnosis.gradients import not_recognised
from . import checker
from .expected import TOLERANCE, expectations
from .look import Look
from .sandbox import described


@dataclass(frozen=True)
class Result:
    """What was found for one quantity.

    name : "out", "dx", "dweight" ...
    task : "forward", "backward", or the function's name
    ok : whether it is right
    error : largest relative error; None where nothing could be compared
    diagnosis : short stable name of what is wrong; None if nothing is
    message : in words; also a remark on something that is right
    evidence : what the message rests on, if that is not in it
    stage : which of STAGES failed; None if none did
    got, expected : the arrays of the first case in which the value is wrong
    """

    name: str
    task: str
    ok: bool
    error: float | None = None
    diagnosis: str | None = None
    message: str = ""
    evidence: str = ""
    stage: str | None = None
    got: np.ndarray | None = field(default=None, repr=False, compare=False)
    expected: np.ndarray | None = field(default=None, repr=False, compare=False)

    @property
    def about(self):
        """The message without the name that it begins with."""
        named = self.message.startswith(f"{self.name} ")
        return self.message[len(self.name) :] if named else self.message

    def said(self, names=None):
        """The message after the name that it is about, or after several that share it."""
        if self.name == "file":
            return self.message
        joint = "" if self.about.startswith(" ") else ": "
        return f"{names or self.name}{joint}{self.about}"


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
        evidence=finding.evidence,
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
    kinds, evidence = {}, {}
    for look, finding in said.values():
        is_news = not kinds or finding.kind != "unknown"
        if is_news and not set(finding.kind.split("+")) <= set("+".join(kinds).split("+")):
            label = f"{look.case.label}: " if look.case.label else ""
            kinds[finding.kind] = f"{label}{finding.message}"
            evidence[finding.evidence] = None
    return Finding(
        "+".join(kinds), "; and ".join(kinds.values()), "; ".join(filter(None, evidence))
    )


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
