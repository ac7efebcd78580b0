"""PyTorch on the card, as it comes and compiled."""

from functools import partial

import torch
from torch.nn.functional import cross_entropy

from ..params import init_params
from .cases import TRAIN
from .contestants import LR, WEIGHT_DECAY, Contestant, batch_of
from .gpu_data import CLIP_NORM, SHIFT, STEPS, training_data, with_border
from .torch_vit import TorchViT


class TorchGPU(Contestant):
    """PyTorch with its fused attention and its fused AdamW; nothing is read between the steps.

    In bf16 training keeps float32 weights, under autocast; prediction has bf16 weights. Compiled,
    batch, model and loss are one function with its backward, clipping and AdamW another: PyTorch
    cannot compile the call of `backward` itself.

    case : Case
    compiled : by `torch.compile(mode="max-autotune")`, which captures CUDA graphs
    device : as PyTorch calls it
    shift : how far images are moved at most [pixels]
    """

    def __init__(self, case, compiled=False, device="cuda", shift=SHIFT):
        torch.set_float32_matmul_precision("high" if case.precision == "tf32" else "highest")
        torch.backends.cudnn.allow_tf32 = case.precision == "tf32"
        torch.backends.cudnn.benchmark = True
        self.steps = STEPS
        self._compiled, self._training = compiled, case.work == TRAIN
        self._dtype = torch.bfloat16 if case.precision == "bf16" else torch.float32
        self._device, self._shift, self._done = torch.device(device), shift, 0
        self.model = TorchViT(case.config)
        self.model.load(init_params(case.config))
        self.model.to(self._device)
        if self._training:
            images, labels, order = training_data(case)
            data = with_border(images, shift), labels, order
            self._images, self._labels, self._order = map(self._put, data)
            groups = self.model.groups(WEIGHT_DECAY)
            self._optimizer = torch.optim.AdamW(groups, lr=LR, fused=True)
        else:
            self._batch = self._put(batch_of(case)[0])
            self.model.to(self._dtype)
        if compiled:
            self._loss = torch.compile(self._loss, mode="max-autotune")
            self._logits = torch.compile(self._logits, mode="max-autotune")
            # Without graphs of its own: the gradients lie in another graph's memory.
            self._update = torch.compile(self._update, mode="max-autotune-no-cudagraphs")

    def run(self):
        """Do the work; returns the last loss, or the last logits, on the card."""
        for _ in range(self.steps):
            if self._compiled:
                torch.compiler.cudagraph_mark_step_begin()
            out = self._train() if self._training else self._predict()
        out.flatten()[0].item()  # waits for the card
        return out

    def about(self):
        """What computes, in words."""
        return f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}"

    def _put(self, array):
        return torch.from_numpy(array).to(self._device)

    def _train(self):
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self._order[self._done % len(self._order)])
        loss.backward()
        self._update()
        self._done += 1
        return loss.detach()

    def _loss(self, chosen):
        half = self._dtype == torch.bfloat16
        images = moved(self._images, chosen, self._shift)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=half):
            return cross_entropy(self.model(images), self._labels[chosen])

    def _update(self):
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP_NORM, foreach=True)
        self._optimizer.step()

    def _predict(self):
        with torch.inference_mode():
            return self._logits(self._batch)

    def _logits(self, images):
        return self.model(images.to(self._dtype))


def moved(images, chosen, shift):
    """The chosen images, each moved at random by whole pixels, in [-1, 1].

    images : (n, C, H + 2 shift, W + 2 shift) uint8
    chosen : (B,) int
    shift : the most [pixels]

    Returns (B, C, H, W) float32.
    """
    arange = partial(torch.arange, device=images.device)
    _, C, H, W = images.shape
    down, right = torch.randint(2 * shift + 1, (2, len(chosen), 1), device=images.device)
    rows = (down + arange(H - 2 * shift))[:, None, :, None]  # (B, H) -> (B, 1, H, 1)
    cols = (right + arange(W - 2 * shift))[:, None, None, :]
    channels = arange(C)[:, None, None]
    return images[chosen[:, None, None, None], channels, rows, cols].float() / 127.5 - 1
