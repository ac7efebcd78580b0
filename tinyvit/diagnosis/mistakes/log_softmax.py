"""Log-softmax: mistakes that are often made."""

from ..mistake import Mistake

_SHIFTED = "shifted = x - x.max(axis=-1, keepdims=True)"
_OUT = "out = shifted - xp.log(xp.exp(shifted).sum(axis=-1, keepdims=True))"
_BOTH = f"{_SHIFTED}\n    {_OUT}"
_SUM = "xp.exp(shifted).sum(axis=-1, keepdims=True)"
_LOG = f"xp.log({_SUM})"
_RETURN = "return dout - xp.exp(out) * dout.sum(axis=-1, keepdims=True)"
_DSUM = "dout.sum(axis=-1, keepdims=True)"


def _over(axis):
    return (
        "shifted = x - x.max()\n"
        f"    out = shifted - xp.log(xp.exp(shifted).sum({axis}keepdims=True))"
    )


FORWARD = (
    Mistake(
        "other_forward",
        _BOTH,
        "exps = xp.exp(x)\n    out = exps / exps.sum(axis=-1, keepdims=True)",
        "this is softmax: its logarithm is missing",
    ),
    Mistake(
        "missing_term",
        "out = shifted - ",
        "out = x - ",
        "the maximum is subtracted inside the log only: take it from x, too, or add it back",
    ),
    Mistake(
        "extra_term",
        _SUM,
        "xp.exp(x).sum(axis=-1, keepdims=True)",
        "the maximum is subtracted outside the log only: it must be gone inside it, too",
    ),
    Mistake(
        "wrong_axis",
        _BOTH,
        _over("axis=0, "),
        "the log-softmax is taken over the first axis: it should be the last",
    ),
    Mistake(
        "wrong_axis",
        _BOTH,
        _over("axis=-2, "),
        "the log-softmax is taken over the last axis but one: it should be the last",
    ),
    Mistake(
        "wrong_axis",
        _BOTH,
        _over("axis=1, "),
        "the log-softmax is taken over axis 1: it should be the last axis",
    ),
    Mistake(
        "wrong_axis",
        _BOTH,
        _over(""),
        "the log-softmax is taken over all numbers: each row, the last axis, goes by itself",
    ),
    Mistake(
        "missing_factor",
        _LOG,
        _SUM,
        "the log of the sum is missing: out = x - max - log(sum(exp(x - max)))",
    ),
    Mistake(
        "missing_factor",
        _BOTH,
        "out = x - xp.exp(x).sum(axis=-1, keepdims=True)",
        "the log of the sum is missing: out = x - log(sum(exp(x)))",
    ),
    Mistake(
        "sign",
        "out = shifted - ",
        "out = shifted + ",
        "log(sum(exp(x - max))) is added: it is subtracted, as softmax divides by the sum",
    ),
    Mistake(
        "sign",
        _BOTH,
        "out = xp.log(xp.exp(x).sum(axis=-1, keepdims=True)) - x",
        "this is -log(softmax(x)), the loss of cross-entropy: no minus belongs here",
    ),
    Mistake(
        "sign",
        _BOTH,
        "out = -x - xp.log(xp.exp(-x).sum(axis=-1, keepdims=True))",
        "-x is taken where x belongs: the largest score gets the smallest probability",
    ),
    Mistake(
        "elementwise",
        _BOTH,
        "out = x - xp.log(1 + xp.exp(x))",
        "this is the log of each score's sigmoid: the log goes over the sum of the row",
    ),
    Mistake(
        "wrong_constant",
        _LOG,
        f"xp.log2({_SUM})",
        "the logarithm of the sum is to base 2: it is the natural one",
    ),
    Mistake(
        "wrong_constant",
        _BOTH,
        "out = xp.log2(xp.exp(x) / xp.exp(x).sum(axis=-1, keepdims=True))",
        "the logarithm is to base 2: it is the natural one",
    ),
    Mistake(
        "wrong_constant",
        _BOTH,
        "out = xp.log10(xp.exp(x) / xp.exp(x).sum(axis=-1, keepdims=True))",
        "the logarithm is to base 10: it is the natural one",
    ),
    Mistake(
        "wrong_factor",
        _BOTH,
        "out = x / xp.log(xp.exp(x).sum(axis=-1, keepdims=True))",
        "x is divided by log(sum(exp(x))): inside a log a division is a difference",
    ),
)

BACKWARD = (
    Mistake(
        "missing_term",
        _RETURN,
        "return dout + 0",
        "the term -softmax(x) * sum(dout) is missing: each score changes the row's sum, too",
    ),
    Mistake(
        "missing_factor",
        _DSUM,
        "1",
        "the factor sum(dout) is missing: dx = dout - softmax(x) * sum(dout)",
    ),
    Mistake(
        "wrong_variable",
        "xp.exp(out)",
        "out",
        "log-softmax stands where softmax belongs: softmax(x) = exp(out)",
    ),
    Mistake(
        "missing_term",
        _RETURN,
        "return -xp.exp(out) * dout.sum(axis=-1, keepdims=True)",
        "the term dout is missing: each score moves its own out directly",
    ),
    Mistake(
        "sign",
        "dout - xp.exp",
        "dout + xp.exp",
        "softmax(x) * sum(dout) is added: it is subtracted, as the log of the sum was",
    ),
    Mistake(
        "elementwise",
        _DSUM,
        "dout",
        "the sum over the row is missing: dx = dout - softmax(x) * sum(dout)",
    ),
    Mistake(
        "missing_factor",
        "xp.exp(out) *",
        "1 *",
        "the factor softmax(x) is missing: dx = dout - softmax(x) * sum(dout)",
    ),
    Mistake(
        "other_forward",
        _RETURN,
        "p = xp.exp(out)\n    return p * (dout - (dout * p).sum(axis=-1, keepdims=True))",
        "this is the gradient of softmax: the forward takes the logarithm, too",
    ),
    Mistake(
        "other_forward",
        _RETURN,
        "return xp.exp(out) - dout",
        "softmax(x) - dout is the shortcut of cross-entropy: sum(dout) is missing here",
    ),
    Mistake(
        "wrong_factor",
        _RETURN,
        "return dout / xp.exp(out)",
        "dout / softmax(x) is the way through the log only: the way through softmax is missing",
    ),
    Mistake(
        "missing_factor",
        _RETURN,
        "return 1 - xp.exp(out)",
        "dout is missing: dx = dout - softmax(x) * sum(dout)",
    ),
    Mistake(
        "wrong_factor",
        _DSUM,
        "(dout * xp.exp(out)).sum(axis=-1, keepdims=True)",
        "softmax(x) is a factor too many inside the sum: it is sum(dout)",
    ),
    Mistake(
        "wrong_factor",
        _RETURN,
        "p = xp.exp(out)\n    return p * (dout - dout.sum(axis=-1, keepdims=True))",
        "dout has the factor softmax(x), too: only sum(dout) has it",
    ),
    Mistake(
        "elementwise",
        _RETURN,
        "p = xp.exp(out)\n    return dout * p * (1 - p)",
        "this is softmax's slope, each score by itself: log-softmax mixes the whole row",
    ),
    Mistake(
        "other_forward",
        _RETURN,
        "return out * (dout - (dout * out).sum(axis=-1, keepdims=True))",
        "this is softmax's formula with the log-softmax in it: dx = dout - softmax(x) * sum(dout)",
    ),
    Mistake(
        "incomplete",
        _DSUM,
        "dout[..., -1:]",
        "only the last dout is in the second term: it is the sum over the row (+= in a loop)",
    ),
    Mistake(
        "missing_factor",
        "xp.exp(out)",
        "xp.exp(given.x - given.x.max(axis=-1, keepdims=True))",
        "exp(x - max) stands where softmax(x) belongs: it is not divided by the sum of its row",
    ),
    Mistake(
        "missing_factor",
        "xp.exp(out)",
        "xp.exp(given.x)",
        "exp(x) stands where softmax(x) belongs: it is not divided by the sum of its row",
    ),
    Mistake(
        "wrong_cache",
        "xp.exp(out)",
        "given.x",
        "x stands where softmax(x) belongs: dx = dout - softmax(x) * sum(dout)",
    ),
    Mistake(
        "wrong_axis",
        "xp.exp(out)",
        "xp.exp(given.x) / xp.exp(given.x).sum(axis=0, keepdims=True)",
        "the softmax is taken over the first axis: it should be the last",
    ),
)
