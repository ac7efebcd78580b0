"""The whole Vision Transformer: numerically, against PyTorch, and what must hold by design."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from op_checks import assert_like_pytorch, case

from tinyvit import ViTConfig, check_backward, ops, vit_backward, vit_forward
from tinyvit.params import param_shapes
from tinyvit.vit import sincos2d

B, N, h, d, K = 3, 5, 4, 2, 6  # sizes all different; N counts the class token
TINY = ViTConfig(
    **{"img_size": 4, "patch_size": 2, "in_chans": 1, "num_classes": K},
    **{"embed_dim": h * d, "depth": 2, "num_heads": h, "mlp_ratio": 9 / 8},
)
OPTIONS = {
    "default": {},
    "pos_embed sincos2d": {"pos_embed": "sincos2d"},
    "pos_embed none": {"pos_embed": "none"},
    "global_pool avg": {"global_pool": "avg"},
    "no class token": {"class_token": False, "global_pool": "avg"},
    "no class token, sincos2d": {
        **{"class_token": False, "global_pool": "avg", "pos_embed": "sincos2d"},
    },
    "no class token, none, post": {
        **{"class_token": False, "global_pool": "avg", "pos_embed": "none", "norm": "post"},
    },
    "distilled": {"distilled": True},
    "distilled, sincos2d": {"distilled": True, "pos_embed": "sincos2d"},
    "distilled, none, post": {"distilled": True, "pos_embed": "none", "norm": "post"},
    "norm post": {"norm": "post"},
    "no qkv_bias": {"qkv_bias": False},
    "gelu_tanh": {"activation": "gelu_tanh"},
    "relu": {"activation": "relu"},
    "eps": {"eps": 0.1},
    "three channels": {"in_chans": 3},
    "post, avg, relu, none": {
        **{"norm": "post", "global_pool": "avg", "activation": "relu", "pos_embed": "none"},
        **{"qkv_bias": False, "in_chans": 2},
    },
}
each_option = pytest.mark.parametrize("option", OPTIONS)


def make(config, seed=0):
    """Random images and parameters; none is 0 or 1, so that no mistake can hide there."""
    n = np.random.default_rng(seed).standard_normal
    images = n((B, config.in_chans, config.img_size, config.img_size))
    params = {
        name: 1 + 0.3 * n(shape) if "norm" in name else 0.5 * n(shape)
        for name, shape in param_shapes(config).items()
    }
    return images, params


@each_option
def test_gradients_of_every_element(option):
    config = replace(TINY, **{"depth": 1, "in_chans": 1} | OPTIONS[option])
    images, params = make(config)
    report = check_backward(vit_forward, vit_backward, (images, params, config))
    assert report.ok and report.error < 1e-7, str(report)
    assert [check.name for check in report.gradients] == ["dimages", *params]


@each_option
def test_gradients_of_two_blocks(option):
    config = replace(TINY, **OPTIONS[option])
    images, params = make(config)
    args = (images, params, config)
    directions = None if option in ("default", "norm post") else 3
    report = check_backward(vit_forward, vit_backward, args, directions=directions)
    assert report.ok and report.error < 1e-7, str(report)


@pytest.mark.parametrize("rate", ["drop_rate", "attn_drop_rate", "drop_path_rate"])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_gradients_with_dropout(rate, norm):
    config = replace(TINY, norm=norm, **{rate: 0.4})

    def forward(images, params):
        return vit_forward(images, params, config, rng=np.random.default_rng(2))

    images, params = make(config)
    report = check_backward(forward, vit_backward, (images, params), directions=3)
    assert report.ok and report.error < 1e-7, str(report)
    evaluated, _ = vit_forward(images, params, config)
    assert np.array_equal(evaluated, vit_forward(images, params, replace(config, **{rate: 0}))[0])
    assert not np.allclose(forward(images, params)[0], evaluated)


def test_drop_path_rises_with_depth():
    rates = []

    def block_forward(x, *args, drop_path_rate, **kwargs):
        rates.append(drop_path_rate)
        return ops.block_forward(x, *args, drop_path_rate=drop_path_rate, **kwargs)

    config = replace(TINY, depth=5, drop_path_rate=0.2)
    namespace = SimpleNamespace(**vars(ops) | {"block_forward": block_forward})
    vit_forward(*make(config), config, ops=namespace)
    np.testing.assert_allclose(rates, [0, 0.05, 0.1, 0.15, 0.2])


def vit_in_pytorch(images, params, config):
    """A ViT written for PyTorch, with a convolution and PyTorch's own attention."""
    import torch
    from torch.nn import functional as F

    p, D = params, config.embed_dim

    def normed(x, name):
        return F.layer_norm(x, (D,), p[f"{name}.weight"], p[f"{name}.bias"], config.eps)

    def attention(x, name):
        qkv = F.linear(x, p[f"{name}.qkv.weight"], p.get(f"{name}.qkv.bias"))
        qkv = qkv.unflatten(2, (3, config.num_heads, -1)).permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(*qkv).swapaxes(1, 2).flatten(2)
        return F.linear(x, p[f"{name}.proj.weight"], p[f"{name}.proj.bias"])

    def mlp(x, name):
        x = F.linear(x, p[f"{name}.fc1.weight"], p[f"{name}.fc1.bias"])
        if config.activation == "relu":
            x = x.relu()
        else:
            x = F.gelu(x, approximate="tanh" if config.activation == "gelu_tanh" else "none")
        return F.linear(x, p[f"{name}.fc2.weight"], p[f"{name}.fc2.bias"])

    weights = p["patch_embed.proj.weight"], p["patch_embed.proj.bias"]
    x = F.conv2d(images, *weights, stride=config.patch_size).flatten(2).swapaxes(1, 2)
    first = [p[name].expand(len(x), 1, D) for name in ("cls_token", "dist_token") if name in p]
    x = torch.cat([*first, x], dim=1)
    if config.pos_embed == "learned":
        x = x + p["pos_embed"]
    elif config.pos_embed == "sincos2d":
        x = x + torch.tensor(sincos2d(config))
    for i in range(config.depth):
        b = f"blocks.{i}"
        if config.norm == "pre":
            x = x + attention(normed(x, f"{b}.norm1"), f"{b}.attn")
            x = x + mlp(normed(x, f"{b}.norm2"), f"{b}.mlp")
        else:
            x = normed(x + attention(x, f"{b}.attn"), f"{b}.norm1")
            x = normed(x + mlp(x, f"{b}.mlp"), f"{b}.norm2")
    x = normed(x, "norm")
    if config.distilled:
        heads = [(p[f"{head}.weight"], p[f"{head}.bias"]) for head in ("head", "head_dist")]
        return sum(F.linear(x[:, i], *weights) for i, weights in enumerate(heads)) / 2
    x = x[:, 0] if config.global_pool == "token" else x[:, len(first) :].mean(dim=1)
    return F.linear(x, p["head.weight"], p["head.bias"])


@each_option
def test_like_pytorch(option):
    config = replace(TINY, **{"img_size": 6, "depth": 3, "in_chans": 2} | OPTIONS[option])
    example = case(*make(config), config)
    assert_like_pytorch(vit_forward, vit_backward, vit_in_pytorch, example)


@each_option
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_names_order_shapes_and_dtypes_of_gradients(option, dtype):
    config = replace(TINY, **OPTIONS[option])
    images, params = make(config)
    images, params = images.astype(dtype), {k: v.astype(dtype) for k, v in params.items()}
    logits, cache = vit_forward(images, params, config)
    assert logits.shape == (B, K) and logits.dtype == dtype
    dimages, grads = vit_backward(logits, cache)
    assert dimages.shape == images.shape and dimages.dtype == dtype
    assert list(grads) == list(params)
    for name, grad in grads.items():
        assert grad.shape == params[name].shape and grad.dtype == dtype, name


def test_gradients_come_in_the_order_of_the_params_that_were_given():
    images, params = make(TINY)
    params = dict(reversed(params.items()))
    logits, cache = vit_forward(images, params, TINY)
    assert list(vit_backward(logits, cache)[1]) == list(params)


def test_stages():
    images, params = make(TINY)
    logits, cache = vit_forward(images, params, TINY)
    shapes = {name: stage.shape for name, stage in cache["stages"].items()}
    D = h * d
    assert shapes == {
        "patches": (B, N - 1, 4),
        "patch_embed": (B, N - 1, D),
        "embed": (B, N, D),
        "blocks.0.attn": (B, h, N, N),
        "blocks.0": (B, N, D),
        "blocks.1.attn": (B, h, N, N),
        "blocks.1": (B, N, D),
        "norm": (B, N, D),
        "pool": (B, D),
        "logits": (B, K),
    }
    assert cache["stages"]["logits"] is logits
    np.testing.assert_allclose(cache["stages"]["blocks.1.attn"].sum(axis=-1), 1, rtol=1e-12)
    norm, pool = cache["stages"]["norm"], cache["stages"]["pool"]
    assert np.array_equal(pool, norm[:, 0])
    _, cache = vit_forward(images, params, replace(TINY, global_pool="avg"))
    norm, pool = cache["stages"]["norm"], cache["stages"]["pool"]
    np.testing.assert_allclose(pool, norm[:, 1:].sum(axis=1) / 4, rtol=1e-14)


def test_stages_without_a_class_token():
    config = replace(TINY, class_token=False, global_pool="avg")
    images, params = make(config)
    _, cache = vit_forward(images, params, config)
    stages, D = cache["stages"], h * d
    assert stages["embed"].shape == stages["norm"].shape == (B, N - 1, D)
    assert stages["blocks.1.attn"].shape == (B, h, N - 1, N - 1)
    np.testing.assert_allclose(stages["embed"], stages["patch_embed"] + params["pos_embed"])
    np.testing.assert_allclose(stages["pool"], stages["norm"].sum(axis=1) / 4, rtol=1e-14)


def test_stages_with_a_distillation_token():
    config = replace(TINY, distilled=True)
    images, params = make(config)
    logits, cache = vit_forward(images, params, config)
    stages, D = cache["stages"], h * d
    assert stages["blocks.1.attn"].shape == (B, h, N + 1, N + 1)
    before = [np.repeat(params[name], B, axis=0) for name in ("cls_token", "dist_token")]
    tokens = np.concatenate([*before, stages["patch_embed"]], axis=1)
    np.testing.assert_allclose(stages["embed"], tokens + params["pos_embed"])
    assert stages["norm"].shape == (B, N + 1, D)
    assert np.array_equal(stages["pool"], stages["norm"][:, 0])
    by_class, by_dist = (
        stages["norm"][:, i] @ params[f"{head}.weight"].T + params[f"{head}.bias"]
        for i, head in enumerate(("head", "head_dist"))
    )
    np.testing.assert_allclose(logits, (by_class + by_dist) / 2, rtol=1e-12)
    assert stages["logits"] is logits


@each_option
def test_nothing_that_was_given_is_modified_and_backward_can_be_called_twice(option):
    config = replace(TINY, **OPTIONS[option])
    images, params = make(config)
    for array in (images, *params.values()):
        array.setflags(write=False)
    logits, cache = vit_forward(images, params, config)
    stages = {name: stage.copy() for name, stage in cache["stages"].items()}
    dlogits = np.random.default_rng(1).standard_normal(logits.shape)
    dlogits.setflags(write=False)
    dimages, grads = vit_backward(dlogits, cache)
    again, grads_again = vit_backward(dlogits, cache)
    assert np.array_equal(dimages, again)
    assert all(np.array_equal(grads[name], grads_again[name]) for name in grads)
    assert all(np.array_equal(stages[name], stage) for name, stage in cache["stages"].items())


def test_images_do_not_see_each_other():
    images, params = make(TINY)
    logits, cache = vit_forward(images, params, TINY)
    for i in range(B):
        alone, _ = vit_forward(images[i : i + 1], params, TINY)
        np.testing.assert_allclose(alone[0], logits[i], rtol=1e-11, atol=1e-12)
    dlogits = np.zeros((B, K))
    dlogits[1] = 1
    dimages, _ = vit_backward(dlogits, cache)
    assert not dimages[[0, 2]].any() and dimages[1].all()


@pytest.mark.parametrize("pos_embed", ["learned", "none"])
def test_order_of_patches_matters_only_with_positions(pos_embed):
    config = replace(TINY, pos_embed=pos_embed)
    images, params = make(config)
    left, right = images[..., :2], images[..., 2:]
    swapped = np.concatenate([right, left], axis=-1)
    one, other = (vit_forward(x, params, config)[0] for x in (images, swapped))
    assert np.allclose(one, other, rtol=1e-10, atol=1e-12) == (pos_embed == "none")


def test_two_threads_at_once():
    inputs = [make(TINY, seed) for seed in range(2)]

    def step(images, params):
        logits, cache = vit_forward(images, params, TINY)
        dimages, grads = vit_backward(logits, cache)
        return [logits, dimages, *grads.values()]

    expected = [step(*one) for one in inputs]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda i: step(*inputs[i % 2]), range(40)))
    for i, answer in enumerate(answers):
        for got, right in zip(answer, expected[i % 2], strict=True):
            np.testing.assert_allclose(got, right, rtol=1e-12, atol=1e-13)


def test_sincos2d_by_hand():
    table = sincos2d(TINY)[0]  # 2x2 patches, D = 8: two frequencies, 1 and 1/10000
    assert sincos2d(TINY).shape == (1, N, 8)
    sin, cos = np.sin([1, 1e-4]), np.cos([1, 1e-4])
    expected = [
        np.zeros(8),  # the class token
        [0, 0, 1, 1, 0, 0, 1, 1],  # x = 0, y = 0
        [*sin, *cos, 0, 0, 1, 1],  # x = 1, y = 0
        [0, 0, 1, 1, *sin, *cos],  # x = 0, y = 1
        [*sin, *cos, *sin, *cos],
    ]
    np.testing.assert_allclose(table, expected, rtol=1e-14)


def test_sincos2d_has_a_row_of_zeros_for_each_token_before_the_patches():
    table = sincos2d(TINY)
    without = replace(TINY, class_token=False, global_pool="avg")
    assert np.array_equal(sincos2d(without), table[:, 1:])
    distilled = sincos2d(replace(TINY, distilled=True))
    assert np.array_equal(distilled, np.concatenate([table[:, :1], table], axis=1))


def test_sincos2d_positions_are_added_to_the_patches():
    config = replace(TINY, pos_embed="sincos2d")
    images, params = make(config)
    _, cache = vit_forward(images, params, config)
    added = cache["stages"]["embed"][:, 1:] - cache["stages"]["patch_embed"]
    np.testing.assert_allclose(added, np.repeat(sincos2d(config)[:, 1:], B, axis=0), atol=1e-14)


def test_other_ops_can_be_put_in():
    calls = []

    def counted(name):
        def call(*args, **kwargs):
            calls.append(name)
            return getattr(ops, name)(*args, **kwargs)

        return call

    namespace = SimpleNamespace(**{name: counted(name) for name in ops.__all__})
    images, params = make(TINY)
    logits, cache = vit_forward(images, params, TINY, ops=namespace)
    assert np.array_equal(logits, vit_forward(images, params, TINY)[0])
    vit_backward(logits, cache)
    for stem in ("patchify", "linear", "embed", "block", "layernorm"):
        assert calls.count(f"{stem}_forward") == calls.count(f"{stem}_backward") > 0


@pytest.mark.parametrize("shape", [(3, 1, 4, 5), (3, 2, 4, 4), (1, 4, 4), (3, 1, 8, 8)])
def test_images_of_another_shape(shape):
    _, params = make(TINY)
    with pytest.raises(ValueError) as error:
        vit_forward(np.zeros(shape), params, TINY)
    assert str(error.value) == f"images should be (B, C, H, W) = (B, 1, 4, 4), not {shape}"
