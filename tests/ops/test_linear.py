"""Linear: x @ weight.T + bias, over any number of leading axes."""

import numpy as np
import pytest
from op_checks import assert_gradients, assert_like_pytorch, assert_like_stored, case

from tinyvit.ops import linear_backward as backward
from tinyvit.ops import linear_forward as forward

n = np.random.default_rng(0).standard_normal

CASES = {
    "tokens": case(n((2, 5, 3)), n((4, 3)), n(4)),
    "no bias": case(n((2, 5, 3)), n((4, 3)), None),
    "square": case(n((3, 4)), n((4, 4)), n(4)),
    "one vector": case(n(3), n((4, 3)), n(4)),
    "four axes": case(n((2, 3, 2, 5)), n((1, 5)), n(1)),
}


def in_pytorch(x, weight, bias):
    from torch.nn.functional import linear

    return linear(x, weight, bias)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    assert_gradients(forward, backward, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    assert_like_pytorch(forward, backward, in_pytorch, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_stored(name):
    assert_like_stored(forward, backward, f"linear/{name}", CASES[name])


def test_by_hand():
    x, weight, bias = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]), np.array([7.0, 8])
    out, cache = forward(x, weight, bias)
    assert out.tolist() == [[18, 25]]
    dx, dweight, dbias = backward(np.array([[1.0, 10.0]]), cache)
    assert dx.tolist() == [[53, 64]]
    assert dweight.tolist() == [[1, 2], [10, 20]]
    assert dbias.tolist() == [1, 10]


def test_the_formula():
    x, weight, bias = n((2, 5, 3)), n((4, 3)), n(4)
    expected = np.einsum("bni,oi->bno", x, weight) + bias
    np.testing.assert_allclose(forward(x, weight, bias)[0], expected, rtol=1e-13, atol=1e-13)


def test_without_bias_there_is_no_gradient_of_it():
    out, cache = forward(n((2, 3)), n((4, 3)), None)
    dx, dweight, dbias = backward(out, cache)
    assert dx.shape == (2, 3) and dweight.shape == (4, 3) and dbias is None
