"""The Vision Transformer, as training and the command line see it."""

from ..augment import Augmentation
from ..config import ViTConfig
from ..kernels.cpu import vit as on_cpu
from ..params import init_params, param_shapes
from ..vit import vit_backward, vit_forward
from .model import Model, OnCPU, Recipe

OLDEST_CARD = 7, 5  # compute capability that the kernels are compiled for and tested

DEFAULT = {
    "digits": Recipe(
        preset="digits",
        epochs=80,
        batch_size=64,
        lr=2e-3,
        warmup_epochs=5,
        label_smoothing=0.1,
        ema_decay=0.99,
        augmentation=Augmentation(shift=1.0),
    ),
    "mnist": Recipe(
        preset="mnist",
        epochs=14,
        label_smoothing=0.1,
        ema_decay=0.998,
        augmentation=Augmentation(shift=2.0, rotate=10.0, scale=0.1),
    ),
}

BEST = {
    "mnist": Recipe(
        preset="mnist",
        overrides={"patch_size": 4, "depth": 5},
        epochs=40,
        lr=1.5e-3,
        label_smoothing=0.1,
        ema_decay=0.999,
        augmentation=Augmentation(shift=2.0, rotate=12.0, scale=0.12, elastic=0.8),
    ),
}


def class_token_attention(cache):
    """How the class token of the last block shares out its attention over the patches.

    cache : from `vit_forward`

    Returns (B, H/P, W/P), the mean over the heads; a map sums to 1 less what the class token keeps
    for itself and for a distillation token. Without a class token, the mean over all patches of
    what they give each one.
    """
    config, stages = cache["config"], cache["stages"]
    attn = stages[f"blocks.{config.depth - 1}.attn"]  # (B, h, N+1, N+1)
    side, first = config.img_size // config.patch_size, config.num_prefix_tokens
    given = attn[:, :, 0, first:] if config.class_token else attn.mean(axis=2)  # (B, h, N)
    return given.mean(axis=1).reshape(-1, side, side)


def training_on_gpu():
    """The class that trains a ViT on a card; None where the card is too old for its kernels."""
    from ..kernels.cuda.card import capability

    if capability() < OLDEST_CARD:
        return None
    from ..kernels.cuda.training import Training

    return Training


VIT = Model(
    name="vit",
    config_class=ViTConfig,
    param_shapes=param_shapes,
    init_params=init_params,
    forward=vit_forward,
    backward=vit_backward,
    recipes={"default": DEFAULT, "best": BEST},
    tokens=lambda config: config.num_tokens,
    attention=class_token_attention,
    on_gpu=training_on_gpu,
    on_cpu=OnCPU(on_cpu.vit_forward, on_cpu.vit_logits, on_cpu.vit_logits_tensor_parallel),
)
