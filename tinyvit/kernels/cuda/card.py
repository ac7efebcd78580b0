"""The card: what it is, and what it can do at most."""

import subprocess

import cupy

from .products import multiply

SIDE = 8192  # of the matrices
COPIED = 1 << 31  # bytes, far more than a cache holds
ROUNDS = 10


def describe():
    """Returns dict: `name`, `driver` (None where nvidia-smi is missing), `cuda`, `cupy`."""
    runtime = cupy.cuda.runtime
    version = runtime.runtimeGetVersion()
    return {
        "name": runtime.getDeviceProperties(runtime.getDevice())["name"].decode(),
        "driver": _driver(),
        "cuda": f"{version // 1000}.{version % 1000 // 10}",
        "cupy": cupy.__version__,
    }


def capability():
    """Compute capability of the card: (9, 0) for an H100, (7, 5) for an RTX 2080."""
    major, minor = divmod(int(cupy.cuda.Device().compute_capability), 10)
    return major, minor


def synchronize():
    """Wait until the card has done everything."""
    cupy.cuda.runtime.deviceSynchronize()


def peak_flops(precision):
    """Most floating-point operations a second in a matrix product.

    precision : "fp32", "tf32" or "bf16"
    """
    side = _at_most(SIDE, (cupy.cuda.runtime.memGetInfo()[0] / 64) ** 0.5)
    # Random numbers: on zeros the card draws less power, and runs faster than it ever will.
    random = cupy.random.RandomState(0)
    a, b = (random.standard_normal((side, side), dtype=cupy.float32) for _ in range(2))
    if precision == "bf16":
        a, b = ((x.view(cupy.uint32) >> 16).astype(cupy.uint16) for x in (a, b))
    out = cupy.empty_like(a)
    return 2 * side**3 / _best(lambda: multiply(a, b, out, precision))


def peak_bandwidth():
    """Most bytes a second that are read and written, together, when a large array is copied."""
    length = _at_most(COPIED, cupy.cuda.runtime.memGetInfo()[0] / 8)
    source = cupy.ones(length, cupy.uint8)
    target = cupy.empty_like(source)
    return 2 * length / _best(lambda: cupy.copyto(target, source))


def free():
    """Give memory that CuPy has set aside back to the card."""
    cupy.get_default_memory_pool().free_all_blocks()


def _at_most(size, limit):
    while size > limit:
        size //= 2
    return size


def _best(work):
    """Least time of a run [s], by the card's own clock."""
    start, stop = cupy.cuda.Event(), cupy.cuda.Event()
    milliseconds = []
    for _ in range(ROUNDS):
        start.record()
        work()
        stop.record()
        stop.synchronize()
        milliseconds.append(cupy.cuda.get_elapsed_time(start, stop))
    return min(milliseconds) / 1e3


def _driver():
    words = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.split("\n")[0]
