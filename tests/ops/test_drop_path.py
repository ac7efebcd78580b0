"""Drop path: whole images lose their branch, or keep all of it."""

import numpy as np
import pytest
from op_checks import assert_gradients, assert_like_pytorch, assert_like_stored, case

from tinyvit.ops import drop_path_backward as backward
from tinyvit.ops import drop_path_forward

n = np.random.default_rng(0).standard_normal
CASES = {
    "tokens": case(n((6, 5, 3)), 0.3),
    "images": case(n((5, 1, 2, 3)), 0.5),
    "rows": case(n((7, 2)), 0.4),
    "rate 0": case(n((3, 4)), 0.0),
}


def forward(x, drop_rate):
    """The same mask in every call."""
    return drop_path_forward(x, drop_rate, np.random.default_rng(11))


def in_pytorch(x, drop_rate):
    import torch

    kept = np.random.default_rng(11).random(len(x)) >= drop_rate
    rows = [row / (1 - drop_rate) if keep else row * 0 for row, keep in zip(x, kept, strict=True)]
    return torch.stack(rows)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    assert_gradients(forward, backward, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    assert_like_pytorch(forward, backward, in_pytorch, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_stored(name):
    assert_like_stored(forward, backward, f"drop_path/{name}", CASES[name])


def test_evaluation_returns_x():
    x, dout = n((2, 5, 3)), n((2, 5, 3))
    out, cache = drop_path_forward(x, 0.4)
    assert np.array_equal(out, x)
    assert np.array_equal(backward(dout, cache), dout)


def test_whole_images_are_dropped():
    out, _ = drop_path_forward(np.ones((2000, 3, 2)), 0.3, np.random.default_rng(0))
    share = (out == 0).mean(axis=(1, 2))
    assert set(share) == {0, 1}
    assert abs(share.mean() - 0.3) < 0.03
    np.testing.assert_allclose(np.unique(out), [0, 1 / 0.7])
    assert abs(out.mean() - 1) < 0.05


def test_backward_uses_the_same_mask():
    x = np.ones((20, 3))
    out, cache = drop_path_forward(x, 0.3, np.random.default_rng(0))
    assert np.array_equal(backward(x, cache), out)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, float("nan")])
def test_error(rate):
    with pytest.raises(ValueError) as error:
        drop_path_forward(np.ones((3, 2)), rate, np.random.default_rng(0))
    assert str(error.value) == f"drop rate {rate} is outside [0, 1): 0.1 drops a tenth"
