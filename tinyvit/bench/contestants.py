"""The two that are timed on a CPU, tinyvit and PyTorch: the same model, the same numbers."""

import numpy as np

from ..params import init_params
from ..predict import predict
from ..train import Trainer
from ..workers import Workers
from .cases import TRAIN

LR, WEIGHT_DECAY = 1e-3, 0.05


def batch_of(case):
    """Random images (B, C, H, W) and labels (B,) for a case, always the same."""
    rng = np.random.default_rng(0)
    config = case.config
    shape = (case.batch, config.in_chans, config.img_size, config.img_size)
    labels = rng.integers(0, config.num_classes, case.batch)
    return rng.standard_normal(shape, dtype=np.float32), labels


class Contestant:
    """What is timed: `run()` does the work, `about()` says in words what computes.

    steps : how often a run does the work
    launches : of kernels, each time the work is done; None where nobody counts
    """

    steps = 1
    launches = None


class Tinyvit(Contestant):
    """tinyvit, as `tinyvit train` and `tinyvit predict` use it; without clipping.

    case : Case
    threads : CPU threads
    settings : of the `Trainer`, in place of the usual ones
    """

    def __init__(self, case, threads, settings=None):
        self._images, self._labels = batch_of(case)
        self._config, self._threads = case.config, threads
        self._trainer = None
        params = init_params(case.config)
        if case.work == TRAIN:
            usual = {"threads": threads, "lr": LR, "weight_decay": WEIGHT_DECAY}
            usual |= {"clip_norm": np.inf}
            self._trainer = Trainer(case.config, params, **usual | (settings or {}))
        else:
            self._params, self._workers = params, Workers(threads)

    def run(self):
        """Do the work once; returns the loss, or the logits."""
        if self._trainer:
            return self._trainer.step(self._images, self._labels)[0]
        return predict(self._images, self._params, self._config, workers=self._workers)

    def about(self):
        """What computes, in words."""
        from threadpoolctl import threadpool_info

        blas = next((one for one in threadpool_info() if one["user_api"] == "blas"), {})
        name = blas.get("internal_api", "an unknown BLAS")
        core = blas.get("architecture", "unknown")
        return (
            f"NumPy {np.__version__}, {name} {blas.get('version', '')}, core type {core}; "
            f"{self._threads} threads, 1 BLAS thread each"
        )


class PyTorch(Contestant):
    """PyTorch eager, float32, with its fused AdamW and its fused attention.

    case, threads : as of `Tinyvit`

    Raises ImportError where PyTorch is not installed.
    """

    def __init__(self, case, threads):
        import torch

        from .torch_vit import TorchViT

        torch.set_num_threads(threads)
        self._torch, self._optimizer = torch, None
        self._images, self._labels = map(torch.from_numpy, batch_of(case))
        self._model = TorchViT(case.config)
        self._model.load(init_params(case.config))
        if case.work == TRAIN:
            groups = self._model.groups(WEIGHT_DECAY)
            self._optimizer = torch.optim.AdamW(groups, lr=LR, fused=True)

    def run(self):
        """Do the work once; returns the loss, or the logits."""
        if self._optimizer is None:
            with self._torch.inference_mode():
                return self._model(self._images).numpy()
        self._optimizer.zero_grad(set_to_none=True)
        logits = self._model(self._images)
        loss = self._torch.nn.functional.cross_entropy(logits, self._labels)
        loss.backward()
        self._optimizer.step()
        return loss.item()

    def about(self):
        """What computes, in words."""
        torch = self._torch
        blas = "MKL" if torch.backends.mkl.is_available() else "its own BLAS"
        capability = torch.backends.cpu.get_cpu_capability()
        threads = torch.get_num_threads()
        return f"PyTorch {torch.__version__}, {blas}, {capability}; {threads} threads"


CONTESTANTS = {"tinyvit": Tinyvit, "pytorch": PyTorch}
