"""Cross-entropy: mistakes that are often made."""

from ..mistake import Mistake

_ONEHOT = "(labels[:, None] == xp.arange(K)).astype(logits.dtype)"
_TARGET = "(1 - label_smoothing) * onehot + label_smoothing / K"
_LOG_PROBS = "log_probs, _ = log_softmax_forward(logits)"
_LOSS = "-(target * log_probs).sum() / B"

FORWARD = (
    Mistake(
        "scale",
        _LOSS,
        "-(target * log_probs).sum()",
        "the division by B is missing: the loss is the mean over the images of the batch",
    ),
    Mistake(
        "scale",
        _LOSS,
        "-(target * log_probs).mean()",
        "the mean is taken over all B * K numbers: add up the K classes, then divide by B",
    ),
    Mistake(
        "sign",
        _LOSS,
        "(target * log_probs).sum() / B",
        "the minus is missing: log_probs are below 0, the loss is above",
    ),
    Mistake(
        "scale",
        _LOSS,
        "-(target * log_probs).sum() / K",
        "the sum is divided by K, the number of classes, instead of B, the number of images",
    ),
    Mistake(
        "wrong_axis",
        _LOG_PROBS,
        "log_probs = log_softmax_forward(logits.T)[0].T",
        "softmax is taken over the images: it belongs over the K classes of one image",
    ),
    Mistake(
        "wrong_axis",
        _LOG_PROBS,
        "log_probs = log_softmax_forward(logits.reshape(-1))[0].reshape(B, K)",
        "softmax is taken over all B * K numbers: it belongs over the K classes of one image",
    ),
    Mistake(
        "missing_factor",
        _LOSS,
        "-(target * xp.exp(log_probs)).sum() / B",
        "the logarithm is missing: the loss takes log softmax, not the probabilities themselves",
    ),
    Mistake(
        "wrong_variable",
        _LOSS,
        "-(target * logits).sum() / B",
        "logits stand where log softmax(logits) belongs: they are not normalised yet",
    ),
    Mistake(
        "other_forward",
        _LOG_PROBS,
        "log_probs, _ = log_softmax_forward(xp.exp(log_softmax_forward(logits)[0]))",
        "softmax is taken twice: the logits go in as they are",
    ),
    Mistake(
        "other_forward",
        _TARGET,
        "onehot",
        "label_smoothing is not used: the target is (1 - s) * onehot + s / K",
    ),
    Mistake(
        "missing_term",
        _TARGET,
        "(1 - label_smoothing) * onehot",
        "the term label_smoothing / K of the target is missing: the target should sum to 1",
    ),
    Mistake(
        "missing_factor",
        _TARGET,
        "onehot + label_smoothing / K",
        "the factor 1 - label_smoothing of the true class is missing: the target should sum to 1",
    ),
    Mistake(
        "missing_factor",
        _TARGET,
        "(1 - label_smoothing) * onehot + label_smoothing",
        "label_smoothing is not divided by K: it is spread over the K classes",
    ),
    Mistake(
        "wrong_constant",
        _TARGET,
        "(1 - label_smoothing) * onehot + label_smoothing / (K - 1) * (1 - onehot)",
        "label_smoothing is spread over the K - 1 wrong classes: it is spread over all K",
    ),
    Mistake(
        "missing_term",
        _TARGET,
        "(1 - label_smoothing) * onehot + label_smoothing / K * (1 - onehot)",
        "the true class misses its share label_smoothing / K: it gets 1 - s + s / K",
    ),
    Mistake(
        "missing_term",
        _LOG_PROBS,
        "log_probs = logits - xp.log("
        "xp.exp(logits - logits.max(axis=-1, keepdims=True)).sum(axis=-1, keepdims=True))",
        "the maximum is subtracted inside exp only: it needs to be subtracted from logits, too",
    ),
    Mistake(
        "missing_factor",
        _LOG_PROBS,
        "log_probs = logits - xp.exp(logits).sum(axis=-1, keepdims=True)",
        "a logarithm is missing: log softmax is logits - log(sum(exp(logits)))",
    ),
    Mistake(
        "wrong_variable",
        _LOG_PROBS,
        "log_probs = logits - logits.max(axis=-1, keepdims=True)",
        "only the maximum is subtracted: log(sum(exp(shifted))) comes off, too",
    ),
    Mistake(
        "incomplete",
        _LOSS,
        "-(target * log_probs)[0].sum()",
        "only the first image is counted: the loss is the mean over all B",
    ),
    Mistake(
        "other_forward",
        _LOSS,
        "-(target * log_probs + (1 - target) * xp.log(1 - xp.exp(log_probs))).sum() / B",
        "this is the binary cross-entropy: the term (1 - target) * log(1 - prob) is not part of it",
    ),
    Mistake(
        "other_forward",
        _LOG_PROBS,
        "log_probs = -xp.log(1 + xp.exp(-logits))",
        "each class has a sigmoid of its own: softmax divides by the sum over all classes",
    ),
    Mistake(
        "other_forward",
        _LOSS,
        "((xp.exp(log_probs) - target) ** 2).sum() / B",
        "this is the squared error of the probabilities: it should be -target * log(prob)",
    ),
    Mistake(
        "wrong_order",
        _ONEHOT,
        "((labels[:, None] - 1) % K == xp.arange(K)).astype(logits.dtype)",
        "the labels are shifted by one: they begin at 0",
    ),
    Mistake(
        "wrong_variable",
        _LOSS,
        "-log_probs.max(axis=-1).sum() / B",
        "the most likely class is taken instead of the true one",
    ),
    Mistake(
        "wrong_factor",
        _LOSS,
        "-(target * log_probs).sum() / B / float(xp.log(2))",
        "the logarithm has base 2: the loss is in nats, with the natural logarithm",
    ),
)

_DLOGITS = "(xp.exp(log_probs) - target) * (\n        dloss / B\n    )"
_CACHE = "log_probs, target = cache"
_SMOOTHING = (
    f"{_CACHE}\n"
    "    onehot = (target == target.max(axis=-1, keepdims=True)) * 1.0\n"
    "    K = target.shape[1]\n"
    "    s = K * target.min()\n"
)


def _dlogits(kind, wrong, message):
    return Mistake(kind, _DLOGITS, wrong, message)


def _target(kind, wrong, message):
    return Mistake(kind, _CACHE, f"{_SMOOTHING}    target = {wrong}", message)


BACKWARD = (
    _dlogits(
        "scale",
        "(xp.exp(log_probs) - target) * dloss",
        "the factor 1/B is missing: the loss is the mean over the B images",
    ),
    _dlogits(
        "missing_factor",
        "(xp.exp(log_probs) - target) / B",
        "the factor dloss is missing: the gradient of the loss is multiplied in, as in any "
        "backward",
    ),
    _dlogits(
        "sign",
        "(target - xp.exp(log_probs)) * dloss / B",
        "the sign is wrong: it is softmax - target, what the model said less what is true",
    ),
    _dlogits(
        "scale",
        "(xp.exp(log_probs) - target) * dloss / target.shape[1]",
        "divided by K, the number of classes, instead of B: the loss is the mean over the images",
    ),
    _dlogits(
        "scale",
        "(xp.exp(log_probs) - target) * dloss / target.size",
        "divided by B * K instead of B: the loss adds up the classes and takes the mean over "
        "images",
    ),
    _dlogits(
        "missing_factor", "xp.exp(log_probs) - target", "the factors dloss and 1/B are missing"
    ),
    _target(
        "other_forward",
        "onehot",
        "label_smoothing is not used: the target is (1 - s) * onehot + s / K, not onehot",
    ),
    _dlogits(
        "incomplete",
        "(xp.exp(log_probs) - target) * (target == target.max(axis=-1, keepdims=True)) * dloss / B",
        "only the true class has a gradient: the logits of the other classes move the loss, too",
    ),
    _dlogits(
        "missing_term",
        "(1 - target.shape[1] * target.min())"
        " * (xp.exp(log_probs) - (target == target.max(axis=-1, keepdims=True))) * (dloss / B)",
        "the part of label_smoothing is missing: only (1 - s) * (softmax - onehot) is there",
    ),
    _target(
        "missing_factor",
        "onehot + s / K",
        "the factor 1 - label_smoothing of the true class is missing: the target should sum to 1",
    ),
    _target(
        "wrong_constant",
        "(1 - s) * onehot + s / (K - 1) * (1 - onehot)",
        "label_smoothing is spread over the K - 1 wrong classes: it is spread over all K",
    ),
    _target(
        "missing_term",
        "(1 - s) * onehot + s / K * (1 - onehot)",
        "the true class misses its share label_smoothing / K: it gets 1 - s + s / K",
    ),
    _dlogits(
        "missing_factor",
        "(xp.exp(log_probs) * dloss / B) - target",
        "dloss / B multiplies softmax only: target needs it, too",
    ),
    _dlogits(
        "missing_factor",
        "xp.exp(log_probs) - target * dloss / B",
        "dloss / B multiplies target only: softmax needs it, too",
    ),
    _dlogits(
        "missing_factor",
        "-target / xp.exp(log_probs) * (dloss / B)",
        "it is -target / softmax, the gradient of the probabilities: softmax's backward is missing",
    ),
    Mistake(
        "wrong_axis",
        _CACHE,
        f"{_CACHE}\n    log_probs = log_softmax_forward(given.logits.T)[0].T",
        "softmax is taken over the images: it belongs over the K classes of one image",
    ),
    Mistake(
        "wrong_axis",
        _CACHE,
        f"{_CACHE}\n"
        "    log_probs = log_softmax_forward(given.logits.reshape(-1))[0].reshape(target.shape)",
        "softmax is taken over all B * K numbers: it belongs over the K classes of one image",
    ),
    Mistake(
        "wrong_axis",
        _CACHE,
        f"{_CACHE}\n    xp = get_array_module(target)\n    s = given.label_smoothing\n"
        "    target = 0 * target + s / target.shape[1]\n"
        "    target[:, xp.unique(given.labels)] += 1 - s",
        "each row has the labels of all images: index [arange(B), labels], not [:, labels]",
    ),
    _dlogits(
        "wrong_variable",
        "(log_probs - target) * (dloss / B)",
        "log softmax stands where softmax belongs",
    ),
    _dlogits(
        "missing_factor",
        "(xp.exp(given.logits) - target) * (dloss / B)",
        "exp(logits) is not divided by its sum over the classes: softmax is what belongs there",
    ),
    _dlogits(
        "wrong_variable",
        "(given.logits - target) * (dloss / B)",
        "logits stand where softmax(logits) belongs",
    ),
    _dlogits(
        "wrong_factor",
        "(xp.exp(log_probs) - target) * xp.exp(log_probs) * (1 - xp.exp(log_probs)) * (dloss / B)",
        "softmax * (1 - softmax) is too many: softmax - target holds softmax's backward already",
    ),
    _dlogits(
        "wrong_factor",
        "xp.exp(log_probs) * (xp.exp(log_probs) - target - ((xp.exp(log_probs) - target)"
        " * xp.exp(log_probs)).sum(axis=-1, keepdims=True)) * (dloss / B)",
        "softmax's backward is applied once more: softmax - target holds it already",
    ),
    Mistake(
        "other_forward",
        _CACHE,
        f"{_CACHE}\n    log_probs, _ = "
        "log_softmax_forward(get_array_module(target).exp(log_probs))",
        "softmax is taken twice: the logits go in as they are",
    ),
    _dlogits(
        "other_forward",
        "(1 / (1 + xp.exp(-given.logits)) - target) * (dloss / B)",
        "each class has a sigmoid of its own: softmax divides by the sum over all classes",
    ),
    _dlogits(
        "wrong_factor",
        "(xp.exp(log_probs) - target) * -(target * log_probs).sum() / B * (dloss / B)",
        "the loss itself is multiplied in: only its gradient dloss belongs there",
    ),
)
