"""What this machine can do at most: its matrix products and its memory."""

import platform
import sys
import time
from pathlib import Path

import numpy as np

from ..workers import Workers

SIDE = 1536  # of the matrices; three of them are 28 MB
LENGTH = 1 << 24  # of the vectors; three of them are 200 MB
ROUNDS = 7


def describe():
    """Processor and Python, in words."""
    return f"{_processor()}, Python {platform.python_version()}"


def peak_flops(threads):
    """Most floating-point operations a second in float32 matrix products, on all threads together.

    threads : each multiplies matrices of its own
    """
    n = np.random.default_rng(0).standard_normal
    a, b = (n((SIDE, SIDE), dtype=np.float32) for _ in range(2))
    out = np.empty((threads, SIDE, SIDE), np.float32)
    best = _best(threads, lambda i: np.matmul(a, b, out=out[i]))
    return threads * 2 * SIDE**3 / best


def peak_bandwidth(threads):
    """Most bytes a second to and from memory: a + b on vectors that fit no cache.

    threads : each adds a part of the vectors
    """
    a, b, out = np.ones((3, threads, LENGTH // threads), np.float32)
    best = _best(threads, lambda i: np.add(a[i], b[i], out=out[i]))
    return 3 * out.nbytes / best


def free_bytes():
    """Memory that is free now [bytes]; infinite where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return float("inf")
    sizes = dict(line.split(":") for line in lines)
    return 1024 * int(sizes["MemAvailable"].split()[0])


def _best(threads, function):
    workers = Workers(threads)
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        workers.map(function, range(threads))
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _processor():
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(": ")[2].strip()
    return platform.processor() or platform.machine()
