"""Answers of students to the exercise cross_entropy: right ones, and wrong ones with what is wrong."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "course": """
import numpy as np


def cross_entropy_forward(logits, labels, label_smoothing=0.0):
    n, k = logits.shape
    z = logits - logits.max(axis=1, keepdims=True)
    probs = np.exp(z)
    probs = probs / probs.sum(axis=1, keepdims=True)
    logs = np.log(probs)
    hard = -logs[np.arange(n), labels].mean()
    soft = -logs.mean()
    loss = (1 - label_smoothing) * hard + label_smoothing * soft
    return loss, (probs, labels, label_smoothing)


def cross_entropy_backward(dloss, cache):
    probs, labels, s = cache
    n, k = probs.shape
    dz = probs.copy()
    dz[np.arange(n), labels] -= 1 - s
    dz = dz - s / k
    dz = dz / n
    return dz * dloss
""",
    "given_target": """
import numpy as np


def cross_entropy_backward(dloss, cache):
    log_p, wanted = cache
    n = log_p.shape[0]
    dlog_p = -dloss * wanted / n
    total = np.sum(dlog_p, axis=1, keepdims=True)
    dlogits = dlog_p - np.exp(log_p) * total
    return dlogits
""",
    "loops": """
import math

import numpy as np


def cross_entropy_forward(logits, labels, label_smoothing=0.0):
    B, K = logits.shape
    loss = 0.0
    p = np.zeros_like(logits)
    t = np.zeros_like(logits)
    for b in range(B):
        top = max(logits[b])
        total = sum(math.exp(z - top) for z in logits[b])
        for k in range(K):
            p[b, k] = math.exp(logits[b, k] - top) / total
            t[b, k] = label_smoothing / K
            if k == labels[b]:
                t[b, k] += 1 - label_smoothing
            loss -= t[b, k] * (logits[b, k] - top - math.log(total)) / B
    return np.asarray(loss, logits.dtype)[()], {"p": p, "t": t}


def cross_entropy_backward(dloss, cache):
    p, t = cache["p"], cache["t"]
    dlogits = np.zeros_like(p)
    for b in range(len(p)):
        for k in range(p.shape[1]):
            dlogits[b, k] = dloss * (p[b, k] - t[b, k]) / len(p)
    return dlogits
""",
    "from_log_softmax": """
import numpy as np

from tinyvit.ops import log_softmax_backward, log_softmax_forward


def cross_entropy_forward(logits, labels, label_smoothing=0.0):
    B, K = logits.shape
    target = np.eye(K, dtype=logits.dtype)[labels]
    target = target * (1 - label_smoothing) + label_smoothing / K
    logp, c = log_softmax_forward(logits)
    per_image = -np.einsum("bk,bk->b", target, logp)
    return per_image.mean(), (target, c)


def cross_entropy_backward(dloss, cache):
    target, c = cache
    dper_image = dloss / len(target)
    dlogp = -target * dper_image
    return log_softmax_backward(dlogp, c)
""",
    "lse": """
import numpy as np


def cross_entropy_forward(logits, labels, label_smoothing=0.0):
    top = logits.max(1)
    lse = np.log(np.exp(logits - top[:, None]).sum(1)) + top
    chosen = np.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    wanted = (1 - label_smoothing) * chosen + label_smoothing * logits.mean(1)
    return np.mean(lse - wanted), (logits, lse, labels, label_smoothing)


def cross_entropy_backward(dloss, cache):
    logits, lse, labels, eps = cache
    B, K = logits.shape
    dlse = dloss / B
    dlogits = dlse * np.exp(logits - lse[:, None])
    dwanted = -dloss / B
    onehot = np.arange(K)[None, :] == labels[:, None]
    dlogits = dlogits + dwanted * (1 - eps) * onehot
    dlogits = dlogits + dwanted * eps / K
    return dlogits
""",
    "forward": """
import numpy as np


def cross_entropy_forward(logits, labels, label_smoothing=0.0):
    n, classes = logits.shape
    shifted = logits - logits.max(axis=1)[:, None]
    log_probs = shifted - np.log(np.sum(np.exp(shifted), axis=1))[:, None]
    target = np.full_like(logits, label_smoothing / classes)
    target[np.arange(n), labels] += 1 - label_smoothing
    return -np.sum(log_probs * target) / n, (log_probs, target)
""",
}

WRONG = [
    ("course", "1/B forgotten", "scale missing_factor", "dz = dz / n\n", "dz = dz * 1.0\n"),
    ("course", "divided by B twice", "scale", "dz = dz / n\n", "dz = dz / n / n\n"),
    ("course", "divided by K, not B", "scale wrong_variable", "dz = dz / n\n", "dz = dz / k\n"),
    ("course", "divided by all the numbers", "scale", "dz = dz / n\n", "dz = dz / (n * k)\n"),
    ("course", "dloss forgotten", "scale missing_factor", "return dz * dloss", "return dz"),
    ("course", "the sign", "sign", "return dz * dloss", "return -dz * dloss"),
    ("course", "the target added", "sign", "labels] -= 1 - s", "labels] += 1 - s"),
    ("course", "the smoothing forgotten", "other_forward missing_term", "dz[np.arange(n), labels] -= 1 - s\n    dz = dz - s / k", "dz[np.arange(n), labels] -= 1"),
    ("course", "the even share of the smoothing forgotten", "missing_term", "    dz = dz - s / k\n", ""),
    ("course", "the even share not divided by K", "missing_factor sum_mean", "dz - s / k", "dz - s"),
    ("course", "the labels subtracted from all rows", "wrong_order wrong_axis", "dz[np.arange(n), labels] -= 1 - s", "dz[:, labels] -= 1 - s"),
    ("course", "the target forgotten", "missing_term", "    dz[np.arange(n), labels] -= 1 - s\n", ""),
    ("course", "the labels shifted by one", "wrong_order", "dz[np.arange(n), labels] -=", "dz[np.arange(n), labels - 1] -="),
    ("course", "the cache holds the exponentials' logarithms", "wrong_cache wrong_variable", "return loss, (probs,", "return loss, (logs,"),
    ("course", "the cache holds the logits", "wrong_cache wrong_variable", "return loss, (probs,", "return loss, (logits,"),
    ("course", "forward: the sum over the batch", "sum_mean scale", "labels].mean()", "labels].sum()"),
    ("course", "forward: the sign", "sign", "return loss, (probs", "return -loss, (probs"),
    ("course", "forward: softmax over the batch", "wrong_axis", "probs / probs.sum(axis=1", "probs / probs.sum(axis=0"),
    ("course", "forward: the probability, not its logarithm", "missing_factor other_forward", "logs = np.log(probs)", "logs = probs"),
    ("given_target", "the second term forgotten", "missing_term elementwise", "dlog_p - np.exp(log_p) * total", "dlog_p * 1.0"),
    ("given_target", "the first term forgotten", "missing_term", "dlog_p - np.exp(log_p) * total", "-np.exp(log_p) * total"),
    ("given_target", "added", "sign", "dlog_p - np.exp(log_p) * total", "dlog_p + np.exp(log_p) * total"),
    ("given_target", "the sum over the batch", "wrong_axis", "np.sum(dlog_p, axis=1", "np.sum(dlog_p, axis=0"),
    ("given_target", "the logarithm for the probability", "wrong_variable missing_factor", "np.exp(log_p)", "log_p"),
    ("given_target", "the hard target for the smoothed", "other_forward", "-dloss * wanted / n", "-dloss * (wanted == wanted.max(1)[:, None]) / n"),
    ("given_target", "the mean for the sum", "sum_mean", "np.sum(dlog_p", "np.mean(dlog_p"),
    ("given_target", "the sign of the first gradient", "sign", "dlog_p = -dloss", "dlog_p = dloss"),
    ("loops", "the last image left zero", "incomplete", "for b in range(len(p)):", "for b in range(len(p) - 1):"),
    ("loops", "the label's place only", "incomplete elementwise", "dlogits[b, k] = dloss * (p[b, k] - t[b, k]) / len(p)", "if t[b, k] > 0.5:\n                dlogits[b, k] = dloss * (p[b, k] - t[b, k]) / len(p)"),
    ("loops", "forward: the smoothing's share added to the others only", "missing_term other_forward", "t[b, k] += 1 - label_smoothing", "t[b, k] = 1 - label_smoothing"),
    ("loops", "the derivative of the probability by itself", "extra_term elementwise wrong_factor", "(p[b, k] - t[b, k]) / len(p)", "(p[b, k] - t[b, k]) * p[b, k] / len(p)"),
    ("from_log_softmax", "the logarithm's gradient is 1, not the target", "missing_factor wrong_variable", "dlogp = -target * dper_image", "dlogp = -dper_image * np.ones_like(target)"),
    ("lse", "the way through the wanted logit forgotten", "fork missing_term", "dlogits + dwanted * (1 - eps) * onehot", "dlogits * 1.0"),
    ("lse", "the first way overwritten", "fork missing_term", "dlogits = dlogits + dwanted * (1 - eps) * onehot", "dlogits = dwanted * (1 - eps) * onehot"),
    ("lse", "one minus the smoothing forgotten", "missing_factor extra_term", "dwanted * (1 - eps) * onehot", "dwanted * onehot"),
    ("forward", "forward: divided by the classes", "scale wrong_variable", "target) / n, (", "target) / classes, ("),
]  # fmt: skip
