"""Evaluation: what a model makes of images whose labels are known."""

from dataclasses import dataclass

import numpy as np

from .data import normalize
from .ops import cross_entropy_forward


@dataclass(frozen=True)
class Evaluation:
    """Logits (n, K) and true labels (n,) of some images."""

    logits: np.ndarray
    labels: np.ndarray

    @property
    def predictions(self):
        """(n,) the class with the highest logit."""
        return self.logits.argmax(axis=-1)

    @property
    def errors(self):
        """Number of wrong predictions."""
        return int((self.predictions != self.labels).sum())

    @property
    def accuracy(self):
        """Share of right predictions."""
        return 1 - self.errors / len(self.labels)

    @property
    def loss(self):
        """Mean cross-entropy [nats]."""
        with np.errstate(over="ignore", invalid="ignore"):  # NaN logits have a NaN loss
            return float(cross_entropy_forward(self.logits, self.labels)[0])


def evaluate(images, labels, predict):
    """Evaluate a model on images.

    images : (n, C, H, W) uint8
    labels : (n,) int
    predict : images (n, C, H, W) float32 -> logits (n, K)

    Returns an `Evaluation`.
    """
    return Evaluation(predict(normalize(images)), labels)
