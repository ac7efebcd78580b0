"""Max pooling: the largest of each square, and the gradient only to it."""

import numpy as np
import pytest
from op_checks import assert_gradients, assert_like_pytorch, assert_like_stored, case

from tinyvit.ops import maxpool2d_backward as backward
from tinyvit.ops import maxpool2d_forward as forward

n = np.random.default_rng(0).standard_normal

CASES = {
    "even": case(n((2, 3, 4, 6)), 2),
    "odd": case(n((2, 3, 5, 7)), 2),
    "threes": case(n((1, 2, 7, 9)), 3),
    "one square": case(n((3, 1, 3, 3)), 3),
    "single pixels": case(n((2, 1, 2, 3)), 1),
}


def in_pytorch(x, size):
    from torch.nn.functional import max_pool2d

    return max_pool2d(x, size)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    assert_gradients(forward, backward, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    assert_like_pytorch(forward, backward, in_pytorch, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_stored(name):
    assert_like_stored(forward, backward, f"maxpool2d/{name}", CASES[name])


def test_by_hand():
    x = np.array([[[[1.0, 5, 2, 0, 9], [3, 4, 1, 7, 9], [9, 9, 9, 9, 9]]]])
    out, cache = forward(x, 2)
    assert out.tolist() == [[[[5, 7]]]]  # the last row and the last column fill no square
    dx = backward(np.array([[[[10.0, 20.0]]]]), cache)
    assert dx.tolist() == [[[[0, 10, 0, 0, 0], [0, 0, 0, 20, 0], [0, 0, 0, 0, 0]]]]


def test_of_equal_values_the_first_wins():
    x = np.array([[[[1.0, 3.0], [3.0, 3.0]]], [[[0.0, 0.0], [0.0, 0.0]]]])
    _, cache = forward(x, 2)
    dx = backward(np.ones((2, 1, 1, 1)), cache)
    assert dx.tolist() == [[[[0, 1], [0, 0]]], [[[1, 0], [0, 0]]]]


def test_ties_as_in_pytorch():
    x = np.random.default_rng(0).integers(0, 3, (3, 2, 7, 6)).astype(float)
    assert_like_pytorch(forward, backward, in_pytorch, case(x, 2))
    assert_like_pytorch(forward, backward, in_pytorch, case(x, 3))


def test_negative_values():
    assert forward(np.full((1, 1, 2, 2), -7.0), 2)[0].item() == -7


def test_error():
    with pytest.raises(ValueError) as error:
        forward(n((1, 1, 5, 2)), 3)
    assert str(error.value) == "a pooling square 3x3 does not fit in 5x2"
