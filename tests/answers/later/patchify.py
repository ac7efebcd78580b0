"""Later answers to the exercise patchify, written after the diagnosis was finished."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "every_pth_pixel": """
import numpy as np


def patchify_forward(images, patch_size):
    B, C, H, W = images.shape
    P = patch_size
    out = np.empty((B, (H // P) * (W // P), C * P * P), images.dtype)
    k = 0
    for c in range(C):
        for i in range(P):
            for j in range(P):
                out[:, :, k] = images[:, c, i::P, j::P].reshape(B, -1)
                k += 1
    return out, {"shape": images.shape, "P": P}


def patchify_backward(dpatches, cache):
    B, C, H, W = cache["shape"]
    P = cache["P"]
    rows, cols = H // P, W // P
    dimages = np.zeros((B, C, H, W), dpatches.dtype)
    for c in range(C):
        for i in range(P):
            for j in range(P):
                k = c * P * P + i * P + j
                values = dpatches[:, :, k].reshape(B, rows, cols)
                dimages[:, c, i::P, j::P] = values
    return dimages
""",
    "swaps": """
def patchify_backward(dpatches, cache):
    (b, c, h, w), p = cache
    g = dpatches.reshape(b, h // p, w // p, c, p, p)
    g = g.swapaxes(2, 3)  # (b, rows, c, cols, p, p)
    g = g.swapaxes(1, 2)  # (b, c, rows, cols, p, p)
    g = g.swapaxes(3, 4)  # (b, c, rows, p, cols, p)
    return g.reshape(b, c, h, w)
""",
}

WRONG = [
    ("every_pth_pixel", "i and j exchanged inside the patch", "transposed wrong_order", "k = c * P * P + i * P + j", "k = c * P * P + j * P + i"),
    ("every_pth_pixel", "a patch read with the channel last", "wrong_order", "k = c * P * P + i * P + j", "k = (i * P + j) * C + c"),
    ("every_pth_pixel", "the patches counted column by column", "wrong_order transposed", "values = dpatches[:, :, k].reshape(B, rows, cols)", "values = dpatches[:, :, k].reshape(B, cols, rows).swapaxes(1, 2)"),
    ("every_pth_pixel", "the first channel only", "incomplete", "    for c in range(C):\n        for i in range(P):\n            for j in range(P):\n                k =", "    for c in range(1):\n        for i in range(P):\n            for j in range(P):\n                k ="),
    ("every_pth_pixel", "divided by the pixels of a patch, as for a mean", "scale", "return dimages", "return dimages / (P * P)"),
    ("every_pth_pixel", "the last column of each patch left out", "incomplete", "            for j in range(P):\n                k =", "            for j in range(P - 1):\n                k ="),
    ("every_pth_pixel", "forward: i and j exchanged in the loops", "transposed wrong_order", "                out[:, :, k] = images[:, c, i::P, j::P]", "                out[:, :, k] = images[:, c, j::P, i::P]"),
    ("every_pth_pixel", "forward: the channel counted fastest", "wrong_order", "out[:, :, k] =", "out[:, :, (i * P + j) * C + c] ="),
    ("swaps", "the last exchange forgotten", "wrong_order", "    g = g.swapaxes(3, 4)", "    g = g"),
    ("swaps", "a reshape alone", "wrong_order", "    g = dpatches.reshape(b, h // p, w // p, c, p, p)\n", "    return dpatches.reshape(b, c, h, w)\n    g = dpatches.reshape(b, h // p, w // p, c, p, p)\n"),
    ("swaps", "row and column of the pixel exchanged", "transposed wrong_order", "g = g.swapaxes(3, 4)  #", "g = g.swapaxes(4, 5).swapaxes(3, 4)  #"),
    ("swaps", "reshaped as if the channel came last", "wrong_order", "    g = dpatches.reshape(b, h // p, w // p, c, p, p)\n", "    g = dpatches.reshape(b, h // p, w // p, p, p, c)\n    g = g.transpose(0, 1, 2, 5, 3, 4)\n"),
    ("swaps", "divided by the batch", "scale", "return g.reshape(b, c, h, w)", "return g.reshape(b, c, h, w) / b"),
    ("every_pth_pixel", "forward: the patches counted column by column", "wrong_order transposed", "images[:, c, i::P, j::P].reshape(B, -1)", "images[:, c, i::P, j::P].swapaxes(1, 2).reshape(B, -1)"),
]  # fmt: skip
