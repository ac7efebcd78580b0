"""The diagnosis: mistakes get their right names, and nothing is named without evidence."""

import numpy as np
import pytest
from catalogue import ANSWERS, LATER, answers_of, names_given, pairs, results_of, singles, stems_of
from catalogue import tally as tally_of

from tinyvit import check_backward, ops
from tinyvit.diagnosis import Evidence, diagnose_gradients, explain
from tinyvit.diagnosis.change import changes
from tinyvit.diagnosis.mistake import Mistake, with_mistakes
from tinyvit.diagnosis.pairs import pairs_of_effects
from tinyvit.diagnosis.reading import exchanged
from tinyvit.diagnosis.sizes import axis_letters, shapes_in_letters, sizes_of
from tinyvit.diagnosis.slips import slips
from tinyvit.diagnosis.subject import Subject, library, textbook_pair
from tinyvit.diagnosis.where import where_wrong
from tinyvit.exercises.heat_text import heat_text
from tinyvit.exercises.textbook import textbook_functions
from tinyvit.gradcheck import Call, taylor_slope
from tinyvit.lessons.shelf import shipped

STEMS = sorted(path.stem for path in shipped("exercises").glob("*.py"))
SIZES = {"B": 3, "N": 5, "D": 14, "h": 2, "d": 7}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def linear_args(*shape):
    return normal(*shape), normal(7, shape[-1], seed=1), normal(7, seed=2)


# ---- what is found by comparing arrays alone


def named(got, right, **more):
    """The kind that is found for one gradient; None where it is not recognised."""
    found = explain(Evidence({"dx": got}, {"dx": right}, **more))
    return found["dx"].kind if "dx" in found else None


@pytest.mark.parametrize("shape", [(3, 5, 14), (4, 4), (42,), (42, 14)])
def test_every_general_change_is_named(shape):
    right = normal(*shape)
    for change in changes(shape, SIZES):
        assert named(change.of(right), right, sizes=SIZES) == change.kind, change.name


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
def test_names_do_not_depend_on_the_size_of_numbers(scale):
    right = scale * normal(3, 5, 14)
    assert named(-right, right) == "sign"
    assert named(right / 15, right, sizes=SIZES) == "scale"
    assert named(right.mean(axis=1, keepdims=True) + 0 * right, right) == "wrong_axis"


def test_a_factor_is_named_by_the_sizes():
    right = normal(3, 5, 14)
    for factor, word in ((1 / 3, "1/B"), (1 / 15, "1/(B*N)"), (7**0.5, "sqrt(d)"), (14, "D times")):
        found = explain(Evidence({"dx": factor * right}, {"dx": right}, SIZES))["dx"]
        assert found.kind == "scale" and word in found.message, found.message
    assert "1.37 times" in explain(Evidence({"dx": 1.37 * right}, {"dx": right}))["dx"].message


def test_other_sizes_decide_between_equal_factors():
    right, other = normal(2, 5), normal(3, 5)
    one = Evidence({"dx": 2 * right}, {"dx": right}, {"B": 2})
    twice = Evidence({"dx": 2 * other}, {"dx": other}, {"B": 3})
    times_b = Evidence({"dx": 3 * other}, {"dx": other}, {"B": 3})
    assert "twice" in explain(one, twice)["dx"].message
    assert "B times" in explain(one, times_b)["dx"].message


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_not_recognised(seed):
    right = normal(3, 5, 14, seed=seed)
    for size in (1e-4, 0.1, 3.0):
        assert named(right + size * normal(3, 5, 14, seed=seed + 100), right, sizes=SIZES) is None
    almost = right / 3 * (1 + 1e-5 * normal(3, 5, 14, seed=seed + 200))
    assert named(almost, right, sizes=SIZES) is None  # nearly 1/B is not 1/B


def test_exchanged_gradients():
    a, b = normal(5), normal(5, seed=1)
    evidence = Evidence({"dweight": b, "dbias": a}, {"dweight": a, "dbias": b})
    assert {found.kind for found in explain(evidence).values()} == {"swapped"}
    one_way = Evidence({"dweight": b, "dbias": b}, {"dweight": a, "dbias": b})
    assert list(exchanged(one_way, "dweight")) == []


def test_two_general_mistakes():
    square = normal(4, 4)
    assert named(2 * square.T, square).split("+") == ["transposed", "scale"]
    assert set(named(-square / 3, square, sizes=SIZES).split("+")) == {"sign", "scale"}


def test_an_input_too_many_or_missing():
    right, weight = normal(3, 5, 4), 2 + normal(4, seed=1) ** 2
    known = {"weight": weight, "dout": normal(3, 5, 4, seed=2)}
    assert named(right * weight, right, known=known) == "wrong_factor"
    assert named(right / weight, right, known=known) == "missing_factor"
    assert named(right - known["dout"], right, known=known) == "missing_term"
    assert named(right + 2 * known["dout"], right, known=known) == "extra_term"


@pytest.mark.parametrize(
    "wrong, letters, words",
    [
        (np.s_[:, 0], ("B", "N+1", "D"), "token 0 (the class token)"),
        (np.s_[:, 1:], ("B", "N+1", "D"), "the patches' tokens"),
        (np.s_[1], ("B", "N", "D"), "image 1"),
        (np.s_[:, :, 7:], ("B", "N", "D"), "head 1 of 2"),
        (np.s_[:, [0, 4]], ("B", "N", "K"), "the borders: token 0 and 4"),
        (np.s_[0, :, 3], None, "index along axis 0 0 and index along axis 2 3"),
    ],
)
def test_where(wrong, letters, words):
    right = normal(3, 5, 14)
    got = right.copy()
    got[wrong] += 1
    text = where_wrong(got, right, letters, SIZES)
    assert words in text and text.startswith(f"wrong in {np.count_nonzero(got != right)} of 210")


def test_where_in_q_k_or_v():
    right = normal(42, 14)
    for rows, words in ((slice(14, 28), "the part of k"), (slice(35, 42), "head 1 of v")):
        got = right.copy()
        got[rows] += 1
        assert words in where_wrong(got, right, ("3D", "D"), SIZES)


def test_heat_text():
    right = np.ones((2, 3))
    got = right + np.array([[0, 0.01, 0.1], [0.5, 4, 0]])
    first, second, legend = heat_text(got, right)
    assert (first, second) == ("0  ·░░", "1  ▒█·") and "right" in legend
    assert len(heat_text(np.ones((90, 100)), np.zeros((90, 100)))) == 10


# ---- letters


def test_letters_come_from_the_docstrings():
    args = dict(zip(("x", "weight", "bias"), linear_args(3, 5, 4), strict=True))
    assert sizes_of(ops.linear_forward, args) == {"B": 3, "N": 5, "I": 4, "O": 7}
    args = {"x": normal(3, 5, 14), "num_heads": 2}
    assert sizes_of(ops.attention_forward, args) == {"B": 3, "N": 5, "D": 14, "h": 2, "d": 7}
    assert shapes_in_letters(ops.linear_backward)["dweight"] == "(O, I)"
    assert axis_letters("(..., D)", 3) == ("B", "N", "D") and axis_letters("(O, I)", 3) is None


# ---- mistakes in formulas


@pytest.mark.parametrize("stem", STEMS)
def test_every_known_mistake_has_its_place(stem):
    for what, function in textbook_functions(stem).items():
        if what == "check_backward":
            continue
        side = what.upper() if what in ("forward", "backward") else "FUNCTION"
        mistakes = library(stem, side)["mistakes"]
        assert len(mistakes) >= 3
        assert len({(one.right, one.wrong) for one in mistakes}) == len(mistakes)
        for mistake in mistakes:
            assert with_mistakes(function, (mistake,)) is not None, mistake
            assert len(mistake.message) <= 150 and not mistake.message.endswith(".")


def test_slips_are_made_by_program():
    found = {(slip.kind, slip.message) for slip in slips(ops.softmax_backward)}
    line = "in a line like: return out * (dout - s)"
    assert ("missing_term", f"the term -s is missing, {line}") in found
    assert ("missing_factor", f"the factor out is missing, {line}") in found
    assert any(kind == "wrong_axis" for kind, _ in found)
    dout, cache = normal(2, 3), (abs(normal(2, 3, seed=1)),)
    slip = next(one for one in slips(ops.softmax_backward) if "-s is missing" in one.message)
    np.testing.assert_array_equal(slip.function(dout, cache), cache[0] * dout)


# ---- check_backward


def findings(forward, backward, args, **options):
    report = check_backward(forward, backward, args, **options)
    return {g.name: g.diagnosis for g in report.gradients if not g.ok}, str(report)


def test_check_backward_names_the_term_that_is_missing():
    def backward(dout, cache):
        xhat, std, weight = cache
        dxhat = dout * weight
        dx = (dxhat - dxhat.mean(-1, keepdims=True)) / std
        return dx, (dout * xhat).sum((0, 1)), dout.sum((0, 1))

    args = normal(2, 5, 6), normal(6, seed=1), normal(6, seed=2)
    kinds, text = findings(ops.layernorm_forward, backward, args)
    assert kinds == {"dx": "missing_term"}
    assert "xhat" in text and "mean(dxhat * xhat)" in text
    assert max(map(len, text.splitlines())) <= 100


def test_check_backward_of_any_function():
    def forward(x, y):
        return np.sin(x) * y, (x, y)

    def wrong(change):
        return lambda dout, c: change(dout * np.cos(c[0]) * c[1], dout * np.sin(c[0]))

    args = normal(3, 4), normal(3, 4, seed=1)
    for change, expected in (
        (lambda dx, dy: (-dx, dy), {"dx": "sign"}),
        (lambda dx, dy: (dx, 2 * dy), {"dy": "scale"}),
        (lambda dx, dy: (dy, dx), {"dx": "swapped", "dy": "swapped"}),
        (lambda dx, dy: (dx / args[1], dy), {"dx": "missing_factor"}),
        (lambda dx, dy: (dx + np.cos(dx), dy), {"dx": "unknown"}),
    ):
        assert findings(forward, wrong(change), args)[0] == expected


def test_check_backward_where_nothing_can_be_compared():
    def backward(change):
        def changed(dout, cache):
            return change(*ops.linear_backward(dout, cache))

        return changed

    for change, expected in (
        (lambda dx, dw, db: (dx, dw.T, db), {"dweight": "transposed"}),
        (lambda dx, dw, db: (dx, dw, db[:1]), {"dbias": "wrong_shape"}),
        (lambda dx, dw, db: (dx * np.nan, dw, db), {"dx": "not_finite"}),
        (lambda dx, dw, db: (dx, None, -db), {"dweight": "wrong_number", "dbias": "sign"}),
    ):
        assert findings(ops.linear_forward, backward(change), linear_args(3, 5, 4))[0] == expected


def test_check_backward_in_directions_uses_the_textbook():
    def backward(dout, cache):
        dx, dweight, dbias = ops.linear_backward(dout, cache)
        return dx, dweight / 3, dbias

    kinds, text = findings(ops.linear_forward, backward, linear_args(3, 5, 4), directions=2)
    assert kinds == {"dweight": "scale"} and "B" in text


def test_a_right_gradient_where_the_step_is_too_coarse():
    def forward(x):
        return np.sin(1e4 * x), x

    def right(dout, x):
        return 1e4 * dout * np.cos(1e4 * x)

    x = normal(3, 5)
    report = check_backward(forward, right, [x])
    assert report.ok and "Taylor" in report.gradients[0].note
    report = check_backward(forward, lambda dout, x: right(dout, x) + 1, [x])
    assert not report.ok
    report = check_backward(forward, lambda dout, x: right(dout, x) * (1 + 1e-4), [x])
    assert not report.ok


def test_taylor_slope():
    x, dout = normal(3, 5), normal(3, 5, seed=1)
    call = Call(lambda x: (np.tanh(x), None), [x], {})
    kept = x.copy()
    gradient = dout * (1 - np.tanh(x) ** 2)
    assert taylor_slope(call, x, gradient, dout) == pytest.approx(2, abs=0.1)
    assert taylor_slope(call, x, 1.001 * gradient, dout) == pytest.approx(1, abs=0.1)
    assert np.array_equal(x, kept)
    straight = Call(lambda x: (3 * x, None), [x], {})
    assert taylor_slope(straight, x, 3 * dout, dout) == np.inf


@pytest.mark.parametrize("single", [np.float32, np.float64])
def test_right_in_float32(single):
    def backward(dout, x):
        small = x.astype("f")
        return (dout.astype("f") * np.cos(small) * np.exp(small) * np.exp(-small)).astype(single)

    report = check_backward(lambda x: (np.sin(x), x), backward, [normal(4, 50)])
    assert report.ok and "float32" in report.gradients[0].note
    wrong = check_backward(
        lambda x: (np.sin(x), x), lambda d, x: 1.0001 * backward(d, x), [normal(4, 5)]
    )
    assert not wrong.ok


def test_a_pair_that_computes_in_float32():
    def forward(x):
        return np.sin(x.astype("f")), x

    assert check_backward(forward, lambda d, x: d * np.cos(x), [normal(4, 5)]).ok
    assert not check_backward(forward, lambda d, x: 1.1 * d * np.cos(x), [normal(4, 5)]).ok


def test_diagnose_gradients_takes_the_textbooks_when_none_is_given():
    args = linear_args(3, 5, 4)
    dout = normal(3, 5, 7)
    dx, dweight, _ = ops.linear_backward(dout, ops.linear_forward(*args)[1])
    got, right = {"dx": -dx, "dweight": dweight}, {"dx": None, "dweight": None}
    found = diagnose_gradients(ops.linear_forward, args, {}, dout, got, right)
    assert {name: finding.kind for name, finding in found.items()} == {"dx": "sign"}


# ---- the catalogue of students' answers (`python tests/catalogue.py` prints its table)


@pytest.mark.parametrize("stem", stems_of())
def test_right_answers_are_right(stem):
    for name, source in answers_of(stem).RIGHT.items():
        results = results_of(source, stem)
        assert results and all(result.ok for result in results), (name, results)


@pytest.mark.parametrize("stem", stems_of())
def test_some_wrong_answers_get_their_right_name(stem):
    cases = list(singles(answers_of(stem)))[::12]
    counts = tally_of(stem, cases)
    assert not counts["missed"] and counts["named"] >= 0.7 * len(cases)


def test_the_catalogue_is_large():
    answers = [answers_of(stem, folder) for folder in (ANSWERS, LATER) for stem in stems_of(folder)]
    assert sum(len(one.WRONG) for one in answers) >= 120
    assert sum(len(one.RIGHT) for one in answers) >= 40
    assert sum(len(answers_of(stem, LATER).WRONG) for stem in stems_of(LATER)) >= 24


@pytest.mark.slow
def test_nearly_all_mistakes_get_their_right_name():
    counts = sum_of(tally_of(stem, singles(answers_of(stem))) for stem in stems_of())
    assert not counts["missed"]
    assert counts["named"] >= 0.95 * counts.total(), counts


@pytest.mark.slow
def test_most_pairs_of_mistakes_get_both_names():
    counts = sum_of(tally_of(stem, pairs(answers_of(stem), stem)) for stem in stems_of())
    assert not counts["missed"]
    assert counts["named"] >= 0.75 * counts.total(), counts


def sum_of(counters):
    first, *others = counters
    for other in others:
        first.update(other)
    return first


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("stem", ["linear", "softmax", "layernorm"])
def test_no_mutant_passes_at_any_scale_of_dout(stem, scale):
    """The forward's out is made larger, so that the checker's dout is, too, in effect."""
    forward, backward = textbook_pair(stem)
    args = {"linear": linear_args(3, 5, 4), "softmax": [normal(3, 5, 4)]}
    args["layernorm"] = [normal(3, 5, 4), normal(4, seed=1), normal(4, seed=2)]

    def scaled(*args):
        out, cache = forward(*args)
        return scale * out, cache

    assert check_backward(scaled, lambda dout, c: backward(scale * dout, c), args[stem]).ok
    for mistake in library(stem, "BACKWARD")["mistakes"]:
        wrong = with_mistakes(backward, (mistake,))
        if "given" in mistake.wrong:
            continue
        try:
            changed = differs(wrong, backward, forward(*args[stem]))
        except (ValueError, TypeError, IndexError):
            continue  # a mistake for square shapes only
        if changed:
            report = check_backward(scaled, lambda d, c, f=wrong: f(scale * d, c), args[stem])
            assert not report.ok, mistake


def differs(wrong, right, forward_result):
    out, cache = forward_result
    dout = normal(*out.shape, seed=3)
    with np.errstate(all="ignore"):
        pairs_ = zip(listed(wrong(dout, cache)), listed(right(dout, cache)), strict=True)
        return any(a.shape != b.shape or abs(a - b).max() > 1e-5 * abs(b).max() for a, b in pairs_)


def listed(grads):
    return grads if isinstance(grads, tuple) else [grads]


def test_names_given_splits_pairs():
    source = answers_of("softmax").RIGHT
    results = results_of(next(iter(source.values())), "softmax")
    assert names_given(results) == set()


# ---- how an explanation is chosen


def toy(dout, x):
    """Two gradients of a toy."""
    common = dout * x * (1 + x * x)
    return common + dout, common * x


def toy_evidence(got):
    dout, x = normal(4, 5), 1 + normal(4, 5, seed=1) ** 2

    def named_pair(returned):
        return dict(zip(("da", "db"), returned, strict=True))

    mistakes = (
        Mistake("missing_term", "common + dout", "common", "dout is missing"),
        Mistake("wrong_factor", "common + dout", "2 * common + dout", "twice"),
        Mistake("missing_factor", "* (1 + x * x)", "", "the last factor is missing"),
        Mistake("wrong_constant", "dout * x *", "2 * dout * x *", "2 too many"),
        Mistake("sign", "common * x", "-common * x", "the sign"),
    )
    subject = Subject(toy, lambda: ((dout, x), {}), named_pair, mistakes)
    right = named_pair(toy(dout, x))
    return Evidence(got(dout, x, right), right, subject=subject)


def test_what_explains_both_gradients_comes_first():
    def twice_common(dout, x, right):
        return {"da": 2 * right["da"] - dout, "db": 2 * right["db"]}

    found = explain(toy_evidence(twice_common))
    assert {finding.kind for finding in found.values()} == {"wrong_constant"}


def test_what_would_make_a_right_gradient_wrong_comes_last():
    def only_one(dout, x, right):
        return {"da": 2 * right["da"] - dout, "db": right["db"]}

    found = explain(toy_evidence(only_one))
    assert {name: finding.kind for name, finding in found.items()} == {"da": "wrong_factor"}


def test_effects_of_two_mistakes_add_up_or_multiply():
    def missing_and_sign(dout, x, right):
        return {"da": dout * x, "db": -right["db"] / (1 + x * x)}

    evidence = toy_evidence(missing_and_sign)
    pairs_found = pairs_of_effects(evidence, "db", evidence.subject.mistakes)
    kinds = {tuple(sorted(one.kind for one in pair)) for pair, _ in pairs_found}
    assert ("missing_factor", "sign") in kinds
    assert set(explain(evidence)["db"].kind.split("+")) == {"missing_factor", "sign"}


def test_an_explanation_must_be_much_nearer_than_the_right_gradient():
    right = normal(3, 4)
    evidence = Evidence({"dx": right * (1 + 5e-7)}, {"dx": right})
    assert evidence.wrong == ["dx"]
    assert not evidence.fits("dx", right * (1 + 3e-7))
    assert evidence.fits("dx", right * (1 + 5e-7))


def test_two_variants_with_a_mistake_each():
    source = """
from math import erf, pi, sqrt

import numpy as np

def gelu_backward(dout, cache):
    x, gate, approximate = cache
    if approximate == "none":
        return dout * gate
    du = sqrt(2 / pi) * (1 + 0.044715 * x * x)
    return dout * (gate + x * 2 * gate * (1 - gate) * du)
"""
    (found,) = results_of(source, "gelu")
    assert set(found.diagnosis.split("+")) == {"missing_term", "wrong_constant"}
    assert 'with approximate="tanh"' in found.message


def test_what_other_sizes_speak_against_is_not_said():
    right, other = normal(2, 5), normal(3, 5)
    one = Evidence({"dx": 2 * right}, {"dx": right}, {"B": 2})
    against = Evidence({"dx": other**3}, {"dx": other}, {"B": 3})
    assert explain(one)["dx"].kind == "scale"
    found = explain(one, against).get("dx")
    assert found is None or "B times" not in found.message and "twice" not in found.message
