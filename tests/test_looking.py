"""How far attention looks, and rollout, against values worked out by hand."""

import numpy as np
import pytest

from tinyvit import ViTConfig, init_params, vit_forward
from tinyvit.looking import attention_distance, attention_rollout
from tinyvit.models import MODELS

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


@pytest.mark.parametrize("before", [0, 1, 2])
def test_distance_leaves_out_the_tokens_before_the_patches(before):
    attn = random_attn(2, 3, 6 + before, 6 + before)
    among = attn[:, :, before:, before:]
    alone = among / among.sum(axis=-1, keepdims=True)
    expected = attention_distance(alone, (2, 3))
    np.testing.assert_allclose(attention_distance(attn, (2, 3)), expected, rtol=1e-13)


def test_distance_is_the_mean_over_images():
    attn = random_attn(4, 3, 7, 7)
    single = [attention_distance(one[None], (3, 2)) for one in attn]
    np.testing.assert_allclose(attention_distance(attn, (3, 2)), np.mean(single, axis=0))


def test_distance_says_what_it_expects():
    for shape in ((1, 2, 5, 5), (1, 2, 9, 9), (1, 2, 6, 7), (2, 7, 7)):
        with pytest.raises(ValueError) as error:
            attention_distance(random_attn(*shape), (2, 3))
        assert str(error.value) == (
            "attn should be (B, h, 7, 7) for this grid (without a class token 6, with a "
            f"distillation token 8), not {shape}"
        )


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


def last_attention(**changes):
    """The map that is drawn of an image, and the last block's attention that it is made of."""
    config = ViTConfig.preset("digits", patch_size=4, depth=2, embed_dim=12, num_heads=3, **changes)
    images = RNG.standard_normal((5, 1, 8, 8))
    _, cache = vit_forward(images, init_params(config, dtype="float64"), config)
    return MODELS["vit"].attention(cache), cache["stages"]["blocks.1.attn"]


@pytest.mark.parametrize(
    ("changes", "before"), [({}, 1), ({"global_pool": "avg"}, 1), ({"distilled": True}, 2)]
)
def test_the_class_tokens_attention_is_over_the_patches_alone(changes, before):
    given, attn = last_attention(**changes)
    assert given.shape == (5, 2, 2) and attn.shape == (5, 3, 4 + before, 4 + before)
    for n in range(4):
        expected = attn[:, :, 0, before + n].sum(axis=1) / 3
        np.testing.assert_allclose(given[:, n // 2, n % 2], expected, rtol=1e-13)


def test_without_a_class_token_the_patches_attention_is_averaged():
    given, attn = last_attention(class_token=False, global_pool="avg")
    assert given.shape == (5, 2, 2) and attn.shape == (5, 3, 4, 4)
    np.testing.assert_allclose(given.sum(axis=(1, 2)), np.ones(5))
    for n in range(4):
        expected = attn[..., n].sum(axis=(1, 2)) / 12  # 3 heads, 4 patches that look
        np.testing.assert_allclose(given[:, n // 2, n % 2], expected, rtol=1e-13)
