"""Patchify: mistakes that are often made."""

from ..mistake import Mistake

_CUT = "images.reshape(B, C, rows, P, cols, P)"
_MOVE = "x.transpose(0, 2, 4, 1, 3, 5)"
_CUT_AND_MOVE = f"x = {_CUT}\n    x = {_MOVE}"
_READ = "dpatches.reshape(B, H // P, W // P, C, P, P)"
_BACK = "dx.transpose(0, 3, 1, 4, 2, 5)"

FORWARD = (
    Mistake(
        "wrong_order",
        " 1, 3, 5)",
        " 3, 5, 1)",
        "each patch is flattened as (row, column, C): the channel comes first, (C, row, column)",
    ),
    Mistake(
        "wrong_order",
        _MOVE,
        "x",
        "a reshape alone keeps the memory order: without transpose a patch is a few image rows",
    ),
    Mistake(
        "wrong_order",
        "(0, 2, 4,",
        "(0, 4, 2,",
        "the patches are numbered top to bottom first: it should be left to right first",
    ),
    Mistake(
        "wrong_order",
        " 1, 3, 5)",
        " 1, 5, 3)",
        "inside each patch rows and columns are exchanged: a patch is flattened row by row",
    ),
    Mistake(
        "wrong_order",
        _CUT_AND_MOVE,
        "x = images.reshape(B, rows, P, cols, P, C).transpose(0, 1, 3, 2, 4, 5)",
        "the image is read as (B, H, W, C): its axes are (B, C, H, W)",
    ),
    Mistake(
        "wrong_order",
        _CUT_AND_MOVE,
        "x = images.reshape(B, rows, P, cols, P, C).transpose(0, 1, 3, 5, 2, 4)",
        "the reshape takes C as the last axis of the image: its axes are (B, C, H, W)",
    ),
    Mistake(
        "wrong_order",
        _CUT_AND_MOVE,
        "x = images.reshape(B, C, P, rows, P, cols).transpose(0, 3, 5, 1, 2, 4)",
        "a patch takes pixels that lie far apart: H must be split as (H/P, P), not (P, H/P)",
    ),
    Mistake(
        "wrong_order",
        _CUT,
        "images.reshape(B, C, P, rows, P, cols)",
        "H and W are split as (P, H/P) and (P, W/P): the number of patches comes first, then P",
    ),
    Mistake(
        "wrong_order",
        _CUT,
        "images.reshape(B, C, cols, P, rows, P)",
        "H/P and W/P are exchanged in the reshape: H is split into H/P rows of patches",
    ),
    Mistake(
        "transposed",
        _CUT,
        "images.swapaxes(2, 3).reshape(B, C, cols, P, rows, P)",
        "the rows and columns of the image are exchanged: the whole image is transposed",
    ),
    Mistake(
        "wrong_order",
        "(0, 2, 4, 1, 3, 5)",
        "(0, 1, 2, 4, 3, 5)",
        "C still stands before the patch axes in the last reshape, so a patch holds one channel",
    ),
    Mistake(
        "wrong_variable",
        _MOVE,
        f"{_MOVE}.copy()\n"
        "    for r in range(rows):\n"
        "        for c in range(cols):\n"
        "            x[:, r, c] = images[:, :, r : r + P, c : c + P]",
        "the patches overlap: patch (r, c) begins at pixel (r * P, c * P), not (r, c)",
    ),
    Mistake(
        "wrong_order",
        _CUT,
        f"{_CUT}[:, :, ::-1]",
        "the rows of patches are numbered from the bottom: patch 0 is the one at the top left",
    ),
    Mistake(
        "wrong_order",
        _CUT,
        f"{_CUT}[:, :, :, :, ::-1]",
        "the patches of a row are numbered from the right: patch 0 is the one at the top left",
    ),
)

BACKWARD = (
    Mistake(
        "wrong_order",
        _BACK,
        "dx.transpose(0, 2, 4, 1, 3, 5)",
        "the axes are moved as in the forward: the way back is the inverse, (0, 3, 1, 4, 2, 5)",
    ),
    Mistake(
        "wrong_order",
        _BACK,
        "dx",
        "a reshape alone keeps the memory order: the axes must be moved back before it",
    ),
    Mistake(
        "wrong_order",
        _READ,
        "dpatches.reshape(B, H // P, W // P, P, P, C).transpose(0, 1, 2, 5, 3, 4)",
        "each row of dpatches is read as (row, column, C): it is (C, row, column)",
    ),
    Mistake(
        "wrong_order",
        "1, 4, 2, 5)",
        "1, 5, 2, 4)",
        "inside each patch rows and columns are exchanged: a patch is flattened row by row",
    ),
    Mistake(
        "wrong_order",
        _READ,
        "dpatches.reshape(B, W // P, H // P, C, P, P).swapaxes(1, 2)",
        "the patches are put back top to bottom first: they are numbered left to right first",
    ),
    Mistake(
        "wrong_order",
        _BACK,
        "dx.transpose(0, 3, 4, 1, 5, 2)",
        "the pixels of a patch are spread over the image: H is (H/P, P), not (P, H/P)",
    ),
    Mistake(
        "wrong_order",
        _BACK,
        "dx.transpose(0, 3, 1, 2, 4, 5)",
        "before the last reshape the axes must be (H/P, P, W/P, P), not (H/P, W/P, P, P)",
    ),
    Mistake(
        "wrong_order",
        f"dx = {_READ}",
        "dx = dpatches.reshape(B, H // P, W // P, P, P, C)\n"
        "    return dx.transpose(0, 1, 3, 2, 4, 5).reshape(B, C, H, W)",
        "the image is taken as (B, H, W, C): its axes are (B, C, H, W)",
    ),
    Mistake(
        "wrong_order",
        _READ,
        "dpatches.reshape(B, C, H // P, W // P, P, P).transpose(0, 2, 3, 1, 4, 5)",
        "dpatches is read with C before the patches: its axes are (B, N, C*P*P)",
    ),
    Mistake(
        "wrong_order",
        _BACK,
        "dx.transpose(0, 1, 4, 2, 5, 3)",
        "the axes end as (B, H, W, C) before the last reshape: they should be (B, C, H, W)",
    ),
    Mistake(
        "wrong_order",
        _READ,
        "dpatches.reshape(B, H // P, W // P, P, C, P).transpose(0, 1, 2, 4, 3, 5)",
        "each row of dpatches is read as (row, C, column): it is (C, row, column)",
    ),
    Mistake(
        "wrong_order",
        "H // P, W // P",
        "W // P, H // P",
        "H/P and W/P are exchanged in the reshape: the patches have H/P rows and W/P columns",
    ),
    Mistake(
        "wrong_variable",
        _BACK,
        "0 * dx.transpose(0, 3, 1, 4, 2, 5)\n"
        "    dx = dx.reshape(B, C, H, W)\n"
        "    dpatches = dpatches.reshape(B, H // P, W // P, C, P, P)\n"
        "    for r in range(H // P):\n"
        "        for c in range(W // P):\n"
        "            dx[:, :, r : r + P, c : c + P] += dpatches[:, r, c]",
        "the patches are added where they overlap: patch (r, c) begins at pixel (r * P, c * P)",
    ),
    Mistake(
        "wrong_variable",
        _BACK,
        "0 * dx.transpose(0, 3, 1, 4, 2, 5)\n"
        "    dx = dx.reshape(B, C, H, W)\n"
        "    dpatches = dpatches.reshape(B, H // P, W // P, C, P, P)\n"
        "    for r in range(H // P):\n"
        "        for c in range(W // P):\n"
        "            dx[:, :, r : r + P, c : c + P] = dpatches[:, r, c]",
        "the patches are written over each other: patch (r, c) begins at pixel (r * P, c * P)",
    ),
    Mistake(
        "wrong_variable",
        _READ,
        f"{_READ}[:, [0] * (H // P)]",
        "every row of patches gets the gradient of the first: patch (r, c) is number r * (W/P) + c",
    ),
    Mistake(
        "wrong_variable",
        _READ,
        f"{_READ}[:, :, :, [0] * C]",
        "every channel gets the gradient of channel 0: each row of dpatches is (C, row, column)",
    ),
    Mistake(
        "wrong_order",
        _READ,
        f"{_READ}[:, ::-1]",
        "the rows of patches are put back from the bottom: patch 0 is the one at the top left",
    ),
    Mistake(
        "wrong_order",
        _READ,
        f"{_READ}[:, :, ::-1]",
        "the patches of a row are put back from the right: patch 0 is the one at the top left",
    ),
)
