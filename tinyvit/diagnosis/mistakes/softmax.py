"""Softmax: mistakes that are often made."""

from ..mistake import Mistake

_EXPS = "exps = xp.exp(x - x.max(axis=-1, keepdims=True))"
_SUM = "exps.sum(axis=-1, keepdims=True)"
_BOTH = f"{_EXPS}\n    out = exps / {_SUM}"
_S = "(dout * out).sum(axis=-1, keepdims=True)"
_RETURN = "return out * (dout - s)"


def _over(axis):
    return f"exps = xp.exp(x - x.max())\n    out = exps / exps.sum({axis}keepdims=True)"


FORWARD = (
    Mistake(
        "missing_factor",
        f" / {_SUM}",
        " * 1",
        "exp(x - max) is not divided by the sum of its row: each row should sum to 1",
    ),
    Mistake(
        "missing_factor",
        _BOTH,
        "out = xp.exp(x)",
        "exp(x) is not divided by the sum of its row: each row should sum to 1",
    ),
    Mistake(
        "wrong_axis",
        _BOTH,
        _over("axis=0, "),
        "the softmax is taken over the first axis: each row, the last axis, should sum to 1",
    ),
    Mistake(
        "wrong_axis",
        _BOTH,
        _over("axis=-2, "),
        "the softmax is taken over the last axis but one: each row, the last axis, should sum to 1",
    ),
    Mistake(
        "wrong_axis",
        _BOTH,
        _over("axis=1, "),
        "the softmax is taken over axis 1: each row, the last axis, should sum to 1",
    ),
    Mistake(
        "wrong_axis",
        _BOTH,
        _over(""),
        "the softmax is taken over all numbers: each row, the last axis, should sum to 1",
    ),
    Mistake(
        "sum_mean",
        _SUM,
        "exps.mean(axis=-1, keepdims=True)",
        "exp(x) is divided by its mean: divided by its sum, each row sums to 1",
    ),
    Mistake(
        "elementwise",
        _BOTH,
        "out = 1 / (1 + xp.exp(-x))",
        "this is the sigmoid of each score by itself: softmax divides exp(x) by the row's sum",
    ),
    Mistake(
        "other_forward",
        f"exps / {_SUM}",
        "xp.log(exps / exps.sum(axis=-1, keepdims=True))",
        "this is log-softmax: softmax takes no logarithm",
    ),
    Mistake(
        "missing_factor",
        _BOTH,
        "out = x / x.sum(axis=-1, keepdims=True)",
        "exp is missing: x is divided by its sum where exp(x) should be",
    ),
    Mistake(
        "sign",
        _EXPS,
        "exps = xp.exp(-x)",
        "exp(-x) is taken where exp(x) belongs: the largest score gets the smallest weight",
    ),
    Mistake(
        "missing_term",
        _SUM,
        "xp.exp(x).sum(axis=-1, keepdims=True)",
        "the maximum is subtracted above the line only: subtract it in the sum, too",
    ),
    Mistake(
        "missing_term",
        _BOTH,
        f"{_EXPS}\n    out = xp.exp(x) / {_SUM}",
        "the maximum is subtracted in the sum only: subtract it above the line, too",
    ),
    Mistake(
        "wrong_axis",
        "x.max(axis=-1, keepdims=True)",
        "x.max(axis=0, keepdims=True)",
        "the maximum is taken over the first axis: it must be one number a row to cancel out",
    ),
    Mistake(
        "wrong_axis",
        "x.max(axis=-1, keepdims=True)",
        "x.max(axis=1, keepdims=True)",
        "the maximum is taken over axis 1: it must be one number a row to cancel out",
    ),
    Mistake(
        "incomplete",
        _SUM,
        "exps[..., :-1].sum(axis=-1, keepdims=True)",
        "the last score is not in the sum: it goes over all K scores of the row",
    ),
    Mistake(
        "wrong_factor",
        _EXPS,
        "exps = xp.exp(x / x.shape[-1] ** 0.5)",
        "the scores are divided by sqrt(K) first: softmax takes x as it is",
    ),
    Mistake(
        "wrong_constant",
        _EXPS,
        "exps = 2**x",
        "powers of 2 are taken where exp(x) belongs, powers of e = 2.718",
    ),
)

BACKWARD = (
    Mistake(
        "missing_term",
        _RETURN,
        "return out * dout",
        "the term -out * sum(dout * out) is missing: each score changes the whole row's sum",
    ),
    Mistake(
        "elementwise",
        _RETURN,
        "return dout * out * (1 - out)",
        "dout * out * (1 - out) treats each score by itself: each out depends on the whole row",
    ),
    Mistake(
        "sign",
        _RETURN,
        "return out * (dout + s)",
        "sum(dout * out) is added: it is subtracted, for a weight grows at the others' cost",
    ),
    Mistake(
        "other_forward",
        _RETURN,
        "return dout - out * dout.sum(axis=-1, keepdims=True)",
        "this is the gradient of log-softmax: the forward is softmax",
    ),
    Mistake(
        "other_forward",
        _RETURN,
        "return out - dout",
        "out - dout is the shortcut of softmax with cross-entropy: softmax by itself needs more",
    ),
    Mistake(
        "missing_factor",
        _RETURN,
        "return dout - s",
        "the factor out in front is missing: dx = out * (dout - sum(dout * out))",
    ),
    Mistake(
        "missing_factor",
        _RETURN,
        "return out * dout - s",
        "the factor out is missing before sum(dout * out): it belongs to both terms",
    ),
    Mistake(
        "missing_factor",
        _RETURN,
        "return dout - out * s",
        "the factor out is missing before dout: it belongs to both terms",
    ),
    Mistake(
        "missing_factor",
        _S,
        "dout.sum(axis=-1, keepdims=True)",
        "the factor out is missing inside the sum: it is sum(dout * out)",
    ),
    Mistake(
        "missing_factor",
        _S,
        "out.sum(axis=-1, keepdims=True)",
        "the factor dout is missing inside the sum: it is sum(dout * out)",
    ),
    Mistake(
        "missing_factor",
        _RETURN,
        "return out * (1 - out)",
        "dout is missing, and each score is treated by itself: out depends on the whole row",
    ),
    Mistake(
        "missing_term",
        _RETURN,
        "return -out * s",
        "the term out * dout is missing: each score moves its own weight, too",
    ),
    Mistake(
        "missing_factor",
        _RETURN,
        "return out * (dout - s + dout * out)",
        "1 - out_i is missing where i = j: d out_i / d x_i = out_i * (1 - out_i)",
    ),
    Mistake(
        "missing_term",
        _RETURN,
        "return -out * (s - out * dout)",
        "the way i = j is missing: out_i depends on x_i too, which gives dout * out * (1 - out)",
    ),
    Mistake(
        "sign",
        _RETURN,
        "return dout * out * (1 - out) + out * (s - out * dout)",
        "the terms of the other scores have the wrong sign: d out_j / d x_i = -out_j * out_i",
    ),
    Mistake(
        "wrong_factor",
        _RETURN,
        "v = dout * (1 - out)\n    return out * (2 * v - v.sum(axis=-1, keepdims=True))",
        "1 - out_j stands for out_j where i is not j: there d out_j / d x_i = -out_j * out_i",
    ),
    Mistake(
        "incomplete",
        _S,
        "(dout * out)[..., -1:]",
        "only the last dout * out is subtracted: the sum goes over the whole row (+= in a loop)",
    ),
    Mistake(
        "wrong_cache",
        "(out,) = cache",
        "out = get_array_module(dout).exp(given.x - given.x.max(axis=-1, keepdims=True))",
        "exp(x - max) stands where out belongs: it is not yet divided by the sum of its row",
    ),
    Mistake(
        "wrong_cache",
        "(out,) = cache",
        "out = get_array_module(dout).exp(given.x)",
        "exp(x) stands where out belongs: it is not yet divided by the sum of its row",
    ),
    Mistake(
        "wrong_cache",
        "(out,) = cache",
        "(out,) = (given.x,)",
        "x stands where out belongs: the formula needs the softmax's result",
    ),
    Mistake(
        "wrong_factor",
        _RETURN,
        "return dout / out - out * (dout / out).sum(axis=-1, keepdims=True)",
        "dout is divided by out: through the logarithm it is multiplied, d out / d log(out) = out",
    ),
)
