"""Random numbers on the card that change from step to step, also when a graph is replayed."""

import cupy
import numpy as np

from .source import kernel

AUGMENTATION, ELASTIC, DROPOUT = 1, 2, 16  # streams of a seed; from DROPOUT on, one for each layer


class Random:
    """As much of `numpy.random.Generator` as dropouts need.

    seed : whole number
    step : (1,) int64 on the card; its value decides the numbers
    """

    def __init__(self, seed, step):
        self._seed, self._step, self._stream = np.uint32(seed & 0xFFFFFFFF), step, DROPOUT

    def restart(self):
        """Go back to the first stream: to be called before every forward pass."""
        self._stream = DROPOUT

    def random(self, shape):
        """Uniform numbers in [0, 1), float32; every call takes another stream of the seed."""
        self._stream += 1
        return uniform(shape, self._seed, self._stream - 1, self._step)


def uniform(shape, seed, stream, step):
    """Uniform numbers in [0, 1), float32: random.cu."""
    out = cupy.empty(shape, np.float32)
    kernel("random", "uniform_numbers").elements(
        -(-out.size // 4), out, out.size, step, np.uint32(seed), np.uint32(stream)
    )
    return out
