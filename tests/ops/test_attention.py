"""Attention: against PyTorch's own, and against a loop over heads and tokens."""

import numpy as np
import pytest
from op_checks import assert_gradients, assert_like_pytorch, assert_like_stored, case

from tinyvit.ops import attention_backward as backward
from tinyvit.ops import attention_forward as forward

n = np.random.default_rng(0).standard_normal

D = 12  # 3 heads of 4


def weights(width):
    return n((3 * width, width)), n(3 * width), n((width, width)), n(width)


CASES = {
    "three heads": case(n((2, 5, D)), *weights(D), 3),
    "one head": case(n((2, 3, 4)), *weights(4), num_heads=1),
    "heads of one": case(n((1, 4, 3)), *weights(3), num_heads=3),
    "no qkv bias": case(n((3, 2, 4)), n((12, 4)), None, n((4, 4)), n(4), 2),
    "no bias": case(n((2, 3, 4)), n((12, 4)), None, n((4, 4)), None, 2),
    "one token": case(n((3, 1, 4)), *weights(4), 2),
}


def in_pytorch(x, qkv_weight, qkv_bias, proj_weight, proj_bias, num_heads):
    from torch.nn.functional import linear, scaled_dot_product_attention

    B, N, width = x.shape
    q, k, v = (
        part.reshape(B, N, num_heads, -1).swapaxes(1, 2)
        for part in linear(x, qkv_weight, qkv_bias).chunk(3, dim=-1)
    )
    context = scaled_dot_product_attention(q, k, v).swapaxes(1, 2).reshape(B, N, width)
    return linear(context, proj_weight, proj_bias)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    assert_gradients(forward, backward, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    assert_like_pytorch(forward, backward, in_pytorch, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_stored(name):
    assert_like_stored(forward, backward, f"attention/{name}", CASES[name])


def test_by_a_loop_over_heads_and_tokens():
    args, _ = CASES["three heads"]
    x, qkv_weight, qkv_bias, proj_weight, proj_bias, h = args
    B, N, width = x.shape
    d = width // h
    context = np.zeros((B, N, width))
    for b, head, token in np.ndindex(B, h, N):
        rows = [slice(part * width + head * d, part * width + (head + 1) * d) for part in range(3)]
        q, k, v = (x[b] @ qkv_weight[r].T + qkv_bias[r] for r in rows)
        weight = np.exp(k @ q[token] / np.sqrt(d))
        context[b, token, head * d : (head + 1) * d] = weight @ v / weight.sum()
    out, cache = forward(*args)
    np.testing.assert_allclose(out, context @ proj_weight.T + proj_bias, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(cache["context"], context, rtol=1e-11, atol=1e-12)


def test_the_cache_can_be_looked_at():
    _, cache = forward(*CASES["three heads"].args)
    assert cache["q"].shape == cache["k"].shape == cache["v"].shape == (2, 3, 5, 4)
    assert cache["attn"].shape == (2, 3, 5, 5)
    np.testing.assert_allclose(cache["attn"].sum(axis=-1), 1, rtol=1e-14)


def test_equal_tokens_are_attended_equally():
    x = np.repeat(n((1, 1, D)), 5, axis=1)
    _, cache = forward(x, *weights(D), 3)
    np.testing.assert_allclose(cache["attn"], 0.2, rtol=1e-12)


def test_order_does_not_matter_to_it():
    args = weights(D)
    x, order = n((2, 5, D)), [3, 0, 4, 1, 2]
    out, _ = forward(x, *args, 3)
    np.testing.assert_allclose(forward(x[:, order], *args, 3)[0], out[:, order], rtol=1e-10)


def test_missing_biases_have_no_gradient():
    out, cache = forward(*CASES["no bias"].args)
    assert [grad is None for grad in backward(out, cache)] == [False, False, True, False, True]


def test_dropout_of_attention_weights():
    def dropping(*args):
        return forward(*args, attn_drop_rate=0.4, rng=np.random.default_rng(5))

    args = CASES["three heads"].args
    assert_gradients(dropping, backward, CASES["three heads"])
    _, cache = dropping(*args)
    kept = cache["dropped"] != 0
    assert 0.3 < kept.mean() < 0.9
    np.testing.assert_allclose(cache["dropped"][kept], cache["attn"][kept] / 0.6, rtol=1e-14)
    assert np.array_equal(forward(*args, attn_drop_rate=0.4)[0], forward(*args)[0])


def test_large_scores_stay_finite():
    args = [arg * 100 if isinstance(arg, np.ndarray) else arg for arg in CASES["three heads"].args]
    out, cache = forward(*args)
    assert np.isfinite(out).all()
    assert all(np.isfinite(grad).all() for grad in backward(out, cache))


def test_error():
    with pytest.raises(ValueError, match="width 12 is not divisible by 5 heads"):
        forward(n((2, 5, D)), *weights(D), 5)
