"""The catalogue of students' answers, run: how many mistakes are found, and named rightly?

`python tests/catalogue.py [FOLDER]` prints a table; FOLDER is answers, or answers/later for those
that were written after the diagnosis was finished.
"""

import importlib.util
import random
import sys
import tempfile
import warnings
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np

from tinyvit.exercises.inside import Recorder, answers_to
from tinyvit.exercises.judge import judge
from tinyvit.exercises.reading import read_answer
from tinyvit.exercises.sandbox import Ran

ANSWERS = Path(__file__).parent / "answers"
LATER = ANSWERS / "later"
PAIRS = 20  # pairs of mistakes a stem


def answers_of(stem, folder=ANSWERS):
    """The module with RIGHT and WRONG of a stem."""
    spec = importlib.util.spec_from_file_location(f"answers_{stem}", folder / f"{stem}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stems_of(folder=ANSWERS):
    """The stems that have answers."""
    return sorted(path.stem for path in folder.glob("[a-z]*.py"))


def results_of(source, stem):
    """What is found in a student's answer, run in this process."""
    return judge(*run_of(source, stem))


def run_of(source, stem):
    """A student's answer, run in this process: the `Answer` and what it gave."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "answer.py")
        path.write_text(source, "utf-8")
        answer = read_answer(path, stem)
        recorder = Recorder(str(answer.path))
        question = {
            "path": str(answer.path),
            "stem": answer.exercise.stem,
            "functions": answer.written,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answers = recorder.calling(answers_to, question, recorder)
        return answer, Ran(answers["cases"], recorder.arrays, "")


def names_given(results):
    """Every kind of mistake that was named, those of pairs one by one."""
    return {kind for result in results if not result.ok for kind in result.diagnosis.split("+")}


def singles(answers):
    """The wrong answers: what is wrong, the right names for it, and the source."""
    for base, what, kinds, old, new in answers.WRONG:
        source = answers.RIGHT[base]
        assert source.count(old) == 1, f"{base}, {what}: {old!r} occurs {source.count(old)} times"
        yield what, [kinds.split()], source.replace(old, new)


def pairs(answers, stem, count=PAIRS):
    """Pairs of mistakes in the same base, drawn by chance, of which both show (as above)."""
    possible = []
    for one, other in combinations(answers.WRONG, 2):
        right = answers.RIGHT[one[0]]
        alone = right.replace(one[3], one[4]), right.replace(other[3], other[4])
        if one[0] == other[0] and one[3] != other[3] and alone[0].count(other[3]) == 1:
            both = alone[0].replace(other[3], other[4])
            kinds = [one[2].split(), other[2].split()]
            possible.append((f"{one[1]}; {other[1]}", kinds, both, (right, *alone)))
    random.Random(0).shuffle(possible)
    found = 0
    for what, kinds, both, others in possible:
        if found == count:
            return
        numbers = run_of(both, stem)[1].arrays
        if not any(same_numbers(numbers, run_of(one, stem)[1].arrays) for one in others):
            found += 1
            yield what, kinds, both


def same_numbers(one, other):
    """Whether two runs gave the same: then one of two mistakes hides the other."""
    return one.keys() == other.keys() and all(
        one[key].shape == other[key].shape and np.allclose(one[key], other[key], 1e-9, 1e-12)
        for key in one
    )


def tally(stem, cases):
    """Count what became of wrong answers: Counter of "named", "unknown", "misnamed", "missed"."""
    found = Counter()
    for what, kinds, source in cases:
        results = results_of(source, stem)
        given = names_given(results)
        if not given:
            verdict = "missed"
        elif all(given & set(right) for right in kinds):
            verdict = "named"
        else:
            verdict = "unknown" if given == {"unknown"} else "misnamed"
        found[verdict] += 1
        if "-v" in sys.argv and verdict != "named":
            print(f"{verdict}: {stem}: {what}: {given}, should be {kinds}")
    return found


def main(folder):
    """Print the table."""
    print(f"{'':14}{'single':>8}{'named':>8}{'missed':>8}{'pairs':>8}{'named':>8}{'missed':>8}")
    totals = Counter(), Counter()
    for stem in stems_of(folder):
        answers = answers_of(stem, folder)
        counts = tally(stem, singles(answers)), tally(stem, pairs(answers, stem))
        _print(stem, counts)
        for total, count in zip(totals, counts, strict=True):
            total.update(count)
    _print("all", totals)
    for what, total in zip(("single mistakes", "pairs"), totals, strict=True):
        print(f"{what}: {total['named'] / total.total():.1%} named rightly")


def _print(stem, counts):
    numbers = [(c.total(), c["named"], c["missed"]) for c in counts]
    print(
        f"{stem:14}" + "".join(f"{number:8}" for three in numbers for number in three), flush=True
    )


if __name__ == "__main__":
    named = [word for word in sys.argv[1:] if word != "-v"]
    main(Path(named[0]) if named else ANSWERS)
