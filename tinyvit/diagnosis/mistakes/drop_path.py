"""Drop path: mistakes that are often made."""

from ..mistake import Mistake
from .dropout import OF_THE_MASK

_DRAWN = "xp.asarray(rng.random(x.shape[0]) >= drop_rate)"
_SCALED = "kept.astype(x.dtype) / (1 - drop_rate)"
_DRAWN_AND_SCALED = (
    "rng.random(x.shape[0]) >= drop_rate)\n    keep = kept.astype(x.dtype) / (1 - drop_rate)"
)
_SPREAD = "keep = keep.reshape(-1, *[1] * (x.ndim - 1))"

FORWARD = (
    Mistake(
        "missing_factor",
        _SCALED,
        "kept.astype(x.dtype)",
        "what stays is not scaled up: it is divided by 1 - drop_rate, so that the mean of out is x",
    ),
    Mistake(
        "wrong_factor",
        "rng.random(x.shape[0]) >= drop_rate",
        "rng.random(x.shape[0]) < drop_rate",
        "the mask is turned round: a branch stays where rng.random(x.shape[0]) >= drop_rate",
    ),
    Mistake(
        "missing_factor",
        "return x * keep, (keep,)",
        "return x / (1 - drop_rate), (keep,)",
        "no image is dropped: the mask is missing, or all share one number: each has its own",
    ),
    Mistake(
        "wrong_variable",
        _DRAWN_AND_SCALED,
        "rng.random(x.shape[0]) < drop_rate)\n    keep = kept.astype(x.dtype) / drop_rate",
        "drop_rate is taken for the share that stays: it is the share that is dropped",
    ),
    Mistake(
        "wrong_factor",
        _DRAWN_AND_SCALED,
        "rng.random(x.shape[0]) < drop_rate)\n    keep = kept.astype(x.dtype)",
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
        "other_forward",
        _DRAWN + "\n    keep = " + _SCALED + "\n    " + _SPREAD,
        "xp.asarray(rng.random(x.shape) >= drop_rate)\n    keep = " + _SCALED,
        "one number is drawn for each value: that is dropout; drop path draws one for each image",
    ),
    Mistake(
        "other_forward",
        _DRAWN + "\n    keep = " + _SCALED + "\n    " + _SPREAD,
        "xp.asarray(rng.random(x.shape[:2]) >= drop_rate)\n    keep = "
        + _SCALED
        + "\n    keep = keep.reshape(*x.shape[:2], *[1] * (x.ndim - 2))",
        "one number is drawn for each token: all tokens of an image share one",
    ),
    Mistake(
        "wrong_axis",
        _DRAWN + "\n    keep = " + _SCALED + "\n    " + _SPREAD,
        "xp.asarray(rng.random(x.shape[1]) >= drop_rate)\n    keep = "
        + _SCALED
        + "\n    keep = keep.reshape(-1, *[1] * (x.ndim - 2))",
        "the mask lies along axis 1: it belongs along axis 0, one number for each image",
    ),
    Mistake(
        "wrong_axis",
        _DRAWN + "\n    keep = " + _SCALED + "\n    " + _SPREAD,
        "xp.asarray(rng.random(x.shape[-1]) >= drop_rate)\n    keep = " + _SCALED,
        "the mask lies along the last axis: it belongs along axis 0, one number for each image",
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
        "return x + x * keep, (keep,)",
        "x is added to the branch: drop path is only the branch, the block adds the residual",
    ),
    Mistake(
        "extra_term",
        "return x * keep, (keep,)",
        "return x * (keep + (keep == 0)), (keep,)",
        "dropped branches stay as they are: they should become 0",
    ),
    Mistake(
        "wrong_variable",
        _DRAWN,
        "xp.asarray(rng.binomial(1, 1 - drop_rate, x.shape[0]))",
        "drawn by rng.binomial: right as drop path, but not rng.random(x.shape[0]) >= drop_rate",
    ),
)

_RIGHT = "dout if keep is None else dout * keep"

BACKWARD = (
    *OF_THE_MASK,
    Mistake(
        "missing_factor",
        _RIGHT,
        "dout",
        "the mask is missing: a branch that was skipped had no part in the loss, its gradient is 0",
    ),
    Mistake(
        "wrong_factor",
        _RIGHT,
        "dout if keep is None else dout * (keep.max() - keep)",
        "the mask is turned round: the gradient flows where the branch was skipped",
    ),
    Mistake(
        "extra_term",
        _RIGHT,
        "dout if keep is None else dout + dout * keep",
        "dout is added to dout * keep: the block adds the residual's part, drop path does not",
    ),
    Mistake(
        "wrong_axis",
        _RIGHT,
        "dout if keep is None else dout * keep.reshape(1, -1, *[1] * (dout.ndim - 2))",
        "the B numbers of the mask meet axis 1: they belong to axis 0, as (B, 1, 1)",
    ),
    Mistake(
        "extra_term",
        _RIGHT,
        "dout if keep is None else dout * (keep + (keep == 0))",
        "where the branch was skipped the gradient stays as it is: it should be 0 there",
    ),
    Mistake(
        "wrong_order",
        f"return {_RIGHT}",
        "if keep is None:\n        return dout\n    rows = keep.reshape(-1).nonzero()[0]\n"
        "    dx = 0 * dout\n    dx[: len(rows)] = dout[rows] * keep.max()\n    return dx",
        "the gradients of the images that stayed are put first: each belongs to its own image",
    ),
)
