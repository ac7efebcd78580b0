"""ReLU: the positive values, and their gradients, pass."""

import numpy as np
import pytest
from op_checks import assert_gradients, assert_like_pytorch, assert_like_stored, case

from tinyvit.ops import relu_backward as backward
from tinyvit.ops import relu_forward as forward

n = np.random.default_rng(0).standard_normal

CASES = {
    "tokens": case(n((2, 5, 3))),
    "images": case(n((2, 3, 4, 5))),
    "vector": case(n(7)),
}


def in_pytorch(x):
    return x.relu()


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    assert_gradients(forward, backward, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    assert_like_pytorch(forward, backward, in_pytorch, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_stored(name):
    assert_like_stored(forward, backward, f"relu/{name}", CASES[name])


def test_by_hand():
    out, cache = forward(np.array([-2.0, -0.0, 0.0, 1e-300, 3.0]))
    assert out.tolist() == [0, 0, 0, 1e-300, 3]
    assert backward(np.array([1.0, 2, 3, 4, 5]), cache).tolist() == [0, 0, 0, 4, 5]


def test_infinity():
    out, _ = forward(np.array([-np.inf, np.inf]))
    assert out.tolist() == [0, np.inf]
