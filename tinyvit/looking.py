"""What attention looks at: how far from the asking patch, and where through all layers together."""

from .backend import get_array_module


def attention_distance(attn, grid, patch_size=1):
    """How far each head looks: the mean distance from asking to looked-at patch, by attention.

        distance[h] = mean over b, i of  sum_j attn[b, h, i, j] |place_j - place_i|

    attn : (B, h, N+1, N+1) of a layer; row = who looks, column = at whom, the class token first;
        without one (B, h, N, N), with a distillation token behind it (B, h, N+2, N+2)
    grid : (rows, columns) of the N patches
    patch_size : P [pixels]: a distance in pixels; 1: a distance in patches

    Returns (h,). A token before the patches has no place: its row and column are left out, and what
    each row gives the patches is made to sum to 1 again.
    Raises ValueError where attn is not of such a grid.

    Source: Dosovitskiy et al. 2021 (arXiv 2010.11929), appendix D.7 and figure 7, right; to leave
    the class token out is a choice made here.
    """
    xp = get_array_module(attn)
    rows, columns = grid
    first = attn.shape[-1] - rows * columns  # tokens before the patches
    if attn.ndim != 4 or attn.shape[-2] != attn.shape[-1] or first not in (0, 1, 2):
        N = rows * columns + 1
        raise ValueError(
            f"attn should be (B, h, {N}, {N}) for this grid (without a class token {N - 1}, with a "
            f"distillation token {N + 1}), not {attn.shape}"
        )
    n = xp.arange(rows * columns)
    y, x = n // columns, n % columns  # row and column of patch n
    apart = ((y[:, None] - y) ** 2 + (x[:, None] - x) ** 2) ** 0.5 * float(patch_size)  # (N, N)
    among = attn[:, :, first:, first:]
    among = among / among.sum(axis=-1, keepdims=True)
    return (among * apart).sum(axis=-1).mean(axis=(0, 2)).astype(attn.dtype)


def attention_rollout(attns):
    """Follow attention through the layers: how much of each input token is in each output token.

        A_l = 0.5 mean over heads of attn_l + 0.5 I          rollout = A_L @ ... @ A_2 @ A_1

    attns : list of (B, h, N, N), one a layer, the first layer first

    Returns (B, N, N): row = output token, column = input token; each row sums to 1.

    The identity stands for the residual connection, which hands each token on beside what it looked
    at. Values, weights and MLPs do not enter: this is a picture, not the model's derivative.

    Source: Abnar, Zuidema 2020 (arXiv 2005.00928); for images, with the mean over the heads,
    Dosovitskiy et al. 2021 (arXiv 2010.11929), appendix D.8.
    """
    xp = get_array_module(attns[0])
    rollout = xp.eye(attns[0].shape[-1], dtype=attns[0].dtype)
    for attn in attns:
        A = 0.5 * attn.mean(axis=1) + 0.5 * xp.eye(attn.shape[-1], dtype=attn.dtype)
        A = A / A.sum(axis=-1, keepdims=True)  # 1 already, but where dropout has been at it
        rollout = A @ rollout
    return rollout
