"""LayerNorm: mistakes that are often made."""

from ..mistake import Mistake

_MEAN = "x.mean(axis=-1, keepdims=True)"
_VAR = "(centred * centred).mean(axis=-1, keepdims=True)"
_STATISTICS = f"mean = {_MEAN}\n    centred = x - mean\n    var = {_VAR}"
_STD = "std = xp.sqrt(var + eps)"
_XHAT = "xhat = centred / std"
_OUT = "out = weight * xhat + bias"

_DBIAS = "dout.sum(axis=tokens)"
_DWEIGHT = "(dout * xhat).sum(axis=tokens)"
_DXHAT = "dout * weight"
_M1 = "dxhat.mean(axis=-1, keepdims=True)"
_M2 = "(dxhat * xhat).mean(axis=-1, keepdims=True)"
_MEANS = f"mean_dxhat = {_M1}\n    mean_dxhat_xhat = {_M2}"
_TERMS = "dxhat - mean_dxhat - xhat * mean_dxhat_xhat"
_DX = f"({_TERMS}) / std"
_FIRST = ".reshape(len(dout), -1, dout.shape[-1])[0].sum(axis=0)"
_LAST = ".reshape(len(dout), -1, dout.shape[-1])[-1].sum(axis=0)"


def _statistics(axis):
    return (
        f"mean = x.mean({axis}keepdims=True)\n"
        "    centred = x - mean\n"
        f"    var = (centred * centred).mean({axis}keepdims=True)"
    )


def _means(axis):
    return (
        f"mean_dxhat = dxhat.mean({axis}keepdims=True)\n"
        f"    mean_dxhat_xhat = (dxhat * xhat).mean({axis}keepdims=True)"
    )


FORWARD = (
    Mistake(
        "sum_mean",
        _VAR,
        "(centred * centred).sum(axis=-1, keepdims=True) / (x.shape[-1] - 1)",
        "the variance is divided by D - 1: LayerNorm divides by D",
    ),
    Mistake(
        "sum_mean",
        _VAR,
        "(centred * centred).sum(axis=-1, keepdims=True)",
        "the squares are added up: the variance is their mean, the sum divided by D",
    ),
    Mistake(
        "wrong_factor",
        _STD,
        "std = var + eps",
        "x - mean is divided by the variance: it should be its square root",
    ),
    Mistake(
        "missing_term",
        _STD,
        "std = xp.sqrt(var)",
        "eps is missing: it should be sqrt(var + eps), so that no token is divided by zero",
    ),
    Mistake(
        "wrong_factor",
        _STD,
        "std = xp.sqrt(var) + eps",
        "eps is added outside the root: it should be sqrt(var + eps)",
    ),
    Mistake(
        "missing_factor",
        _XHAT,
        "xhat = centred",
        "the division by sqrt(var + eps) is missing: xhat has variance 1",
    ),
    Mistake(
        "wrong_variable",
        _VAR,
        "(x * x).mean(axis=-1, keepdims=True)",
        "the variance is taken as the mean of x * x: it is the mean of (x - mean)^2",
    ),
    Mistake(
        "missing_term",
        _XHAT,
        "xhat = x / std",
        "the mean is not subtracted: xhat = (x - mean) / sqrt(var + eps)",
    ),
    Mistake(
        "other_forward",
        f"centred = x - mean\n    var = {_VAR}",
        "centred = x\n    var = (x * x).mean(axis=-1, keepdims=True)",
        "the mean is not subtracted at all, as in RMSNorm: LayerNorm subtracts it",
    ),
    Mistake(
        "wrong_axis",
        _STATISTICS,
        _statistics("axis=0, "),
        "mean and variance are taken over the batch: each token has its own, over its D features",
    ),
    Mistake(
        "wrong_axis",
        _STATISTICS,
        _statistics("axis=1, "),
        "mean and variance are taken over axis 1: each token has its own, over its D features",
    ),
    Mistake(
        "wrong_axis",
        _STATISTICS,
        _statistics("axis=tuple(range(1, x.ndim)), "),
        "mean and variance are taken over the whole image: each token has its own",
    ),
    Mistake(
        "wrong_axis",
        _STATISTICS,
        _statistics(""),
        "mean and variance are taken over all numbers: each token has its own",
    ),
    Mistake(
        "other_forward",
        _STATISTICS,
        _statistics("axis=tuple(range(x.ndim - 1)), "),
        "this is batch normalisation, a mean a feature: LayerNorm takes a mean a token",
    ),
    Mistake(
        "missing_factor",
        _OUT,
        "out = xhat + bias",
        "the weight (gain) is missing: out = weight * xhat + bias",
    ),
    Mistake(
        "missing_term",
        _OUT,
        "out = weight * xhat",
        "the bias (shift) is missing: out = weight * xhat + bias",
    ),
    Mistake(
        "missing_term",
        _OUT,
        "out = xhat",
        "weight and bias are missing: out = weight * xhat + bias",
    ),
    Mistake(
        "wrong_factor",
        _OUT,
        "out = weight * (xhat + bias)",
        "the bias is multiplied by the weight, too: out = weight * xhat + bias",
    ),
    Mistake(
        "swapped",
        _OUT,
        "out = bias * xhat + weight",
        "weight and bias are exchanged: out = weight * xhat + bias",
    ),
    Mistake(
        "wrong_factor",
        _XHAT,
        "xhat = x - mean / std",
        "only the mean is divided by the standard deviation: brackets, (x - mean) / std",
    ),
    Mistake(
        "wrong_variable",
        _OUT,
        "out = weight * x + bias",
        "x stands where xhat belongs: out = weight * xhat + bias",
    ),
    Mistake(
        "wrong_constant",
        _STD,
        "std = xp.sqrt(var + 1e-5)",
        "eps is 1e-5 whatever was asked for: it should be the argument eps",
    ),
)

BACKWARD = (
    Mistake(
        "missing_term",
        " - xhat * mean_dxhat_xhat",
        " - 0",
        "the term -xhat * mean(dxhat * xhat) is missing: x reaches xhat through the variance, too",
    ),
    Mistake(
        "missing_term",
        "dxhat - mean_dxhat - ",
        "dxhat - ",
        "the term -mean(dxhat) is missing: x reaches xhat through the mean, too",
    ),
    Mistake(
        "missing_term",
        _TERMS,
        "dxhat",
        "dxhat / std takes mean and variance as constants: both depend on x, each gives a term",
    ),
    Mistake(
        "missing_factor",
        _DXHAT,
        "dout",
        "the weight is missing: dxhat = dout * weight",
    ),
    Mistake(
        "sum_mean",
        _MEANS,
        _MEANS.replace(".mean(", ".sum("),
        "sums of dxhat and dxhat * xhat stand where means belong: mean and variance divide by D",
    ),
    Mistake(
        "sign",
        " - xhat * mean_dxhat_xhat",
        " + xhat * mean_dxhat_xhat",
        "xhat * mean(dxhat * xhat) is added: it is subtracted, for a stretch of x changes nothing",
    ),
    Mistake(
        "sign",
        "dxhat - mean_dxhat - ",
        "dxhat + mean_dxhat - ",
        "mean(dxhat) is added: it is subtracted, for a common shift of x changes nothing",
    ),
    Mistake(
        "sum_mean",
        _M2,
        "(dxhat * xhat).sum(axis=-1, keepdims=True) / (dout.shape[-1] - 1)",
        "sum(dxhat * xhat) is divided by D - 1: LayerNorm's variance divides by D",
    ),
    Mistake(
        "wrong_constant",
        " - xhat * mean_dxhat_xhat",
        " + 2 * xhat * mean_dxhat_xhat",
        "the factor -1/2 of the variance's term is missing: (var + eps)^(-1/2) has that slope",
    ),
    Mistake(
        "wrong_constant",
        " - xhat * mean_dxhat_xhat",
        " - 2 * xhat * mean_dxhat_xhat",
        "the variance's term is twice too large: the -1/2 of (var + eps)^(-1/2) is missing",
    ),
    Mistake(
        "wrong_constant",
        " - xhat * mean_dxhat_xhat",
        " - 0.5 * xhat * mean_dxhat_xhat",
        "the variance's term is twice too small: the slope of (x - mean)^2 has a factor 2",
    ),
    Mistake(
        "scale",
        _DWEIGHT,
        "(dout * xhat).mean(axis=tokens)",
        "dweight is averaged over the tokens: they all share the weight, so they add up",
    ),
    Mistake(
        "scale",
        _DWEIGHT,
        "(dout * xhat).sum(axis=tokens) / len(dout)",
        "dweight is divided by the batch size B: all tokens share the weight, so they add up",
    ),
    Mistake(
        "scale",
        _DBIAS,
        "dout.mean(axis=tokens)",
        "dbias is averaged over the tokens: they all share the bias, so they add up",
    ),
    Mistake(
        "scale",
        _DBIAS,
        "dout.sum(axis=tokens) / len(dout)",
        "dbias is divided by the batch size B: all tokens share the bias, so they add up",
    ),
    Mistake(
        "missing_factor",
        _DWEIGHT,
        "dout.sum(axis=tokens) * 1",
        "xhat is missing: dweight is the sum of dout * xhat",
    ),
    Mistake(
        "wrong_variable",
        _DWEIGHT,
        "(dout * xhat * std).sum(axis=tokens)",
        "x - mean stands where xhat belongs: dweight is the sum of dout * xhat",
    ),
    Mistake(
        "wrong_order",
        _DX,
        "weight * (dout - dout.mean(axis=-1, keepdims=True)\n"
        "                   - xhat * (dout * xhat).mean(axis=-1, keepdims=True)) / std",
        "the weight is multiplied in after the means: it belongs inside them, in dxhat",
    ),
    Mistake(
        "missing_factor",
        _MEANS,
        _MEANS.replace("= dxhat", "= dout").replace("(dxhat", "(dout"),
        "the weight is missing inside both means: they are of dxhat = dout * weight",
    ),
    Mistake(
        "missing_factor",
        _DX,
        "dxhat / std - mean_dxhat - xhat * mean_dxhat_xhat",
        "only dxhat is divided by std: all three terms are",
    ),
    Mistake(
        "wrong_factor",
        " - xhat * mean_dxhat_xhat",
        " - xhat * std * mean_dxhat_xhat",
        "the variance's term is std times too large: x - mean for xhat, or a 1/std is missing",
    ),
    Mistake(
        "missing_factor",
        "dxhat - mean_dxhat - ",
        "dxhat - mean_dxhat * std - ",
        "1/std is missing in the mean's term: it is -mean(dxhat) / std",
    ),
    Mistake(
        "wrong_axis",
        _M1,
        "dxhat.sum(axis=tokens) / dout.shape[-1]",
        "dxhat is summed over the tokens: mean(dxhat) goes over the D features of each token",
    ),
    Mistake(
        "wrong_axis",
        _M2,
        "(dxhat * xhat).sum(axis=tokens) / dout.shape[-1]",
        "dxhat * xhat is summed over the tokens: its mean goes over the D features of each token",
    ),
    Mistake(
        "other_forward",
        _MEANS,
        _means("axis=tokens, "),
        "both means go over batch and tokens, as in batch normalisation: here over the D features",
    ),
    Mistake(
        "elementwise",
        _DX,
        "dxhat * (1 - (1 + xhat * xhat) / dout.shape[-1]) / std",
        "only the way i = j is there: each feature changes all xhat of its token",
    ),
    Mistake(
        "wrong_variable",
        "- xhat * mean_dxhat_xhat",
        "- given.x * mean_dxhat_xhat",
        "x stands where xhat belongs in front of mean(dxhat * xhat)",
    ),
    Mistake(
        "wrong_variable",
        _M2,
        "(dxhat * given.x).mean(axis=-1, keepdims=True)",
        "x stands where xhat belongs inside mean(dxhat * xhat)",
    ),
    Mistake(
        "wrong_order",
        f"mean_dxhat = {_M1}",
        "mean_dxhat = 0\n    dxhat = weight * (dout - dout.mean(axis=-1, keepdims=True))",
        "mean(dout) is subtracted before the weight is multiplied: subtract mean(dxhat) after it",
    ),
    Mistake(
        "incomplete",
        _DWEIGHT,
        "(dout * xhat).reshape(-1, dout.shape[-1])[-1]",
        "only the last token is there: a loop over the tokens must add with +=",
    ),
    Mistake(
        "incomplete",
        _DBIAS,
        "dout.reshape(-1, dout.shape[-1])[-1]",
        "only the last token is there: a loop over the tokens must add with +=",
    ),
    Mistake(
        "incomplete",
        _DWEIGHT,
        f"(dout * xhat){_LAST}",
        "only the last image is there: a loop over the batch must add with +=",
    ),
    Mistake(
        "incomplete",
        _DBIAS,
        f"dout{_LAST}",
        "only the last image is there: a loop over the batch must add with +=",
    ),
    Mistake(
        "incomplete",
        _DWEIGHT,
        f"(dout * xhat){_FIRST}",
        "only the first image is there: all tokens of the batch share the weight, so they add up",
    ),
    Mistake(
        "incomplete",
        _DBIAS,
        f"dout{_FIRST}",
        "only the first image is there: all tokens of the batch share the bias, so they add up",
    ),
    Mistake(
        "incomplete",
        _DWEIGHT,
        "(dout * xhat).reshape(-1, dout.shape[-1])[:-1].sum(axis=0)",
        "the last token is left out: all tokens share the weight, so they add up",
    ),
    Mistake(
        "incomplete",
        _DBIAS,
        "dout.reshape(-1, dout.shape[-1])[:-1].sum(axis=0)",
        "the last token is left out: all tokens share the bias, so they add up",
    ),
    Mistake(
        "missing_term",
        _TERMS,
        "-xhat * mean_dxhat_xhat",
        "only the way through the variance is there: dxhat and -mean(dxhat) are missing",
    ),
    Mistake(
        "wrong_cache",
        "xhat, std, weight = cache",
        "xhat, std, weight = cache\n    xhat = given.x",
        "x stands where xhat belongs: the cache must hold the normalised value",
    ),
    Mistake(
        "wrong_cache",
        "xhat, std, weight = cache",
        "xhat, std, weight = cache\n    xhat = xhat * std",
        "x - mean stands where xhat belongs: the cache must hold it divided by std",
    ),
    Mistake(
        "wrong_cache",
        "xhat, std, weight = cache",
        "xhat, std, weight = cache\n    xhat = weight * xhat + given.bias",
        "out stands where xhat belongs: the cache must hold the value before weight and bias",
    ),
    Mistake(
        "wrong_cache",
        "xhat, std, weight = cache",
        "xhat, std, weight = cache\n    xhat = xhat * std\n"
        "    std = ((std * std - given.eps) ** 0.5 + given.eps) ** 0.5\n    xhat = xhat / std",
        "the root is taken twice: the standard deviation stands where the variance belongs",
    ),
)
