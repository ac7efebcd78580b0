"""LayerNorm: mean 0 and variance 1 for every token."""

import numpy as np
import pytest
from op_checks import assert_gradients, assert_like_pytorch, assert_like_stored, case

from tinyvit.ops import layernorm_backward as backward
from tinyvit.ops import layernorm_forward as forward

n = np.random.default_rng(0).standard_normal

CASES = {
    "tokens": case(n((2, 5, 3)), n(3), n(3)),
    "one row": case(n(4), n(4), n(4)),
    "far from 0": case(7 + 3 * n((3, 2, 5)), n(5), n(5)),
    "another eps": case(0.1 * n((4, 3)), n(3), n(3), eps=0.01),
    "two features": case(n((3, 2)), n(2), n(2), 0.5),
}


def in_pytorch(x, weight, bias, eps=1e-6):
    from torch.nn.functional import layer_norm

    return layer_norm(x, weight.shape, weight, bias, eps)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    assert_gradients(forward, backward, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    assert_like_pytorch(forward, backward, in_pytorch, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_stored(name):
    assert_like_stored(forward, backward, f"layernorm/{name}", CASES[name])


def test_by_hand():
    x, weight, bias = np.array([[1.0, 2, 3, 6]]), np.array([1.0, 1, 1, 2]), np.array([0.0, 0, 5, 0])
    out, _ = forward(x, weight, bias, eps=0.0)  # mean 3, variance (4 + 1 + 0 + 9) / 4 = 3.5
    np.testing.assert_allclose(out, [[-2 / 3.5**0.5, -1 / 3.5**0.5, 5, 6 / 3.5**0.5]], rtol=1e-14)


def test_every_token_gets_mean_0_and_variance_1():
    out, _ = forward(100 + 20 * n((2, 5, 64)), np.ones(64), np.zeros(64))
    np.testing.assert_allclose(out.mean(axis=-1), 0, atol=1e-13)
    np.testing.assert_allclose(out.var(axis=-1), 1, rtol=1e-7)


def test_constant_rows_give_the_bias_and_finite_gradients():
    x, weight, bias = np.full((2, 3, 4), 7.0), n(4), n(4)
    out, cache = forward(x, weight, bias)
    assert np.array_equal(out, np.broadcast_to(bias, x.shape))
    dx, dweight, dbias = backward(n(x.shape), cache)
    assert np.isfinite(dx).all() and np.isfinite(dbias).all()
    assert np.array_equal(dweight, np.zeros(4))


def test_a_shift_of_x_changes_nothing_and_has_no_gradient():
    x, weight, bias = n((3, 5)), n(5), n(5)
    out, cache = forward(x, weight, bias)
    np.testing.assert_allclose(forward(x + 10, weight, bias)[0], out, atol=1e-11)
    np.testing.assert_allclose(backward(n((3, 5)), cache)[0].sum(axis=-1), 0, atol=1e-12)


def test_float32_with_a_large_mean():
    x = n((4, 64))
    exact, _ = forward(x, np.ones(64), np.zeros(64))
    shifted = (x + 300).astype(np.float32)
    out, _ = forward(shifted, np.ones(64, np.float32), np.zeros(64, np.float32))
    np.testing.assert_allclose(out, exact, atol=2e-4)
