"""Interpolation: new points between the old ones, as one small matrix an axis."""

import numpy as np

from .errors import InputError

METHODS = ("bilinear", "bilinear_corners", "bicubic", "bicubic_antialias")


def resize(values, size, method):
    """Give a picture, or any grid of values, another number of rows and columns.

        new = rows @ values @ columns.T              for each channel

    values : (H, W, C)
    size : (rows, columns) that are wanted
    method : of `interpolation_matrix`, which makes `rows` and `columns`

    Returns
        new : (rows, columns, C) float64
    Raises InputError as `interpolation_matrix` does.
    """
    rows, columns = map(interpolation_matrix, values.shape[:2], size, (method, method))
    used = rows.any(axis=0), columns.any(axis=0)  # few, when a large photograph gets small
    values = values[np.ix_(*used)]
    half = np.tensordot(rows[:, used[0]], values, axes=1)  # (rows, columns used, C)
    return columns[:, used[1]] @ half


def interpolation_matrix(old, new, method):
    """The matrix that turns a row of `old` values into a row of `new` values.

        new_row = matrix @ old_row
        matrix[i, j] = kernel(x_i - j)               the share of old value j in new value i
        x_i = (i + 1/2) old / new - 1/2              where new value i lies among the old ones
        x_i = i (old - 1) / (new - 1)                the same for "bilinear_corners"

    Every row of the matrix sums to 1, so that what is constant stays constant.

    old : how many values there are
    new : how many are wanted
    method : "bilinear": a mix of the two old values beside x_i
             "bilinear_corners": the same, with the first and last value kept where they are
             "bicubic": a mix of four, a = -0.75
             "bicubic_antialias": a = -0.5, and where values get fewer, a kernel old / new times as
             wide, so that no old value is left out

    In the first three, the row goes on beyond its ends with the value that it ends with. The last
    takes nothing from there, and divides by the sum of the shares.

    Returns
        matrix : (new, old) float64
    Raises InputError for fewer than 1 value and for another method.

    Source: the values of a, the ends and x_i are those of PyTorch's `interpolate`
    (align_corners=False), and of SciPy's `ndimage.zoom` (order=1) for "bilinear_corners". For some
    sizes, 32 to 16 among them, SciPy's rounding puts the last point beyond the end and fills in a
    0 (its issue 4922); here that point is the end.
    """
    if method not in METHODS:
        raise InputError(f"interpolation {method!r} is not known: use one of {', '.join(METHODS)}")
    if old < 1 or new < 1:
        raise InputError(f"cannot interpolate from {old} to {new} values: at least 1 is needed")
    i = np.arange(new)[:, None]  # (new, 1)
    x = (i + 0.5) * old / new - 0.5
    if method == "bilinear_corners":
        x = i * (old - 1) / max(new - 1, 1)
    if method == "bicubic_antialias":
        shares = cubic((x - np.arange(old)) / max(old / new, 1), a=-0.5)  # (new, old)
        return shares / shares.sum(axis=1, keepdims=True)

    distance = x - np.arange(-2, old + 2)  # (new, old + 4): two points more at each end
    shares = cubic(distance, a=-0.75) if method == "bicubic" else triangle(distance)
    matrix = shares[:, 2:-2].copy()
    matrix[:, 0] += shares[:, :2].sum(axis=1)
    matrix[:, -1] += shares[:, -2:].sum(axis=1)
    return matrix


def triangle(distance):
    """The kernel of linear interpolation: 1 at the point itself, 0 from the next point on.

        k(s) = max(0, 1 - |s|)

    distance : array of any shape [points]
    """
    return np.maximum(0, 1 - abs(distance))


def cubic(distance, a):
    """The kernel of cubic convolution: 1 at the point itself, 0 at all others.

        k(s) = (a + 2) |s|^3 - (a + 3) |s|^2 + 1        |s| <= 1
        k(s) = a |s|^3 - 5a |s|^2 + 8a |s| - 4a         1 < |s| < 2
        k(s) = 0                                        2 <= |s|

    distance : array of any shape [points]
    a : slope at |s| = 1; negative, so that an edge is overshot a little and stays sharp

    Source: Keys 1981, Cubic convolution interpolation for digital image processing
    (doi 10.1109/TASSP.1981.1163711), page 1155, where a = -1/2.
    """
    s = abs(distance)
    inner = ((a + 2) * s - (a + 3)) * s**2 + 1
    outer = a * (((s - 5) * s + 8) * s - 4)
    return np.where(s <= 1, inner, np.where(s < 2, outer, 0.0))
