"""Is a backward right? Compare it with derivatives taken numerically."""

import functools
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

FLOAT32_NOISE = 3e-6  # relative error up to which rounding to 7 digits may be the reason


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
    note : in words, when it is right, but something is to be said
    finding : function that says what the mistake most likely is; looked for when it is asked
    """

    name: str
    shape: tuple
    error: float
    ok: bool
    worst: tuple | None = None
    got: float | None = None
    expected: float | None = None
    problem: str | None = None
    note: str | None = None
    finding: Callable | None = field(default=None, repr=False, compare=False)

    @property
    def diagnosis(self):
        """A short stable name for the mistake ("missing_term", "unknown"); None if it is right."""
        found = self.finding and self.finding()
        return found.kind if found else None

    @property
    def message(self):
        """What the mistake most likely is, in words; None if it is right."""
        found = self.finding and self.finding()
        if not found:
            return None
        return f"{found.message} ({found.evidence})" if found.evidence else found.message


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
            if g.note or g.message and not g.problem:
                lines += textwrap.wrap(
                    g.note or g.message, 78, initial_indent="    ", subsequent_indent="    "
                )
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

    Returns a `Report`, which says of a wrong gradient what the mistake most likely is. Not held
    against a gradient are: the given relative tolerance; the rounding of the numerical derivative
    itself, about 10 * 2.2e-16 * |loss| / h; rounding to float32, where the pair computes in it;
    and a step too coarse for a strong curve (see `taylor_slope`). Of the last two a note tells.
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

    precision = np.finfo(np.result_type(out, np.float16))
    rounding = 10 * precision.eps * np.linalg.norm(dout * out)
    if precision.eps > np.finfo(float).eps:  # forward computes in float32 whatever it is given
        step, tolerance = max(step, 1e-2), max(tolerance, 1e-3)
    checks, values, problems = [], {}, {}
    for slot, grad in zip(slots, grads, strict=True):
        for name, x, g in _pairs(call.names[slot], args[slot], grad):
            problem = _problem(x, g)
            if problem:
                problems[name] = problem
                checks.append(GradientCheck(name, x.shape, np.inf, False, problem=problem[1]))
                continue
            errors = []
            for h in (step, step / 10):  # on a strong curve a right gradient needs the shorter step
                if directions is None:
                    got, expected = np.asarray(g), numerical_gradient(call, x, dout, h)
                else:
                    got, expected = _along_directions(call, x, g, dout, h, directions, rng)
                check = _compare(name, x.shape, got, expected, tolerance, rounding / h)
                errors.append(check.error)
                if check.ok:
                    break
            else:
                check = _second_thoughts(check, call, x, g, dout, expected, errors)
            checks.append(check)
            values[name] = x, np.asarray(g), expected if directions is None else None
    findings = _later(call, dout, values, problems)
    return Report(tuple(_with_finding(check, findings) for check in checks))


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


def taylor_slope(call, x, gradient, dout, seed=0):
    """How fast the rest of Taylor's series vanishes with the step: as h^2 for a right gradient.

        rest(h) = |loss(x + h v) - loss(x) - h sum(gradient v)|  ~  h^slope

    What a right gradient leaves is the curve, h^2/2 f''; a wrong one leaves h times its error.

    call : a `Call`; x is one of its arguments, or in one of them
    x : float64 array; moved along a random direction v, and put back
    gradient : of the loss with respect to x, right or wrong
    dout : gradient of the loss with respect to the output
    seed : of the direction

    Returns the slope at the smallest steps whose rest is not yet rounding: about 2 or about 1;
    infinite where nothing is left at any step.
    """
    direction = np.random.default_rng(seed).standard_normal(x.shape) / x.size**0.25
    along, kept, here = (gradient * direction).sum(), x.copy(), call.out()

    def rise(h):
        x[...] = kept + h * direction
        return (dout * (call.out() - here)).sum()

    tiny = 10.0 ** -np.arange(11, 13, 0.25)
    rounding = max(abs(rise(h) + rise(-h)) for h in tiny)  # slope and error cancel: noise is left
    rounding += np.finfo(float).eps * np.abs(dout * here).sum()
    steps = 10.0 ** -np.arange(1, 13, 0.5)
    rests = np.array([abs(rise(h) - h * along) for h in steps])
    x[...] = kept
    seen = np.flatnonzero(rests > 20 * rounding)[-3:]
    if len(seen) < 2:
        return np.inf
    first, last = seen[0], seen[-1]
    return float(np.log(rests[first] / rests[last]) / np.log(steps[first] / steps[last]))


def _second_thoughts(check, call, x, grad, dout, expected, errors):
    """A gradient that looks wrong may be right but for float32, or the step too coarse for it."""
    if np.shape(grad) == np.shape(expected) and only_rounded(np.asarray(grad), expected):
        note = "right to the 7 digits of float32: a part of backward computes in float32"
        return replace(check, ok=True, note=note)
    if errors[1] < errors[0] / 30:
        slope = min(taylor_slope(call, x, grad, dout, seed) for seed in range(3))
        if slope > 1.8:
            note = (
                f"right: what it leaves of Taylor's series vanishes as h^{slope:.1f} (a wrong "
                "one's as h^1); the step is too coarse for so strong a curve"
            )
            return replace(check, ok=True, note=note)
    return check


def only_rounded(got, expected):
    """Whether two arrays of one shape differ as numbers of 7 digits do: by little, at random."""
    difference = (got - expected).ravel()
    size = np.abs(expected).max(initial=0)
    if np.abs(difference).max(initial=0) > FLOAT32_NOISE * size:
        return False
    if np.array_equal(got, got.astype(np.float32)):
        return True
    like_it = np.dot(difference, expected.ravel()) / np.linalg.norm(expected)
    return difference.size > 3 and abs(like_it) < 0.5 * np.linalg.norm(difference)


def _later(call, dout, values, problems):
    """A function that finds the mistakes, when it is first asked: dict name -> finding."""

    @functools.cache
    def findings():
        from .diagnosis import Finding, diagnose_gradients

        got = {name: got for name, (_, got, _) in values.items()}
        right = {name: right for name, (*_, right) in values.items()}
        found = diagnose_gradients(call.forward, call.args, call.kwargs, dout, got, right)
        for name, finding in found.items():
            if finding.kind == "unknown":
                slope = taylor_slope(call, values[name][0], got[name], dout)
                text = f"{finding.message}; Taylor's rest vanishes as h^{slope:.1f}, not as h^2"
                found[name] = replace(finding, message=text)
        return found | {name: Finding(*problem) for name, problem in problems.items()}

    return findings


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


def _with_finding(check, findings):
    if check.ok:
        return check
    return replace(check, finding=lambda: findings().get(check.name))


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
    """Kind and description of what leaves nothing to compare."""
    if grad is None:
        return "wrong_number", "no gradient was returned"
    if np.shape(grad) != x.shape:
        kind = "transposed" if np.shape(grad) == x.shape[::-1] else "wrong_shape"
        return kind, f"its shape is {np.shape(grad)}, expected {x.shape}"
    if not np.isfinite(grad).all():
        return "not_finite", "it holds NaN or infinity"
    return None


def _has_gradient(arg):
    if isinstance(arg, dict):
        return any(_has_gradient(value) for value in arg.values())
    return isinstance(arg, np.ndarray) and arg.dtype.kind == "f"


def _as_float64(arg):
    if isinstance(arg, dict):
        return {key: _as_float64(value) for key, value in arg.items()}
    return np.array(arg, np.float64) if _has_gradient(arg) else arg
