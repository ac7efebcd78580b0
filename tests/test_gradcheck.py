"""The checker itself: every wrong backward is found and named, and no right one is called wrong."""

from dataclasses import replace

import numpy as np
import pytest
from mutants import MUTANTS, VIT_MUTANTS, broken

from tinyvit import ViTConfig, check_backward, ops, vit_backward, vit_forward
from tinyvit.examples import Example, model_example, op_examples
from tinyvit.gradcheck import Call, numerical_gradient
from tinyvit.models import MODELS
from tinyvit.params import param_shapes

EXAMPLES = op_examples()
each_example = pytest.mark.parametrize("name", EXAMPLES)


def check(example, backward=None, **options):
    backward = backward or example.backward
    return check_backward(example.forward, backward, example.args, kwargs=example.kwargs, **options)


# Every element of these is checked in test_mutants; here, random directions will do.
MANY_ELEMENTS = [name for name in EXAMPLES if name.startswith(("block", "att", "conv2d", "mlp"))]


def called_wrong(report):
    return {gradient.name for gradient in report.gradients if not gradient.ok}


def changed(example, i, change):
    """The backward, with gradient number i (of its dict, where it is one) changed."""

    def backward(dout, cache):
        grads = example.backward(dout, cache)
        many = isinstance(grads, tuple)
        grads = list(grads) if many else [grads]
        places = [(grads, k) for k, grad in enumerate(grads) if isinstance(grad, np.ndarray)]
        for grad in list(grads):
            places += [(grad, key) for key in grad] if isinstance(grad, dict) else []
        where, key = places[i]
        where[key] = change(where[key])
        return tuple(grads) if many else grads[0]

    return backward


def names_of(example):
    return [gradient.name for gradient in check(example, directions=1).gradients]


def one_element(grad):
    grad = np.array(grad)
    grad[tuple(size // 2 for size in grad.shape)] += 1e-3 * abs(grad).max()
    return grad


def one_nan(grad):
    grad = np.array(grad)
    grad.flat[-1] = np.nan
    return grad


WRONG = {
    "twice": lambda grad: 2 * grad,
    "half": lambda grad: grad / 2,
    "a millionth more": lambda grad: grad * (1 + 1e-6),
    "sign": lambda grad: -grad,
    "zero": lambda grad: 0 * grad,
    "1/B": lambda grad: grad / 2,
    "1/N": lambda grad: grad / 5,
    "shifted": lambda grad: np.roll(grad, 1),
    "one element": one_element,
    "NaN": one_nan,
    "infinite": lambda grad: grad * np.inf,
    "none": lambda grad: None,
    "an axis too many": lambda grad: np.asarray(grad)[None],
    "summed": lambda grad: grad.sum(),
    "flat": lambda grad: np.append(grad, 0.0),
}


@each_example
@pytest.mark.parametrize("mistake", WRONG)
@pytest.mark.filterwarnings("ignore:invalid value encountered in multiply")  # 0 * inf
def test_a_wrong_gradient_is_found_and_named(name, mistake):
    example, directions = EXAMPLES[name], 2 if name in MANY_ELEMENTS else None
    for i, gradient in enumerate(names_of(example)):
        report = check(example, changed(example, i, WRONG[mistake]), directions=directions)
        assert not report.ok
        assert called_wrong(report) == {gradient}


@each_example
def test_a_transposed_square_gradient_is_found(name):
    example = EXAMPLES[name]
    squares = {"softmax": ["dx"], "attention": ["dproj_weight"]}
    squares |= {key: ["attn.proj.weight"] for key in ("block", "block, post")}
    names = names_of(example)
    for gradient in squares.get(name, []):
        backward = changed(example, names.index(gradient), lambda grad: grad.swapaxes(-1, -2))
        assert called_wrong(check(example, backward, directions=3)) == {gradient}


@pytest.mark.parametrize("directions", [None, 3])
@pytest.mark.parametrize(
    "mutant", MUTANTS, ids=lambda mutant: f"{mutant.example}: {mutant.mistake}"
)
def test_mutants(mutant, directions):
    example = EXAMPLES[mutant.example]
    report = check(example, broken(example.backward, mutant), directions=directions)
    assert not report.ok
    assert called_wrong(report) == set(mutant.wrong.split())


def test_every_pair_has_mutants():
    count = {name: sum(mutant.example == name for mutant in MUTANTS) for name in EXAMPLES}
    for name in EXAMPLES:
        stem = name.partition(",")[0]
        assert sum(count[other] for other in count if other.partition(",")[0] == stem) >= 3, stem


@pytest.mark.parametrize("mutant", VIT_MUTANTS, ids=lambda mutant: mutant.mistake)
def test_mutants_of_the_whole_vit(mutant):
    example = tiny_vit(mutant.example)
    report = check(example, broken(vit_backward, mutant), directions=3)
    assert not report.ok
    assert set(mutant.wrong.split()) <= called_wrong(report)
    if mutant.mistake != "1/B":
        assert not called_wrong(report) & {"head.weight", "head.bias"}


@pytest.mark.parametrize("stem", ["patchify", "linear", "embed", "block", "layernorm"])
def test_one_broken_pair_inside_the_vit_is_found(stem):
    example = tiny_vit("token")
    mutant = next(mutant for mutant in MUTANTS if mutant.example == stem)
    name = f"{stem}_backward"
    namespace = type("Ops", (), {key: staticmethod(getattr(ops, key)) for key in ops.__all__})
    setattr(namespace, name, staticmethod(broken(getattr(ops, name), mutant)))
    report = check(replace(example, kwargs={"ops": namespace}), directions=3)
    assert not report.ok
    assert "head.bias" not in called_wrong(report) or stem == "linear"


def tiny_vit(global_pool, seed=0):
    config = ViTConfig(
        **{"img_size": 4, "patch_size": 2, "in_chans": 1, "num_classes": 3, "embed_dim": 4},
        **{"depth": 2, "num_heads": 2, "mlp_ratio": 1.25, "global_pool": global_pool},
    )
    n = np.random.default_rng(seed).standard_normal
    params = {name: 0.5 * n(shape) for name, shape in param_shapes(config).items()}
    return Example(vit_forward, vit_backward, (n((2, 1, 4, 4)), params, config))


@pytest.mark.parametrize("seed", range(20))
def test_a_right_backward_is_never_called_wrong(seed):
    for name, example in op_examples(seed).items():
        if name not in MANY_ELEMENTS or seed == 0:
            report = check(example, seed=seed)
            assert report.ok and report.error < 1e-7, f"{name}\n{report}"
        report = check(example, seed=seed, directions=2)
        assert report.ok and report.error < 1e-7, f"{name}, directions\n{report}"
    for pool in ("token", "avg"):
        report = check(tiny_vit(pool, seed), seed=seed, directions=2)
        assert report.ok, f"vit {pool}\n{report}"


@pytest.mark.parametrize("name", MODELS)
def test_whole_models_in_directions(name):
    report = check(model_example(name), directions=1)
    assert report.ok, str(report)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_size_of_the_gradients_does_not_matter(scale):
    x, weight, bias = EXAMPLES["linear"].args
    example = replace(EXAMPLES["linear"], args=(x, weight * scale, bias * scale))
    assert check(example).ok
    assert called_wrong(check(example, changed(example, 0, WRONG["one element"]))) == {"dx"}


def test_a_gradient_that_is_truly_zero_is_right():
    def forward(x):
        return np.ones(3) + 0 * x.sum(), x

    assert check_backward(forward, lambda dout, x: np.zeros_like(x), [np.ones((2, 4))]).ok
    report = check_backward(forward, lambda dout, x: np.full_like(x, 1e-3), [np.ones((2, 4))])
    assert called_wrong(report) == {"dx"}


def test_the_softmax_that_a_dout_of_ones_would_pass():
    mutant = next(m for m in MUTANTS if m.mistake == "right for a dout of ones")
    example = EXAMPLES["softmax"]
    wrong = broken(example.backward, mutant)
    out, cache = example.forward(*example.args)
    ones = np.ones_like(out)
    truth = numerical_gradient(Call(example.forward, list(example.args), {}), example.args[0], ones)
    np.testing.assert_allclose(wrong(ones, cache), truth, atol=1e-9)  # with ones it looks right
    assert called_wrong(check(example, wrong)) == {"dx"}


def test_wrong_number_of_gradients():
    example = EXAMPLES["linear"]
    report = check(example, lambda dout, cache: example.backward(dout, cache)[:2])
    assert not report.ok
    assert "backward returned 2 gradients, expected 3" in str(report)
    report = check(example, lambda dout, cache: (*example.backward(dout, cache), dout))
    assert "backward returned 4 gradients, expected 3" in str(report)


def test_a_missing_bias_may_have_its_none_or_not():
    example = EXAMPLES["linear, no bias"]
    assert check(example).ok
    assert check(example, lambda dout, cache: example.backward(dout, cache)[:2]).ok
    assert [gradient.name for gradient in check(example).gradients] == ["dx", "dweight"]


def test_order_of_gradients_swapped():
    example = EXAMPLES["layernorm"]

    def swapped(dout, cache):
        dx, dweight, dbias = example.backward(dout, cache)
        return dx, dbias, dweight

    assert called_wrong(check(example, swapped)) == {"dweight", "dbias"}


def test_report_text():
    example = EXAMPLES["linear"]
    good = str(check(example)).splitlines()
    assert good[0].split() == ["gradient", "relative", "error"]
    assert [line.split()[0] for line in good[1:]] == ["dx", "dweight", "dbias"]
    assert all(line.endswith("  ok") for line in good[1:])

    def text(i, change):
        return str(check(example, changed(example, i, change))).splitlines()[1 + i]

    assert "WRONG: at (1, 2, 6) got " in text(0, one_element)
    assert text(1, lambda grad: None).endswith("WRONG: no gradient was returned")
    assert text(2, one_nan).endswith("WRONG: it holds NaN or infinity")
    assert text(1, lambda grad: grad.T).endswith("WRONG: its shape is (12, 7), expected (7, 12)")


def test_report_says_where_and_how_much():
    example = EXAMPLES["linear"]
    report = check(example, changed(example, 2, one_element))
    wrong = report.gradients[2]
    dbias = random_dout_of(example).sum(axis=(0, 1))
    assert (wrong.name, wrong.shape, wrong.worst) == ("dbias", (7,), (3,))
    np.testing.assert_allclose(wrong.expected, dbias[3], rtol=1e-7)
    np.testing.assert_allclose(wrong.got, dbias[3] + 1e-3 * abs(dbias).max(), rtol=1e-12)
    assert report.error == wrong.error
    np.testing.assert_allclose(wrong.error, 1e-3, rtol=1e-2)


def random_dout_of(example):
    """The dout that the checker used: the one a backward is handed."""
    seen = []
    check(example, lambda dout, cache: seen.append(dout) or example.backward(dout, cache))
    return seen[0]


def test_dout_is_random_and_the_seed_makes_it():
    example = EXAMPLES["linear"]
    dout = random_dout_of(example)
    assert dout.shape == (2, 5, 7) and np.unique(dout).size == dout.size
    assert np.array_equal(dout, random_dout_of(example))


@pytest.mark.parametrize("directions", [None, 2])
@each_example
def test_inputs_are_left_as_they_were(name, directions):
    example = op_examples()[name]
    check(example, directions=directions if not name.startswith("block") else 2)
    for arg, untouched in zip(example.args, EXAMPLES[name].args, strict=True):
        if isinstance(arg, dict):
            assert all(np.array_equal(arg[key], untouched[key]) for key in arg)
        else:
            assert np.array_equal(arg, untouched)


def test_numerical_gradient_puts_each_element_back():
    x = np.random.default_rng(0).standard_normal((2, 3))
    kept = x.copy()
    gradient = numerical_gradient(Call(lambda x: (x**2, None), [x], {}), x, np.ones((2, 3)))
    np.testing.assert_allclose(gradient, 2 * kept, rtol=1e-9)
    assert np.array_equal(x, kept)


def test_outputs_that_are_windows_into_an_input():
    x = np.random.default_rng(0).standard_normal((3, 4))
    for directions in (None, 2):
        assert check_backward(
            lambda x: (x.T, None), lambda dout, _: dout.T, [x], directions=directions
        ).ok


def test_float32_arguments_are_checked_in_float64():
    example = EXAMPLES["gelu"]
    x = example.args[0].astype(np.float32)
    seen = []

    def forward(x):
        seen.append(x.dtype)
        return example.forward(x)

    assert check_backward(forward, example.backward, [x]).ok
    assert set(seen) == {np.dtype("float64")} and x.dtype == np.float32
