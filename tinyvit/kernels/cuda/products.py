"""Matrix products by cuBLAS, on a handle of our own: CuPy's refuses to be captured in a graph."""

import ctypes
import threading
from functools import cache

import cupy
import numpy as np

from .source import BF16

WORKSPACE = 32 << 20  # bytes; what NVIDIA advises for Hopper
CUDA_TYPES = {np.dtype(np.float32): 0, np.dtype(np.float64): 1, BF16: 14}
COMPUTE_32F, COMPUTE_64F, COMPUTE_32F_FAST_TF32 = 68, 70, 77
NORMAL, TRANSPOSED = 0, 1
ANY_ALGORITHM = -1

_local = threading.local()


def multiply(a, b, out, precision="fp32"):
    """Matrix product, written into an array that is there.

        out = a @ b

    a : (M, K) or (batch, M, K); float32, float64, or uint16, which stands for bf16; transposed
        views and rows that lie further apart are fine
    b : (K, N) or (batch, K, N), of a's type
    out : (M, N) or (batch, M, N); neighbours in a row lie side by side; float32 also for bf16
    precision : "tf32" rounds float32 factors to 10 bits, for tensor cores; else as it is stored

    Returns out. Raises ValueError when the shapes do not fit, RuntimeError when cuBLAS fails.
    """
    M, K = a.shape[-2:]
    N = b.shape[-1]
    if (_layout(out) or [TRANSPOSED])[0] != NORMAL:
        raise ValueError(f"out with strides {out.strides} has no neighbours in a row side by side")
    if b.shape[-2] != K or out.shape[-2:] != (M, N):
        raise ValueError(f"{a.shape} @ {b.shape} does not give {out.shape}")
    # cuBLAS counts columns first: to it, out is out.T = b.T @ a.T.
    a, b = (x if _layout(x) else cupy.ascontiguousarray(x) for x in (a, b))
    (op_b, ldb), (op_a, lda), (_, ldc) = map(_layout, (b, a, out))
    one, zero = (np.array(x, np.float64 if a.dtype == np.float64 else np.float32) for x in (1, 0))
    compute = COMPUTE_32F_FAST_TF32 if precision == "tf32" else COMPUTE_32F
    compute = COMPUTE_64F if a.dtype == np.float64 else compute
    factors = (b, ldb), (a, lda), (out, ldc)
    sizes = _handle(), op_b, op_a, N, M, K
    if a.ndim == 2:
        first, second, result = ((x.data.ptr, CUDA_TYPES[x.dtype], ld) for x, ld in factors)
        name, tail = "cublasGemmEx", ()
    else:
        first, second, result = (
            (x.data.ptr, CUDA_TYPES[x.dtype], ld, x.strides[0] // x.itemsize) for x, ld in factors
        )
        name, tail = "cublasGemmStridedBatchedEx", (len(a),)
    scalars = one.ctypes.data, zero.ctypes.data
    _call(
        name,
        *(*sizes, scalars[0], *first, *second, scalars[1], *result),
        *(*tail, compute, ANY_ALGORITHM),
    )
    return out


def _layout(x):
    """Whether cuBLAS should transpose a matrix, and the numbers from one row, or column, on.

    Returns None where no neighbours lie side by side.
    """
    (rows, columns), (down, right) = x.shape[-2:], (s // x.itemsize for s in x.strides[-2:])
    if (right == 1 or columns == 1) and (down >= columns or rows == 1):
        return NORMAL, max(down, columns)
    if (down == 1 or rows == 1) and (right >= rows or columns == 1):
        return TRANSPOSED, max(right, rows)
    return None


def _handle():
    """The cuBLAS handle of this thread, card and stream; it keeps its workspace alive."""
    stream = cupy.cuda.get_current_stream()
    handles = vars(_local).setdefault("handles", {})
    key = cupy.cuda.runtime.getDevice(), stream.ptr
    if key not in handles:
        handle, workspace = ctypes.c_void_p(), cupy.cuda.Memory(WORKSPACE)
        _call("cublasCreate_v2", ctypes.byref(handle))
        _call("cublasSetStream_v2", handle, stream.ptr)
        workspace = cupy.cuda.MemoryPointer(workspace, 0)
        _call("cublasSetWorkspace_v2", handle, workspace.ptr, WORKSPACE)
        handles[key] = handle, workspace, stream
    return handles[key][0]


def _call(name, *args):
    status = getattr(_library(), name)(*args)
    if status:
        raise RuntimeError(f"{name} failed: cuBLAS status {status}")


@cache
def _library():
    from cuda.pathfinder import load_nvidia_dynamic_lib

    library = ctypes.CDLL(load_nvidia_dynamic_lib("cublas").abs_path)
    pointer, number, wide = ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong
    matrix, strided = (pointer, number, number), (pointer, number, number, wide)
    sizes = [pointer, *[number] * 5]
    library.cublasCreate_v2.argtypes = [pointer]
    library.cublasSetStream_v2.argtypes = [pointer, pointer]
    library.cublasSetWorkspace_v2.argtypes = [pointer, pointer, ctypes.c_size_t]
    library.cublasGemmEx.argtypes = [
        *sizes,
        pointer,
        *matrix,
        *matrix,
        pointer,
        *matrix,
        *[number] * 2,
    ]
    library.cublasGemmStridedBatchedEx.argtypes = [
        *(*sizes, pointer, *strided, *strided, pointer, *strided),
        *[number] * 3,
    ]
    return library
