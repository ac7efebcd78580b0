"""Positions for another resolution: a learned table, stretched to a new grid of patches."""

from math import isqrt

import numpy as np

from ..errors import InputError
from ..interpolation import resize


def interpolate_pos_embed(pos_embed, grid, *, method="bicubic", num_prefix_tokens=1):
    """Resize the grid of a position table, so that a model runs at another image size.

        new[:, :, d] = rows @ old[:, :, d] @ columns.T          for each feature d

    The patches lie on a grid of R x R, and each has a row of D features. So each feature d is a
    small picture of R x R values, and is resized as one: `rows` and `columns` are
    `interpolation_matrix(R, new, method)`. The rows in front (class, distillation) have no place
    in the image and stay as they are.

    pos_embed : (1, n + R*R, D) the table, n = num_prefix_tokens
    grid : patches along a side of the new image, or (rows, columns)
    method : as the project does it that the table comes from
             "bilinear": timm, for .npz files
             "bicubic_antialias": timm, for all others
             "bicubic": transformers
             "bilinear_corners": google-research/vision_transformer and big_vision
    num_prefix_tokens : rows before the grid's

    Returns
        pos_embed : (1, n + rows*columns, D) a new array of the same dtype
    Raises InputError when the table is no square grid after its prefix, and for a grid or method
    that there is none of.

    Source: Dosovitskiy et al. 2021 (arXiv 2010.11929), section 3.2.
    """
    side = _old_side(np.shape(pos_embed), num_prefix_tokens)
    rows, columns = _two_sides(grid)
    prefix, patches = np.split(pos_embed, [num_prefix_tokens], axis=1)
    old = patches.reshape(side, side, -1)  # (R, R, D)
    new = resize(old, (rows, columns), method)  # (rows, columns, D)
    new = new.reshape(1, rows * columns, -1).astype(pos_embed.dtype)
    return np.concatenate([prefix, new], axis=1)


def _old_side(shape, num_prefix_tokens):
    if len(shape) != 3 or shape[0] != 1:
        raise InputError(f"a position table is (1, tokens, embed_dim), this one is {shape}")
    counts = {n: shape[1] - n for n in {0, 1, 2, num_prefix_tokens} if 0 <= n < shape[1]}
    sides = {n: isqrt(count) for n, count in counts.items() if isqrt(count) ** 2 == count}
    if num_prefix_tokens in sides:
        return sides[num_prefix_tokens]
    fits = " or ".join(f"{n} (a grid of {side}x{side})" for n, side in sorted(sides.items()))
    raise InputError(
        f"a position table of {shape[1]} rows is no square grid after num_prefix_tokens="
        f"{num_prefix_tokens}: {f'{fits} would fit' if fits else '0, 1 and 2 do not fit either'}"
    )


def _two_sides(grid):
    sides = (grid, grid) if np.ndim(grid) == 0 else tuple(grid)
    whole = all(isinstance(side, (int, np.integer)) for side in sides)
    if len(sides) != 2 or not whole or min(sides) < 1:
        raise InputError(
            f"a grid of {grid!r} patches cannot be: give one whole number from 1 on, or "
            "(rows, columns)"
        )
    return sides
