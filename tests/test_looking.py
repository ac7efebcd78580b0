"""How far attention looks, and rollout, against values worked out by hand."""

import numpy as np
import pytest

from tinyvit import ViTConfig, init_params, vit_forward
from tinyvit.looking import attention_distance, attention_rollout

RNG = np.random.default_rng(0)


def random_attn(*shape):
    scores = np.exp(RNG.standard_normal(shape))
    return scores / scores.sum(axis=-1, keepdims=True)


def test_distance_of_looking_at_oneself_is_zero():
    attn = np.broadcast_to(np.eye(7), (2, 3, 7, 7))
    np.testing.assert_array_equal(attention_distance(attn, (2, 3)), np.zeros(3))


def test_distance_by_hand_on_two_by_three_patches():
    # Places:  0 1 2      Every patch looks at patch 5: from 0 sqrt(1 + 4), from 1 sqrt(2), from 2
    #          3 4 5      1, from 3 2, from 4 1, from 5 0. The class token takes half of it all.
    attn = np.zeros((1, 2, 7, 7))
    attn[:, 0, :, 6] = attn[:, 0, :, 0] = 0.5
    attn[:, 1, :, 6], attn[:, 1, :, 5] = 0.25, 0.75  # head 1 looks at patch 4 three times as much
    to5 = [5**0.5, 2**0.5, 1, 2, 1, 0]
    to4 = [2**0.5, 1, 2**0.5, 1, 0, 1]
    expected = [np.mean(to5), 0.25 * np.mean(to5) + 0.75 * np.mean(to4)]
    np.testing.assert_allclose(attention_distance(attn, (2, 3)), expected)
    in_pixels = attention_distance(attn, (2, 3), patch_size=4)
    np.testing.assert_allclose(in_pixels, 4 * np.array(expected))


def test_distance_is_the_mean_over_images():
    attn = random_attn(4, 3, 7, 7)
    single = [attention_distance(one[None], (3, 2)) for one in attn]
    np.testing.assert_allclose(attention_distance(attn, (3, 2)), np.mean(single, axis=0))


def test_distance_says_what_it_expects():
    with pytest.raises(ValueError, match=r"\(B, h, 7, 7\) for this grid, not \(1, 2, 6, 6\)"):
        attention_distance(random_attn(1, 2, 6, 6), (2, 3))


def test_rollout_by_hand():
    first = np.array([[0.0, 1.0], [0.5, 0.5]])  # mean over two heads of the two below
    heads = np.stack([first + [[0.0, 0.0], [0.1, -0.1]], first - [[0.0, 0.0], [0.1, -0.1]]])[None]
    second = np.array([[1.0, 0.0], [1.0, 0.0]])[None, None]
    # A1 = [[0.5, 0.5], [0.25, 0.75]], A2 = [[1, 0], [0.5, 0.5]]
    expected = [[0.5, 0.5], [0.375, 0.625]]
    np.testing.assert_allclose(attention_rollout([heads, second])[0], expected)


def test_rollout_of_one_layer_and_of_none_looking_around():
    attn = random_attn(2, 3, 5, 5)
    expected = 0.5 * attn.mean(axis=1) + 0.5 * np.eye(5)
    np.testing.assert_allclose(attention_rollout([attn]), expected)
    still = np.broadcast_to(np.eye(5), (2, 3, 5, 5))
    np.testing.assert_allclose(attention_rollout([still] * 4), still[:, 0])


def test_rollout_sums_to_one_after_dropout_too():
    dropped = random_attn(2, 3, 5, 5) * (RNG.random((2, 3, 5, 5)) > 0.3)
    rollout = attention_rollout([dropped, random_attn(2, 3, 5, 5)])
    np.testing.assert_allclose(rollout.sum(axis=-1), np.ones((2, 5)))


def test_both_read_a_models_stages_and_keep_its_type():
    config = ViTConfig.preset("digits", patch_size=4, depth=2, embed_dim=12, num_heads=3)
    images = RNG.standard_normal((2, 1, 8, 8)).astype("float32")
    _, cache = vit_forward(images, init_params(config), config)
    attns = [cache["stages"][f"blocks.{i}.attn"] for i in range(2)]
    assert attention_rollout(attns).shape == (2, 5, 5)
    assert attention_distance(attns[0], (2, 2), 4).shape == (3,)
    assert attention_rollout(attns).dtype == attention_distance(attns[0], (2, 2)).dtype == "f4"
