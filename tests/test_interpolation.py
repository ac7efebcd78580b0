"""Interpolation agrees with the projects whose checkpoints and preprocessing need it."""

import numpy as np
import pytest

from tinyvit.errors import InputError
from tinyvit.interpolation import METHODS, cubic, interpolation_matrix, resize, triangle

SIZES = [(14, 24), (24, 14), (7, 12), (7, 8), (4, 1), (1, 3), (3, 5), (5, 2), (6, 6), (37, 16)]
LARGER = {  # 3 values -> 5: the first two rows; the third is 0, 1, 0, the rest a mirror image
    "bilinear": [[1, 0, 0], [0.6, 0.4, 0]],
    "bilinear_corners": [[1, 0, 0], [0.5, 0.5, 0]],
    "bicubic": [[1.096, -0.096, 0], [0.612, 0.46, -0.072]],
    "bicubic_antialias": [[57 / 53, -4 / 53, 0], [87 / 134, 53 / 134, -6 / 134]],
}
SMALLER = {  # 5 values -> 2: the first row; the second is its mirror image
    "bilinear": [0.25, 0.75, 0, 0, 0],
    "bilinear_corners": [1, 0, 0, 0, 0],
    "bicubic": [0.2265625, 0.87890625, -0.10546875, 0, 0],
    "bicubic_antialias": [
        *(0.34709512662269, 0.4156203447542, 0.23941264098744),
        *(0.02915513939136, -0.03128325175569),
    ],
}
IN_TORCH = {
    "bilinear": {"mode": "bilinear"},
    "bicubic": {"mode": "bicubic"},
    "bicubic_antialias": {"mode": "bicubic", "antialias": True},
}

each_method = pytest.mark.parametrize("method", METHODS)
each_size = pytest.mark.parametrize(("old", "new"), SIZES)


def picture(*shape, dtype="float64"):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


@each_method
def test_stored_numbers(method):
    """Those that PyTorch 2.13 and SciPy 1.17 give."""
    first = np.array(LARGER[method])
    larger = [*first, [0, 1, 0], *first[::-1, ::-1]]
    assert abs(interpolation_matrix(3, 5, method) - larger).max() < 1e-13
    smaller = [SMALLER[method], SMALLER[method][::-1]]
    assert abs(interpolation_matrix(5, 2, method) - smaller).max() < 1e-13


@each_method
@each_size
def test_a_constant_stays_constant(method, old, new):
    matrix = interpolation_matrix(old, new, method)
    assert matrix.shape == (new, old) and matrix.dtype == np.float64
    assert abs(matrix.sum(axis=1) - 1).max() < 1e-13


@each_method
@pytest.mark.parametrize("size", [1, 2, 7, 14, 37])
def test_the_same_size_changes_nothing(method, size):
    assert np.array_equal(interpolation_matrix(size, size, method), np.eye(size))


@each_method
def test_resizing_takes_each_axis_by_itself(method):
    values = picture(7, 5, 3)
    rows, columns = interpolation_matrix(7, 4, method), interpolation_matrix(5, 9, method)
    expected = np.einsum("yr, xc, rcd -> yxd", rows, columns, values)
    assert abs(resize(values, (4, 9), method) - expected).max() < 1e-13


def test_whole_numbers_are_resized_as_floats():
    values = np.array([[[0], [255]]], dtype="uint8")
    assert resize(values, (1, 4), "bilinear").ravel().tolist() == [0, 63.75, 191.25, 255]


@pytest.mark.parametrize("method", IN_TORCH)
@each_size
def test_resizing_agrees_with_pytorch(method, old, new):
    torch = pytest.importorskip("torch")
    size = new, new + 1  # never 1 column: with antialias, PyTorch 2.13 computes that wrongly
    values = picture(old, old + 2, 3)
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(values).permute(2, 0, 1)[None],
        size=size,
        align_corners=False,
        **IN_TORCH[method],
    )
    expected = theirs[0].permute(1, 2, 0).numpy()
    assert abs(resize(values, size, method) - expected).max() < 1e-12


@each_size
def test_resizing_agrees_with_scipy(old, new):
    ndimage = pytest.importorskip("scipy.ndimage")
    values = picture(old, old + 2, 3)
    expected = ndimage.zoom(values, (new / old, (new + 1) / (old + 2), 1), order=1)
    ours = resize(values, (new, new + 1), "bilinear_corners")
    assert abs(ours - expected).max() < 1e-12


def test_the_last_point_is_kept_where_scipy_loses_it():
    ndimage = pytest.importorskip("scipy.ndimage")
    values = picture(32)
    ours = resize(values[:, None, None], (16, 1), "bilinear_corners").ravel()
    expected = ndimage.zoom(values, 16 / 32, order=1)
    assert abs(ours - expected)[:-1].max() < 1e-12
    assert ours[-1] == values[-1]


def test_kernels_are_one_at_the_point_and_zero_at_all_others():
    points = np.arange(-3, 4)
    here = (points == 0).astype(float)
    assert np.array_equal(triangle(points), here)
    for a in (-0.5, -0.75):
        assert np.array_equal(cubic(points, a), here)
        slope = (cubic(1 + 1e-6, a) - cubic(1 - 1e-6, a)) / 2e-6
        assert abs(slope - a) < 1e-5


@each_method
@pytest.mark.parametrize(("old", "new"), [(0, 3), (3, 0), (3, -1)])
def test_at_least_one_value_is_needed(method, old, new):
    with pytest.raises(InputError, match=f"from {old} to {new} values: at least 1"):
        interpolation_matrix(old, new, method)


def test_an_unknown_method_names_those_there_are():
    with pytest.raises(InputError, match="'cubic' is not known: use one of bilinear, .*_antialias"):
        interpolation_matrix(3, 5, "cubic")
