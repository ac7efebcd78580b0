"""The optimiser: AdamW, its learning-rate schedule, gradient clipping, averaging of weights.

All of it works on flat vectors (`params.flatten`): one line of arithmetic serves the whole model.
"""

from math import cos, pi, sqrt

from .backend import get_array_module


def adamw(params, grads, m, v, *, step, lr, decay, beta1=0.9, beta2=0.999, eps=1e-8):
    """One AdamW step.

        m = beta1 m + (1 - beta1) g             running mean of the gradient
        v = beta2 v + (1 - beta2) g^2           running mean of its square
        params = (1 - lr decay) params - lr mhat / (sqrt(vhat) + eps)
        mhat = m / (1 - beta1^step),   vhat = v / (1 - beta2^step)

    params, grads, m, v : (P,) m and v start as zeros
    step : number of this step, 1 for the first
    lr : learning rate
    decay : weight decay, a number or (P,) one for each parameter

    Returns params, m, v: new arrays.

    Source: Loshchilov, Hutter 2019 (arXiv 1711.05101), algorithm 2, with the decay multiplied by
    the learning rate as PyTorch does.
    """
    xp = get_array_module(params)
    m = beta1 * m + (1 - beta1) * grads
    v = beta2 * v + (1 - beta2) * (grads * grads)
    step_size = lr / (1 - beta1**step)
    rms = xp.sqrt(v) * (1 / sqrt(1 - beta2**step)) + eps
    params = params - (lr * decay) * params - step_size * m / rms
    return params, m, v


def decay_vector(params, weight_decay):
    """Weight decay of every single parameter: `weight_decay` in weight matrices, else 0.

    params : dict name -> array
    weight_decay : number

    Returns a flat vector in the order of `params.flatten`. Biases, LayerNorm's gains and shifts,
    the class token and the positions are not pulled towards zero: they hold no directions that
    could overfit by growing.
    """
    first = next(iter(params.values()))
    xp = get_array_module(first)
    parts = []
    for name, value in params.items():
        is_matrix = name.endswith(".weight") and value.ndim >= 2
        parts.append(xp.full(value.size, weight_decay if is_matrix else 0.0, first.dtype))
    return xp.concatenate(parts)


def clip(grads, max_norm):
    """Shorten a gradient that is longer than `max_norm`, keeping its direction.

        grads * min(1, max_norm / norm)

    grads : (P,) the gradient of all parameters
    max_norm : largest norm

    Returns
        grads : (P,) a new vector
        norm : its length before
    """
    xp = get_array_module(grads)
    norm = xp.sqrt((grads * grads).sum())
    return grads * xp.minimum(max_norm / (norm + 1e-12), 1), norm


def warmup_cosine(step, *, peak, warmup_steps, total_steps):
    """Learning rate at a step: a straight rise to `peak`, then half a cosine down to 0.

    step : 0 for the first step
    peak : highest learning rate
    warmup_steps : length of the rise
    total_steps : length of the whole training

    Returns a number.

    Source: Loshchilov, Hutter 2017 (arXiv 1608.03983), equation 5, without restarts.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(total_steps - warmup_steps, 1)
    return peak * (1 + cos(pi * min(done, 1))) / 2


def moving_average(average, params, decay, step):
    """Running average of the weights.

        average = d average + (1 - d) params,   d = min(decay, (1 + step) / (10 + step))

    average, params : (P,)
    decay : the share that is kept each step; 0.999 averages over about the last 1000 steps
    step : number of this step, 1 for the first; early on less is kept, so that the first, random
        weights are soon forgotten

    Returns a new vector.

    Source: Polyak, Juditsky 1992; the early rule is TensorFlow's ExponentialMovingAverage.
    """
    d = min(decay, (1 + step) / (10 + step))
    return d * average + (1 - d) * params
