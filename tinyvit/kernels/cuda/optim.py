"""Fast `optim`: clipping, AdamW and the running average in two launches: optim.cu."""

import cupy
import numpy as np

from .source import BF16, kernel


class Optimizer:
    """AdamW on flat vectors, with all that changes from step to step kept on the card.

    flat, m, v : (P,) parameters and moments, changed in every step
    decay : (P,) weight decay
    average : (P,) running average of the parameters, or None
    shadow : (P,) uint16 that is given the parameters in bf16, or None
    lr, warmup_steps, total_steps, clip_norm, ema_decay : as of the `Trainer`
    """

    def __init__(
        self,
        flat,
        m,
        v,
        decay,
        average,
        shadow,
        *,
        lr,
        warmup_steps,
        total_steps,
        clip_norm,
        ema_decay,
    ):
        self._vectors = flat, m, v, decay, average, shadow
        total = np.int64(-1 if total_steps is None else total_steps)
        self._schedule = (
            float(lr),
            np.int64(warmup_steps),
            total,
            float(clip_norm),
            float(ema_decay),
        )
        self._scalars = cupy.zeros(5, flat.dtype)
        self._loss, self._correct = cupy.zeros(1, flat.dtype), cupy.zeros(1, np.int64)
        self.step, self.position = cupy.zeros(1, np.int64), cupy.zeros(1, np.int64)
        self.refresh()

    def update(self, gradients, losses, corrects):
        """Take a step.

        gradients : `Gradients`, added up
        losses, corrects : (B,) of the batch, added to the tally
        """
        flat, m, v, decay, average, shadow = self._vectors
        kernel("optim", "end_of_step", flat.dtype)(
            (1,),
            (1024,),
            *(gradients.squares, len(gradients.squares), losses, corrects, len(losses)),
            *(*self._schedule, self._scalars, self._loss, self._correct, self.step, self.position),
        )
        kernel("optim", "adamw", flat.dtype).elements(
            flat.size,
            *(flat, gradients.flat, m, v, decay, average, shadow),
            *(self._scalars, flat.size),
        )

    def refresh(self):
        """Make the bf16 parameters again, after the others were changed from outside."""
        flat, *_, shadow = self._vectors
        if shadow is not None:
            to_bf16(flat, shadow)

    def take_tally(self):
        """Losses and right answers, added up since the last call; waits for the card."""
        loss, correct = float(self._loss.get()[0]), int(self._correct.get()[0])
        self._loss.fill(0)
        self._correct.fill(0)
        return loss, correct


def to_bf16(x, out=None):
    """Round float32 to bf16, whose bits lie in uint16.

    out : where to write, the shape of x; None takes a new array

    Returns out.
    """
    x = cupy.ascontiguousarray(x)
    out = cupy.empty(x.shape, BF16) if out is None else out
    kernel("optim", "to_bf16", x.dtype).elements(x.size, x, out, x.size)
    return out
