"""Cross-entropy: other ways to write it."""

import numpy as np

given = None  # the forward's arguments, put here before each call


def subtracted_at_the_labels(dloss, cache):
    """The probabilities, less the target at each label."""
    B, K = given.logits.shape
    shifted = given.logits - given.logits.max(axis=-1, keepdims=True)
    exps = np.exp(shifted)
    probs = exps / exps.sum(axis=-1, keepdims=True)
    dlogits = probs - given.label_smoothing / K
    dlogits[np.arange(B), given.labels] -= 1 - given.label_smoothing
    return dloss * dlogits / B


def through_log_softmax(dloss, cache):
    """Back through the mean, the product and log-softmax, one after the other."""
    log_probs, target = cache
    B = len(log_probs)
    dsum = -dloss / B
    dlog_probs = target * dsum
    probs = np.exp(log_probs)
    total = dlog_probs.sum(axis=-1, keepdims=True)
    return dlog_probs - probs * total


def through_softmax(dloss, cache):
    """Back through the log, then through softmax."""
    log_probs, target = cache
    B = len(log_probs)
    probs = np.exp(log_probs)
    dlog_probs = -dloss * target / B
    dprobs = dlog_probs / probs
    total = (dprobs * probs).sum(axis=-1, keepdims=True)
    return probs * (dprobs - total)


def with_onehot(dloss, cache):
    """The probabilities less the target, which is made again."""
    B, K = given.logits.shape
    exps = np.exp(given.logits - given.logits.max(axis=-1, keepdims=True))
    probs = exps / exps.sum(axis=-1, keepdims=True)
    onehot = np.eye(K)[given.labels]
    target = onehot * (1 - given.label_smoothing) + given.label_smoothing / K
    dlogits = (probs - target) / B
    return dlogits * dloss


def from_probs(logits, labels, label_smoothing=0.0):
    """Through the probabilities and their log."""
    K = logits.shape[-1]
    exps = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probs = exps / exps.sum(axis=-1, keepdims=True)
    onehot = np.eye(K)[labels]
    target = onehot * (1 - label_smoothing) + label_smoothing / K
    losses = -(target * np.log(probs)).sum(axis=-1)
    return losses.mean(), None


def picked_at_the_labels(logits, labels, label_smoothing=0.0):
    """The log-probability at each label, and for smoothing the mean of all of them."""
    B = len(logits)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_total = np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    log_probs = shifted - log_total
    at_label = -log_probs[np.arange(B), labels]
    evenly = -log_probs.mean(axis=-1)
    losses = (1 - label_smoothing) * at_label + label_smoothing * evenly
    return losses.sum() / B, None


FORWARD = (from_probs, picked_at_the_labels)
BACKWARD = (subtracted_at_the_labels, through_log_softmax, through_softmax, with_onehot)
