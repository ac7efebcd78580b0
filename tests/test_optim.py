"""The optimiser: against PyTorch, against numbers by hand, and what it must not touch."""

from math import cos, pi, sqrt

import numpy as np
import pytest
from tiny import small_config

from tinyvit.models import MODELS
from tinyvit.optim import adamw, clip, decay_vector, moving_average, warmup_cosine
from tinyvit.params import flatten

RNG = np.random.default_rng(0)


def test_adamw_first_step_by_hand():
    # mhat = g, vhat = g^2: the first step is lr in the direction of the sign, after the decay
    params, grads = np.array([1.0, -2.0, 3.0]), np.array([0.5, -0.25, 0.0])
    new, m, v = adamw(
        params, grads, np.zeros(3), np.zeros(3), step=1, lr=0.1, decay=np.array([0.5, 0, 0.5])
    )
    np.testing.assert_allclose(new, [0.95 - 0.1, -2 + 0.1, 2.85], rtol=1e-6)
    np.testing.assert_allclose(m, [0.05, -0.025, 0], rtol=1e-12)
    np.testing.assert_allclose(v, [0.25e-3, 0.0625e-3, 0], rtol=1e-12)


def test_adamw_second_step_by_hand():
    one = np.ones(1)
    _, m, v = adamw(one, 2 * one, 0 * one, 0 * one, step=1, lr=0.0, decay=0)
    new, m, v = adamw(one, -one, m, v, step=2, lr=0.1, decay=0)
    np.testing.assert_allclose(m, 0.9 * 0.2 - 0.1)  # = 0.08
    np.testing.assert_allclose(v, 0.999 * 0.004 + 0.001)  # = 0.004996
    vhat = 0.004996 / (1 - 0.999**2)
    np.testing.assert_allclose(new, 1 - 0.1 * (0.08 / 0.19) / (sqrt(vhat) + 1e-8), rtol=1e-12)


@pytest.mark.parametrize("betas, eps", [((0.9, 0.999), 1e-8), ((0.8, 0.95), 1e-3)])
def test_adamw_is_pytorchs(betas, eps):
    torch = pytest.importorskip("torch")
    matrix, bias = RNG.standard_normal(15), RNG.standard_normal(4)
    theirs = [torch.tensor(part, requires_grad=True) for part in (matrix, bias)]
    groups = [
        {"params": theirs[:1], "weight_decay": 0.3},
        {"params": theirs[1:], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=1.0, betas=betas, eps=eps)
    ours, m, v = np.concatenate([matrix, bias]), np.zeros(19), np.zeros(19)
    decay = np.repeat([0.3, 0.0], [15, 4])
    for step in range(1, 13):
        lr = 0.1 / step
        grads = RNG.standard_normal(19) * 10.0 ** RNG.integers(-4, 3, 19)
        for group in optimiser.param_groups:
            group["lr"] = lr
        theirs[0].grad, theirs[1].grad = torch.tensor(grads[:15]), torch.tensor(grads[15:])
        optimiser.step()
        ours, m, v = adamw(
            *(ours, grads, m, v),
            **{"step": step, "lr": lr, "decay": decay, "eps": eps},
            **{"beta1": betas[0], "beta2": betas[1]},
        )
        expected = torch.cat(theirs).detach().numpy()
        np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_that_was_given_changes_and_the_type_stays(dtype):
    params, grads, m = (RNG.standard_normal(7).astype(dtype) for _ in range(3))
    v = m * m
    decay = np.full(7, 0.1, dtype)
    given = params, grads, m, v, decay
    before = [array.copy() for array in given]
    results = [
        *adamw(params, grads, m, v, step=3, lr=0.1, decay=decay),
        *clip(grads, 0.5),
        moving_average(m, params, 0.9, 5),
    ]
    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert {result.dtype for result in results} == {np.dtype(dtype)}
    assert not any(np.shares_memory(result, array) for result in results for array in given)


@pytest.mark.parametrize("name", MODELS)
def test_decay_is_for_weight_matrices_only(name):
    params = MODELS[name].init_params(small_config(name))
    _, views = flatten(params)
    decay = decay_vector(views, 0.3)
    start = 0
    decayed, spared = [], []
    for key, value in params.items():
        part = decay[start : start + value.size]
        assert (part == part[0]).all() and part[0] in (np.float32(0.3), 0)
        (decayed if part[0] else spared).append(key)
        start += value.size
    assert start == len(decay) and decay.dtype == np.float32
    assert all(key.endswith(".weight") and ".norm" not in f".{key}" for key in decayed)
    if name == "vit":
        layers = ["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"]
        blocks = [f"blocks.{i}.{layer}.weight" for i in range(2) for layer in layers]
        assert decayed == ["patch_embed.proj.weight", *blocks, "head.weight"]
        assert {"cls_token", "pos_embed", "norm.weight", "blocks.1.norm2.weight"} <= set(spared)
    else:
        assert decayed == ["conv1.weight", "conv2.weight", "head.weight"]
    assert all(key in decayed for key in params if key.endswith("weight") and "norm" not in key)


def test_clip_by_hand():
    grads, norm = clip(np.array([3.0, -4.0]), 1.0)
    assert norm == 5
    np.testing.assert_allclose(grads, [0.6, -0.8])


@pytest.mark.parametrize("length", [1e-6, 0.5, 1.99, 2.0, 2.01, 1e6])
def test_clip_shortens_long_gradients_and_leaves_short_ones(length):
    direction = RNG.standard_normal(50)
    direction /= np.linalg.norm(direction)
    clipped, norm = clip(length * direction, 2.0)
    np.testing.assert_allclose(norm, length)
    np.testing.assert_allclose(clipped, min(length, 2.0) * direction, rtol=1e-9)
    if length < 2:
        np.testing.assert_array_equal(clipped, length * direction)


def test_clip_of_nothing_is_nothing():
    clipped, norm = clip(np.zeros(3), 1.0)
    assert norm == 0 and (clipped == 0).all()


def test_schedule_rises_in_a_straight_line_and_falls_on_a_cosine():
    rates = [warmup_cosine(i, peak=0.8, warmup_steps=4, total_steps=20) for i in range(21)]
    np.testing.assert_allclose(rates[:5], [0.2, 0.4, 0.6, 0.8, 0.8])
    np.testing.assert_allclose(rates[12], 0.4)  # half way down
    np.testing.assert_allclose(rates[8], 0.8 * (1 + cos(pi / 4)) / 2)
    np.testing.assert_allclose(rates[20], 0, atol=1e-15)
    assert (np.diff(rates[4:]) < 0).all() and min(rates[:20]) > 0


def test_schedule_without_warm_up_and_with_nothing_else():
    assert warmup_cosine(0, peak=0.3, warmup_steps=0, total_steps=9) == 0.3
    assert warmup_cosine(4, peak=0.3, warmup_steps=5, total_steps=5) == pytest.approx(0.3)
    assert warmup_cosine(50, peak=0.3, warmup_steps=0, total_steps=9) == pytest.approx(0)


def test_moving_average_keeps_less_in_the_beginning():
    average, params = np.array([1.0]), np.array([2.0])
    np.testing.assert_allclose(moving_average(average, params, 0.99, 1), 2 - 2 / 11)
    np.testing.assert_allclose(moving_average(average, params, 0.99, 8), 2 - 9 / 18)
    np.testing.assert_allclose(moving_average(average, params, 0.99, 10**6), 2 - 0.99)
    np.testing.assert_allclose(moving_average(average, params, 0.0, 3), 2)
