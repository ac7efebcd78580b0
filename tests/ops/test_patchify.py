"""Patchify: every pixel in its place, forwards and backwards."""

import numpy as np
import pytest
from op_checks import assert_gradients, assert_like_pytorch, assert_like_stored, case

from tinyvit.ops import patchify_backward as backward
from tinyvit.ops import patchify_forward as forward

n = np.random.default_rng(0).standard_normal

CASES = {
    "two rows": case(n((2, 3, 4, 6)), 2),
    "three channels": case(n((1, 3, 9, 6)), 3),
    "whole image": case(n((3, 2, 4, 4)), 4),
    "single pixels": case(n((2, 1, 3, 5)), 1),
}


def in_pytorch(images, patch_size):
    from torch.nn.functional import unfold

    return unfold(images, patch_size, stride=patch_size).swapaxes(1, 2)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    assert_gradients(forward, backward, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    assert_like_pytorch(forward, backward, in_pytorch, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_stored(name):
    assert_like_stored(forward, backward, f"patchify/{name}", CASES[name])


def test_by_hand():
    images = np.arange(2 * 1 * 4 * 4.0).reshape(2, 1, 4, 4)
    patches, _ = forward(images, 2)
    assert patches.shape == (2, 4, 4)
    assert patches[0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    assert patches[1, 3].tolist() == [26, 27, 30, 31]


def test_a_patch_is_flattened_channel_first():
    images = np.stack([np.zeros((2, 2)), np.ones((2, 2))])[None]
    assert forward(images, 2)[0].tolist() == [[[0, 0, 0, 0, 1, 1, 1, 1]]]


def test_the_formula():
    images, P = n((2, 3, 8, 12)), 4
    patches, _ = forward(images, P)
    for b, c, y, x in np.ndindex(images.shape):
        place = (c * P + y % P) * P + x % P
        assert patches[b, y // P * 3 + x // P, place] == images[b, c, y, x]


def test_backward_puts_the_patches_back():
    images = n((2, 3, 4, 6))
    assert np.array_equal(backward(*forward(images, 2)), images)


@pytest.mark.parametrize(
    ("shape", "patch_size", "text"),
    [
        ((28, 28), 5, "image 28x28 is not divisible by patch size 5: try 2, 4, 7, 14 or 28"),
        ((8, 12), 5, "image 8x12 is not divisible by patch size 5: try 2 or 4"),
        ((8, 12), 8, "image 8x12 is not divisible by patch size 8: try 2 or 4"),
        ((7, 5), 2, "image 7x5 is not divisible by patch size 2: try 1"),
    ],
)
def test_error(shape, patch_size, text):
    with pytest.raises(ValueError) as error:
        forward(np.zeros((1, 1, *shape)), patch_size)
    assert str(error.value) == text
