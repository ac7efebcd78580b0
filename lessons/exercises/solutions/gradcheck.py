"""Solution: gradient check."""

import numpy as np

from tinyvit.gradcheck import Call


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
