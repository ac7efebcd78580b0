"""GELU: the exact one and the tanh form, each with its own derivative."""

from math import erf, exp, pi, sqrt, tanh

import numpy as np
import pytest
from op_checks import assert_gradients, assert_like_pytorch, assert_like_stored, case

from tinyvit.ops import gelu_backward as backward
from tinyvit.ops import gelu_forward as forward

n = np.random.default_rng(0).standard_normal
CASES = {
    "exact": case(2 * n((3, 5))),
    "tanh": case(2 * n((2, 3, 4)), "tanh"),
    "vector": case(n(7), approximate="none"),
}


def in_pytorch(x, approximate="none"):
    from torch.nn.functional import gelu

    return gelu(x, approximate=approximate)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    assert_gradients(forward, backward, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    assert_like_pytorch(forward, backward, in_pytorch, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_stored(name):
    assert_like_stored(forward, backward, f"gelu/{name}", CASES[name])


def test_exact_by_the_formula():
    x = np.linspace(-4, 4, 17)
    out, cache = forward(x)
    np.testing.assert_allclose(out, [v * (1 + erf(v / sqrt(2))) / 2 for v in x], atol=1e-15)
    slope = [(1 + erf(v / sqrt(2))) / 2 + v * exp(-v * v / 2) / sqrt(2 * pi) for v in x]
    np.testing.assert_allclose(backward(np.ones(17), cache), slope, atol=1e-15)


def test_tanh_by_the_formula():
    x = np.linspace(-4, 4, 17)
    expected = [v * (1 + tanh(sqrt(2 / pi) * (v + 0.044715 * v**3))) / 2 for v in x]
    np.testing.assert_allclose(forward(x, "tanh")[0], expected, atol=1e-15)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_far_out_it_is_relu(approximate, dtype):
    x = np.array([-1e4, -50, -12, 0, 12, 50, 1e4], dtype)
    out, cache = forward(x, approximate)
    np.testing.assert_allclose(out, np.maximum(x, 0), atol=1e-5)
    slopes = backward(np.ones_like(x), cache)
    np.testing.assert_allclose(slopes, [0, 0, 0, 0.5, 1, 1, 1], atol=1e-5)


def test_the_two_differ_by_as_much_as_the_docstring_says():
    x = np.linspace(-6, 6, 4001)
    difference = abs(forward(x)[0] - forward(x, "tanh")[0])
    assert 4.725e-4 < difference.max() < 4.735e-4
    assert abs(abs(x[difference.argmax()]) - 2.7) < 0.05


def test_known_values():
    out, _ = forward(np.array([-1.0, 0.0, 1.0, 2.0]))
    np.testing.assert_allclose(out, [-0.158655254, 0, 0.841344746, 1.954499736], atol=5e-10)


def test_error():
    with pytest.raises(ValueError, match='approximate=\'fast\' is not known: use "none" or "tanh"'):
        forward(np.zeros(3), "fast")
