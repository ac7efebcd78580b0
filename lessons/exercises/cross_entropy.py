"""Exercise: Cross-entropy.

after lesson 10 · forward: easy, 15 minutes · backward: medium, 25 minutes

The loss: how surprised the model is by the true label. Write it with
log_softmax, which is imported below, so that it never takes the logarithm of
0. Then its gradient. Watch that the loss is a mean over the batch, and that
label smoothing changes the target.
Forward and backward are separate tasks: write either first. What you have not
written is taken from the textbook.

Check:  tinyvit check cross_entropy.py
Stuck:  tinyvit exercise hint cross_entropy
"""

import numpy as np

from tinyvit.ops import log_softmax_backward, log_softmax_forward


def cross_entropy_forward(logits, labels, label_smoothing=0.0):
    """Softmax cross-entropy, the mean over the batch.

        loss = -1/B sum_b sum_k target[b, k] * log softmax(logits)[b, k]
        target = (1 - label_smoothing) * onehot(labels) + label_smoothing / K

    logits : (B, K)
    labels : (B,) int, 0 <= label < K
    label_smoothing : share of the target spread evenly over all K classes

    Returns
        loss : scalar [nats]; log(K) for a model that knows nothing
        cache : what `cross_entropy_backward` needs
            The textbook's is a tuple:
            log_probs : (B, K) the log-softmax of the logits
            target : (B, K) the smoothed one-hot labels
            With a backward of your own, keep what it needs.
    Raises ValueError when labels are not B whole numbers.

    Source: label smoothing: Szegedy et al. 2016 (arXiv 1512.00567), section 7.
    """
    raise NotImplementedError("write cross_entropy_forward")


def cross_entropy_backward(dloss, cache):
    """Gradient of softmax cross-entropy.

    dloss : scalar, gradient with respect to the loss: 1 for the loss itself
    cache : from `cross_entropy_forward`: a tuple
        log_probs : (B, K) the log-softmax of the logits
        target : (B, K) the smoothed one-hot labels
        Your own forward may keep something else: then it is your own cache that you get.

    Returns
        dlogits : (B, K)
    """
    raise NotImplementedError("write cross_entropy_backward")
