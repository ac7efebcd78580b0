"""Block: two residual branches, norms before or after."""

import numpy as np
import pytest
from op_checks import assert_gradients, assert_like_pytorch, assert_like_stored, case

from tinyvit.ops import block_backward as backward
from tinyvit.ops import block_forward as forward

n = np.random.default_rng(0).standard_normal

B, N, D, M, h = 2, 3, 4, 5, 2


def make_params(qkv_bias=True):
    shapes = {"norm1.weight": (D,), "norm1.bias": (D,), "attn.qkv.weight": (3 * D, D)}
    shapes |= {"attn.qkv.bias": (3 * D,)} if qkv_bias else {}
    shapes |= {"attn.proj.weight": (D, D), "attn.proj.bias": (D,)}
    shapes |= {"norm2.weight": (D,), "norm2.bias": (D,)}
    shapes |= {"mlp.fc1.weight": (M, D), "mlp.fc1.bias": (M,)}
    shapes |= {"mlp.fc2.weight": (D, M), "mlp.fc2.bias": (D,)}
    return {name: n(shape) for name, shape in shapes.items()}


CASES = {
    "pre": case(n((B, N, D)), make_params(), h),
    "post": case(n((B, N, D)), make_params(), h, norm="post"),
    "tanh": case(n((B, N, D)), make_params(), h, activation="gelu_tanh"),
    "relu": case(n((B, N, D)), make_params(), h, activation="relu"),
    "no qkv bias": case(n((B, N, D)), make_params(qkv_bias=False), h),
    "eps": case(n((B, N, D)), make_params(), h, eps=0.1),
}


def in_pytorch(x, params, num_heads, norm="pre", activation="gelu", eps=1e-6):
    from torch.nn import functional as F

    p = params

    def normed(x, name):
        return F.layer_norm(x, (D,), p[f"{name}.weight"], p[f"{name}.bias"], eps)

    def attention(x):
        qkv = F.linear(x, p["attn.qkv.weight"], p.get("attn.qkv.bias"))
        qkv = qkv.reshape(len(x), -1, 3, num_heads, D // num_heads).permute(2, 0, 3, 1, 4)
        context = F.scaled_dot_product_attention(*qkv).swapaxes(1, 2).flatten(2)
        return F.linear(context, p["attn.proj.weight"], p["attn.proj.bias"])

    def mlp(x):
        hidden = F.linear(x, p["mlp.fc1.weight"], p["mlp.fc1.bias"])
        if activation == "relu":
            active = hidden.relu()
        else:
            active = F.gelu(hidden, approximate="tanh" if activation == "gelu_tanh" else "none")
        return F.linear(active, p["mlp.fc2.weight"], p["mlp.fc2.bias"])

    if norm == "post":
        x = normed(x + attention(x), "norm1")
        return normed(x + mlp(x), "norm2")
    x = x + attention(normed(x, "norm1"))
    return x + mlp(normed(x, "norm2"))


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    assert_gradients(forward, backward, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    assert_like_pytorch(forward, backward, in_pytorch, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_like_stored(name):
    assert_like_stored(forward, backward, f"block/{name}", CASES[name])


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_with_silent_branches(norm):
    x, params = n((B, N, D)), make_params()
    for name in ("attn.proj.weight", "attn.proj.bias", "mlp.fc2.weight", "mlp.fc2.bias"):
        params[name] = np.zeros_like(params[name])
    for name in ("norm1", "norm2"):
        params |= {f"{name}.weight": np.ones(D), f"{name}.bias": np.zeros(D)}
    out, cache = forward(x, params, h, norm=norm)
    dout = n((B, N, D))
    dx, _ = backward(dout, cache)
    if norm == "pre":  # both branches are 0: the block hands x on, and dout back, untouched
        assert np.array_equal(out, x) and np.array_equal(dx, dout)
    else:  # what comes out is normalised
        np.testing.assert_allclose(out.mean(axis=-1), 0, atol=1e-12)
        np.testing.assert_allclose(out.var(axis=-1), 1, rtol=1e-3)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_gradients_with_every_dropout(norm):
    def dropping(*args, **kwargs):
        rates = {"drop_rate": 0.2, "attn_drop_rate": 0.3, "drop_path_rate": 0.4}
        return forward(*args, **kwargs, **rates, rng=np.random.default_rng(3))

    one = CASES[norm]
    assert_gradients(dropping, backward, one)
    assert not np.allclose(
        dropping(*one.args, **one.kwargs)[0], forward(*one.args, **one.kwargs)[0]
    )


@pytest.mark.parametrize("rate", ["drop_rate", "attn_drop_rate", "drop_path_rate"])
def test_each_dropout_is_off_without_rng_and_on_with_it(rate):
    args = n((6, N, D)), make_params(), h
    plain, _ = forward(*args)
    assert np.array_equal(forward(*args, **{rate: 0.5})[0], plain)
    assert not np.allclose(forward(*args, **{rate: 0.5}, rng=np.random.default_rng(0))[0], plain)


class Recorder:
    """Stands for a generator; remembers the shapes of what was drawn, and drops nothing."""

    def __init__(self):
        self.shapes = []

    def random(self, shape):
        self.shapes.append(shape)
        return np.ones(shape)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_where_each_dropout_is(norm):
    def drawn(**rates):
        rng = Recorder()
        forward(n((B, N, D)), make_params(), h, norm=norm, rng=rng, **rates)
        return rng.shapes

    assert drawn(attn_drop_rate=0.5) == [(B, h, N, N)]
    assert drawn(drop_rate=0.5) == [(B, N, D), (B, N, M), (B, N, D)]
    assert drawn(drop_path_rate=0.5) == [B, B]


@pytest.mark.parametrize("name", ["pre", "post", "no qkv bias"])
def test_gradients_have_the_keys_order_and_shapes_of_params(name):
    args, kwargs = CASES[name]
    out, cache = forward(*args, **kwargs)
    _, grads = backward(out, cache)
    assert list(grads) == list(args[1])
    assert all(grads[key].shape == args[1][key].shape for key in grads)


def test_error():
    with pytest.raises(ValueError, match='norm=\'both\' is not known: use "pre" or "post"'):
        forward(n((B, N, D)), make_params(), h, norm="both")
