"""ReLU: mistakes that are often made."""

from ..mistake import Mistake

FORWARD = (
    Mistake(
        "wrong_variable",
        "xp.maximum(x, 0)",
        "xp.minimum(x, 0)",
        "the negative values are kept and the positive ones stopped: it should be max(x, 0)",
    ),
    Mistake(
        "sign",
        "xp.maximum(x, 0)",
        "xp.maximum(-x, 0)",
        "max(-x, 0) is taken where max(x, 0) belongs",
    ),
    Mistake(
        "missing_factor",
        "xp.maximum(x, 0)",
        "x + 0",
        "nothing is stopped: where x is negative, out should be 0",
    ),
    Mistake(
        "other_forward",
        "xp.maximum(x, 0)",
        "abs(x)",
        "negative values are turned round, as abs(x) does: ReLU makes them 0",
    ),
    Mistake(
        "missing_factor",
        "xp.maximum(x, 0)",
        "(x > 0).astype(x.dtype)",
        "out is 1 where x > 0: it should be x there",
    ),
    Mistake(
        "other_forward",
        "xp.maximum(x, 0)",
        "xp.where(x > 0, x, 0.01 * x)",
        "negative values leak through with slope 0.01 (leaky ReLU): here they become 0",
    ),
    Mistake(
        "other_forward",
        "xp.maximum(x, 0)",
        "xp.where(x > 0, x, 0.1 * x)",
        "negative values leak through with slope 0.1 (leaky ReLU): here they become 0",
    ),
    Mistake(
        "wrong_constant",
        "xp.maximum(x, 0)",
        "xp.maximum(x, 1)",
        "max(x, 1) is taken where max(x, 0) belongs",
    ),
    Mistake(
        "other_forward",
        "xp.maximum(x, 0)",
        "xp.where(x > 0, x, xp.exp(xp.minimum(x, 0)) - 1)",
        "negative values become exp(x) - 1 (ELU): here they become 0",
    ),
    Mistake(
        "other_forward",
        "xp.maximum(x, 0)",
        "xp.log(1 + xp.exp(x))",
        "this is softplus, log(1 + exp(x)): ReLU is max(x, 0)",
    ),
    Mistake(
        "extra_term",
        "xp.maximum(x, 0)",
        "xp.minimum(xp.maximum(x, 0), 1)",
        "values above 1 are cut off: ReLU lets all positive values through",
    ),
)

BACKWARD = (
    Mistake(
        "missing_factor",
        "dout * positive",
        "dout * 1",
        "the mask is missing: where x was negative nothing came through, so dx is 0 there",
    ),
    Mistake(
        "wrong_factor",
        "dout * positive",
        "dout * ~positive",
        "the mask is turned round: dx is dout where x > 0, and 0 elsewhere",
    ),
    Mistake(
        "wrong_variable",
        "dout * positive",
        "dout * (dout > 0)",
        "the mask is taken from dout: it is x that decides what comes through",
    ),
    Mistake(
        "wrong_factor",
        "dout * positive",
        "dout * positive * given.x",
        "dout is multiplied by the forward's value max(x, 0): the slope is 1 where x > 0",
    ),
    Mistake(
        "wrong_factor",
        "dout * positive",
        "dout * given.x",
        "dout is multiplied by x: the slope is 1 where x > 0, and 0 elsewhere",
    ),
    Mistake(
        "wrong_variable",
        "dout * positive",
        "positive * given.x",
        "the forward's value is returned: dx is dout where x > 0",
    ),
    Mistake(
        "missing_factor",
        "dout * positive",
        "1.0 * positive",
        "dout is missing: dx is dout where x > 0, not 1",
    ),
    Mistake(
        "extra_term",
        "dout * positive",
        "dout * positive * (dout > 0)",
        "negative values of dout are stopped, too: only x decides what comes through",
    ),
    Mistake(
        "other_forward",
        "dout * positive",
        "dout * (2.0 * positive - 1)",
        "the slope is -1 where x < 0, as for abs(x): it is 0 for ReLU",
    ),
    Mistake(
        "other_forward",
        "dout * positive",
        "dout * (0.01 + 0.99 * positive)",
        "the slope is 0.01 where x < 0 (leaky ReLU): it is 0 for ReLU",
    ),
    Mistake(
        "other_forward",
        "dout * positive",
        "dout * (0.1 + 0.9 * positive)",
        "the slope is 0.1 where x < 0 (leaky ReLU): it is 0 for ReLU",
    ),
    Mistake(
        "wrong_constant",
        "dout * positive",
        "dout * (given.x > 1)",
        "the mask is x > 1: it should be x > 0",
    ),
    Mistake(
        "other_forward",
        "dout * positive",
        "dout / (1 + get_array_module(dout).exp(-given.x))",
        "this is the gradient of softplus, log(1 + exp(x)): the slope of ReLU is 1 or 0",
    ),
    Mistake(
        "other_forward",
        "dout * positive",
        "dout * (positive & (given.x < 1))",
        "where x > 1 the gradient is stopped, too: ReLU lets all values above 0 through",
    ),
)
