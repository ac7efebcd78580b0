"""Is a backward right? Compare it with derivatives taken numerically."""

import inspect
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GradientCheck:
    """What was found for one gradient.

    name : of the gradient: dx, dweight, or a parameter's name
    shape : of the gradient as it should be
    error : largest difference from the numerical derivative, divided by the largest value of the
        two; in the random-direction mode, the same over the directions
    ok : whether it is right
    worst : index of the largest difference (or number of the direction); None if there is none
    got : the backward's value there
    expected : the numerical derivative there
    problem : in words, when there is nothing to compare: a wrong shape, a missing gradient, NaN
    """

    name: str
    shape: tuple
    error: float
    ok: bool
    worst: tuple | None = None
    got: float | None = None
    expected: float | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Report:
    """What `check_backward` found: `ok`, `error`, `gradients`; `str(report)` is a table."""

    gradients: tuple

    @property
    def ok(self):
        """Whether every gradient is right."""
        return all(gradient.ok for gradient in self.gradients)

    @property
    def error(self):
        """The largest relative error of all gradients."""
        return max((gradient.error for gradient in self.gradients), default=0.0)

    def __str__(self):
        width = max([8, *(len(gradient.name) for gradient in self.gradients)])
        lines = [f"{'gradient':{width}}  relative error"]
        for g in self.gradients:
            line = f"{g.name:{width}}  {g.error:8.1e}  {'ok' if g.ok else 'WRONG'}"
            if g.problem:
                line += f": {g.problem}"
            elif not g.ok:
                line += f": at {g.worst} got {g.got:.6g}, expected {g.expected:.6g}"
            lines.append(line)
        return "\n".join(lines)


def check_backward(
    forward, backward, args, *, kwargs=None, seed=0, directions=None, step=1e-5, tolerance=1e-7
):
    """Check a hand-written backward against central differences, in float64.

        d loss / d x_i  =  sum(dout * (forward(x + h e_i) - forward(x - h e_i))) / 2h

    The loss is sum(dout * out) with a random dout: with a dout of ones, the true gradients of
    softmax and LayerNorm are zero, and nearly any wrong answer would pass.

    forward : function that returns out, cache
    backward : function of dout, cache that returns the gradients in the order of the inputs
    args : the inputs; each float array, and each float array in a dict, is checked; None (a bias
        left out) takes its place in the order and is not checked; whole numbers, strings and other
        objects have no gradient
    kwargs : further arguments of `forward`, not checked
    seed : of dout (and of the directions)
    directions : None checks every single element; a number checks that many random directions in
        each input instead, which is fast enough for a whole model
    step : h; a gradient that looks wrong is looked at again with a tenth of it
    tolerance : largest relative error of a right gradient

    Returns a `Report`. Two things are not held against a gradient: the given relative tolerance,
    and the rounding of the numerical derivative itself, about 10 * 2.2e-16 * |loss| / h.
    """
    args = [_as_float64(arg) for arg in args]
    call = Call(forward, args, kwargs or {})
    rng = np.random.default_rng(seed)
    out, cache = forward(*args, **call.kwargs)
    dout = rng.standard_normal(np.shape(out))
    grads = backward(dout, cache)
    grads = list(grads) if isinstance(grads, (tuple, list)) else [grads]

    slots = [i for i, arg in enumerate(args) if arg is None or _has_gradient(arg)]
    if len(grads) != len(slots):
        slots = [i for i in slots if args[i] is not None]
    if len(grads) != len(slots):
        problem = f"backward returned {len(grads)} gradients, expected {len(slots)}"
        return Report((GradientCheck("all", (), np.inf, False, problem=problem),))

    size = np.linalg.norm(dout * out)
    checks = []
    for slot, grad in zip(slots, grads, strict=True):
        for name, x, g in _pairs(call.names[slot], args[slot], grad):
            problem = _problem(x, g)
            if problem:
                checks.append(GradientCheck(name, x.shape, np.inf, False, problem=problem))
                continue
            for h in (step, step / 10):  # on a strong curve a right gradient needs the shorter step
                if directions is None:
                    got, expected = g, numerical_gradient(call, x, dout, h)
                else:
                    got, expected = _along_directions(call, x, g, dout, h, directions, rng)
                rounding = 10 * np.finfo(float).eps * size / h
                check = _compare(name, x.shape, got, expected, tolerance, rounding)
                if check.ok:
                    break
            checks.append(check)
    return Report(tuple(checks))


class Call:
    """A forward with its arguments, to be called again after a change to one of them."""

    def __init__(self, forward, args, kwargs):
        self.forward, self.args, self.kwargs = forward, args, kwargs
        parameters = list(inspect.signature(forward).parameters)
        self.names = [*parameters, *(f"arg{i}" for i in range(len(parameters), len(args)))]

    def out(self):
        """The forward's output for the arguments as they are now."""
        out, _ = self.forward(*self.args, **self.kwargs)
        return np.array(out)  # a copy: it may be a window into an argument that changes next


def numerical_gradient(call, x, dout, step=1e-5):
    """Central differences of sum(dout * out), for every element of x.

        (f(x + h e_i) - f(x - h e_i)) / 2h = f'(x_i) + h^2 / 6 f'''(x_i) + ...

    call : a `Call`; x is one of its arguments, or in one of them
    x : float64 array; moved element by element, and put back
    dout : gradient of the loss with respect to the output
    step : h: smaller cuts the h^2 error off, larger drowns the rounding; 1e-5 is between

    Returns an array of x's shape.
    """
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + step
        above = call.out()
        x[index] = kept - step
        below = call.out()
        x[index] = kept
        gradient[index] = (dout * (above - below)).sum() / (2 * step)
    return gradient


def _along_directions(call, x, grad, dout, step, directions, rng):
    # Directions of length size^(1/4): long ones leave the tangent, short ones drown in rounding.
    got, expected = np.empty(directions), np.empty(directions)
    kept = x.copy()
    for i in range(directions):
        direction = rng.standard_normal(x.shape) / x.size**0.25
        x[...] = kept + step * direction
        above = call.out()
        x[...] = kept - step * direction
        below = call.out()
        x[...] = kept
        expected[i] = (dout * (above - below)).sum() / (2 * step)
        got[i] = (grad * direction).sum()
    return got, expected


def _compare(name, shape, got, expected, tolerance, rounding):
    difference = np.abs(got - expected)
    worst = np.unravel_index(difference.argmax(), difference.shape)
    size = max(np.abs(got).max(), np.abs(expected).max())
    error = difference[worst] / size if size > rounding else 0.0
    ok = difference[worst] <= tolerance * size + rounding
    place = tuple(int(i) for i in worst)
    return GradientCheck(
        name, shape, float(error), bool(ok), place, float(got[worst]), float(expected[worst])
    )


def _pairs(name, arg, grad):
    """Name, input and gradient of an argument: one of an array, one a key of a dict."""
    if arg is None:
        return []
    if not isinstance(arg, dict):
        return [(f"d{name}", arg, grad)]
    grads = grad if isinstance(grad, dict) else {}
    return [(key, value, grads.get(key)) for key, value in arg.items() if _has_gradient(value)]


def _problem(x, grad):
    if grad is None:
        return "no gradient was returned"
    if np.shape(grad) != x.shape:
        return f"its shape is {np.shape(grad)}, expected {x.shape}"
    if not np.isfinite(grad).all():
        return "it holds NaN or infinity"
    return None


def _has_gradient(arg):
    if isinstance(arg, dict):
        return any(_has_gradient(value) for value in arg.values())
    return isinstance(arg, np.ndarray) and arg.dtype.kind == "f"


def _as_float64(arg):
    if isinstance(arg, dict):
        return {key: _as_float64(value) for key, value in arg.items()}
    return np.array(arg, np.float64) if _has_gradient(arg) else arg
