"""The fast kernels are the textbook: values and gradients, in both precisions, at the extremes."""

import inspect
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import erf, sqrt
from time import sleep

import numpy as np
import pytest
from tiny import ODD

from tinyvit import ViTConfig, check_backward, init_params, ops, optim, vit_backward, vit_forward
from tinyvit.examples import op_examples
from tinyvit.kernels import cpu
from tinyvit.kernels.cpu import optim as in_place
from tinyvit.kernels.cpu import tensor_parallel
from tinyvit.kernels.cpu import vit as fast_vit
from tinyvit.kernels.cpu.buffers import Buffers, empty, reuse
from tinyvit.kernels.cpu.fold import fold, unfold
from tinyvit.kernels.cpu.layernorm import normalize_backward, normalize_forward
from tinyvit.kernels.cpu.linear import times_vector
from tinyvit.workers import Workers

EXAMPLES = op_examples()
VARIANTS = {
    "default": {},
    "one block": {"depth": 1},
    "post": {"norm": "post"},
    "relu": {"activation": "relu"},
    "gelu_tanh": {"activation": "gelu_tanh"},
    "avg": {"global_pool": "avg"},
    "no class token": {"global_pool": "avg", "class_token": False},
    "distilled": {"distilled": True},
    "distilled, one block, drop_path": {"distilled": True, "depth": 1, "drop_path_rate": 0.4},
    "sincos2d": {"pos_embed": "sincos2d"},
    "no positions": {"pos_embed": "none"},
    "no qkv_bias": {"qkv_bias": False},
    "post, no qkv_bias": {"norm": "post", "qkv_bias": False},
    "drop_path": {"drop_path_rate": 0.4},
    "every dropout": {"drop_rate": 0.1, "attn_drop_rate": 0.2, "drop_path_rate": 0.3},
    "post, every dropout": {"norm": "post", "drop_rate": 0.1, "attn_drop_rate": 0.2},
}
each_example = pytest.mark.parametrize("name", EXAMPLES)
each_variant = pytest.mark.parametrize("variant", VARIANTS)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def leaves(value):
    """Every array in nested tuples, lists and dicts; dicts in the order of their names."""
    if isinstance(value, dict):
        value = [value[name] for name in sorted(value)]
    if isinstance(value, (tuple, list)):
        return [leaf for one in value for leaf in leaves(one)]
    return [] if value is None else [np.asarray(value)]


def cast(value, dtype):
    """The same structure with its arrays of floats in another dtype."""
    if isinstance(value, dict):
        return {name: cast(one, dtype) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(cast(one, dtype) for one in value)
    is_float = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return value.astype(dtype) if is_float else value


def assert_same(got, expected, dtype, times=1):
    """Equal in dtype and shape, and to a few last places of the largest element."""
    got, expected = leaves(got), leaves(expected)
    assert [(a.dtype, a.shape) for a in got] == [(a.dtype, a.shape) for a in expected]
    for one, other in zip(got, expected, strict=True):
        scale = np.abs(other).max() if other.size else 0
        bound = times * {"float32": 3e-6, "float64": 1e-13}[dtype] * scale + 1e-30
        np.testing.assert_allclose(one, other, rtol=0, atol=bound)


def fast(function):
    return getattr(cpu, function.__name__)


def random_dout(out, dtype):
    return np.random.default_rng(1).standard_normal(np.shape(out)).astype(dtype)


def assert_twins(stem, args, dtype, times=1):
    """A fast pair gives what the textbook's gives; arguments and cache stay as they were."""
    slow_forward, slow_backward = (getattr(ops, f"{stem}_{way}") for way in ("forward", "backward"))
    args = cast(args, dtype)
    before = [leaf.copy() for leaf in leaves(args)]
    out, cache = slow_forward(*args)
    dout = random_dout(out, dtype)
    expected = slow_backward(dout, cache)

    got, cache = fast(slow_forward)(*args)
    assert_same(got, out, dtype, times)
    for _ in range(2):  # backward leaves the cache and dout alone
        assert_same(fast(slow_backward)(dout, cache), expected, dtype, times)
    assert_same(got, out, dtype, times)
    for leaf, kept in zip(leaves(args), before, strict=True):
        np.testing.assert_array_equal(leaf, kept)


def test_the_namespace_is_that_of_the_textbook():
    assert set(cpu.__all__) == set(ops.__all__)
    for name in ops.__all__:
        ours, theirs = (inspect.signature(getattr(where, name)).parameters for where in (cpu, ops))
        assert list(ours)[: len(theirs)] == list(theirs)
        assert all(ours[key].default == theirs[key].default for key in theirs)


@each_example
@each_dtype
def test_every_pair_is_its_textbook_twin(name, dtype):
    example = EXAMPLES[name]
    stem = name.partition(",")[0]
    if stem in ("dropout", "drop_path"):
        assert fast(getattr(ops, f"{stem}_forward")) is getattr(ops, f"{stem}_forward")
        return
    args, kwargs = cast(example.args, dtype), example.kwargs
    out, cache = example.forward(*args, **kwargs)
    dout = random_dout(out, dtype)
    expected = example.backward(dout, cache)
    with reuse(Buffers()):
        for _ in range(3):  # on new memory, then on used memory
            got, cache = fast(example.forward)(*args, **kwargs)
            assert_same(got, out, dtype)
            assert_same(fast(example.backward)(dout, cache), expected, dtype)
            assert_same(fast(example.backward)(dout, cache), expected, dtype)
            assert_same(got, out, dtype)


@each_example
def test_gradients_of_the_fast_pairs(name):
    example = EXAMPLES[name]
    if "drop" in name:
        return
    forward, backward = fast(example.forward), fast(example.backward)
    report = check_backward(forward, backward, example.args, kwargs=example.kwargs)
    assert report.ok and report.error < 1e-7, str(report)


@each_dtype
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3, 1), (2, 3, 5), (4, 2, 3, 17)])
def test_odd_shapes(shape, dtype):
    n = np.random.default_rng(0).standard_normal
    x, D = 3 * n(shape), shape[-1]
    assert_twins("softmax", (x,), dtype)
    assert_twins("gelu", (x,), dtype)
    assert_twins("gelu", (x, "tanh"), dtype)
    assert_twins("layernorm", (x, n(D), n(D)), dtype, times=10)
    assert_twins("linear", (x, n((3, D)), n(3)), dtype)
    assert_twins("linear", (x[..., ::-1], n((D, 3)).T, None), dtype)  # not contiguous
    assert_twins("mlp", (x, n((3, D)), n(3), n((D, 3)), n(D)), dtype)


def test_a_product_with_a_vector_raises_no_false_alarm():
    rows, vector = np.array([[np.inf, -np.inf], [1.0, 2.0]]), np.array([3.0, 4.0])
    np.testing.assert_array_equal(times_vector(rows, vector), [np.nan, 11])  # a true one, even


@each_dtype
@pytest.mark.parametrize("size", [1e4, -1e4, 61.0, 1e-40, 0.0])
def test_extreme_scores(size, dtype):
    n = np.random.default_rng(0).standard_normal
    assert_twins("softmax", (size * n((2, 3, 7)),), dtype)
    assert_twins("softmax", (size + n((2, 3, 7)),), dtype)
    assert_twins("softmax", (np.full((3, 5), size),), dtype)
    x = np.array([[0.0, size, -size], [size, size, 0.0]])
    out, _ = cpu.softmax_forward(x.astype(dtype))
    np.testing.assert_allclose(out.sum(axis=-1), 1, rtol=1e-6)


@each_dtype
def test_extreme_scores_in_attention(dtype):
    n = np.random.default_rng(0).standard_normal
    D = 12
    weights = n((3 * D, D)), n(3 * D), n((D, D)), n(D)
    x = 50 * n((2, 5, D))
    assert_twins("attention", (1e-39 * x, *weights, 3), dtype)
    truth, cache = ops.attention_forward(x, *weights, 3)
    assert np.abs((cache["q"] @ cache["k"].swapaxes(-1, -2)) / 2).max() > 1e4  # the scores
    dout = random_dout(truth, "float64")
    truth = [truth, *ops.attention_backward(dout, cache)]

    def errors(where):
        out, cache = where.attention_forward(*cast((x, *weights), dtype), 3)
        got = [out, *where.attention_backward(dout.astype(dtype), cache)]
        return [np.abs(a - b).max() / np.abs(b).max() for a, b in zip(got, truth, strict=True)]

    assert max(errors(cpu)) <= 3 * max(errors(ops)) + 1e-13


@each_dtype
@pytest.mark.parametrize("value", [0.0, 1.0, 3.0, 1e4, -1234.0, 1e-39])
def test_layernorm_of_constant_rows(value, dtype):
    n = np.random.default_rng(0).standard_normal
    for D in (1, 7, 48, 64):
        x = np.full((3, D), value)
        assert_twins("layernorm", (x, n(D), n(D)), dtype)
        out, _ = cpu.layernorm_forward(x.astype(dtype), np.ones(D, dtype), np.zeros(D, dtype))
        np.testing.assert_allclose(out, 0, atol=1e-6)


def test_layernorm_far_from_zero_is_nearer_to_the_truth_than_the_textbook():
    x = 1e4 + np.random.default_rng(0).standard_normal((5, 48))
    x[0] = 1234.567  # constant, and its sum is rounded
    x = x.astype("f4")
    ones, zeros = np.ones(48), np.zeros(48)
    truth, _ = ops.layernorm_forward(x.astype("f8"), ones, zeros)
    error = [
        np.abs(where.layernorm_forward(x, ones.astype("f4"), zeros.astype("f4"))[0] - truth).max()
        for where in (cpu, ops)
    ]
    assert error[0] <= error[1] and error[0] < 1e-5


@each_dtype
def test_gelu_at_the_extremes(dtype):
    x = np.array([0.0, 1e-40, -1e-40, 1e-30, 5, -5, 30, -30, 1e4, -1e4, 1e18, -1e18, 3e38])
    if dtype == "float64":
        x = x[:-1]  # x^2 overflows in the textbook's backward
    with np.errstate(over="ignore"):  # in the textbook
        assert_twins("gelu", (x,), dtype)
    got, _ = cpu.gelu_forward(x.astype(dtype))
    exact = np.array([v * (1 + erf(v / sqrt(2))) / 2 for v in x])
    np.testing.assert_allclose(got, exact, rtol=1e-6, atol=1e-6)


def test_gelu_in_float32_is_the_exact_one():
    x = np.linspace(-9, 9, 40001).astype("f4")
    out, cache = cpu.gelu_forward(x)
    exact = np.array([(1 + erf(v / sqrt(2))) / 2 for v in x.astype("f8")])
    slope = exact + x * np.exp(-(x.astype("f8") ** 2) / 2) / sqrt(2 * np.pi)
    assert np.abs(out - x * exact).max() < 8e-7
    assert np.abs(cpu.gelu_backward(np.ones_like(x), cache) - slope).max() < 3e-7


@each_variant
@each_dtype
def test_the_whole_model_on_fast_pairs(variant, dtype):
    config = replace(ODD, **VARIANTS[variant])
    images, params, dlogits = example_of(config, dtype)
    draws = "drop" in variant

    def rng():
        return np.random.default_rng(3) if draws else None

    logits, cache = vit_forward(images, params, config, rng=rng())
    dimages, grads = vit_backward(dlogits, cache)
    forwards = {
        "pairs": lambda: vit_forward(images, params, config, rng=rng(), ops=cpu),
        "last block for the class token": lambda: fast_vit.vit_forward(
            images, params, config, rng=rng()
        ),
    }
    for forward in forwards.values():
        got, cache = forward()
        assert_same(got, logits, dtype, times=10)
        dgot, ggot = vit_backward(dlogits, cache)
        assert_same(dgot, dimages, dtype, times=10)
        assert list(ggot) == list(params)
        assert_same(ggot, grads, dtype, times=10)


@each_dtype
@pytest.mark.parametrize("folds", [0, float("inf")])
@pytest.mark.parametrize("variant", ["default", "no qkv_bias", "relu", "every dropout"])
def test_folding_a_layernorm_changes_nothing(folds, variant, dtype, monkeypatch):
    monkeypatch.setattr("tinyvit.kernels.cpu.block.FOLDS", folds)
    test_the_whole_model_on_fast_pairs(variant, dtype)


def test_a_folded_layernorm_is_a_layernorm_and_a_linear_layer():
    n = np.random.default_rng(0).standard_normal
    x, gain, shift, weight, bias = n((2, 9, 5)), n(5), n(5), n((3, 5)), n(3)
    xhat, norm_cache = normalize_forward(x, 1e-6)
    folded, moved = fold(weight, bias, gain, shift)
    out, cache = ops.linear_forward(xhat, folded, moved)
    dout = random_dout(out, "float64")
    dx, dfolded, dmoved = ops.linear_backward(dout, cache)
    got = [normalize_backward(dx, norm_cache), *unfold(dfolded, dmoved, weight, gain, shift)]

    inner, norm_cache = ops.layernorm_forward(x, gain, shift)
    expected, cache = ops.linear_forward(inner, weight, bias)
    dx, dweight, dbias = ops.linear_backward(dout, cache)
    dx, dgain, dshift = ops.layernorm_backward(dx, norm_cache)
    assert_same([out, *got, dmoved], [expected, dx, dweight, dgain, dshift, dbias], "float64", 10)


@each_dtype
def test_gradients_are_written_where_they_are_wanted(dtype):
    images, params, dlogits = example_of(ODD, dtype)
    _, cache = vit_forward(images, params, ODD)
    _, expected = vit_backward(dlogits, cache)
    places = {name: np.full_like(value, np.nan) for name, value in params.items()}
    _, cache = fast_vit.vit_forward(images, params, ODD, grads=places)
    _, grads = vit_backward(dlogits, cache)
    assert_same(grads, expected, dtype, times=10)
    written = {name for name in params if grads[name] is places[name]}
    assert written == {n for n in params if n.startswith("blocks.") and params[n].ndim == 2}


@each_variant
@each_dtype
@pytest.mark.parametrize("threads", [1, 2, 3, 9])
def test_logits_alone_and_tensor_parallel(variant, dtype, threads, monkeypatch):
    monkeypatch.setattr(fast_vit, "FEW", 1)
    config = replace(ODD, **VARIANTS[variant])
    images, params, _ = example_of(config, dtype)
    logits, _ = vit_forward(images, params, config)
    assert_same(fast_vit.vit_logits(images, params, config), logits, dtype, times=10)
    workers = Workers(threads)
    for _ in range(3):
        got = fast_vit.vit_logits_tensor_parallel(images, params, config, workers)
        assert_same(got, logits, dtype, times=10)


def test_as_many_threads_as_there_is_work_for(monkeypatch):
    def all_reduce(threads):
        meetings.append(threads)
        return tensor_parallel.AllReduce(threads)

    meetings = []
    monkeypatch.setattr(fast_vit, "AllReduce", all_reduce)
    config = ViTConfig(img_size=40, patch_size=2, in_chans=1, embed_dim=96, depth=1, num_heads=4)
    images, params, _ = example_of(config, "float64", count=1)
    work = 401 * (4 * 96 * 96 + 2 * 96 * config.hidden_dim)
    logits, _ = vit_forward(images, params, config)
    for few, threads in (fast_vit.FEW, [2]), (work, []), (work // 3, [3]), (1, [4]):
        meetings.clear()
        monkeypatch.setattr(fast_vit, "FEW", few)
        got = fast_vit.vit_logits_tensor_parallel(images, params, config, Workers(5))
        assert_same(got, logits, "float64", times=10)
        assert meetings == threads


@pytest.mark.parametrize("few", [1, 10**9])
def test_numbers_too_large_are_left_to_the_caller(few, monkeypatch):
    monkeypatch.setattr(fast_vit, "FEW", few)
    images, params, _ = example_of(ODD, "float32", count=1)
    params["blocks.1.mlp.fc2.weight"] *= 1e38
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logits = fast_vit.vit_logits_tensor_parallel(images, params, ODD, Workers(2))
    assert not np.isfinite(logits).all()


@pytest.mark.parametrize("few", [{"num_heads": 2}, {"mlp_ratio": 2 / 12}, {"patch_size": 1}])
def test_no_thread_is_left_without_a_part(few, monkeypatch):
    monkeypatch.setattr(fast_vit, "FEW", 1)
    config = replace(ODD, img_size=6, in_chans=2, **few)
    images, params, _ = example_of(config, "float64")
    logits, _ = vit_forward(images, params, config)
    got = fast_vit.vit_logits_tensor_parallel(images, params, config, Workers(3))
    assert_same(got, logits, "float64", times=10)


def test_all_reduce_waits_for_slow_threads(monkeypatch):
    def slow_empty(shape, dtype):
        sleep(rng.uniform(0, 0.002))
        return empty(shape, dtype)

    rng = np.random.default_rng(0)
    monkeypatch.setattr(tensor_parallel, "empty", slow_empty)
    all_reduce = tensor_parallel.AllReduce(3)

    def run(thread):
        add_up = all_reduce.of(thread)
        return [add_up(np.full(5, 10.0**thread * i)).tolist() for i in range(40)]

    for sums in Workers(3).map(run, range(3)):
        assert sums == [[111.0 * i] * 5 for i in range(40)]


def test_a_mistake_in_one_thread_stops_the_others(monkeypatch):
    monkeypatch.setattr(fast_vit, "FEW", 1)
    images, params, _ = example_of(ODD, "float64")
    del params["blocks.1.norm2.weight"]
    with pytest.raises(Exception, match="norm2|Barrier|^$"):
        fast_vit.vit_logits_tensor_parallel(images, params, ODD, Workers(2))


@each_dtype
@pytest.mark.parametrize("count", [1, 7, in_place.PIECE + 3])
def test_adamw_and_the_running_average_in_place(count, dtype):
    n = np.random.default_rng(0).standard_normal
    params, m, average, decay = n(count), n(count), n(count), 0.1 * n(count) ** 2
    v = n(count) ** 2
    params, m, v, average, decay = cast((params, m, v, average, decay), dtype)
    got = cast((params.copy(), m.copy(), v.copy(), average.copy()), dtype)
    for step in range(1, 4):
        grads = cast(n(count), dtype)
        clipped, norm = optim.clip(grads, 0.5)
        expected_norm = sqrt(in_place.add_up([grads.copy()]))
        np.testing.assert_allclose(expected_norm, norm, rtol=1e-5)
        settings = {"step": step, "lr": 0.01, "decay": decay}
        params, m, v = optim.adamw(params, clipped, m, v, **settings)
        average = optim.moving_average(average, params, 0.9, step)
        scale = min(1, 0.5 / (norm + 1e-12))
        in_place.adamw(got[0], grads, got[1], got[2], scale=scale, **settings)
        in_place.moving_average(got[3], got[0], 0.9, step)
        assert_same(got, (params, m, v, average), dtype, times=10)


@each_dtype
def test_gradients_of_all_threads_are_added_in_order(dtype):
    count = in_place.PIECE + 5
    grads = [np.random.default_rng(i).standard_normal(count).astype(dtype) for i in range(3)]
    total = grads[0] + grads[1] + grads[2]
    squares = in_place.add_up(grads)
    np.testing.assert_array_equal(grads[0], total)
    np.testing.assert_allclose(squares, (total.astype("f8") ** 2).sum(), rtol=1e-5)


def test_buffers_are_used_again_only_when_nobody_holds_them():
    assert empty((3,), np.dtype("f4")) is not empty((3,), np.dtype("f4"))
    shape, dtype = (4, 5), np.dtype("f4")
    with reuse(Buffers()):
        first = empty(shape, dtype)
        place = first.ctypes.data
        view = first[1:].T
        assert empty(shape, dtype).ctypes.data != place  # first is held, and by a view
        del first
        assert empty(shape, dtype).ctypes.data != place  # still by the view
        del view
        assert empty(shape, dtype).ctypes.data == place
        assert empty((5, 4), dtype).shape == (5, 4)
        with reuse(Buffers()):
            assert empty(shape, dtype).ctypes.data != place
        assert empty(shape, dtype).ctypes.data == place


def test_buffers_belong_to_one_thread():
    images, params, _ = example_of(ODD, "float64")
    expected, _ = vit_forward(images, params, ODD)
    with reuse(Buffers()), ThreadPoolExecutor(1) as pool:
        mine = empty((3,), np.dtype("f8"))
        place = mine.ctypes.data
        del mine
        other = pool.submit(lambda: empty((3,), np.dtype("f8"))).result()
        assert other.ctypes.data != place
    workers = Workers(2)
    results = workers.map(lambda _: fast_vit.vit_logits(images, params, ODD), range(20))
    for logits in results:
        assert_same(logits, expected, "float64", times=10)


def example_of(config, dtype, count=4):
    """Images, parameters none of which is 0 or 1, and a gradient of the logits."""
    n = np.random.default_rng(0).standard_normal
    images = n((count, config.in_chans, config.img_size, config.img_size))
    params = {
        name: value + 0.2 * n(value.shape)
        for name, value in init_params(config, dtype="float64").items()
    }
    return cast((images, params, n((count, config.num_classes))), dtype)
