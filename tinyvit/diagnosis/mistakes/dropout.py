"""Dropout: mistakes that are often made."""

from ..mistake import Mistake

_DRAWN = "xp.asarray(rng.random(x.shape) >= drop_rate)"
_SCALED = "kept.astype(x.dtype) / (1 - drop_rate)"

FORWARD = (
    Mistake(
        "missing_factor",
        _SCALED,
        "kept.astype(x.dtype)",
        "what stays is not scaled up: it is divided by 1 - drop_rate, so that the mean of out is x",
    ),
    Mistake(
        "wrong_factor",
        "rng.random(x.shape) >= drop_rate",
        "rng.random(x.shape) < drop_rate",
        "the mask is turned round: a value stays where rng.random(x.shape) >= drop_rate",
    ),
    Mistake(
        "missing_factor",
        "return x * keep, (keep,)",
        "return x / (1 - drop_rate), (keep,)",
        "nothing is dropped: everything is scaled up, and the mask is missing",
    ),
    Mistake(
        "wrong_variable",
        "rng.random(x.shape) >= drop_rate)\n    keep = kept.astype(x.dtype) / (1 - drop_rate)",
        "rng.random(x.shape) < drop_rate)\n    keep = kept.astype(x.dtype) / drop_rate",
        "drop_rate is taken for the share that stays: it is the share that is dropped",
    ),
    Mistake(
        "wrong_factor",
        "rng.random(x.shape) >= drop_rate)\n    keep = kept.astype(x.dtype) / (1 - drop_rate)",
        "rng.random(x.shape) < drop_rate)\n    keep = kept.astype(x.dtype)",
        "the mask is turned round, and what stays is not scaled by 1 / (1 - drop_rate)",
    ),
    Mistake(
        "extra_term",
        "return x, (None,)",
        "return x * (1 - drop_rate), (None,)",
        "without rng (evaluation) x is scaled: the scale belongs to training, x stays as it "
        "is here",
    ),
    Mistake(
        "wrong_factor",
        _SCALED,
        "kept.astype(x.dtype) * (1 - drop_rate)",
        "what stays is multiplied by 1 - drop_rate: it is divided by it",
    ),
    Mistake(
        "wrong_factor",
        _SCALED,
        "kept.astype(x.dtype) / drop_rate",
        "what stays is divided by drop_rate: it is divided by the share that stays, 1 - drop_rate",
    ),
    Mistake(
        "wrong_factor",
        _SCALED,
        "kept.astype(x.dtype) / (1 - drop_rate) ** 2",
        "what stays is divided by 1 - drop_rate twice",
    ),
    Mistake(
        "extra_term",
        "return x * keep, (keep,)",
        "return x * (keep + (keep == 0)), (keep,)",
        "dropped values stay as they are: they should become 0",
    ),
    Mistake(
        "wrong_variable",
        _DRAWN,
        "xp.asarray(rng.binomial(1, 1 - drop_rate, x.shape))",
        "the mask is drawn by rng.binomial: right as dropout, but not rng.random(x.shape) >= "
        "drop_rate",
    ),
    Mistake(
        "wrong_variable",
        _DRAWN,
        "xp.asarray(rng.standard_normal(x.shape) >= drop_rate)",
        "the random numbers are normal, not even over [0, 1): draw them by rng.random(x.shape)",
    ),
    Mistake(
        "other_forward",
        _DRAWN,
        "xp.asarray(rng.random(x.shape[0]) >= drop_rate).reshape(-1, *[1] * (x.ndim - 1))",
        "one number is drawn for each image: that is drop path; dropout draws one for each value",
    ),
    Mistake(
        "incomplete",
        _DRAWN,
        "xp.asarray(rng.random(x.shape[1:]) >= drop_rate)",
        "all images share one mask: every value of every image is drawn by itself",
    ),
    Mistake(
        "incomplete",
        _DRAWN,
        "xp.asarray(rng.random(x.shape[:-1]) >= drop_rate)[..., None]",
        "a whole token is dropped at once: every value is drawn by itself",
    ),
    Mistake(
        "incomplete",
        _DRAWN,
        "xp.asarray(rng.random(x.shape[-1]) >= drop_rate)",
        "all tokens share one mask over the features: every value is drawn by itself",
    ),
)

_RIGHT = "dout if keep is None else dout * keep"
_NEW_DRAW = (
    "if keep is None:\n        return dout\n    from copy import deepcopy\n\n"
    "    kept = deepcopy(given.rng).random(keep.shape) >= given.drop_rate\n"
    "    return dout * kept * keep.max()"
)

OF_THE_MASK = (  # with drop path, too
    Mistake(
        "missing_factor",
        _RIGHT,
        "dout if keep is None else dout * (keep > 0)",
        "the scale 1 / (1 - drop_rate) is missing: forward scales what stays, so backward "
        "does, too",
    ),
    Mistake(
        "missing_factor",
        _RIGHT,
        "dout if keep is None else dout * keep.max()",
        "the mask is missing: everything is scaled by 1 / (1 - drop_rate), and nothing is set to 0",
    ),
    Mistake(
        "wrong_factor",
        _RIGHT,
        "dout if keep is None else dout * (keep == 0)",
        "the mask is turned round, and the scale 1 / (1 - drop_rate) is missing",
    ),
    Mistake(
        "wrong_factor",
        _RIGHT,
        "dout if keep is None else dout * keep * keep.max()",
        "the scale 1 / (1 - drop_rate) is there twice: keep holds it already",
    ),
    Mistake(
        "wrong_factor",
        _RIGHT,
        "dout if keep is None else dout * (keep > 0) / keep.max()",
        "what stays is multiplied by 1 - drop_rate: it is divided by it, as in forward",
    ),
    Mistake(
        "wrong_factor",
        _RIGHT,
        "dout if keep is None else dout * (keep > 0) / (1 - 1 / keep.max())",
        "what stays is divided by drop_rate: it is divided by 1 - drop_rate, as in forward",
    ),
    Mistake(
        "extra_term",
        _RIGHT,
        "dout * (1 - given.drop_rate) if keep is None else dout * keep",
        "without rng (evaluation) the gradient is scaled: forward gives x back as it is",
    ),
    Mistake(
        "wrong_cache",
        f"return {_RIGHT}",
        _NEW_DRAW,
        "the mask is a new draw of rng: backward needs the mask that forward multiplied x with",
    ),
)
BACKWARD = (
    *OF_THE_MASK,
    Mistake(
        "missing_factor",
        _RIGHT,
        "dout",
        "the mask is missing: what was dropped had no part in the loss, its gradient is 0",
    ),
    Mistake(
        "wrong_factor",
        _RIGHT,
        "dout if keep is None else dout * (keep.max() - keep)",
        "the mask is turned round: the gradient flows where x was dropped, and is 0 where it "
        "stayed",
    ),
    Mistake(
        "extra_term",
        _RIGHT,
        "dout if keep is None else dout * (keep + (keep == 0))",
        "where x was dropped the gradient stays as it is: nothing came through there, so it is 0",
    ),
)
