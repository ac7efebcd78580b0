"""tinyvit on the card."""

from ..augment import Augmentation
from ..backend import to_device
from ..params import init_params
from ..train import Trainer
from .cases import TRAIN
from .contestants import LR, WEIGHT_DECAY, Contestant, batch_of
from .gpu_data import CLIP_NORM, SHIFT, STEPS, training_data


class TinyvitGPU(Contestant):
    """tinyvit, its steps replayed from a CUDA graph.

    case : Case
    """

    def __init__(self, case):
        from ..kernels.cuda.logits import Logits

        self.steps = STEPS
        self._trainer, self._done = None, 0
        params = init_params(case.config)
        if case.work == TRAIN:
            images, labels, self._order = training_data(case)
            self._trainer = Trainer(
                case.config,
                params,
                device="gpu",
                precision=case.precision,
                lr=LR,
                weight_decay=WEIGHT_DECAY,
                clip_norm=CLIP_NORM,
            )
            self._trainer.put(images, labels, Augmentation(shift=SHIFT))
        else:
            self._images = to_device(batch_of(case)[0])
            self._logits = Logits(to_device(params), case.config, case.precision, case.batch)

    def run(self):
        """Do the work; returns the mean loss, or the logits, on the card."""
        from ..kernels.cuda import card

        if self._trainer:
            steps = range(self._done, self._done + self.steps)
            self._done += self.steps
            return self._trainer.steps(self._order.take(steps, axis=0, mode="wrap"))[0]
        for _ in range(self.steps):
            logits = self._logits(self._images)
        card.synchronize()
        return logits

    @property
    def launches(self):
        """Launches of a CUDA graph; None before it is recorded."""
        return (self._trainer or self._logits).launches

    def about(self):
        """What computes, in words."""
        from ..kernels.cuda import card

        return f"CuPy {card.describe()['cupy']}"
