"""Work spread over the cores: threads that each run a part, with one BLAS thread each."""

import ctypes
import os
import threading
from concurrent.futures import ThreadPoolExecutor

from .kernels.cpu.buffers import Buffers, reuse


def granted_cores():
    """Number of processor cores this process may use (not merely those the machine has)."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Workers:
    """A fixed number of threads for data-parallel work.

    Each part of a batch is computed by one thread from end to end. NumPy lets go of Python's lock
    inside its loops and products, so the threads run side by side; BLAS, which would otherwise
    start threads of its own inside every product, is held to one while they work. Each thread has
    buffers of its own, which the fast kernels use again and again.

    threads : how many; None takes one for each core granted
    """

    def __init__(self, threads=None):
        from threadpoolctl import ThreadpoolController

        keep_freed_memory()
        self.threads = threads or granted_cores()
        self._blas = ThreadpoolController()
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None
        self._lock = threading.Lock()
        self._local = threading.local()

    def map(self, function, parts):
        """Call `function(part)` for every part, side by side; return the results in order.

        An exception in one of them is raised here.
        """

        def run(part):
            if not hasattr(self._local, "buffers"):
                self._local.buffers = Buffers()
            with reuse(self._local.buffers):
                return function(part)

        with self._lock, self._blas.limit(limits=1, user_api="blas"):
            return list(map(run, parts) if self._pool is None else self._pool.map(run, parts))


def keep_freed_memory():
    """Ask the C library to keep freed memory for the next array, not to give it back at once.

    Every array of a step is made fresh. Memory that comes from the system anew costs a page fault
    for each 4 KiB, which is more than the arithmetic done on it. Without glibc, nothing happens.

    Source: mallopt(3): M_TRIM_THRESHOLD = -1, M_TOP_PAD = -2, M_MMAP_THRESHOLD = -3.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(-1, 2**31 - 1)
    mallopt(-2, 2**26)
    mallopt(-3, 2**30)


def split(start, stop, parts):
    """Cut range(start, stop) into at most `parts` slices of nearly equal length, none empty.

    Returns a list of slices; the longer ones come first.
    """
    size, longer = divmod(stop - start, parts)
    slices = []
    for i in range(min(parts, stop - start)):
        end = start + size + (i < longer)
        slices.append(slice(start, end))
        start = end
    return slices
