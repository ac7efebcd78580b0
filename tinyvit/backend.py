"""NumPy or CuPy, by the array that comes in: the only file outside `kernels/` that names CuPy."""

import math

import numpy as np

from .errors import InputError


def get_array_module(*arrays):
    """Return the module that made the arrays: `cupy` if any of them is a CuPy array, else `numpy`.

    arrays : arrays, or anything else (numbers, None), which is ignored.

    CuPy is looked for only when a CuPy array is there already, so this costs next to nothing.
    """
    for array in arrays:
        if type(array).__module__.partition(".")[0] == "cupy":
            import cupy

            return cupy
    return np


def to_device(value, device="gpu"):
    """Copy an array, or a dict of arrays, to a device.

    value : NumPy or CuPy array, or dict of them.
    device : "cpu" or "gpu".

    Returns the same structure there; what is there already is returned as it is.
    Raises InputError when the device is not to be had (see `require_device`).
    """
    if isinstance(value, dict):
        return {name: to_device(array, device) for name, array in value.items()}
    if device == "cpu":
        return to_numpy(value)
    require_device(device)
    import cupy

    return cupy.asarray(value)


def to_numpy(value):
    """Copy an array, or a dict of arrays, to the CPU.

    value : NumPy or CuPy array, or dict of them.

    Returns the same structure in NumPy arrays; what is NumPy already is returned as it is.
    """
    if isinstance(value, dict):
        return {name: to_numpy(array) for name, array in value.items()}
    return value.get() if get_array_module(value) is not np else np.asarray(value)


def require_device(device):
    """Return if `device` can be used; else say what is missing.

    device : "cpu" or "gpu".

    Raises InputError, in one line: CuPy is not installed, or finds no driver or no GPU.
    """
    if device == "cpu":
        return
    if device != "gpu":
        raise InputError(f"device {device!r} is not known: use cpu or gpu")
    try:
        import cupy
    except ImportError as error:
        raise InputError(
            f"--device gpu needs CuPy, and that cannot be imported ({_first_line(error)}): "
            "pip install 'tinyvit[cuda12]' (CUDA 12) or 'tinyvit[cuda13]' (CUDA 13), "
            "or use --device cpu"
        ) from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        raise InputError(
            f"--device gpu: CuPy {cupy.__version__} is installed but finds no NVIDIA driver "
            f"({_first_line(error)}): install the driver (nvidia-smi shows it), or use --device cpu"
        ) from error
    if count == 0:
        raise InputError(
            f"--device gpu: CuPy {cupy.__version__} and the driver are there, but no NVIDIA GPU is "
            "visible: check nvidia-smi and CUDA_VISIBLE_DEVICES, or use --device cpu"
        )


def erf(x):
    """The error function, elementwise.

        erf(x) = 2 / sqrt(pi) * integral from 0 to x of exp(-t^2) dt

    x : array of any shape, float32 or float64.

    Returns an array of the same shape and dtype. NumPy has no erf. In float64 this is Python's own
    `math.erf`, exact to the last bit or so, and slow; in float32, which training uses, a rational
    approximation within 5e-7 of it.

    Source: coefficients of Eigen 3.4's `generic_fast_erf` (MathFunctionsImpl.h, MPL2).
    """
    xp = get_array_module(x)
    if xp is not np:
        from cupyx.scipy.special import erf as cupy_erf

        return cupy_erf(x)
    if x.dtype != np.float32:
        return np.asarray(_math_erf(x), x.dtype)
    x = np.clip(x, -4, 4)
    square = x * x
    return x * _polynomial(square, _ERF_ABOVE) / _polynomial(square, _ERF_BELOW)


_math_erf = np.frompyfunc(math.erf, 1, 1)

# Highest power first.
_ERF_ABOVE = (
    *(-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06),
    *(-5.69250639462346e-05, -7.34990630326855e-04, -2.95459980854025e-03),
    -1.60960333262415e-02,
)
_ERF_BELOW = (
    *(-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03),
    *(-7.37332916720468e-03, -1.42647390514189e-02),
)


def _polynomial(x, coefficients):
    value = coefficients[0] * x + coefficients[1]
    for coefficient in coefficients[2:]:
        value *= x
        value += coefficient
    return value


def _first_line(error):
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__
