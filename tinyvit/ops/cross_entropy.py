"""Cross-entropy: how surprised the model is by the true label, in nats."""

from ..backend import get_array_module
from .log_softmax import log_softmax_forward


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
    Raises ValueError when labels are not B whole numbers.

    Source: label smoothing: Szegedy et al. 2016 (arXiv 1512.00567), section 7.
    """
    xp = get_array_module(logits)
    B, K = logits.shape
    if labels.shape != (B,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels should be {B} whole numbers, one for each row of logits, "
            f"not {labels.dtype} {labels.shape}"
        )
    onehot = (labels[:, None] == xp.arange(K)).astype(logits.dtype)  # (B, K)
    target = (1 - label_smoothing) * onehot + label_smoothing / K
    log_probs, _ = log_softmax_forward(logits)
    loss = -(target * log_probs).sum() / B
    return loss, (log_probs, target)


def cross_entropy_backward(dloss, cache):
    """Gradient of softmax cross-entropy.

        dlogits = dloss * (softmax(logits) - target) / B

    dloss : scalar, gradient with respect to the loss: 1 for the loss itself
    cache : from `cross_entropy_forward`

    Returns
        dlogits : (B, K)

    Derivation: loss = -1/B sum target * log_probs gives dlog_probs = -dloss target / B.
    Log-softmax's backward is dlogits = dlog_probs - softmax * sum_k dlog_probs, and a target sums
    to 1 over k: dlogits = dloss (softmax - target) / B. What the model said, less what is true.
    """
    log_probs, target = cache
    xp = get_array_module(log_probs)
    B = log_probs.shape[0]
    return (xp.exp(log_probs) - target) * (
        dloss / B
    )  # forward: loss = -(target * log_probs).sum() / B
