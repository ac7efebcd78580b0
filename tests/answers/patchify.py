"""Answers of students to the exercise patchify: right ones, and wrong ones with what is wrong."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "loops": """
import numpy as np


def patchify_forward(images, patch_size):
    B, C, H, W = images.shape
    P = patch_size
    rows, cols = H // P, W // P
    out = np.zeros((B, rows * cols, C * P * P), images.dtype)
    for r in range(rows):
        for c in range(cols):
            piece = images[:, :, r * P : (r + 1) * P, c * P : (c + 1) * P]
            out[:, r * cols + c] = piece.reshape(B, -1)
    return out, (images.shape, P)


def patchify_backward(dpatches, cache):
    (B, C, H, W), P = cache
    rows, cols = H // P, W // P
    dimages = np.zeros((B, C, H, W), dpatches.dtype)
    n = 0
    for r in range(rows):
        for c in range(cols):
            piece = dpatches[:, n].reshape(B, C, P, P)
            dimages[:, :, r * P : (r + 1) * P, c * P : (c + 1) * P] = piece
            n += 1
    return dimages
""",
    "pixels": """
import numpy as np


def patchify_backward(dpatches, cache):
    shape, P = cache
    B, C, H, W = shape
    per_row = W // P
    dimages = np.empty(shape, dpatches.dtype)
    for ch in range(C):
        for y in range(H):
            for x in range(W):
                n = (y // P) * per_row + x // P
                place = ch * P * P + (y % P) * P + x % P
                dimages[:, ch, y, x] = dpatches[:, n, place]
    return dimages
""",
    "einsum": """
import numpy as np


def patchify_forward(images, patch_size):
    b, ch, height, width = images.shape
    p = patch_size
    grid = images.reshape(b, ch, height // p, p, width // p, p)
    grid = np.einsum("bcyixj->byxcij", grid)
    return grid.reshape(b, -1, ch * p * p), {"size": images.shape, "p": p}


def patchify_backward(dpatches, cache):
    b, ch, height, width = cache["size"]
    p = cache["p"]
    grid = dpatches.reshape(b, height // p, width // p, ch, p, p)
    grid = np.einsum("byxcij->bcyixj", grid)
    return grid.reshape(b, ch, height, width)
""",
    "splits": """
import numpy as np


def patchify_forward(images, patch_size):
    H, W = images.shape[2:]
    found = []
    for strip in np.split(images, H // patch_size, axis=2):
        for square in np.split(strip, W // patch_size, axis=3):
            found.append(square.reshape(len(images), -1))
    return np.stack(found, axis=1), (images.shape, patch_size)
""",
    "index": """
import numpy as np


def patchify_forward(images, patch_size):
    B, C, H, W = images.shape
    P = patch_size
    numbers = np.arange(C * H * W).reshape(C, H, W)
    table = []
    for top in range(0, H, P):
        for left in range(0, W, P):
            table.append(numbers[:, top : top + P, left : left + P].ravel())
    table = np.array(table)
    return images.reshape(B, -1)[:, table], (images.shape, table)


def patchify_backward(dpatches, cache):
    shape, table = cache
    flat = np.zeros((shape[0], table.size), dpatches.dtype)
    flat[:, table] = dpatches
    return flat.reshape(shape)
""",
    "joined": """
import numpy as np


def patchify_backward(dpatches, cache):
    (B, C, H, W), P = cache
    squares = dpatches.reshape(B, -1, C, P, P)
    across = W // P
    strips = []
    for start in range(0, squares.shape[1], across):
        row = [squares[:, start + i] for i in range(across)]
        strips.append(np.concatenate(row, axis=3))
    return np.concatenate(strips, axis=2)
""",
}

WRONG = [
    ("loops", "the patches counted down the columns", "wrong_order transposed", "piece = dpatches[:, n]", "piece = dpatches[:, c * rows + r]"),
    ("loops", "each patch transposed", "transposed wrong_order", "dpatches[:, n].reshape(B, C, P, P)", "dpatches[:, n].reshape(B, C, P, P).swapaxes(2, 3)"),
    ("loops", "a patch read as row, column, channel", "wrong_order", "dpatches[:, n].reshape(B, C, P, P)", "dpatches[:, n].reshape(B, P, P, C).transpose(0, 3, 1, 2)"),
    ("loops", "the same patch everywhere", "incomplete wrong_order wrong_variable", "            n += 1\n", ""),
    ("loops", "the first patch at each place of a row", "wrong_order wrong_variable", "piece = dpatches[:, n]", "piece = dpatches[:, c]"),
    ("loops", "the last row of patches left zero", "incomplete", "n = 0\n    for r in range(rows):", "n = 0\n    for r in range(rows - 1):"),
    ("loops", "the gradient of the first image for all", "incomplete wrong_variable", "piece = dpatches[:, n].reshape(B, C, P, P)", "piece = dpatches[:1, n].reshape(1, C, P, P)"),
    ("loops", "divided by the pixels of a patch", "scale", "return dimages", "return dimages / (P * P)"),
    ("loops", "divided by the number of patches", "scale", "return dimages", "return dimages / n"),
    ("loops", "the sign", "sign", "return dimages", "return -dimages"),
    ("loops", "forward: the patches counted down the columns", "wrong_order transposed", "out[:, r * cols + c] =", "out[:, c * rows + r] ="),
    ("loops", "forward: a patch flattened as row, column, channel", "wrong_order", "= piece.reshape(B, -1)", "= piece.transpose(0, 2, 3, 1).reshape(B, -1)"),
    ("loops", "forward: each patch transposed", "transposed wrong_order", "= piece.reshape(B, -1)", "= piece.swapaxes(2, 3).reshape(B, -1)"),
    ("pixels", "row and column inside a patch exchanged", "transposed wrong_order", "(y % P) * P + x % P", "(x % P) * P + y % P"),
    ("pixels", "the channel counted last", "wrong_order", "ch * P * P + (y % P) * P + x % P", "((y % P) * P + x % P) * C + ch"),
    ("pixels", "always the first channel", "wrong_variable incomplete", "ch * P * P + (y", "(y"),
    ("pixels", "the patches from right to left", "wrong_order", "x // P\n", "per_row - 1 - x // P\n"),
    ("einsum", "the rows of patches and of pixels mixed", "wrong_order", '"byxcij->bcyixj"', '"byxcij->bciyxj"'),
    ("einsum", "no transpose, the reshape only", "wrong_order", '    grid = np.einsum("byxcij->bcyixj", grid)\n', ""),
    ("einsum", "each patch transposed", "transposed wrong_order", '"byxcij->bcyixj"', '"byxcij->bcyjxi"'),
    ("einsum", "forward: no transpose, the reshape only", "wrong_order", '    grid = np.einsum("bcyixj->byxcij", grid)\n', ""),
    ("splits", "forward: the patches of the last strip first", "wrong_order", "in np.split(images, H // patch_size, axis=2)", "in np.split(images, H // patch_size, axis=2)[::-1]"),
    ("joined", "the patches shifted by one", "wrong_order", "squares[:, start + i]", "squares[:, start + i - 1]"),
    ("joined", "the rows of patches from the bottom", "wrong_order", "np.concatenate(strips, axis=2)", "np.concatenate(strips[::-1], axis=2)"),
]  # fmt: skip
