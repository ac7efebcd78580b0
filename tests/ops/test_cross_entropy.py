"""Cross-entropy: the mean over the batch, in nats."""

import numpy as np
import pytest
from op_checks import assert_gradients, assert_like_pytorch, assert_like_stored, case

from tinyvit.ops import cross_entropy_backward as backward
from tinyvit.ops import cross_entropy_forward as forward

n = np.random.default_rng(0).standard_normal

LABELS = np.array([3, 0, 1, 3, 2])
CASES = {
    "plain": case(n((5, 4)), LABELS),
    "smoothed": case(n((5, 4)), LABELS, 0.1),
    "all smooth": case(n((5, 4)), LABELS, label_smoothing=1.0),
    "one row": case(n((1, 3)), np.array([2])),
    "square": case(3 * n((4, 4)), np.array([1, 1, 0, 3])),
}


def in_pytorch(logits, labels, label_smoothing=0.0):
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits, labels, label_smoothing=label_smoothing)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    assert_gradients(forward, backward, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    assert_like_pytorch(forward, backward, in_pytorch, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_stored(name):
    assert_like_stored(forward, backward, f"cross_entropy/{name}", CASES[name])


def test_by_hand():
    logits = np.log([[1.0, 1.0, 2.0], [1.0, 2.0, 1.0]])
    loss, cache = forward(logits, np.array([2, 0]))
    np.testing.assert_allclose(loss, (np.log(2) + np.log(4)) / 2, rtol=1e-14)
    expected = np.array([[0.25, 0.25, -0.5], [-0.75, 0.5, 0.25]]) / 2  # softmax less the target
    np.testing.assert_allclose(backward(1.0, cache), expected, rtol=1e-14)
    np.testing.assert_allclose(backward(-3.0, cache), -3 * expected, rtol=1e-14)


def test_equal_logits_cost_log_k():
    loss, _ = forward(np.full((5, 7), 2.0), np.arange(5))
    np.testing.assert_allclose(loss, np.log(7), rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huge_logits(dtype):
    logits = np.array([[1e4, -1e4, 0], [1e4, -1e4, 0]], dtype)
    loss, cache = forward(logits, np.array([0, 1]))
    np.testing.assert_allclose(loss, (0 + 2e4) / 2, rtol=1e-6)
    np.testing.assert_allclose(backward(1.0, cache), [[0, 0, 0], [0.5, -0.5, 0]], atol=1e-7)


def test_label_smoothing_by_hand():
    logits = np.log([[1.0, 1.0, 2.0]])
    loss, _ = forward(logits, np.array([2]), 0.3)
    np.testing.assert_allclose(loss, 0.8 * np.log(2) + 0.2 * np.log(4), rtol=1e-14)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_gradients_of_a_row_sum_to_0(smoothing):
    _, cache = forward(n((5, 4)), LABELS, smoothing)
    np.testing.assert_allclose(backward(1.0, cache).sum(axis=-1), 0, atol=1e-15)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_labels_of_any_whole_type(dtype):
    logits = n((5, 4))
    assert forward(logits, LABELS.astype(dtype))[0] == forward(logits, LABELS)[0]


@pytest.mark.parametrize("labels", [np.zeros(5), np.zeros((5, 4), int), np.zeros(3, int)])
def test_error(labels):
    with pytest.raises(ValueError) as error:
        forward(n((5, 4)), labels)
    assert str(error.value) == (
        "labels should be 5 whole numbers, one for each row of logits, "
        f"not {labels.dtype} {labels.shape}"
    )
