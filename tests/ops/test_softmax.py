"""Softmax: positive rows that sum to 1, whatever the scores."""

import numpy as np
import pytest
from op_checks import assert_gradients, assert_like_pytorch, assert_like_stored, case

from tinyvit.ops import softmax_backward as backward
from tinyvit.ops import softmax_forward as forward

n = np.random.default_rng(0).standard_normal

CASES = {
    "attention": case(n((2, 3, 5, 4))),
    "square": case(n((2, 5, 5))),
    "one row": case(n(6)),
    "spread": case(5 * n((3, 4))),
}


def in_pytorch(x):
    return x.softmax(-1)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    assert_gradients(forward, backward, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    assert_like_pytorch(forward, backward, in_pytorch, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_stored(name):
    assert_like_stored(forward, backward, f"softmax/{name}", CASES[name])


def test_by_hand():
    out, _ = forward(np.log([[1.0, 2.0, 5.0], [4.0, 4.0, 8.0]]))
    np.testing.assert_allclose(out, [[0.125, 0.25, 0.625], [0.25, 0.25, 0.5]], rtol=1e-14)


def test_the_formula():
    x = n((2, 3, 5, 4))
    expected = np.exp(x) / np.exp(x).sum(axis=-1)[..., None]
    np.testing.assert_allclose(forward(x)[0], expected, rtol=1e-13)


def test_by_its_jacobian():
    out, cache = forward(n((5,)))
    dout = n((5,))
    jacobian = np.diag(out) - np.outer(out, out)
    np.testing.assert_allclose(backward(dout, cache), jacobian @ dout, rtol=1e-12, atol=1e-14)


def test_rows_sum_to_1_and_gradients_to_0():
    out, cache = forward(n((2, 3, 5, 4)))
    np.testing.assert_allclose(out.sum(axis=-1), 1, rtol=1e-14)
    np.testing.assert_allclose(backward(n(out.shape), cache).sum(axis=-1), 0, atol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huge_scores(dtype):
    x = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [1e4, 1e4, 0], [1e30, 0, -1e30]], dtype)
    out, cache = forward(x)
    third, half = 1 / 3, 1 / 2
    expected = [[1, 0, 0], [third, third, third], [half, half, 0], [1, 0, 0]]
    np.testing.assert_allclose(out, expected, rtol=1e-6)
    assert np.isfinite(backward(np.ones_like(out), cache)).all()


def test_a_common_shift_changes_nothing():
    x = n((3, 4))
    np.testing.assert_allclose(forward(x + 50)[0], forward(x)[0], rtol=1e-12)
