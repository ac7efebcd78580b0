"""Later answers to the exercise cross_entropy, written after the diagnosis was finished."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "eye": """
import numpy as np


def cross_entropy_forward(logits, labels, label_smoothing=0.0):
    classes = logits.shape[1]
    y = np.eye(classes)[labels]
    y = y * (1 - label_smoothing) + label_smoothing / classes
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    log_p = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    per_image = -np.sum(y * log_p, axis=1)
    return np.mean(per_image), (y, np.exp(log_p))


def cross_entropy_backward(dloss, cache):
    y, p = cache
    batch = len(y)
    grad = p - y
    return grad / batch * dloss
""",
    "image_by_image": """
import numpy as np


def cross_entropy_backward(dloss, cache):
    log_probs, target = cache
    n = len(target)
    grad = []
    for row, t in zip(log_probs, target):
        p = np.exp(row)
        dlog = -t * dloss / n
        dz = np.zeros_like(p)
        for k in range(len(p)):
            dz -= p * dlog[k]
            dz[k] += dlog[k]
        grad.append(dz)
    return np.array(grad)
""",
}

WRONG = [
    ("eye", "not divided by the batch", "scale missing_factor", "grad / batch * dloss", "grad * dloss"),
    ("eye", "the target minus the prediction", "sign", "grad = p - y", "grad = y - p"),
    ("eye", "dloss left out", "scale missing_factor", "grad / batch * dloss", "grad / batch"),
    ("eye", "divided by the number of classes", "scale wrong_variable", "batch = len(y)", "batch = y.shape[1]"),
    ("eye", "y forgotten: the softmax alone", "missing_term", "grad = p - y", "grad = p"),
    ("eye", "the target divided by p: the derivative of the log alone", "missing_factor wrong_factor other_forward", "grad = p - y", "grad = -y / p"),
    ("eye", "the cache holds log p", "wrong_cache wrong_variable", "(y, np.exp(log_p))", "(y, log_p)"),
    ("eye", "the cache holds the hard labels", "wrong_cache other_forward", "(y, np.exp(log_p))", "(np.eye(classes)[labels], np.exp(log_p))"),
    ("eye", "forward: the sum over the images", "scale sum_mean", "return np.mean(per_image)", "return np.sum(per_image)"),
    ("eye", "forward: minus forgotten", "sign", "-np.sum(y * log_p, axis=1)", "np.sum(y * log_p, axis=1)"),
    ("eye", "forward: averaged over the classes as well", "scale sum_mean", "-np.sum(y * log_p, axis=1)", "-np.mean(y * log_p, axis=1)"),
    ("image_by_image", "softmax's sum: its sign", "sign", "dz -= p * dlog[k]", "dz += p * dlog[k]"),
    ("image_by_image", "softmax's sum left out", "missing_term elementwise", "dz -= p * dlog[k]", "dz -= 0"),
    ("image_by_image", "dlog not spread by p", "missing_factor", "dz -= p * dlog[k]", "dz -= dlog[k]"),
]  # fmt: skip
