"""Dropout: a random share is set to zero, the rest grows to keep the expectation."""

import numpy as np
import pytest
from op_checks import assert_gradients, assert_like_pytorch, assert_like_stored, case

from tinyvit.ops import dropout_backward as backward
from tinyvit.ops import dropout_forward

n = np.random.default_rng(0).standard_normal
CASES = {
    "tokens": case(n((2, 5, 3)), 0.3),
    "vector": case(n(7), 0.5),
    "rate 0": case(n((3, 4)), 0.0),
}


def forward(x, drop_rate):
    """The same mask in every call."""
    return dropout_forward(x, drop_rate, np.random.default_rng(11))


def in_pytorch(x, drop_rate):
    import torch

    kept = np.random.default_rng(11).random(tuple(x.shape)) >= drop_rate
    return torch.where(torch.tensor(kept), x / (1 - drop_rate), 0.0)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    assert_gradients(forward, backward, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    assert_like_pytorch(forward, backward, in_pytorch, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_stored(name):
    assert_like_stored(forward, backward, f"dropout/{name}", CASES[name])


def test_evaluation_returns_x():
    x, dout = n((2, 5, 3)), n((2, 5, 3))
    out, cache = dropout_forward(x, 0.4)
    assert np.array_equal(out, x)
    assert np.array_equal(backward(dout, cache), dout)


def test_the_expectation_is_x():
    out, _ = dropout_forward(np.ones((200, 500)), 0.3, np.random.default_rng(0))
    assert abs(out.mean() - 1) < 0.01
    assert abs((out == 0).mean() - 0.3) < 0.01
    np.testing.assert_allclose(np.unique(out), [0, 1 / 0.7])


def test_values_are_dropped_one_by_one():
    out, _ = dropout_forward(np.ones((50, 40)), 0.5, np.random.default_rng(0))
    kept = out != 0
    assert kept.mean(axis=0).min() > 0.2 and kept.mean(axis=0).max() < 0.8
    assert kept.mean(axis=1).min() > 0.2 and kept.mean(axis=1).max() < 0.8


def test_backward_uses_the_same_mask():
    x = np.ones((20, 30))
    out, cache = dropout_forward(x, 0.3, np.random.default_rng(0))
    assert np.array_equal(backward(x, cache), out)


def test_the_seed_makes_the_mask():
    x = np.ones(100)
    first, second, other = (
        dropout_forward(x, 0.5, np.random.default_rng(seed))[0] for seed in (1, 1, 2)
    )
    assert np.array_equal(first, second) and not np.array_equal(first, other)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, float("nan")])
def test_error(rate):
    with pytest.raises(ValueError) as error:
        dropout_forward(np.ones(3), rate, np.random.default_rng(0))
    assert str(error.value) == f"drop rate {rate} is outside [0, 1): 0.1 drops a tenth"
