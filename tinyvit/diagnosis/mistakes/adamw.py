"""AdamW: mistakes that are often made."""

from ..mistake import Mistake

_M = "m = beta1 * m + (1 - beta1) * grads"
_V = "v = beta2 * v + (1 - beta2) * (grads * grads)"
_STEP_SIZE = "step_size = lr / (1 - beta1**step)"
_RMS = "rms = xp.sqrt(v) * (1 / sqrt(1 - beta2**step)) + eps"
_CORRECTED = "(1 / sqrt(1 - beta2**step))"
_UPDATE = "params = params - (lr * decay) * params - step_size * m / rms"


FUNCTION = (
    Mistake(
        "other_forward",
        f"xp = get_array_module(params)\n    {_M}",
        "xp = get_array_module(params)\n    grads = grads + decay * params\n    decay = 0\n"
        f"    {_M}",
        "the decay is added to the gradient: this is Adam with L2; AdamW takes it off params "
        "itself",
    ),
    Mistake(
        "missing_factor",
        _STEP_SIZE,
        "step_size = lr",
        "the bias correction of m is missing: mhat = m / (1 - beta1^step)",
    ),
    Mistake(
        "missing_factor",
        _RMS,
        "rms = xp.sqrt(v) + eps",
        "the bias correction of v is missing: vhat = v / (1 - beta2^step)",
    ),
    Mistake(
        "missing_factor",
        f"{_STEP_SIZE}\n    {_RMS}",
        "step_size = lr\n    rms = xp.sqrt(v) + eps",
        "the bias corrections are missing: mhat = m / (1 - beta1^step), vhat = v / (1 - "
        "beta2^step)",
    ),
    Mistake(
        "extra_term",
        f"xp = get_array_module(params)\n    {_M}",
        f"xp = get_array_module(params)\n    grads = grads + decay * params\n    {_M}",
        "the decay is in the gradient as well: it belongs in (1 - lr decay) params only",
    ),
    Mistake(
        "missing_factor",
        "(lr * decay) * params",
        "decay * params",
        "the decay misses the factor lr: it is (1 - lr decay) params",
    ),
    Mistake(
        "wrong_variable",
        _RMS,
        "rms = xp.sqrt(v / (1 - beta2**step) + eps)",
        "eps is under the root: it is added to sqrt(vhat), after the root",
    ),
    Mistake(
        "wrong_variable",
        _RMS,
        "rms = (xp.sqrt(v) + eps) * (1 / sqrt(1 - beta2**step))",
        "eps is added before the bias correction: it is added to sqrt(vhat)",
    ),
    Mistake(
        "wrong_factor",
        _M,
        "m = (1 - beta1) * m + beta1 * grads",
        "beta1 and 1 - beta1 are exchanged in m: beta1 is the share of the old m",
    ),
    Mistake(
        "wrong_factor",
        _V,
        "v = (1 - beta2) * v + beta2 * (grads * grads)",
        "beta2 and 1 - beta2 are exchanged in v: beta2 is the share of the old v",
    ),
    Mistake(
        "wrong_factor",
        _CORRECTED,
        "(1 / (1 - beta2**step))",
        "sqrt is taken of v only: vhat = v / (1 - beta2^step) is under the root as a whole",
    ),
    Mistake(
        "wrong_factor",
        _STEP_SIZE,
        "step_size = lr / (1 - beta1 * step)",
        "m's bias correction has beta1 * step: it is the power beta1^step",
    ),
    Mistake(
        "wrong_factor",
        _CORRECTED,
        "(1 / sqrt(abs(1 - beta2 * step)))",
        "v's bias correction has beta2 * step: it is the power beta2^step",
    ),
    Mistake(
        "wrong_constant",
        f"{_STEP_SIZE}\n    {_RMS}",
        "step_size = lr / (1 - beta1 ** (step + 1))\n"
        "    rms = xp.sqrt(v) * (1 / sqrt(1 - beta2 ** (step + 1))) + eps",
        "the bias corrections have step + 1: step is 1 for the first step already",
    ),
    Mistake(
        "wrong_constant",
        _STEP_SIZE,
        "step_size = lr / (1 - beta1 ** (step + 1))",
        "m's bias correction has step + 1: step is 1 for the first step already",
    ),
    Mistake(
        "wrong_constant",
        _CORRECTED,
        "(1 / sqrt(1 - beta2 ** (step + 1)))",
        "v's bias correction has step + 1: step is 1 for the first step already",
    ),
    Mistake(
        "wrong_variable",
        _UPDATE,
        "params = (1 - lr * decay) * (params - step_size * m / rms)",
        "the decay is taken of the params after the step: it is taken of those before it",
    ),
    Mistake(
        "other_forward",
        _UPDATE,
        "params = params - step_size * (m + decay * params) / rms",
        "the decay is divided by sqrt(vhat): it is taken off params as it is",
    ),
    Mistake(
        "sign",
        "* params - step_size * m / rms",
        "* params + step_size * m / rms",
        "the step goes up the gradient: to make the loss smaller it is taken off",
    ),
    Mistake(
        "missing_factor",
        _M,
        "m = beta1 * m + grads",
        "the factor 1 - beta1 of the gradient is missing: m is a running mean",
    ),
    Mistake(
        "missing_factor",
        _V,
        "v = beta2 * v + grads * grads",
        "the factor 1 - beta2 of g^2 is missing: v is a running mean",
    ),
    Mistake(
        "missing_term",
        _M,
        "m = grads",
        "m is the gradient itself: it is its running mean, beta1 m + (1 - beta1) g",
    ),
    Mistake(
        "missing_term",
        _V,
        "v = grads * grads",
        "v is g^2 itself: it is its running mean, beta2 v + (1 - beta2) g^2",
    ),
    Mistake(
        "missing_factor",
        _V,
        "v = v + grads * grads",
        "v is the sum of all g^2 (AdaGrad): it is a running mean, beta2 v + (1 - beta2) g^2",
    ),
    Mistake(
        "wrong_factor",
        _V,
        "v = beta2 * v + (1 - beta2) * abs(grads)",
        "v has the absolute value of g instead of g^2",
    ),
    Mistake(
        "wrong_variable",
        f"{_M}\n    {_V}\n    {_STEP_SIZE}\n    {_RMS}\n    {_UPDATE}",
        f"new_m = beta1 * m + (1 - beta1) * grads\n    {_V}\n    {_STEP_SIZE}\n    {_RMS}\n"
        f"    {_UPDATE}\n    m = new_m",
        "the step is along the old m: m is brought up to date first",
    ),
    Mistake(
        "wrong_variable",
        f"{_V}\n    {_STEP_SIZE}\n    {_RMS}",
        f"{_STEP_SIZE}\n    {_RMS}\n    {_V}",
        "the step is divided by the root of the old v: v is brought up to date first",
    ),
    Mistake(
        "incomplete",
        "return params, m, v",
        "return params, (m - (1 - beta1) * grads) / beta1, v",
        "the old m is returned: the next step needs the new one",
    ),
    Mistake(
        "incomplete",
        "return params, m, v",
        "return params, m, (v - (1 - beta2) * (grads * grads)) / beta2",
        "the old v is returned: the next step needs the new one",
    ),
    Mistake(
        "wrong_variable",
        "return params, m, v",
        "return params, m / (1 - beta1**step), v",
        "mhat is returned in the place of m: the bias correction is only for this step",
    ),
    Mistake(
        "wrong_variable",
        "return params, m, v",
        "return params, m, v / (1 - beta2**step)",
        "vhat is returned in the place of v: the bias correction is only for this step",
    ),
    Mistake(
        "wrong_variable",
        f"{_M}\n    {_V}",
        "m = beta2 * m + (1 - beta2) * grads\n    v = beta1 * v + (1 - beta1) * (grads * grads)",
        "beta1 and beta2 are exchanged in m and v: beta1 is m's, beta2 is v's",
    ),
    Mistake(
        "wrong_variable",
        f"{_STEP_SIZE}\n    {_RMS}",
        "step_size = lr / (1 - beta2**step)\n"
        "    rms = xp.sqrt(v) * (1 / sqrt(1 - beta1**step)) + eps",
        "beta1 and beta2 are exchanged in the bias corrections: beta1 is m's, beta2 is v's",
    ),
    Mistake(
        "other_forward",
        _V,
        "v = beta2 * v + (1 - beta2) * (grads - m) ** 2",
        "v has (g - m)^2, a variance: it is the mean of g^2",
    ),
    Mistake(
        "wrong_axis",
        _V,
        "v = beta2 * v + (1 - beta2) * (grads * grads).mean()",
        "v has the mean of g^2 over all parameters: each parameter has its own",
    ),
    Mistake(
        "other_forward",
        _V,
        "v = xp.maximum(v, beta2 * v + (1 - beta2) * (grads * grads))",
        "v never falls (AMSGrad): it is beta2 v + (1 - beta2) g^2, larger or smaller",
    ),
)
