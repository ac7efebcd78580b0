"""MLP: two linear layers and what is between them."""

import numpy as np
import pytest
from op_checks import assert_gradients, assert_like_pytorch, assert_like_stored, case

from tinyvit.ops import mlp_backward as backward
from tinyvit.ops import mlp_forward as forward

n = np.random.default_rng(0).standard_normal

WEIGHTS = n((7, 4)), n(7), n((4, 7)), n(4)
CASES = {
    "gelu": case(n((2, 5, 4)), *WEIGHTS),
    "gelu_tanh": case(n((2, 5, 4)), *WEIGHTS, activation="gelu_tanh"),
    "relu": case(n((3, 4)), *WEIGHTS, "relu"),
    "no bias": case(n((2, 3, 4)), n((5, 4)), None, n((4, 5)), None),
    "square": case(n((2, 4)), n((4, 4)), n(4), n((4, 4)), n(4)),
}


def in_pytorch(x, fc1_weight, fc1_bias, fc2_weight, fc2_bias, activation="gelu"):
    from torch.nn.functional import gelu, linear

    hidden = linear(x, fc1_weight, fc1_bias)
    if activation == "relu":
        active = hidden.relu()
    else:
        active = gelu(hidden, approximate="tanh" if activation == "gelu_tanh" else "none")
    return linear(active, fc2_weight, fc2_bias)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    assert_gradients(forward, backward, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    assert_like_pytorch(forward, backward, in_pytorch, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_stored(name):
    assert_like_stored(forward, backward, f"mlp/{name}", CASES[name])


def test_by_hand():
    x, fc1 = np.array([[1.0, -1.0]]), np.array([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
    fc2 = np.array([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]])
    out, cache = forward(x, fc1, np.array([0.0, 0.0, 4.0]), fc2, np.array([0.5, 0.0]), "relu")
    assert out.tolist() == [[402.5, 804.0]]  # relu([2, -3, 4]) = [2, 0, 4]
    dx, dfc1, dfc1_bias, dfc2, dfc2_bias = backward(np.array([[1.0, 0.0]]), cache)
    assert dx.tolist() == [[102, 100]]
    assert dfc1.tolist() == [[1, -1], [0, 0], [100, -100]]
    assert dfc1_bias.tolist() == [1, 0, 100]
    assert dfc2.tolist() == [[2, 0, 4], [0, 0, 0]]
    assert dfc2_bias.tolist() == [1, 0]


def test_dropout_of_hidden_values():
    def dropping(*args):
        return forward(*args, drop_rate=0.4, rng=np.random.default_rng(5))

    args = CASES["gelu"].args
    assert_gradients(dropping, backward, CASES["gelu"])
    assert not np.allclose(dropping(*args)[0], forward(*args)[0])
    assert np.array_equal(forward(*args, drop_rate=0.4)[0], forward(*args)[0])


def test_missing_biases_have_no_gradient():
    out, cache = forward(*CASES["no bias"].args)
    assert [grad is None for grad in backward(out, cache)] == [False, False, True, False, True]


def test_error():
    message = "activation 'swish' is not known: use gelu, gelu_tanh or relu"
    with pytest.raises(ValueError, match=message):
        forward(n((2, 4)), *WEIGHTS, activation="swish")
