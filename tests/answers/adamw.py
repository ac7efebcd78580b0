"""Answers of students to the exercise adamw: right ones, and wrong ones with what is wrong."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "paper": """
import numpy as np


def adamw(params, grads, m, v, *, step, lr, decay, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * grads
    v = beta2 * v + (1 - beta2) * grads**2
    mhat = m / (1 - beta1**step)
    vhat = v / (1 - beta2**step)
    update = mhat / (np.sqrt(vhat) + eps)
    params = params - lr * (update + decay * params)
    return params, m, v
""",
    "in_place_on_copies": """
import math


def adamw(params, grads, m, v, *, step, lr, decay, beta1=0.9, beta2=0.999, eps=1e-8):
    params, m, v = params.copy(), m.copy(), v.copy()
    params *= 1 - lr * decay
    m *= beta1
    m += (1 - beta1) * grads
    v *= beta2
    v += (1 - beta2) * grads * grads
    bias1 = 1 - beta1**step
    bias2 = 1 - beta2**step
    denom = v**0.5 / math.sqrt(bias2) + eps
    params -= lr / bias1 * m / denom
    return params, m, v
""",
    "one_by_one": """
import math

import numpy as np


def adamw(params, grads, m, v, *, step, lr, decay, beta1=0.9, beta2=0.999, eps=1e-8):
    decays = np.broadcast_to(decay, params.shape)
    new_params, new_m, new_v = [], [], []
    for p, g, mean, square, wd in zip(params, grads, m, v, decays):
        mean = mean + (1 - beta1) * (g - mean)
        square = square + (1 - beta2) * (g * g - square)
        first = mean / (1 - math.pow(beta1, step))
        second = square / (1 - math.pow(beta2, step))
        p = p - lr * wd * p - lr * first / (math.sqrt(second) + eps)
        new_params.append(p)
        new_m.append(mean)
        new_v.append(square)
    return tuple(np.array(a, params.dtype) for a in (new_params, new_m, new_v))
""",
    "float32": """
import numpy as np


def adamw(params, grads, m, v, *, step, lr, decay, beta1=0.9, beta2=0.999, eps=1e-8):
    p, g, a, b = (t.astype(np.float32) for t in (params, grads, m, v))
    a = beta1 * a + (1 - beta1) * g
    b = beta2 * b + (1 - beta2) * g * g
    root = np.sqrt(b / (1 - beta2**step)) + eps
    p = p * (1 - lr * np.asarray(decay, np.float32)) - lr * a / (1 - beta1**step) / root
    return tuple(t.astype(params.dtype) for t in (p, a, b))
""",
}

WRONG = [
    ("paper", "m not corrected for its start", "missing_factor scale", "mhat = m / (1 - beta1**step)", "mhat = m"),
    ("paper", "v not corrected for its start", "missing_factor scale", "vhat = v / (1 - beta2**step)", "vhat = v"),
    ("paper", "the step's power forgotten for m", "wrong_factor missing_factor", "1 - beta1**step", "1 - beta1"),
    ("paper", "the step's power forgotten for v", "wrong_factor missing_factor", "1 - beta2**step", "1 - beta2"),
    ("paper", "the step counted one too far", "wrong_constant", "1 - beta1**step", "1 - beta1 ** (step + 1)"),
    ("paper", "times the step, not its power", "wrong_factor", "1 - beta1**step", "1 - beta1 * step"),
    ("paper", "beta2 where beta1 belongs", "wrong_variable", "mhat = m / (1 - beta1**step)", "mhat = m / (1 - beta2**step)"),
    ("paper", "beta1 where beta2 belongs", "wrong_variable", "vhat = v / (1 - beta2**step)", "vhat = v / (1 - beta1**step)"),
    ("paper", "beta and 1 - beta exchanged for m", "swapped wrong_factor", "m = beta1 * m + (1 - beta1) * grads", "m = (1 - beta1) * m + beta1 * grads"),
    ("paper", "beta and 1 - beta exchanged for v", "swapped wrong_factor", "v = beta2 * v + (1 - beta2) * grads**2", "v = (1 - beta2) * v + beta2 * grads**2"),
    ("paper", "1 - beta forgotten for m", "missing_factor scale", "+ (1 - beta1) * grads", "+ grads"),
    ("paper", "1 - beta forgotten for v", "missing_factor scale", "+ (1 - beta2) * grads**2", "+ grads**2"),
    ("paper", "the gradient not squared", "wrong_factor missing_factor", "(1 - beta2) * grads**2", "(1 - beta2) * np.abs(grads)"),
    ("paper", "v of the running mean, not of the gradient", "wrong_variable", "(1 - beta2) * grads**2", "(1 - beta2) * m**2"),
    ("paper", "m is the gradient", "missing_term", "m = beta1 * m + (1 - beta1) * grads", "m = grads * 1.0"),
    ("paper", "m's memory forgotten", "missing_term", "m = beta1 * m + ", "m = "),
    ("paper", "the root forgotten", "wrong_factor missing_factor", "np.sqrt(vhat)", "vhat"),
    ("paper", "the gradient in place of its mean", "wrong_variable", "update = mhat /", "update = grads /"),
    ("paper", "uphill", "sign", "params - lr * (update + decay * params)", "params + lr * (update - decay * params)"),
    ("paper", "the decay's sign", "sign", "update + decay * params", "update - decay * params"),
    ("paper", "no decay", "missing_term", "lr * (update + decay * params)", "lr * update"),
    ("paper", "the decay without the learning rate", "missing_factor scale", "params - lr * (update + decay * params)", "params - lr * update - decay * params"),
    ("paper", "the learning rate forgotten for the step", "missing_factor scale", "params - lr * (update + decay * params)", "params - update - lr * decay * params"),
    ("paper", "the decay in the gradient, as in Adam with L2", "other_forward extra_term", "m = beta1 * m + (1 - beta1) * grads\n", "grads = grads + decay * params\n    m = beta1 * m + (1 - beta1) * grads\n"),
    ("paper", "the decay of the gradient, not of the parameters", "wrong_variable", "decay * params)", "decay * grads)"),
    ("paper", "m and v exchanged", "swapped", "return params, m, v", "return params, v, m"),
    ("paper", "the corrected m and v returned", "wrong_variable swapped", "return params, m, v", "return params, mhat, vhat"),
    ("paper", "the last parameter does not move", "incomplete", "return params, m, v", "params[-1] += lr * update[-1]\n    return params, m, v"),
    ("in_place_on_copies", "the correction's root forgotten", "wrong_factor missing_factor", "/ math.sqrt(bias2)", "/ bias2"),
    ("in_place_on_copies", "the correction multiplied", "wrong_factor", "v**0.5 / math.sqrt(bias2)", "v**0.5 * math.sqrt(bias2)"),
    ("in_place_on_copies", "m's correction multiplied", "wrong_factor", "lr / bias1 * m", "lr * bias1 * m"),
    ("in_place_on_copies", "the decay's number without the learning rate", "missing_factor scale", "1 - lr * decay", "1 - decay"),
    ("in_place_on_copies", "the decay added", "sign", "1 - lr * decay", "1 + lr * decay"),
    ("one_by_one", "the mean moves away", "sign", "mean + (1 - beta1) * (g - mean)", "mean + (1 - beta1) * (g + mean)"),
    ("one_by_one", "m: beta1 for 1 - beta1", "wrong_factor wrong_constant", "(1 - beta1) * (g - mean)", "beta1 * (g - mean)"),
]  # fmt: skip
