"""Convolution: stride, padding, odd sizes, with and without bias."""

import numpy as np
import pytest
from op_checks import assert_gradients, assert_like_pytorch, assert_like_stored, case

from tinyvit.ops import conv2d_backward as backward
from tinyvit.ops import conv2d_forward as forward

n = np.random.default_rng(0).standard_normal

CASES = {
    "plain": case(n((2, 3, 5, 4)), n((7, 3, 3, 2)), n(7)),
    "padded": case(n((2, 3, 4, 5)), n((4, 3, 3, 3)), n(4), padding=1),
    "stride 2": case(n((2, 1, 7, 6)), n((3, 1, 3, 2)), n(3), 2),
    "both": case(n((3, 2, 6, 5)), n((4, 2, 3, 3)), n(4), 2, 1),
    "gaps": case(n((2, 1, 8, 7)), n((3, 1, 2, 2)), n(3), stride=3),
    "no bias": case(n((1, 2, 4, 3)), n((3, 2, 2, 2)), None, padding=2),
    "patch embedding": case(n((2, 3, 4, 6)), n((5, 3, 2, 2)), n(5), stride=2),
    "one pixel": case(n((2, 3, 2, 3)), n((4, 3, 1, 1)), n(4)),
}


def in_pytorch(images, weight, bias, stride=1, padding=0):
    from torch.nn.functional import conv2d

    return conv2d(images, weight, bias, stride, padding)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    assert_gradients(forward, backward, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    assert_like_pytorch(forward, backward, in_pytorch, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_stored(name):
    assert_like_stored(forward, backward, f"conv2d/{name}", CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_by_the_formula(name):
    (images, weight, bias, *_), _ = CASES[name]
    stride, padding = STRIDE_PADDING[name]
    out, _ = forward(images, weight, bias, stride, padding)
    B, C, H, W = images.shape
    padded = np.zeros((B, C, H + 2 * padding, W + 2 * padding))
    padded[:, :, padding : padding + H, padding : padding + W] = images
    for b, o, y, x in np.ndindex(out.shape):
        top, left = y * stride, x * stride
        seen = padded[b, :, top : top + weight.shape[2], left : left + weight.shape[3]]
        expected = (weight[o] * seen).sum() + (0 if bias is None else bias[o])
        assert abs(out[b, o, y, x] - expected) < 1e-12


STRIDE_PADDING = {
    **{"plain": (1, 0), "padded": (1, 1), "stride 2": (2, 0), "both": (2, 1), "gaps": (3, 0)},
    **{"no bias": (1, 2), "patch embedding": (2, 0), "one pixel": (1, 0)},
}


def test_by_hand():
    images, weight = np.arange(9.0).reshape(1, 1, 3, 3), np.array([[[[1.0, 0.0], [0.0, -1.0]]]])
    out, cache = forward(images, weight, np.array([10.0]))
    assert out.tolist() == [[[[6, 6], [6, 6]]]]
    dimages, dweight, dbias = backward(np.array([[[[1.0, 2.0], [3.0, 4.0]]]]), cache)
    assert dimages.tolist() == [[[[1, 2, 0], [3, 3, -2], [0, -3, -4]]]]
    assert dweight.tolist() == [[[[27, 37], [57, 67]]]]
    assert dbias.tolist() == [10]


def test_shapes():
    out, _ = forward(n((2, 3, 28, 27)), n((5, 3, 3, 3)), n(5), stride=2, padding=1)
    assert out.shape == (2, 5, 14, 14)


def test_patch_embedding_is_this_convolution():
    from tinyvit.ops import linear_forward, patchify_forward

    (images, weight, bias), _ = CASES["patch embedding"]
    patches, _ = patchify_forward(images, 2)
    tokens, _ = linear_forward(patches, weight.reshape(5, -1), bias)
    maps, _ = forward(images, weight, bias, stride=2)
    np.testing.assert_allclose(maps.reshape(2, 5, 6).swapaxes(1, 2), tokens, rtol=1e-11, atol=1e-12)


def test_without_bias_there_is_no_gradient_of_it():
    out, cache = forward(*CASES["no bias"].args)
    assert backward(out, cache)[2] is None


def test_error():
    with pytest.raises(ValueError) as error:
        forward(n((1, 1, 2, 5)), n((1, 1, 5, 5)), None, padding=1)
    assert str(error.value) == "filter 5x5 is larger than image 2x5 with 1 pixels of padding"
