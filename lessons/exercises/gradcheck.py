"""Exercise: Gradient check.

after lesson 11 · numerical_gradient: medium, 20 minutes · check_backward: medium, 25 minutes

Is a backward right? You write the tool that says so. numerical_gradient moves
one number of x at a time and looks how the loss, sum(dout * out), moves;
check_backward draws a dout and compares, for each input. Begin with
numerical_gradient: check_backward is built on it. Call(forward, args, {}),
imported below, makes the call that numerical_gradient takes. Watch that dout
is random: with a dout of ones many a wrong backward passes.

Check:  tinyvit check gradcheck.py
Stuck:  tinyvit exercise hint gradcheck
"""

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
    raise NotImplementedError("write numerical_gradient")


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
    raise NotImplementedError("write check_backward")
