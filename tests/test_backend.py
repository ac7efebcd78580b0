"""The device switch on NumPy alone, what it says where there is no GPU, and erf."""

import math
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from tinyvit.backend import erf, get_array_module, require_device, to_device, to_numpy
from tinyvit.errors import InputError


def test_numpy_is_the_module_of_everything_else():
    for arrays in ((), (np.ones(3),), (1.0, None, [2]), (np.float32(1), "text")):
        assert get_array_module(*arrays) is np


class Foreign:
    """An array of a module called cupy."""

    def get(self):
        return np.arange(3)


Foreign.__module__ = "cupy._core.core"


def fake_cupy(device_count):
    cupy = ModuleType("cupy")
    cupy.__version__ = "14.0.0"
    cupy.cuda = SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=device_count))
    cupy.asarray = lambda array: ("on the gpu", array)
    return cupy


def test_an_array_of_cupy_brings_cupy(monkeypatch):
    cupy = fake_cupy(lambda: 1)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    assert get_array_module(np.ones(2), Foreign()) is cupy
    assert to_numpy({"a": Foreign()})["a"].tolist() == [0, 1, 2]


def test_cupy_is_not_looked_for_without_need(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # any import of it would fail
    array = np.ones(3)
    assert get_array_module(array) is np
    assert to_device(array, "cpu") is array and to_numpy(array) is array
    erf(array)
    require_device("cpu")


def test_dicts_keep_their_shape():
    params = {"a": np.ones(2), "b": {"c": np.zeros(3)}}
    for there in (to_device(params, "cpu"), to_numpy(params)):
        assert list(there) == ["a", "b"]
        assert there["a"] is params["a"] and there["b"]["c"] is params["b"]["c"]


def test_to_device_copies_to_the_gpu(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(lambda: 1))
    array = np.ones(3)
    assert to_device({"a": array}) == {"a": ("on the gpu", array)}
    require_device("gpu")


def test_without_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    for ask in (lambda: require_device("gpu"), lambda: to_device(np.ones(3))):
        with pytest.raises(InputError) as error:
            ask()
        text = str(error.value)
        assert text.startswith("--device gpu needs CuPy, and that cannot be imported (")
        assert "pip install 'tinyvit[cuda12]'" in text and "--device cpu" in text
        assert "\n" not in text


def test_without_a_driver(monkeypatch):
    def fails():
        raise RuntimeError("cudaErrorInsufficientDriver: driver version is insufficient\nmore")

    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(fails))
    with pytest.raises(InputError) as error:
        require_device("gpu")
    assert str(error.value) == (
        "--device gpu: CuPy 14.0.0 is installed but finds no NVIDIA driver "
        "(cudaErrorInsufficientDriver: driver version is insufficient): "
        "install the driver (nvidia-smi shows it), or use --device cpu"
    )


def test_without_a_gpu(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(lambda: 0))
    with pytest.raises(InputError) as error:
        require_device("gpu")
    assert str(error.value) == (
        "--device gpu: CuPy 14.0.0 and the driver are there, but no NVIDIA GPU is visible: "
        "check nvidia-smi and CUDA_VISIBLE_DEVICES, or use --device cpu"
    )


def test_unknown_device():
    with pytest.raises(InputError, match="device 'tpu' is not known: use cpu or gpu"):
        to_device(np.ones(3), "tpu")


GRID = np.concatenate([np.linspace(-7, 7, 20001), np.logspace(-30, 1, 500)])


def test_erf_in_float64_is_that_of_python():
    assert erf(GRID).tolist() == [math.erf(x) for x in GRID]


def test_erf_in_float32_is_within_5e_7():
    x = GRID.astype(np.float32)
    expected = np.array([math.erf(v) for v in x])
    assert abs(erf(x) - expected).max() < 5e-7
    inside = abs(expected) > 1e-30
    assert abs(erf(x) / np.where(inside, expected, 1) - 1)[inside].max() < 1e-6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_erf_far_out_and_at_0(dtype):
    x = np.array([-np.inf, -1e30, -50, -0.0, 0.0, 50, 1e30, np.inf], dtype)
    out = erf(x)
    assert out.dtype == dtype
    np.testing.assert_allclose(out, [-1, -1, -1, 0, 0, 1, 1, 1], atol=5e-7)
    assert out[3] == out[4] == 0 and np.signbit(out[3]) and not np.signbit(out[4])
    assert np.isnan(erf(np.array([np.nan], dtype)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 1, 4)])
def test_erf_keeps_shape_and_dtype_and_leaves_x_alone(shape, dtype):
    x = np.asarray(np.random.default_rng(0).standard_normal(shape), dtype)
    kept = x.copy()
    out = erf(x)
    assert out.shape == shape and out.dtype == dtype
    assert np.array_equal(x, kept)
    assert np.array_equal(erf(-x), -out)
