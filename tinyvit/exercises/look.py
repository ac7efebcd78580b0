"""One call of a student's function, looked at.

The checks have the order in which one would look for a mistake oneself: did it run, did it return
the right number of things, of the right shapes and types, did it leave its inputs alone, are there
NaNs, and only then: are the values right?
"""

import functools
from typing import NamedTuple

import numpy as np

from ..diagnosis import difference
from ..gradcheck import only_rounded
from .expected import TOLERANCE
from .sandbox import described

TOLERANCE32 = 1e-4
STAGES = ("run", "number", "shape", "dtype", "modified", "finite", "value")


class Trouble(NamedTuple):
    """What is wrong with one quantity in one case: the first of STAGES that failed, and why."""

    stage: str
    kind: str
    message: str


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
        self.got, self.troubles, self._no_arrays = {}, {}, {}
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
        present = [value for value in values if value is not None]
        if self.task.what == "forward":
            right, wanted = "own_cache" in own, "2: out, cache"
        else:
            right = len(items) in (len(values), len(present))
            wanted = f"{len(values)}: {', '.join(self.expected.names)}"
        if right:
            return None
        what = f"{len(items)} things" if own["many"] else _kind(items[0], self._arrays)
        text = f"{self.task.function} returns {what}, should return {wanted}"
        return Trouble("number", "wrong_number", text)

    def _name(self, items):
        names, values = self.expected.names, self.expected.values
        if len(items) != len(names):
            names = [n for n, value in zip(names, values, strict=True) if value is not None]
        for name, item in _items_by_name(items, names).items():
            if item["kind"] == "array":
                self.got[name] = self._arrays[item["key"]]
            elif item["kind"] != "none":
                self._no_arrays[name] = _kind(item, self._arrays)

    def _trouble(self, name):
        """The first thing that is wrong with one quantity."""
        right = self.expected.right[name]
        if name in self._no_arrays:
            text = f"{name} should be an array, got {self._no_arrays[name]}"
            return Trouble("shape", "wrong_shape", text)
        if name not in self.got:
            return Trouble("number", "wrong_number", f"{name} is missing in what is returned")
        got = self.got[name]
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
        if got.ndim > 1 and got.shape[::-1] == right.shape:
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
