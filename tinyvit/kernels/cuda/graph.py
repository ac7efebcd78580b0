"""CUDA graphs: launches that are recorded once and replayed without the host's help."""

import ctypes
import threading
from contextlib import suppress

import cupy

_local = threading.local()


def stream():
    """The stream of this thread on which graphs are recorded and replayed: always the same.

    It waits for what was launched on the default stream before, and that stream for it.
    """
    streams, device = vars(_local).setdefault("streams", {}), cupy.cuda.runtime.getDevice()
    if device not in streams:
        streams[device] = cupy.cuda.Stream()
    return streams[device]


class Recorded:
    """A function of no arguments that works on fixed memory, recorded as a CUDA graph.

    The first call is an ordinary one: kernels are compiled, memory is found. The second is
    recorded, and then every call replays it. What the function allocates comes from a memory pool
    of its own, which lives as long as the graph.

    function : launches work on CuPy's current stream, and never waits for it
    """

    def __init__(self, function):
        self._function, self._stream, self._graph = function, stream(), None
        self._pool = cupy.cuda.MemoryPool()
        self._is_warm = False

    def __call__(self):
        if self._graph is None:
            with self._stream, cupy.cuda.using_allocator(self._pool.malloc):
                if not self._is_warm:
                    self._function()
                    self._is_warm = True
                    return
                self._graph = self._record()
        self._graph.launch(self._stream)

    def _record(self):
        self._stream.begin_capture()
        try:
            self._function()
        except BaseException:
            with suppress(cupy.cuda.runtime.CUDARuntimeError):  # the first error tells more
                self._stream.end_capture()
            raise
        return self._stream.end_capture()

    @property
    def launches(self):
        """Launches in the graph; None before it is recorded, and without a driver to ask."""
        if self._graph is None:
            return None
        try:
            driver = ctypes.CDLL("libcuda.so.1")
        except OSError:
            return None
        count = ctypes.c_size_t()
        driver.cuGraphGetNodes(ctypes.c_void_p(self._graph.graph), None, ctypes.byref(count))
        return count.value
