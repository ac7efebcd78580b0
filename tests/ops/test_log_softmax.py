"""Log-softmax: the logarithm of softmax, also where softmax is 0."""

import numpy as np
import pytest
from op_checks import assert_gradients, assert_like_pytorch, assert_like_stored, case

from tinyvit.ops import log_softmax_backward as backward
from tinyvit.ops import log_softmax_forward as forward

n = np.random.default_rng(0).standard_normal

CASES = {
    "tokens": case(n((2, 5, 4))),
    "square": case(n((3, 3))),
    "one row": case(n(6)),
    "spread": case(5 * n((3, 4))),
}


def in_pytorch(x):
    return x.log_softmax(-1)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    assert_gradients(forward, backward, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    assert_like_pytorch(forward, backward, in_pytorch, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_stored(name):
    assert_like_stored(forward, backward, f"log_softmax/{name}", CASES[name])


def test_by_hand():
    out, _ = forward(np.log([[1.0, 2.0, 5.0]]))
    np.testing.assert_allclose(out, np.log([[0.125, 0.25, 0.625]]), rtol=1e-14)


def test_the_formula():
    x = n((2, 5, 4))
    expected = x - np.log(np.exp(x).sum(axis=-1))[..., None]
    np.testing.assert_allclose(forward(x)[0], expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huge_scores(dtype):
    out, cache = forward(np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4]], dtype))
    np.testing.assert_allclose(out, [[0, -2e4, -1e4], [-np.log(3)] * 3], rtol=1e-6)
    dx = backward(np.array([[1, 2, 3], [1, 2, 3]], dtype), cache)
    np.testing.assert_allclose(dx, [[-5, 2, 3], [-1, 0, 1]], atol=1e-5)


def test_probabilities_sum_to_1_and_gradients_to_0():
    out, cache = forward(n((3, 4)))
    np.testing.assert_allclose(np.exp(out).sum(axis=-1), 1, rtol=1e-14)
    np.testing.assert_allclose(backward(n((3, 4)), cache).sum(axis=-1), 0, atol=1e-14)
