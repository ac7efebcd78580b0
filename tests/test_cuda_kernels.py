"""The kernels for an NVIDIA card are the textbook: on a GPU, or with `fakegpu` on the CPU.

PYTHONPATH=path/to/fakegpu python -m pytest tests/test_cuda_kernels.py
"""

import inspect
from dataclasses import replace
from itertools import product
from math import inf, nan, sqrt
from types import SimpleNamespace

import numpy as np
import pytest
from test_cupy import cast, flat, mapped, trace

from tinyvit import ViTConfig, init_params, ops, optim, to_device, to_numpy, vit_backward
from tinyvit import vit_forward as whole_forward
from tinyvit.augment import affine_positions, sample_bilinear, smooth_noise
from tinyvit.data.datasets import normalize
from tinyvit.examples import op_examples
from tinyvit.train import Trainer

cupy = pytest.importorskip("cupy")
cuda = pytest.importorskip("tinyvit.kernels.cuda")
pytestmark = pytest.mark.usefixtures("cupy")

# Of the largest element; uint16 stands for bf16, which keeps 8 bits.
TOLERANCE = {"float32": 3e-6, "float64": 1e-13, "uint16": 2**-8}
EXAMPLES = op_examples()
LAYOUTS = {
    "columns first": lambda x: cupy.asfortranarray(x),
    "every other number": lambda x: cupy.repeat(x, 2, axis=-1)[..., ::2],
    "backwards": lambda x: cupy.ascontiguousarray(x[..., ::-1])[..., ::-1],
}
MODELS = {
    "default": {},
    "post, no qkv_bias": {"norm": "post", "qkv_bias": False},
    "gelu_tanh": {"activation": "gelu_tanh"},
    "avg, relu": {"global_pool": "avg", "activation": "relu"},
}
each_example = pytest.mark.parametrize("name", EXAMPLES)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
each_type = pytest.mark.parametrize("dtype", ["float32", "float64", "uint16"])


def assert_twins(stem, *args, dtype, times=1, there=None, seed=None, **kwargs):
    """A pair on the card gives what the textbook's gives on NumPy, to a few last places.

    Twice the same bits, in one precision, on the card alone; arguments, dout and cache stay as
    they were.

    there : copies arguments and dout to the card; None puts them there as they lie in NumPy
    seed : of the dropouts; None where there are none
    """

    def call(forward, args):
        rng = {} if seed is None else {"rng": np.random.default_rng(seed)}
        return forward(*args, **kwargs, **rng)

    forward, backward = (getattr(ops, f"{stem}_{way}") for way in ("forward", "backward"))
    args = mapped(cast(dtype), args)
    out, cache = call(forward, args)
    dout = random_dout(out, dtype)
    kinds = flat((out, backward(dout, cache)))
    out, cache = call(forward, mapped(cast("float64"), args))
    exact = flat((out, backward(dout.astype("float64"), cache)))

    forward, backward = (getattr(cuda, f"{stem}_{way}") for way in ("forward", "backward"))
    there_args, there_dout = (there or on_card)(args, dout)
    with trace() as seen:
        runs = []
        for _ in range(2):
            out, cache = call(forward, there_args)
            runs += [flat((out, backward(there_dout, cache))) for _ in range(2)]
    if seen is not None:
        assert not seen.d2h and not seen.syncs
        assert seed is not None or not seen.h2d, seen.h2d  # NumPy draws the masks
        assert dtype == "float64" or not seen.float64, seen.float64
    assert [place for place, _ in runs[0]] == [place for place, _ in exact]
    for (place, got), (_, kind), (_, value) in zip(runs[0], kinds, exact, strict=True):
        assert type(got) is cupy.ndarray, place
        assert (got.dtype, got.shape) == (kind.dtype, np.shape(kind)), place
        assert_near(got, value, times, place)
    for again in runs[1:]:
        assert_same_bits(leaves(again), leaves(runs[0]))
    assert_same_bits(leaves(flat((there_args, there_dout))), leaves(flat((args, dout))))


def on_card(args, dout):
    return mapped(to_device, (args, dout))


def assert_near(got, expected, times=1, place=""):
    """Equal to a few last places of the largest element; not finite in the same places."""
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=0)
    bound = times * TOLERANCE[str(got.dtype)] * largest + 1e-30
    np.testing.assert_allclose(numbers(got), expected, rtol=0, atol=bound, err_msg=place)


def assert_same_bits(some, others):
    for one, other in zip(some, others, strict=True):
        assert to_numpy(one).tobytes() == to_numpy(other).tobytes()


def leaves(places):
    return [array for _, array in places]


def random_dout(out, dtype):
    return np.asarray(np.random.default_rng(1).standard_normal(np.shape(out)), dtype)


def normal(*shape):
    """Random numbers: the same for the same shape, others for another."""
    return np.random.default_rng(shape).standard_normal(shape)


def rounded_to_bf16(x):
    """The nearest numbers of 8 significant bits, halves to even; worked out in float64."""
    x = np.asarray(x, np.float64)
    finite = np.where(np.isfinite(x), x, 0)
    _, exponent = np.frexp(finite)
    unit = np.ldexp(1.0, np.maximum(exponent - 8, -133))  # 2^-133 is the smallest above 0
    rounded = np.where(np.isfinite(x), np.copysign(np.rint(finite / unit) * unit, finite), x)
    return np.where(np.abs(rounded) >= 2.0**128, np.copysign(inf, rounded), rounded)


def bf16_bits(x):
    return (rounded_to_bf16(x).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def numbers(array):
    """What an array holds, as float64 on the CPU."""
    array = to_numpy(array)
    if array.dtype == np.uint16:
        array = (array.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
        return array.astype(np.float64)


def stored(x, dtype):
    """An array on the card in the type of the activations."""
    return to_device(bf16_bits(x) if dtype == "uint16" else x.astype(dtype))


def computed(x, dtype):
    """An array on the card in the type that is computed with."""
    return to_device(x.astype(real_of(dtype)))


def real_of(dtype):
    return cuda.source.real_of(np.dtype(dtype))


def empty(shape, dtype):
    """Memory on the card that is full of NaN, or of -1, and to be written over."""
    array = cupy.empty(shape, dtype)
    array.view(np.uint8 if array.ndim else None).fill(0xFF)
    return array


def launch(stem, name, dtype, **macros):
    return cuda.source.kernel(stem, name, dtype, **macros)


def test_the_namespace_is_that_of_the_textbook():
    assert set(cuda.__all__) == set(ops.__all__)
    for name in ops.__all__:
        ours, theirs = (inspect.signature(getattr(where, name)).parameters for where in (cuda, ops))
        assert list(ours) == list(theirs)
        assert all(ours[key].default == theirs[key].default for key in theirs)


@each_example
@each_dtype
def test_every_pair_is_its_textbook_twin(name, dtype):
    example, stem = EXAMPLES[name], name.partition(",")[0]
    if stem in ("dropout", "drop_path"):
        assert getattr(cuda, f"{stem}_forward") is getattr(ops, f"{stem}_forward")
        return
    assert_twins(stem, *example.args, dtype=dtype, **example.kwargs)


def attention_args(N, num_heads, head_dim, images=2):
    D = num_heads * head_dim
    weights = normal(3 * D, D) / sqrt(D), normal(3 * D), normal(D, D) / sqrt(D), normal(D)
    return normal(images, N, D), *weights, num_heads


@pytest.mark.parametrize(
    "sizes",
    [
        *[(50, 4, 16), (17, 4, 24), (50, 2, 32), (5, 3, 4), (3, 2, 1), (1, 2, 3), (33, 1, 17)],
        *[(300, 1, 16), (513, 1, 3), (130, 1, 50), (7, 1, 100), (6, 1, 128), (4, 1, 130)],
    ],
    ids=str,
)
@each_dtype
def test_attention(sizes, dtype):
    assert_twins("attention", *attention_args(*sizes), dtype=dtype)


@each_dtype
def test_attention_of_a_vit_base(dtype):
    assert_twins("attention", *attention_args(197, 2, 64, images=1), dtype=dtype)


@each_dtype
def test_attention_by_products(dtype, monkeypatch):
    args = attention_args(9, 3, 5)
    with monkeypatch.context() as patch:
        patch.setattr(cuda.attention, "fits", lambda *_: False)
        patch.setattr(cuda.attention, "attend", None)
        assert_twins("attention", *args, dtype=dtype)
        assert_twins("attention", args[0], args[1], None, args[3], None, 3, dtype=dtype)
    with monkeypatch.context() as patch:
        patch.setattr(cuda.attention, "_attend_by_products", None)
        assert_twins("attention", args[0], args[1], None, args[3], None, 3, dtype=dtype)


@each_dtype
def test_attention_with_dropout(dtype):
    assert_twins("attention", *attention_args(9, 3, 5), 0.3, dtype=dtype, seed=2)


@pytest.mark.parametrize("head_dim", [4, 64])
@each_dtype
def test_extreme_scores_in_attention(head_dim, dtype):
    x, *rest = attention_args(6, 2, head_dim)
    assert_twins("attention", 1e-39 * x, *rest, dtype=dtype)
    assert_twins("attention", 0 * x, *rest, dtype=dtype)
    dout = random_dout(x, "float64")
    args = mapped(cast(dtype), (100 * x, *rest))

    def run(where, args, dout):
        out, cache = where.attention_forward(*args)
        return [numbers(a) for a in (out, *where.attention_backward(dout, cache))]

    truth = run(ops, mapped(cast("float64"), args), dout)
    textbook = run(ops, args, dout.astype(dtype))
    fast = run(cuda, mapped(to_device, args), to_device(dout.astype(dtype)))

    def error(got):
        return max(abs(a - b).max() / abs(b).max() for a, b in zip(got, truth, strict=True))

    assert error(fast) <= 3 * error(textbook) + 1e-12


@pytest.mark.parametrize("D", [1, 5, 31, 33, 64, 192, 256, 768, 1030])
@each_dtype
def test_layernorm(D, dtype):
    for rows in (1,), (3, 3), (2, 150):
        assert_twins("layernorm", 2 + 3 * normal(*rows, D), *normal(2, D), dtype=dtype)
    assert_twins("layernorm", normal(3, D), *normal(2, D), 0.1, dtype=dtype)


@pytest.mark.parametrize("value", [0.0, 1.0, 3.0, 1e4, -1234.0, 1e-39])
@each_dtype
def test_layernorm_of_constant_rows(value, dtype):
    for D in (1, 31, 64, 768):
        weight, bias = normal(2, D)
        assert_twins("layernorm", np.full((3, D), value), weight, bias, dtype=dtype)
        rows = cupy.full((3, D), value, dtype)
        out, _ = cuda.layernorm_forward(rows, *map(to_device, cast_all(dtype, weight, bias)))
        np.testing.assert_array_equal(to_numpy(out), np.tile(bias.astype(dtype), (3, 1)))


def cast_all(dtype, *arrays):
    return [array.astype(dtype) for array in arrays]


def test_layernorm_far_from_zero_is_as_near_to_the_truth_as_the_textbook():
    x = (1e4 + normal(50, 768)).astype("f4")
    ones, zeros = np.ones(768, "f4"), np.zeros(768, "f4")
    truth, _ = ops.layernorm_forward(x.astype("f8"), ones, zeros)
    textbook, _ = ops.layernorm_forward(x, ones, zeros)
    fast, _ = cuda.layernorm_forward(*map(to_device, (x, ones, zeros)))
    assert abs(to_numpy(fast) - truth).max() <= 2 * abs(textbook - truth).max()


@pytest.mark.parametrize("width", [1, 6, 31, 33, 132, 257])
@pytest.mark.parametrize("approximate", ["none", "tanh"])
@each_dtype
def test_gelu(width, approximate, dtype):
    assert_twins("gelu", 3 * normal(7, width), approximate, dtype=dtype)
    assert_twins("gelu", np.linspace(-30, 30, 3 * width).reshape(3, width), dtype=dtype)


@each_dtype
def test_gelu_at_the_extremes(dtype):
    x = np.array([0.0, 1e-40, -1e-40, 1e-30, 30, -30])
    assert_twins("gelu", x, dtype=dtype)
    assert_twins("gelu", x, "tanh", dtype=dtype)
    out, cache = cuda.gelu_forward(cupy.array([1e4, -1e4, 1e18, -1e18], dtype))
    np.testing.assert_array_equal(to_numpy(out), np.array([1e4, 0, 1e18, 0], dtype))
    slope = cuda.gelu_backward(cupy.ones(4, dtype), cache)
    np.testing.assert_array_equal(to_numpy(slope), [1, 0, 1, 0])


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu"])
@each_dtype
def test_mlp(activation, dtype):
    for rows, D, M in ((1,), 1, 1), ((3, 5), 7, 33), ((2, 300), 3, 31):
        args = normal(*rows, D), normal(M, D), normal(M), normal(D, M), normal(D)
        assert_twins("mlp", *args, activation=activation, dtype=dtype)
        assert_twins("mlp", *args, activation, 0.4, dtype=dtype, seed=3)
    assert_twins("mlp", *args[:2], None, args[3], None, activation, dtype=dtype)


@pytest.mark.parametrize("width", [1, 10, 33, 1000])
@each_dtype
def test_softmax(width, dtype):
    for x in 3 * normal(5, width), normal(2, 3, 7, width), np.full((9, width), 1e4):
        assert_twins("softmax", x, dtype=dtype)
        assert_twins("softmax", 1e4 + x, dtype=dtype)
    assert_twins("softmax", 1e4 * normal(3, width), dtype=dtype)
    assert_twins("softmax", 1e-40 * normal(3, width), dtype=dtype)


@pytest.mark.parametrize("width", [1, 10, 33, 1000])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@each_dtype
def test_cross_entropy(width, smoothing, dtype):
    for rows, size in product((1, 19), (1, 1e4)):
        labels = np.random.default_rng(rows).integers(0, width, rows)
        for kind in ("int32", "int64", "uint8"):
            args = size * normal(rows, width), (labels % 256).astype(kind), smoothing
            assert_twins("cross_entropy", *args, dtype=dtype)


@each_dtype
def test_linear(dtype):
    for rows, D, M in ((1,), 1, 1), ((4,), 1, 3), ((1,), 3, 4), ((5,), 3, 1), ((2, 3, 5), 7, 4):
        x, weight, bias = normal(*rows, D), normal(M, D), normal(M)
        assert_twins("linear", x, weight, bias, dtype=dtype)
        assert_twins("linear", x, weight, None, dtype=dtype)


def block_args(num_heads, head_dim, hidden, *, qkv_bias=True):
    """Tokens and parameters none of which is 0 or 1."""
    D = num_heads * head_dim
    shapes = {
        **{"norm1.weight": (D,), "norm1.bias": (D,)},
        **{"attn.qkv.weight": (3 * D, D), "attn.qkv.bias": (3 * D,)},
        **{"attn.proj.weight": (D, D), "attn.proj.bias": (D,)},
        **{"norm2.weight": (D,), "norm2.bias": (D,)},
        **{"mlp.fc1.weight": (hidden, D), "mlp.fc1.bias": (hidden,)},
        **{"mlp.fc2.weight": (D, hidden), "mlp.fc2.bias": (D,)},
    }
    rng = np.random.default_rng(0)
    params = {
        name: rng.standard_normal(shape) / sqrt(shape[-1] if len(shape) == 2 else 1)
        for name, shape in shapes.items()
        if qkv_bias or name != "attn.qkv.bias"
    }
    return normal(3, 5, D), params, num_heads


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu"])
@each_dtype
def test_block(norm, activation, dtype):
    kwargs = {"norm": norm, "activation": activation, "dtype": dtype, "times": 3}
    assert_twins("block", *block_args(2, 5, 33), **kwargs)
    assert_twins("block", *block_args(3, 11, 7, qkv_bias=False), eps=0.1, **kwargs)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize(
    "rates",
    [
        {"drop_rate": 0.3},
        {"attn_drop_rate": 0.3},
        {"drop_path_rate": 0.5},
        {"drop_rate": 0.1, "attn_drop_rate": 0.2, "drop_path_rate": 0.3},
    ],
    ids=", ".join,
)
@each_dtype
def test_block_with_dropout(norm, rates, dtype):
    args = block_args(2, 5, 33)
    assert_twins("block", *args, norm=norm, **rates, dtype=dtype, seed=4, times=3)


APART = {  # stem -> arguments that are to lie in another order
    "softmax": lambda x, n: (x,),
    "gelu": lambda x, n: (x,),
    "cross_entropy": lambda x, n: (x[0], np.array([3, 0, 1, 3, 5]), 0.1),
    "layernorm": lambda x, n: (x, *n(2, 6)),
    "linear": lambda x, n: (x, n(4, 6), n(4)),
    "linear, matrices": lambda x, n: (x[0], n(4, 6), None),
    "linear, one column": lambda x, n: (x[0], n(1, 6), n(1)),
    "mlp": lambda x, n: (x, n(7, 6), n(7), n(6, 7), n(6)),
    "attention": lambda x, n: attention_args(5, 2, 3),
    "attention, by products": lambda x, n: attention_args(5, 1, 130),
    "block": lambda x, n: block_args(2, 3, 7),
    "block, post": lambda x, n: block_args(2, 3, 7),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("weights_too", [False, True], ids=["x and dout", "weights too"])
@pytest.mark.parametrize("name", APART)
@each_dtype
def test_arrays_that_do_not_lie_in_order(name, layout, weights_too, dtype):
    def lay_out(value):
        return mapped(lambda x: LAYOUTS[layout](to_device(x)) if x.ndim else to_device(x), value)

    def there(args, dout):
        x, *rest = args
        rest = lay_out(tuple(rest)) if weights_too else mapped(to_device, tuple(rest))
        return (lay_out(x), *rest), lay_out(dout)

    stem, args = name.partition(",")[0], APART[name](normal(2, 5, 6), normal)
    kwargs = {"norm": "post"} if name == "block, post" else {}
    assert_twins(stem, *args, dtype=dtype, times=3, there=there, **kwargs)


@pytest.mark.parametrize("bad", [nan, inf])
@each_dtype
def test_what_is_not_a_number_stays_visible(bad, dtype):
    def spoilt(x):
        x = x.astype(dtype)
        x[(1,) * x.ndim] = bad
        return x

    def finite(where, args, kwargs, dout):
        forward, backward = (getattr(where, f"{stem}_{way}") for way in ("forward", "backward"))
        out, cache = forward(*args, **kwargs)
        return [np.isfinite(numbers(x)) for x in leaves(flat((out, backward(dout, cache))))]

    for name, example in EXAMPLES.items():
        stem = name.partition(",")[0]
        if stem in ("dropout", "drop_path"):
            continue
        args = spoilt(example.args[0]), *mapped(cast(dtype), example.args[1:])
        with np.errstate(invalid="ignore", over="ignore"):
            out, _ = example.forward(*args, **example.kwargs)
            dout = random_dout(out, dtype)
            expected = finite(ops, args, example.kwargs, dout)
            there = mapped(to_device, args), example.kwargs, to_device(dout)
            got = finite(cuda, *there)
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)


def test_the_same_mistakes_are_refused():
    x, labels = cupy.ones((2, 3, 4)), cupy.array([0, 1])
    weights = cupy.ones((12, 4)), None, cupy.ones((4, 4)), None
    wrong = {
        "3 heads": lambda where: where.attention_forward(x, *weights, 3),
        '"none" or "tanh"': lambda where: where.gelu_forward(x, "erf"),
        "gelu_tanh or relu": lambda where: where.mlp_forward(x, *weights, "tanh"),
        '"pre" or "post"': lambda where: where.block_forward(x, {}, 2, norm="none"),
        "2 whole numbers": lambda where: where.cross_entropy_forward(x[:, 0], labels[:1]),
        "not float64": lambda where: where.cross_entropy_forward(x[:, 0], labels / 2),
    }
    for words, call in wrong.items():
        for where in (ops, cuda):
            with pytest.raises(ValueError, match=words):
                call(where)


@pytest.mark.parametrize("variant", MODELS)
@each_dtype
def test_the_whole_model_on_fast_pairs(variant, dtype):
    config = replace(
        ViTConfig(**{"img_size": 12, "patch_size": 3, "in_chans": 2, "num_classes": 5}),
        **{"embed_dim": 12, "depth": 2, "num_heads": 3, "mlp_ratio": 19 / 12},
        **MODELS[variant],
    )
    params = init_params(config, dtype=dtype)
    params = {name: value + 0.2 * random_dout(value, dtype) for name, value in params.items()}
    images, dlogits = normal(3, 2, 12, 12).astype(dtype), normal(3, 5).astype(dtype)
    logits, cache = whole_forward(images, params, config)
    expected = flat((logits, vit_backward(dlogits, cache)))
    args = mapped(to_device, (images, params))
    logits, cache = whole_forward(*args, config, ops=cuda)
    got = flat((logits, vit_backward(to_device(dlogits), cache)))
    for (place, one), (other_place, other) in zip(got, expected, strict=True):
        assert place == other_place and one.dtype == dtype
        assert_near(one, other, 10, place)


def every_bf16():
    return np.arange(1 << 16, dtype=np.uint16)


def by_patchify(x, out):
    function = launch("data", "patchify", "uint16", CHANNELS=1, SIZE=1, PATCH=1)
    function.elements(x.size, x, out, x.size)


def by_to_bf16(x, out):
    launch("optim", "to_bf16", "float32").elements(x.size, x, out, x.size)


each_store = pytest.mark.parametrize("store", [by_patchify, by_to_bf16])


@each_store
def test_bf16_is_rounded_to_nearest_and_halves_to_even(store):
    below = every_bf16().astype(np.uint32) << 16  # and 0 to 65535 more: the half is 32768
    bits = np.concatenate([below + more for more in (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF)])
    bits = np.append(bits, np.random.default_rng(0).integers(0, 1 << 32, 10**5, np.uint32))
    x = bits.view(np.float32)
    x = x[~np.isnan(x)]
    assert np.isinf(x).sum() >= 2 and (x == np.finfo("f4").max).any()
    out = empty(x.shape, np.uint16)
    store(to_device(x), out)
    np.testing.assert_array_equal(to_numpy(out), bf16_bits(x))


@each_store
def test_bf16_by_hand(store):
    by_hand = {1.0: 0x3F80, -2.0: 0xC000, 1 + 2**-8: 0x3F80, 1 + 3 * 2**-8: 0x3F82, -0.0: 0x8000}
    by_hand |= {3.4e38: 0x7F80, inf: 0x7F80, -inf: 0xFF80, 2.0**-133: 1, 2.0**-134: 0}
    x, out = to_device(np.array([*by_hand], np.float32)), empty(len(by_hand), np.uint16)
    store(x, out)
    np.testing.assert_array_equal(to_numpy(out), [*by_hand.values()])
    np.testing.assert_array_equal(bf16_bits([*by_hand]), [*by_hand.values()])


@each_store
def test_bf16_keeps_nan(store):
    bits = [0x7F800001, 0x7FFFFFFF, 0x7FC00000, 0xFF800001, 0xFFFFFFFF, 0x7F80FFFF]
    x, out = to_device(np.array(bits, np.uint32).view(np.float32)), cupy.zeros(6, np.uint16)
    store(x, out)
    assert np.isnan(numbers(x)).all() and np.isnan(numbers(out)).all()


def test_bf16_is_read_as_it_was_written():
    bits = every_bf16()
    # With N = 1 every second number of dx is dout's, the others are 0.
    both = empty((bits.size, 2), np.uint16)
    function = launch("pool", "pool_backward", "uint16")
    function.elements(both.size, to_device(bits), both, both.size, 1, 1)
    zeros, out = to_numpy(both).T
    assert not zeros.any()
    is_nan = np.isnan(numbers(bits))
    np.testing.assert_array_equal(out[~is_nan], bits[~is_nan])
    assert np.isnan(numbers(out[is_nan])).all()


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("D", [5, 64, 70])
@each_type
def test_addition_and_layernorm_in_one(D, with_bias, dtype):
    for R in (1, 9, 2100):
        wide = computed(normal(R, 2, D), dtype)
        x, branch = wide[:, 1], stored(normal(R, D), dtype)
        added, weight, bias = (computed(normal(3, D)[i], dtype) for i in range(3))
        added = added if with_bias else None
        place = empty((R, D), dtype)
        out, total, stats = cuda.layernorm.add_layernorm(
            x, branch, added, weight, bias, 0.01, place
        )
        assert out is place
        exact = numbers(x) + numbers(branch) + (numbers(added) if with_bias else 0)
        expected, cache = ops.layernorm_forward(exact, numbers(weight), numbers(bias), 0.01)
        assert_near(total, exact)
        assert_near(out, expected)
        std = np.sqrt(exact.var(axis=-1) + 0.01)
        assert_near(stats[:, 0], exact.mean(axis=-1))
        assert_near(stats[:, 1], 1 / std)

        dout, dresidual = stored(normal(2, R, D)[0], dtype), computed(normal(2, R, D)[1], dtype)
        expected = ops.layernorm_backward(numbers(dout), cache)
        for residual in (None, dresidual):
            sums = empty((cuda.layernorm.blocks(R), 3, D), real_of(dtype))
            dbranch = empty((R, D), dtype)
            dtotal = cuda.layernorm.add_layernorm_backward(
                dout, total, stats, weight, residual, sums, dbranch
            )
            exact = expected[0] + (0 if residual is None else numbers(residual))
            assert (dtotal is dbranch) == (dtype != "uint16")
            assert dtotal.dtype == real_of(dtype)
            assert_near(dtotal, exact)
            assert_near(dbranch, exact)
            columns = np.array([expected[1], expected[2], exact.sum(axis=0)])
            assert_near(sums.sum(axis=0), columns, 3)


@pytest.mark.parametrize("D", [10, 64, 128])
@each_type
def test_layernorm_of_class_tokens_alone(D, dtype):
    tokens = computed(normal(4, 3, D), dtype)
    weight, bias = computed(normal(D), dtype), computed(normal(2, D)[1], dtype)
    x, out = tokens[:, 0], empty((4, D), dtype)
    out, total, stats = cuda.layernorm.add_layernorm(x, None, None, weight, bias, 1e-6, out)
    assert total is x
    expected, cache = ops.layernorm_forward(numbers(x), numbers(weight), numbers(bias))
    assert_near(out, expected)
    dout, sums = stored(normal(4, D), dtype), empty((3, 3, D), real_of(dtype))
    dbranch = empty((4, D), dtype)
    dx = cuda.layernorm.add_layernorm_backward(dout, x, stats, weight, None, sums, dbranch)
    expected, dweight, dbias = ops.layernorm_backward(numbers(dout), cache)
    assert_near(dx, expected)
    assert_near(sums.sum(axis=0), np.array([dweight, dbias, expected.sum(axis=0)]), 3)


@each_type
def test_arrays_that_start_anywhere(dtype):
    """Where several neighbours cannot be read at once, one is; a real card would refuse it."""
    from tinyvit.kernels.cuda.source import vector

    line, R, D = stored(normal(1 + 9 * 128), dtype), 9, 128
    there, shifted = line[:-1].reshape(R, D), line[1:].reshape(R, D)
    assert (vector(D, there, None), vector(D, there, shifted), vector(6, there)) == (4, 1, 2)
    assert vector(D, line[4:]) == 4 and vector(D, line[2:]) == 2
    expected, cache = ops.gelu_forward(numbers(shifted))
    assert_near(cuda.gelu.activate(shifted, None, "gelu"), expected)
    dx = cuda.gelu.activate_backward(shifted, shifted, None, "gelu", None)
    assert_near(dx, ops.gelu_backward(numbers(shifted), cache))
    weight, x = computed(np.ones(D), dtype), computed(normal(1 + 9 * 128), dtype)[1:].reshape(R, D)
    out, _, _ = cuda.layernorm.add_layernorm(x, None, None, weight, 0 * weight, 1e-6)
    assert_near(out, ops.layernorm_forward(numbers(x), 1, 0)[0])


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu"])
@pytest.mark.parametrize("with_bias", [False, True])
@each_type
def test_bias_and_activation_in_one(activation, with_bias, dtype):
    stem, *approximate = {"gelu_tanh": ("gelu", "tanh")}.get(activation, (activation,))
    forward, backward = (getattr(ops, f"{stem}_{way}") for way in ("forward", "backward"))
    shapes = (
        ((1, 1), 1),
        ((2, 5, 33), 3),
        ((70, 31), 64),
        ((600, 64), 5),
        ((9, 130), 2),
        ((3, 4), 1),
    )
    for shape, groups in shapes:
        x = 2 * normal(*shape)
        x[..., -1] = 0  # where relu has no slope
        x, dout = stored(x, dtype), stored(normal(*shape, 1)[..., 0], dtype)
        bias = computed(normal(shape[-1]), dtype) if with_bias else None
        out = empty(shape, dtype)
        assert cuda.gelu.activate(x, bias, activation, out) is out
        exact = numbers(x) + (numbers(bias) if with_bias else 0)
        expected, cache = forward(exact, *approximate)
        assert_near(out, expected)
        sums, dx = empty((groups, shape[-1]), real_of(dtype)), empty(shape, dtype)
        assert cuda.gelu.activate_backward(dout, x, bias, activation, sums, dx) is dx
        expected = backward(numbers(dout), cache)
        assert_near(dx, expected)
        assert_near(sums.sum(axis=0), expected.reshape(-1, shape[-1]).sum(axis=0), 3)
        again = cuda.gelu.activate(x, bias, activation)
        dagain = cuda.gelu.activate_backward(dout, x, bias, activation, None)
        assert_same_bits([again, dagain], [out, dx])


def attention_textbook(qkv, dcontext, num_heads):
    """From q, k and v to the logarithms of the sums, what was read, and the gradient of qkv."""
    B, N, width = qkv.shape
    h, d = num_heads, width // 3 // num_heads
    q, k, v = qkv.reshape(B, N, 3, h, d).transpose(2, 0, 3, 1, 4)  # (B, h, N, d) each
    scores = q @ k.swapaxes(-1, -2) / sqrt(d)
    attn, cache = ops.softmax_forward(scores)
    dheads = dcontext.reshape(B, N, h, d).transpose(0, 2, 1, 3)
    dscores = ops.softmax_backward(dheads @ v.swapaxes(-1, -2), cache) / sqrt(d)
    dqkv = dscores @ k, dscores.swapaxes(-1, -2) @ q, attn.swapaxes(-1, -2) @ dheads
    dqkv = np.stack(dqkv).transpose(1, 3, 0, 2, 4).reshape(B, N, width)
    context = (attn @ v).transpose(0, 2, 1, 3).reshape(B, N, width // 3)
    return scores.max(axis=-1) - np.log(attn.max(axis=-1)), context, dqkv


ATTENTION = [(50, 4, 16), (17, 2, 24), (5, 3, 64), (9, 1, 100), (16, 1, 32), (65, 1, 2)]


@pytest.fixture(params=["tensor cores", "all lanes"])
def plan(request, monkeypatch):
    """How bf16 attention is computed, where there is a choice."""
    if request.param == "all lanes":
        plan = cuda.attention._on_all_lanes
        monkeypatch.setattr(
            cuda.attention, "_plan", lambda N, d, dtype: plan(N, d, np.dtype(dtype).itemsize)
        )
    return request.param


@pytest.mark.parametrize("sizes", [*ATTENTION, (197, 1, 64)], ids=str)
@pytest.mark.parametrize("with_bias", [False, True])
@each_type
def test_attention_without_its_linear_layers(sizes, with_bias, dtype, plan):
    N, h, d = sizes
    if dtype != "uint16" and plan == "tensor cores":
        pytest.skip("these are for bf16")
    if dtype == "float64" and N == 197:
        pytest.skip("it needs more shared memory than there is")
    D = h * d
    qkv, dcontext = stored(normal(3, N, 3 * D), dtype), stored(normal(3, N, D), dtype)
    bias = computed(0.3 * normal(3 * D), dtype) if with_bias else None
    exact = numbers(qkv) + (numbers(bias) if with_bias else 0)
    exact = rounded_to_bf16(exact) if dtype == "uint16" else exact
    expected_sums, expected, dexpected = attention_textbook(exact, numbers(dcontext), h)

    place = empty((3, N, D), dtype)
    context, log_sums = cuda.attention.attend(qkv, bias, h, place)
    assert context is place
    times = {"uint16": 3 if plan == "tensor cores" else 2}.get(dtype, 1)
    assert_near(context, expected, times)
    assert_near(log_sums, expected_sums, times)
    sums, dqkv = empty((3, 3 * D), real_of(dtype)), empty((3, N, 3 * D), dtype)
    cuda.attention.attend_backward(dcontext, qkv, bias, context, log_sums, h, sums, dqkv)
    for part in np.split(np.arange(3 * D), 3):
        assert_near(dqkv[..., part[0] : part[-1] + 1], dexpected[..., part], times)
    # The keys' bias has no gradient: what is left of it is measured against the others'.
    assert_near(sums, numbers(dqkv).sum(axis=1), 3)


@pytest.mark.parametrize("tokens, dim", [(50, 16), (17, 24), (100, 64), (9, 15), (197, 66)])
def test_attention_takes_what_this_card_has_memory_for(tokens, dim, monkeypatch):
    def stem(dtype, limit):
        monkeypatch.setattr(cupy.cuda.runtime, "deviceGetAttribute", lambda *_: limit)
        plan = cuda.attention._plan.__wrapped__(tokens, dim, np.dtype(dtype))
        return plan and plan.stem

    static = 16 * (tokens + 15)
    lanes = cuda.attention._on_all_lanes(tokens, dim, 2).backward + static
    cores = cuda.attention._on_tensor_cores(tokens, dim).backward + static
    assert stem("uint16", cores) == ("attention" if dim in (15, 66) else "attention_mma")
    assert stem("uint16", min(lanes, cores - 1)) == "attention"
    assert stem("uint16", lanes - 1) is None
    assert stem("float32", 1 << 18) == "attention"


@each_type
def test_scores_that_all_lie_far_below_zero(dtype, plan):
    if dtype != "uint16" and plan == "tensor cores":
        pytest.skip("these are for bf16")
    rng, (N, h, d) = np.random.default_rng(0), (40, 2, 16)
    qkv = np.empty((2, N, 3, h, d))
    qkv[:, :, 0] = -8
    qkv[:, :, 1] = rng.integers(60, 63, (2, N, h, d))  # whole numbers: the scores are exact
    qkv[:, :, 2] = rng.integers(-9, 10, (2, N, h, d))
    qkv = qkv.reshape(2, N, -1)
    context, log_sums = cuda.attention.attend(stored(qkv, dtype), None, h)
    expected_sums, expected, _ = attention_textbook(qkv, np.zeros((2, N, h * d)), h)
    assert (expected_sums < -1000).all()
    assert_near(context, expected)
    assert_near(log_sums, expected_sums)


@pytest.mark.parametrize("with_bias", [False, True])
@each_type
def test_loss_and_right_answers(with_bias, dtype):
    B, K = 21, 70
    logits = np.round(normal(B, K), 1)  # some twice
    logits[0], logits[1, [3, 40]], logits[2, [33, 34]] = 0.5, 9.0, 9.0
    labels = np.random.default_rng(0).integers(0, K, B)
    labels[:6] = 0, 40, 33, *logits[3:6].argmax(axis=-1)
    labels[6:8] = K, -1  # no class
    logits[6, 0], labels[6] = 20, 0
    logits, bias = computed(logits, dtype), None
    if with_bias:
        bias = computed(np.arange(K) % 3 * 0.5 - 1, dtype)
    exact = numbers(logits) + (numbers(bias) if with_bias else 0)
    losses, corrects = empty(B, real_of(dtype)), empty(B, np.int32)
    dlogits = empty((B, K), real_of(dtype))
    copy = empty((B, K), dtype) if dtype == "uint16" else None
    cuda.cross_entropy.cross_entropy(
        *(logits, bias, to_device(labels.astype(np.int32)), 0.1),
        *(losses, corrects, dlogits, copy),
    )
    loss, cache = ops.cross_entropy_forward(exact, labels, 0.1)
    each = [
        ops.cross_entropy_forward(exact[i : i + 1], labels[i : i + 1], 0.1)[0] for i in range(B)
    ]
    assert_near(losses, np.array(each))
    assert_near(losses.mean(), loss)
    expected = ops.cross_entropy_backward(1, cache)
    assert_near(dlogits, expected)
    if copy is not None:
        np.testing.assert_array_equal(to_numpy(copy), bf16_bits(numbers(dlogits)))
    np.testing.assert_array_equal(to_numpy(corrects), exact.argmax(axis=-1) == labels)
    if not with_bias:
        assert to_numpy(corrects)[:7].tolist() == [1, 0, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 5, 33), (20, 4, 64)], ids=str)
@each_type
def test_embed(sizes, with_bias, dtype):
    B, N, D = sizes
    tokens, cls_token = stored(normal(B, N, D), dtype), computed(normal(1, 1, D), dtype)
    bias = computed(normal(D), dtype) if with_bias else None
    pos_embed = computed(normal(1, N + 1, D), dtype) if with_bias else None
    out = empty((B, N + 1, D), real_of(dtype))
    args = tokens, bias, cls_token, pos_embed, out, out.size, N, D
    launch("embed", "embed_forward", dtype).elements(out.size, *args)
    exact = numbers(tokens) + (numbers(bias) if with_bias else 0)
    positions = numbers(pos_embed) if with_bias else np.zeros((1, N + 1, D))
    expected, cache = ops.embed_forward(exact, numbers(cls_token), positions)
    assert_near(out, expected)

    for groups in (1, 3):
        dout, dtokens = computed(normal(B, N + 1, D), dtype), empty((B, N, D), dtype)
        sums = empty((N + 1, groups, D), real_of(dtype))
        grid = -(-D // 32), N + 1, groups
        launch("embed", "embed_backward", dtype)(grid, (32, 8), dout, dtokens, sums, B, D)
        dexpected, dcls_token, dpos_embed = ops.embed_backward(numbers(dout), cache)
        assert_near(dtokens, dexpected)
        got = sums.sum(axis=1)
        assert_near(got, dpos_embed[0])
        assert_near(got[0], dcls_token[0, 0])
        assert_near(got[1:].sum(axis=0), dexpected.sum(axis=(0, 1)), 3)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 5, 33), (20, 4, 64)], ids=str)
@each_type
def test_pool(sizes, dtype):
    B, N, D = sizes
    x, out = stored(normal(B, N + 1, D), dtype), empty((B, D), dtype)
    launch("pool", "pool_forward", dtype).elements(out.size, x, out, out.size, N, D)
    assert_near(out, numbers(x)[:, 1:].mean(axis=1))
    dout, dx = stored(normal(B, D), dtype), empty((B, N + 1, D), dtype)
    launch("pool", "pool_backward", dtype).elements(dx.size, dout, dx, dx.size, N, D)
    expected = np.repeat(numbers(dout)[:, None], N + 1, axis=1) / N
    expected[:, 0] = 0
    assert_near(dx, expected)


MATRICES = {
    "plain": lambda x: x,
    "transposed": lambda x: cupy.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2),
    "rows apart": lambda x: cupy.stack([x, 0 * x], axis=-2)[..., 0, :],
}
PRODUCTS = [("float32", "float32"), ("float64", "float64"), ("uint16", "float32")]
PRODUCTS += [("uint16", "uint16")]


@pytest.mark.parametrize("batch", [(), (4,)], ids=["single", "batched"])
@pytest.mark.parametrize("sizes", [(5, 7, 3), (1, 7, 3), (5, 1, 3), (5, 7, 1), (1, 1, 1)], ids=str)
@pytest.mark.parametrize(("dtype", "out_dtype"), PRODUCTS)
def test_products(sizes, batch, dtype, out_dtype):
    M, K, N = sizes
    a, b = (stored(normal(*batch, *shape), dtype) for shape in ((M, K), (K, N)))
    expected = numbers(a) @ numbers(b)
    for lay_out_a, lay_out_b in product(MATRICES.values(), repeat=2):
        out = empty((*batch, M, N), out_dtype)
        assert cuda.products.multiply(lay_out_a(a), lay_out_b(b), out) is out
        assert_near(out, expected)
        wide = empty((*batch, M, 2, N), out_dtype)
        untouched = to_numpy(wide)[..., 1, :]
        cuda.products.multiply(lay_out_a(a), lay_out_b(b), wide[..., 0, :])
        assert_near(wide[..., 0, :], expected)
        assert_same_bits([wide[..., 1, :]], [untouched])


def test_products_with_factors_of_10_bits():
    a, b = normal(9, 20).astype("f4"), normal(20, 4).astype("f4")
    out = empty((9, 4), "f4")
    cuda.products.multiply(to_device(a), to_device(b), out, "tf32")
    np.testing.assert_allclose(to_numpy(out), a @ b, rtol=0, atol=2**-9 * abs(a @ b).max())


def test_products_that_do_not_fit():
    def ones(*shape, dtype="f4"):
        return cupy.ones(shape, dtype)

    wrong = [
        (ones(2, 3), ones(4, 5), ones(2, 5)),
        (ones(2, 3), ones(3, 5), ones(5, 2)),
        (ones(2, 3), ones(3, 5), ones(2, 4)),
        (ones(6, 2, 3), ones(6, 3, 5), ones(6, 2, 4)),
    ]
    for a, b, out in wrong:
        with pytest.raises(ValueError, match="does not give"):
            cuda.products.multiply(a, b, out)
        assert (to_numpy(out) == 1).all()


STRANGE = {  # factors (M, 3) and (3, N), and where the product goes
    "every other number": lambda x, out: (x[:, ::2], x[:3, :4], out[:, :4]),
    "backwards": lambda x, out: (x[:, 2::-1], x[2::-1, :4], out[:, :4]),
    "a column backwards": lambda x, out: (x.T.ravel()[4::-1, None], x[:1, :4], out[:, :4]),
    "a row backwards": lambda x, out: (x[:, :1], x.ravel()[None, 3::-1], out[:, :4]),
    "one number": lambda x, out: (cupy.broadcast_to(x[:1, :1], (5, 3)), x[:3, :4], out[:, :4]),
    "one column": lambda x, out: (cupy.broadcast_to(x[:1, :1], (5, 1)), x[:1, :4], out[:, :4]),
    "one row": lambda x, out: (cupy.broadcast_to(x[:1, :3], (5, 3)), x[:3, :4], out[:, :4]),
    "transposed out": lambda x, out: (x[:, :3], x[:3, :5], out[:, :5].T),
    "out with gaps": lambda x, out: (x[:, :3], x[:3, :3], out[:, ::2]),
    "out of a single column": lambda x, out: (x[:, :3], x[:3, :1], out[:, 1:2]),
}


@pytest.mark.parametrize("strange", STRANGE)
@each_dtype
def test_products_of_strange_matrices_are_right_or_refused(strange, dtype):
    a, b, out = STRANGE[strange](to_device(normal(5, 6).astype(dtype)), empty((5, 6), dtype))
    try:
        cuda.products.multiply(a, b, out)
    except ValueError:
        assert np.isnan(numbers(out)).all()
        return
    assert_near(out, numbers(a) @ numbers(b))


LOW = 0xFFFFFFFF
KNOWN = [  # counter, key, answer: Random123's kat_vectors
    (4 * [0], 2 * [0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    (4 * [LOW], 2 * [LOW], [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


def philox(counter, key):
    """Philox4x32-10 in 64-bit arithmetic.

    counter : four numbers, or arrays of them
    key : two numbers

    Returns (4, ...) uint64, each below 2^32.
    """
    x, y, z, w = np.broadcast_arrays(*[np.asarray(part, np.uint64) for part in counter])
    for turn in range(10):
        first, second = (key[0] + turn * 0x9E3779B9) & LOW, (key[1] + turn * 0xBB67AE85) & LOW
        a, b = x * np.uint64(0xD2511F53), z * np.uint64(0xCD9E8D57)
        x, y, z, w = (b >> 32) ^ y ^ first, b & LOW, (a >> 32) ^ w ^ second, a & LOW
    return np.array([x, y, z, w])


def uniform(x):
    return (x >> 8).astype(np.float64) / 2**24


def test_random_numbers_are_those_that_the_authors_published(cupy):
    code = cuda.source.source("random", REAL="float", STORED="float") + (
        'extern "C" __global__ void known(const unsigned* in, unsigned* out) {\n'
        "    Four four = philox({in[0], in[1], in[2], in[3]}, in[4], in[5]);\n"
        "    out[0] = four.x, out[1] = four.y, out[2] = four.z, out[3] = four.w;\n"
        "}\n"
    )
    function = cupy.RawModule(code=code, options=cuda.source.OPTIONS).get_function("known")
    for counter, key, answer in KNOWN:
        assert philox(counter, key).tolist() == answer
        out = empty(4, np.uint32)
        function((1,), (1,), (cupy.array([*counter, *key], np.uint32), out))
        assert to_numpy(out).tolist() == answer


def draw(count, step, seed=5, stream=7):
    out = empty(count + 4, np.float32)  # the last four are to stay as they are
    step = cupy.array([step], np.int64)
    args = out, count, step, np.uint32(seed), np.uint32(stream)
    launch("random", "uniform_numbers", "float32").elements(-(-count // 4), *args)
    out = to_numpy(out)
    assert np.isnan(out[count:]).all()
    return out[:count]


@pytest.mark.parametrize("count", [1, 3, 4, 1023, 5000])
def test_uniform_numbers(count):
    step, seed, stream = (5 << 32) + 3, LOW, 1 << 31
    numbers = np.arange(-(-count // 4))
    expected = philox((numbers, 0, 3, 5), (seed, stream)).T.ravel()[:count]
    np.testing.assert_array_equal(draw(count, step, seed, stream), uniform(expected))


def test_uniform_numbers_are_uniform_and_new_at_each_step():
    first = draw(10**5, 0)
    assert first.min() >= 0 and first.max() < 1 and len(np.unique(first)) > 0.99 * 10**5
    for moment, expected in (first, 1 / 2), (first**2, 1 / 3), (first[:-1] * first[1:], 1 / 4):
        assert abs(moment.mean(dtype=np.float64) - expected) < 5 / sqrt(12 * 10**5)
    np.testing.assert_array_equal(first, draw(10**5, 0))
    for other in draw(10**5, 1), draw(10**5, 1 << 32), draw(10**5, 0, 6), draw(10**5, 0, 5, 8):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.02


def take_batch(images, labels, order, position, step, patch, dtype, displacements=None, **changes):
    """Patches and labels of the images in a row of `order`, by the kernel."""
    _, C, size, _ = images.shape
    B, N = order.shape[1], (size // patch) ** 2
    patches, chosen = empty((B, N, C * patch * patch), dtype), empty(B, np.int32)
    launch("data", "take_batch", dtype, CHANNELS=C, SIZE=size, PATCH=patch)(
        (B,),
        (96,),
        *map(to_device, (images, labels.astype(np.int32), order.astype(np.int32))),
        *(cupy.array([number], np.int64) for number in (position, step)),
        *(displacements, patches, chosen, np.uint32(changes.get("seed", 3)), np.uint32(4)),
        *(float(changes.get(name, 0)) for name in ("shift", "rotate", "stretch")),
    )
    return patches, to_numpy(chosen)


def some_images(channels, size, count=9):
    rng = np.random.default_rng(channels)
    images = rng.integers(0, 256, (count, channels, size, size), np.uint8)
    return images, rng.integers(0, 10, count), rng.integers(0, count, (3, 5))


SHAPES = [(1, 8, 2), (3, 12, 4), (2, 28, 7), (1, 5, 5), (2, 3, 1)]  # channels, size, patch
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


@each_shape
@each_type
def test_a_batch_that_is_only_taken(shape, dtype):
    channels, size, patch = shape
    images, labels, order = some_images(channels, size)
    for position in range(len(order)):
        patches, chosen = take_batch(images, labels, order, position, 11, patch, dtype)
        np.testing.assert_array_equal(chosen, labels[order[position]])
        expected = images[order[position]].astype(real_of(dtype)) / 127.5 - 1
        if dtype == "float32":
            np.testing.assert_array_equal(expected, normalize(images[order[position]]))
        expected, _ = ops.patchify_forward(expected, patch)
        np.testing.assert_array_equal(to_numpy(patches), to_numpy(stored(expected, dtype)))


CHANGES = {
    "nothing": {},
    "shift": {"shift": 3.0},
    "far away": {"shift": 40.0},
    "rotate": {"rotate": 0.5},
    "stretch": {"stretch": 0.4},
    "all": {"shift": 2.0, "rotate": 3.0, "stretch": 0.3, "seed": LOW},
}


@pytest.mark.parametrize("elastic", [False, True], ids=["", "elastic"])
@pytest.mark.parametrize("change", CHANGES)
@each_shape
def test_a_batch_that_is_augmented(shape, change, elastic, dtype="float32"):
    channels, size, patch = shape
    images, labels, order = some_images(channels, size)
    B, step, position, changes = order.shape[1], (2 << 32) + 9, 1, CHANGES[change]
    key = changes.get("seed", 3), 4
    first, second = (2 * uniform(philox((np.arange(B), i, 9, 2), key)) - 1 for i in (0, 1))
    stretch = changes.get("stretch", 0) * np.array([first[3], second[0]])
    rows, cols = affine_positions(
        *((size, size), changes.get("shift", 0) * first[:2]),
        *(changes.get("rotate", 0) * first[2], 1 + stretch),
    )
    displacements = None
    if elastic:
        displacements = smooth_noise(np.random.default_rng(0), (2, B, size, size), 2.0)
        rows, cols = rows + displacements[0], cols + displacements[1]
    expected = normalize(sample_bilinear(images[order[position]], rows, cols))
    expected, _ = ops.patchify_forward(expected, patch)
    there = None if displacements is None else to_device(displacements)
    patches, _ = take_batch(images, labels, order, position, step, patch, dtype, there, **changes)
    np.testing.assert_allclose(numbers(patches), expected, rtol=0, atol=2e-5)
    if change == "all":
        patches, _ = take_batch(
            images, labels, order, position, step, patch, "uint16", there, **changes
        )
        np.testing.assert_allclose(numbers(patches), expected, rtol=0, atol=2**-8)


@each_shape
@each_type
def test_patches_of_images_that_are_there(shape, dtype):
    channels, size, patch = shape
    images = computed(normal(3, channels, size, size), dtype)
    expected, _ = ops.patchify_forward(to_numpy(images), patch)
    out = empty(expected.shape, dtype)
    function = launch("data", "patchify", dtype, CHANNELS=channels, SIZE=size, PATCH=patch)
    function.elements(images.size, images, out, images.size)
    np.testing.assert_array_equal(to_numpy(out), to_numpy(stored(expected, dtype)))


@each_dtype
def test_gradients_are_added_up_over_groups(dtype):
    pieces = [(1, 1, 1), (31, 8, 31), (33, 9, 40), (512, 256, 515), (100, 3, 300), (7, 64, 7)]
    parts, chunks, expected, start = [], [], [], 0
    for count, groups, stride in pieces:
        rows = normal(groups, stride).astype(dtype)
        parts.append(to_device(rows))
        expected.append(rows[:, :count].sum(axis=0, dtype=np.float64))
        chunks.append((start, count, parts[-1].data.ptr, groups, stride))
        start += count
    turned = np.random.default_rng(0).permutation(len(chunks))
    chunks = np.array(chunks, np.int64)[turned]
    grads, squares = empty(start + 1, dtype), empty(len(chunks), dtype)
    launch("optim", "sum_groups", dtype)((len(chunks),), (32, 8), to_device(chunks), grads, squares)
    assert np.isnan(to_numpy(grads)[-1])
    assert_near(grads[:-1], np.concatenate(expected))
    norms = np.array([(one * one).sum() for one in expected])[turned]
    np.testing.assert_allclose(to_numpy(squares), norms, rtol=TOLERANCE[dtype])


class Card:
    """What the end of a step keeps on the card."""

    def __init__(self, dtype, step=0):
        self.dtype = dtype
        self.scalars, self.loss = empty(5, dtype), cupy.zeros(1, dtype)
        self.correct, self.position = cupy.zeros(1, np.int64), cupy.zeros(1, np.int64)
        self.step = cupy.array([step], np.int64)

    def end_of_step(self, squares, losses, corrects, **settings):
        settings = {"lr": 0.01, "warmup": 0, "total": None, "clip": 1.0, "ema": 0.0} | settings
        total = -1 if settings["total"] is None else settings["total"]
        squares, losses = (np.asarray(x).astype(self.dtype) for x in (squares, losses))
        launch("optim", "end_of_step", self.dtype)(
            *((1,), (1024,), to_device(squares), len(squares)),
            *(to_device(losses), to_device(np.asarray(corrects, np.int32)), len(losses)),
            *(float(settings["lr"]), np.int64(settings["warmup"]), np.int64(total)),
            *(float(settings["clip"]), float(settings["ema"]), self.scalars),
            *(self.loss, self.correct, self.step, self.position),
        )

    def adamw(self, params, grads, m, v, decay, average, shadow):
        arrays = params, grads, m, v, decay, average, shadow, self.scalars
        launch("optim", "adamw", self.dtype).elements(params.size, *arrays, params.size)


@pytest.mark.parametrize(
    "schedule", [(0, None), (3, None), (0, 8), (3, 8), (5, 5), (20, 8), (0, 0)]
)
@each_dtype
def test_learning_rate_of_every_step(schedule, dtype):
    warmup, total = schedule
    card, rtol = Card(dtype), 1e-6 if dtype == "float32" else 1e-13
    for step in range(12):
        settings = SimpleNamespace(lr=0.3, warmup_steps=warmup, total_steps=total, step_count=step)
        lr = Trainer.learning_rate(settings)
        card.end_of_step([4.0], [1.0], [1], lr=0.3, warmup=warmup, total=total, ema=0.99)
        t = step + 1
        scale = 1 / (2 + 1e-12)
        expected = (
            scale,
            lr,
            lr / (1 - 0.9**t),
            1 / sqrt(1 - 0.999**t),
            min(0.99, (1 + t) / (10 + t)),
        )
        np.testing.assert_allclose(to_numpy(card.scalars), expected, rtol=rtol, atol=1e-16)
        assert [int(x[0]) for x in (card.step, card.position)] == [t, t]


@pytest.mark.parametrize("count", [1, 31, 1024, 2500])
@each_dtype
def test_what_a_step_leaves_behind(count, dtype):
    rng, card = np.random.default_rng(0), Card(dtype, step=(1 << 32) + 6)
    loss, correct = 0, 0
    for clip in (0.5, 1e9, inf):
        squares, losses, corrects = rng.random(count), rng.random(count), rng.integers(0, 2, count)
        card.end_of_step(squares, losses, corrects, clip=clip)
        loss, correct = loss + losses.sum(), correct + corrects.sum()
        norm = sqrt(squares.sum())
        assert float(card.scalars[0]) == pytest.approx(min(1, clip / norm), rel=1e-6)
    assert float(card.loss[0]) == pytest.approx(loss, rel=1e-6)
    assert int(card.correct[0]) == correct
    assert int(card.step[0]) == (1 << 32) + 9 and int(card.position[0]) == 3


@pytest.mark.parametrize("clip_norm", [0.5, inf])
@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
@pytest.mark.parametrize("count", [1, 7, 3000])
@each_dtype
def test_adamw_and_the_running_average(count, ema_decay, clip_norm, dtype):
    n = np.random.default_rng(0).standard_normal
    params, average, decay = n(count), n(count), 0.1 * n(count) ** 2
    params, average, decay = cast_all(dtype, params, average, decay)
    m, v = np.zeros(count, dtype), np.zeros(count, dtype)
    there = [to_device(x) for x in (params, m, v, average)]
    shadow, fixed, card = empty(count, np.uint16), to_device(decay), Card(dtype)
    params, m, v, average, decay = (x.astype("f8") for x in (params, m, v, average, decay))
    for step in range(1, 6):
        grads = n(count).astype(dtype)
        settings = {"lr": 0.05, "warmup": 2, "total": 9, "clip": clip_norm, "ema": ema_decay}
        card.end_of_step([(grads.astype("f8") ** 2).sum()], [0.0], [0], **settings)
        card.adamw(
            *(there[0], to_device(grads), there[1], there[2], fixed),
            *(there[3] if ema_decay else None, shadow if step % 2 else None),
        )
        lr = optim.warmup_cosine(step - 1, peak=0.05, warmup_steps=2, total_steps=9)
        clipped, _ = optim.clip(grads.astype("f8"), clip_norm)
        params, m, v = optim.adamw(params, clipped, m, v, step=step, lr=lr, decay=decay)
        average = optim.moving_average(average, params, ema_decay, step) if ema_decay else average
        for got, expected in zip(there, (params, m, v, average), strict=True):
            assert_near(got, expected)
        if step % 2:
            np.testing.assert_array_equal(to_numpy(shadow), bf16_bits(numbers(there[0])))


@pytest.mark.parametrize("bad", [nan, inf])
@pytest.mark.parametrize("clip_norm", [1.0, inf])
@each_dtype
def test_a_gradient_that_is_not_finite_shows_in_the_weights(bad, clip_norm, dtype):
    params, grads = cast_all(dtype, normal(5), normal(2, 5)[1])
    grads[3] = bad
    there, zeros = to_device(params), [cupy.zeros(5, dtype) for _ in range(3)]
    shadow, card = empty(5, np.uint16), Card(dtype)
    with np.errstate(invalid="ignore"):
        card.end_of_step([(grads * grads).sum()], [0.0], [0], clip=clip_norm)
        card.adamw(there, to_device(grads), *zeros, None, shadow)
        clipped, _ = optim.clip(grads, clip_norm)
        expected, *_ = optim.adamw(
            params, clipped, 0 * params, 0 * params, step=1, lr=0.01, decay=0
        )
    assert np.isnan(expected[3])
    assert_near(there, expected)
    np.testing.assert_array_equal(np.isnan(numbers(shadow)), np.isnan(expected))
