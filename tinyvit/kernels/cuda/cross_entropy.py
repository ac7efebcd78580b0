"""Fast `ops.cross_entropy`: cross_entropy.cu, which makes the gradient along with the loss."""

import cupy
import numpy as np

from .source import kernel


def cross_entropy_forward(logits, labels, label_smoothing=0.0):
    """As `ops.cross_entropy_forward`."""
    B, _ = logits.shape
    if labels.shape != (B,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels should be {B} whole numbers, one for each row of logits, "
            f"not {labels.dtype} {labels.shape}"
        )
    losses, corrects = cupy.empty(B, logits.dtype), cupy.empty(B, np.int32)
    dlogits = cupy.empty(logits.shape, logits.dtype)
    labels = labels.astype(np.int32)
    cross_entropy(
        cupy.ascontiguousarray(logits), None, labels, label_smoothing, losses, corrects, dlogits
    )
    return losses.sum() / B, (dlogits,)


def cross_entropy_backward(dloss, cache):
    """As `ops.cross_entropy_backward`."""
    (dlogits,) = cache
    return dlogits * dloss


def cross_entropy(logits, bias, labels, label_smoothing, losses, corrects, dlogits, stored=None):
    """Loss of each image, and the gradient of their mean.

    logits : (B, K), without the last layer's bias
    bias : (K,) or None
    labels : (B,) int32
    losses, corrects, dlogits : (B,), (B,) int32, (B, K) are given the losses [nats], 1 where the
        highest logit is the label's, and the gradient of the mean loss
    stored : (B, K) is given the gradient in the type of the activations; None where it is that
    """
    B, K = logits.shape
    dtype = dlogits.dtype if stored is None else stored.dtype
    kernel("cross_entropy", "cross_entropy", dtype).rows(
        B,
        *(logits, bias, labels, losses, corrects, dlogits, stored),
        *(B, K, float(label_smoothing), 1.0 / B),
    )
