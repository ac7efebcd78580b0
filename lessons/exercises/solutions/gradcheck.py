"""Solution: check_backward of the gradient check; numerical_gradient is the library's."""

import numpy as np

from tinyvit.gradcheck import Call, numerical_gradient


def check_backward(
    forward, backward, args, seed=0, step=1e-5, tolerance=1e-7
):
    """Check a hand-written backward against central differences, in float64.

    forward : function of args that returns out, cache
    backward : function of dout, cache that returns one gradient, or a tuple of them in the
        order of args
    args : the inputs, float64 arrays; they are left as they are
    seed : of the random dout
    step : h of the central differences
    tolerance : largest relative error of a right gradient: the largest difference from the
        numerical gradient, divided by the largest value of the two

    Returns True when every gradient agrees, else False: when one is wrong, missing, of another
    shape, or not finite.
    """
    args = [arg.copy() for arg in args]
    out, cache = forward(*args)
    dout = np.random.default_rng(seed).standard_normal(np.shape(out))
    grads = backward(dout, cache)
    grads = grads if isinstance(grads, (tuple, list)) else [grads]
    if len(grads) != len(args):
        return False
    call = Call(forward, args, {})
    rounding = 10 * np.finfo(float).eps * np.linalg.norm(dout * out) / step
    for x, got in zip(args, grads, strict=True):
        if got is None or np.shape(got) != x.shape:
            return False
        if not np.isfinite(got).all():
            return False
        expected = numerical_gradient(call, x, dout, step)
        size = max(np.abs(got).max(), np.abs(expected).max())
        if abs(got - expected).max() > tolerance * size + rounding:
            return False
    return True
