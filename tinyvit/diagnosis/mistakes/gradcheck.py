"""Numerical gradients: mistakes that are often made."""

from ..mistake import Mistake

_QUOTIENT = "(dout * (above - below)).sum() / (2 * step)"
_BELOW = "x[index] = kept - step"
_FOR_EACH = "for index in np.ndindex(x.shape):"

FUNCTION = (
    Mistake(
        "scale",
        _QUOTIENT,
        "(dout * (above - below)).sum() / step",
        "divided by step instead of 2 * step: from x - h to x + h it is two steps",
    ),
    Mistake(
        "scale",
        _QUOTIENT,
        "(dout * (above - below)).sum() / 2 * step",
        "multiplied by step: a / 2 * step is (a / 2) * step; it needs a / (2 * step)",
    ),
    Mistake(
        "scale",
        _QUOTIENT,
        "(dout * (above - below)).sum() / 2",
        "the division by step is missing: a slope is the difference divided by 2 * step",
    ),
    Mistake(
        "scale",
        _QUOTIENT,
        "(dout * (above - below)).sum()",
        "the division by 2 * step is missing: a slope is a difference divided by the way",
    ),
    Mistake(
        "incomplete",
        _BELOW,
        "x[index] = kept",
        "one step only, f(x + h) - f(x), divided by 2 * step: the other value belongs at x - h",
    ),
    Mistake(
        "incomplete",
        f"{_BELOW}\n        below = call.out()",
        "x[index] = kept\n        below = call.out()\n        above = 2 * above - below",
        "it is (f(x + h) - f(x)) / h, one step only: with x - h, too, the error is far smaller",
    ),
    Mistake(
        "incomplete",
        f"{_BELOW}\n        below = call.out()",
        f"x[index] = kept\n        above = call.out()\n        {_BELOW}\n"
        "        below = call.out()\n        below = 2 * below - above",
        "it is (f(x) - f(x - h)) / h, one step only: with x + h, too, the error is far smaller",
    ),
    Mistake(
        "incomplete",
        "x[index] = kept + step",
        "x[index] = kept",
        "one step only, f(x) - f(x - h), divided by 2 * step: the other value belongs at x + h",
    ),
    Mistake(
        "incomplete",
        "x[index] = kept\n",
        "\n",
        "x is not put back: the next element is moved while this one still is",
    ),
    Mistake(
        "incomplete",
        "x[index] = kept\n",
        "x[index] = x[index] + 2 * step\n",
        "x is not put back to where it was: it moves on by a step with each element",
    ),
    Mistake(
        "wrong_variable",
        f"kept = x[index]\n        x[index] = kept + step\n        above = call.out()\n"
        f"        {_BELOW}\n        below = call.out()\n        x[index] = kept",
        "kept = x.copy()\n        x[...] = kept + step\n        above = call.out()\n"
        "        x[...] = kept - step\n        below = call.out()\n        x[...] = kept",
        "all elements of x are moved together: move one, put it back, then the next",
    ),
    Mistake(
        "missing_factor",
        _QUOTIENT,
        "(above - below).sum() / (2 * step)",
        "dout is missing: the loss is sum(dout * out), not sum(out)",
    ),
    Mistake(
        "sum_mean",
        _QUOTIENT,
        "(dout * (above - below)).mean() / (2 * step)",
        "a mean stands where a sum belongs: the loss is sum(dout * out)",
    ),
    Mistake(
        "sign",
        _QUOTIENT,
        "(dout * (below - above)).sum() / (2 * step)",
        "the sign is wrong: it is f(x + h) - f(x - h)",
    ),
    Mistake(
        "incomplete",
        f"kept = x[index]\n        x[index] = kept + step\n        above = call.out()\n"
        f"        {_BELOW}\n        below = call.out()\n        x[index] = kept",
        "index = index[:1]\n        kept = x[index].copy()\n        x[index] = kept + step\n"
        "        above = call.out()\n        x[index] = kept - step\n"
        "        below = call.out()\n        x[index] = kept",
        "a whole row of x is moved together: move one element, put it back, then the next",
    ),
    Mistake(
        "missing_factor",
        _QUOTIENT,
        "(dout * above - below).sum() / (2 * step)",
        "dout multiplies the upper value only: both belong to the loss sum(dout * out)",
    ),
    Mistake(
        "sign",
        _QUOTIENT,
        "abs((dout * (above - below)).sum()) / (2 * step)",
        "the sign is lost: a slope can be negative, no absolute value belongs here",
    ),
    Mistake(
        "wrong_constant",
        _BELOW,
        "x[index] = kept - 2 * step",
        "the lower value is taken at x - 2h: it belongs at x - h, as far as the upper one",
    ),
    Mistake(
        "wrong_variable",
        _QUOTIENT,
        "(dout * above).sum() / (2 * step)",
        "f(x - h) is missing: a slope is a difference of two values",
    ),
    Mistake(
        "wrong_factor",
        "x[index] = kept + step\n        above = call.out()\n        x[index] = kept - step",
        "x[index] = kept + step / 2\n        above = call.out()\n"
        "        x[index] = kept - step / 2",
        "x is moved by half a step to each side, but the division is by 2 * step",
    ),
    Mistake(
        "wrong_factor",
        "x[index] = kept + step\n        above = call.out()\n        x[index] = kept - step",
        "x[index] = kept + step * kept\n        above = call.out()\n"
        "        x[index] = kept - step * kept",
        "the step is step * x, but the division is by 2 * step: a factor x is left over",
    ),
    Mistake(
        "incomplete",
        _FOR_EACH,
        "gradient[:] = 0\n    for index in np.ndindex(x.shape[:1]):\n"
        "        index = index + (0,) * (x.ndim - 1)",
        "only the first element of each row is moved: every element of x has its derivative",
    ),
    Mistake(
        "wrong_factor",
        _QUOTIENT,
        "dout.mean() * (above - below).sum() / (2 * step)",
        "the mean of dout is used: each element of out has its own dout",
    ),
    Mistake(
        "wrong_factor",
        _QUOTIENT,
        "dout.sum() * (above - below).sum() / (2 * step)",
        "dout and the difference are added up apart: multiply element by element, then add up",
    ),
    Mistake(
        "wrong_order",
        "return gradient",
        'return gradient.ravel().reshape(x.shape, order="F")',
        "the elements are laid out column by column: gradient[index] belongs to x[index]",
    ),
    Mistake(
        "other_forward",
        f"gradient[index] = {_QUOTIENT}",
        "gradient[index] = (dout * (above - 2 * call.out() + below)).sum() / step**2",
        "this is the second derivative, the curve; the gradient is (f(x + h) - f(x - h)) / 2h",
    ),
)
