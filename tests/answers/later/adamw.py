"""Later answers to the exercise adamw, written after the diagnosis was finished."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "as_in_a_library": """
import numpy as np


def adamw(params, grads, m, v, *, step, lr, decay, beta1=0.9, beta2=0.999, eps=1e-8):
    w = params * (1 - lr * decay)
    exp_avg = m + (grads - m) * (1 - beta1)
    exp_avg_sq = v * beta2 + np.square(grads) * (1 - beta2)
    correct1 = 1 - np.power(beta1, step)
    correct2 = 1 - np.power(beta2, step)
    top = exp_avg / correct1
    below = np.sqrt(exp_avg_sq / correct2) + eps
    w = w - lr * top / below
    return w, exp_avg, exp_avg_sq
""",
    "three_lines": """
def adamw(params, grads, m, v, *, step, lr, decay, beta1=0.9, beta2=0.999, eps=1e-8):
    m_new = beta1 * m + (1.0 - beta1) * grads
    v_new = beta2 * v + (1.0 - beta2) * grads ** 2
    rate = lr * (1 - beta2**step) ** 0.5 / (1 - beta1**step)
    small = eps * (1 - beta2**step) ** 0.5
    change = -rate * m_new / (v_new**0.5 + small) - lr * decay * params
    return params + change, m_new, v_new
""",
}

WRONG = [
    ("as_in_a_library", "plus the step", "sign", "w = w - lr * top", "w = w + lr * top"),
    ("as_in_a_library", "no root below", "wrong_factor missing_factor", "np.sqrt(exp_avg_sq / correct2) + eps", "exp_avg_sq / correct2 + eps"),
    ("as_in_a_library", "m used without its correction", "missing_factor scale", "top = exp_avg / correct1", "top = exp_avg"),
    ("as_in_a_library", "v used without its correction", "missing_factor scale", "np.sqrt(exp_avg_sq / correct2)", "np.sqrt(exp_avg_sq)"),
    ("as_in_a_library", "correct1 without the power", "wrong_factor missing_factor", "1 - np.power(beta1, step)", "1 - beta1"),
    ("as_in_a_library", "grads not squared", "wrong_factor missing_factor", "np.square(grads) * (1 - beta2)", "np.abs(grads) * (1 - beta2)"),
    ("as_in_a_library", "the decay grows the weights", "sign", "(1 - lr * decay)", "(1 + lr * decay)"),
    ("as_in_a_library", "the decay forgotten", "missing_term", "params * (1 - lr * decay)", "params * 1.0"),
    ("as_in_a_library", "the decay not times lr", "missing_factor scale", "(1 - lr * decay)", "(1 - decay)"),
    ("as_in_a_library", "lr forgotten before the step", "missing_factor scale", "w = w - lr * top", "w = w - top"),
    ("three_lines", "m_new: 1 - beta1 forgotten", "missing_factor scale", "(1.0 - beta1) * grads", "grads"),
    ("three_lines", "v_new: the betas exchanged", "wrong_variable", "beta2 * v + (1.0 - beta2)", "beta1 * v + (1.0 - beta1)"),
    ("three_lines", "v and m returned the other way round", "swapped", "return params + change, m_new, v_new", "return params + change, v_new, m_new"),
    ("three_lines", "the decay as L2 in the gradient", "other_forward extra_term", "    m_new =", "    grads = grads + decay * params\n    m_new ="),
]  # fmt: skip
