"""The exercise `gradcheck`: pairs, right and wrong, that the student's own checker is tried on."""

from typing import NamedTuple

import numpy as np

from .. import ops
from ..gradcheck import Call


class Trial(NamedTuple):
    """A pair that a checker is tried on.

    name : what is special about it
    forward, backward, args : of the call
    right : whether the backward is right
    message : what to say to a checker that says otherwise
    """

    name: str
    forward: object
    backward: object
    args: tuple
    right: bool
    message: str


def derivatives():
    """Calls of numerical_gradient: (label, forward, arguments, number of the argument, step)."""
    n = np.random.default_rng(0).standard_normal
    linear = n((2, 3, 4)), n((5, 4)), n(5)
    return [
        ("", ops.softmax_forward, (n((2, 3)),), 0, 1e-5),
        ("for the second argument", ops.linear_forward, linear, 1, 1e-5),
        ("with step=0.001", ops.gelu_forward, (n((3, 4)),), 0, 1e-3),
    ]


def derivative_arguments(number):
    """Fresh args (call, x, dout, step) and kwargs of one of these calls of numerical_gradient."""
    _, forward, args, place, step = derivatives()[number]
    call = Call(forward, [arg.copy() for arg in args], {})
    dout = np.random.default_rng(1).standard_normal(call.out().shape)
    return (call, call.args[place], dout, step), {}


def trials():
    """Every `Trial`."""
    n = np.random.default_rng(2).standard_normal
    x = n((2, 3, 4))
    linear, layernorm = (x, n((5, 4)), n(5)), (x, n(4), n(4))
    small = x, 1e-9 * n((5, 4)), 1e-9 * n(5)
    pairs = {
        stem: (getattr(ops, f"{stem}_forward"), getattr(ops, f"{stem}_backward"))
        for stem in ("linear", "layernorm", "softmax", "gelu")
    }

    def wrong(stem, args, name, change, message):
        forward, backward = pairs[stem]
        broken = lambda dout, cache: change(backward(dout, cache), dout, cache)  # noqa: E731
        return Trial(name, forward, broken, args, False, message)

    arguments = {"linear": linear, "layernorm": layernorm, "softmax": (x,), "gelu": (3 * x,)}
    right = [
        Trial(f"right {stem}", *pairs[stem], args, True, "it is right, and your checker says no")
        for stem, args in arguments.items()
    ]
    return [
        *right,
        wrong(
            *("softmax", (x,), "softmax with a plain mean", _plain_mean),
            "this backward is wrong, but right for a dout of ones: draw dout at random",
        ),
        wrong(
            *("linear", linear, "twice dx", lambda g, *_: (2 * g[0], *g[1:])),
            "twice the right dx passes",
        ),
        wrong(
            *("linear", linear, "last gradient", lambda g, *_: (*g[:2], -g[2])),
            "the last of three gradients has the wrong sign and passes: compare each of them",
        ),
        wrong(
            *("linear", linear, "one element", _one_element),
            "a single wrong element passes: take the largest difference, not the mean",
        ),
        wrong(
            *("linear", small, "small gradients", lambda g, *_: (2 * g[0], *g[1:])),
            "a wrong gradient of size 1e-9 passes: divide the difference by the gradient's size",
        ),
        wrong(
            *("linear", linear, "NaN", lambda g, *_: (g[0] * np.nan, *g[1:])),
            "a gradient of NaN passes: every comparison with NaN is False",
        ),
        wrong(
            *("linear", linear, "another shape", lambda g, *_: (g[0], g[1], g[2][None])),
            "a gradient of another shape passes (NumPy stretches it to fit): compare the shapes",
        ),
        wrong(
            *("linear", linear, "one too few", lambda g, *_: g[:2]),
            "two gradients for three inputs pass: count them",
        ),
    ]


def _plain_mean(_, dout, cache):
    (out,) = cache
    return out * (dout - dout.mean(axis=-1, keepdims=True))


def _one_element(grads, *_):
    dweight = grads[1].copy()
    dweight[-1, -1] += 1e-2 * abs(dweight).max()
    return grads[0], dweight, grads[2]


def run(functions, recorder):
    """Call the student's functions on all of this: a list of dicts what -> what was recorded."""
    answers = []
    for number in range(len(derivatives())) if "numerical_gradient" in functions else ():
        (call, x, dout, step), _ = derivative_arguments(number)
        kept = [arg.copy() for arg in (*call.args, dout)]
        answer = recorder.call(functions["numerical_gradient"], (call, x, dout, step), {})
        same = all(map(np.array_equal, kept, (*call.args, dout)))
        answers.append({"numerical_gradient": answer | {"modified": [] if same else ["x"]}})
    for trial in trials() if "check_backward" in functions else ():
        args = [arg.copy() for arg in trial.args]
        function = functions["check_backward"]
        answer = recorder.call(function, (trial.forward, trial.backward, args), {})
        same = all(map(np.array_equal, trial.args, args))
        answers.append({"check_backward": answer | {"modified": [] if same else ["args"]}})
    return answers
