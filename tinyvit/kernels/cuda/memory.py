"""How much of a card's memory a training step needs, and whether it is there."""

import cupy
import numpy as np

from ...errors import InputError
from ...params import count_params, param_shapes
from .gelu import GROUPS
from .layernorm import BLOCKS
from .vit import IMAGE_GROUPS, PARTS_BYTES, SPLIT

GIGA = 1e9
SLACK = 1.05  # what lies between the arrays
VECTORS = 5  # parameters, two moments, weight decay, running average


def require_memory(config, batch, dtype, vectors=0):
    """Return if a training step fits the card's free memory; else say how much it needs.

    config : ViTConfig
    batch : images a step
    dtype : of the activations
    vectors : how many as long as all parameters are still to come: `VECTORS` before there are any

    Raises InputError that names the largest batch that fits.
    """
    once, each = training_bytes(config, dtype)
    once += 4 * vectors * count_params(param_shapes(config))
    free, total = cupy.cuda.runtime.memGetInfo()
    free += cupy.get_default_memory_pool().free_bytes()
    needed = once + batch * each
    if needed <= free:
        return
    fits = int((free - once) // each)
    advice = f"--batch-size {fits} would fit" if fits > 0 else "take a smaller model"
    raise InputError(
        f"a training step of {batch} images needs {needed / GIGA:.2f} GB on the card, "
        f"{free / GIGA:.2f} of {total / GIGA:.2f} GB are free: {advice}"
    )


def training_bytes(config, dtype):
    """Bytes that a training step takes besides the parameters and their moments.

    config : ViTConfig
    dtype : of the activations

    Returns once, each: whatever the batch is, and for each image of it.
    """
    T, D, M, h = config.num_tokens, config.embed_dim, config.hidden_dim, config.num_heads
    depth, size = config.depth, np.dtype(dtype).itemsize
    whole = depth - (config.global_pool == "token")  # blocks that all tokens go through
    kept = size * (depth * 8 * D + whole * (3 * D + 3 * M))
    kept += 4 * ((2 * whole + 1) * D + 4 * depth + depth * h)
    passing = size * (M + 2 * D) + 4 * 2 * D
    patches = size * config.num_patches * (config.in_chans * config.patch_size**2 + D)
    each = T * (kept + passing) + patches + 4 * 3 * D * depth
    count = count_params(param_shapes(config))
    split = max(1, min(SPLIT, PARTS_BYTES // (4 * count)))
    sums = depth * (2 * BLOCKS * 3 * D + GROUPS * M) + IMAGE_GROUPS * T * D
    once = 4 * (count * (1 + split) + sums)
    return int(SLACK * once), int(SLACK * each)
