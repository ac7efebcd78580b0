"""A position table for another resolution is the one that its source project makes."""

import numpy as np
import pytest
from side_by_side import mend_torchvision

from tinyvit.checkpoint.positions import interpolate_pos_embed
from tinyvit.errors import InputError
from tinyvit.interpolation import METHODS

GRIDS = [(14, 24), (24, 14), (7, 12), (7, 8), (4, 1), (1, 3), (3, (5, 2))]
IN_TIMM = {
    "bilinear": {"interpolation": "bilinear", "antialias": False},
    "bicubic": {"interpolation": "bicubic", "antialias": False},
    "bicubic_antialias": {},
}

each_method = pytest.mark.parametrize("method", METHODS)
each_prefix = pytest.mark.parametrize("prefix", [0, 1, 2])
each_grid = pytest.mark.parametrize(("side", "grid"), GRIDS)


def table(side, prefix=1, dtype="float32"):
    """A table as models begin with it: normal numbers, 0.02 wide."""
    shape = 1, prefix + side**2, 5
    return (0.02 * np.random.default_rng(0).standard_normal(shape)).astype(dtype)


def shape_of(grid):
    return (grid, grid) if isinstance(grid, int) else grid


@each_method
@each_grid
@pytest.mark.parametrize(("prefix", "dtype"), [(0, "float64"), (1, "float32"), (2, "float32")])
def test_a_constant_grid_stays_and_so_does_the_prefix(method, side, grid, prefix, dtype):
    old = table(side, prefix, dtype)
    old[:, prefix:] = old[:, -1:]
    rows, columns = shape_of(grid)
    new = interpolate_pos_embed(old, grid, method=method, num_prefix_tokens=prefix)
    assert new.shape == (1, prefix + rows * columns, 5) and new.dtype == dtype
    assert np.array_equal(new[:, :prefix], old[:, :prefix])
    assert abs(new[:, prefix:] - old[:, -1:]).max() < 1e-8


@each_method
def test_rows_stay_rows_and_columns_stay_columns(method):
    """Feature 0 is the patch's row, feature 1 its column, 2 the product: all from 0 to 1."""
    x = np.linspace(0, 1, 4)
    row, column = np.meshgrid(x, x, indexing="ij")
    old = np.stack([row, column, row * column], axis=-1).reshape(1, 16, 3)
    new = interpolate_pos_embed(old, (6, 9), method=method, num_prefix_tokens=0)
    row, column, product = np.moveaxis(new.reshape(6, 9, 3), -1, 0)
    assert abs(row - row[:, :1]).max() < 1e-12 and abs(column - column[:1]).max() < 1e-12
    assert abs(product - row * column).max() < 1e-12
    assert (np.diff(row[1:-1, 0]) > 0.1).all() and (np.diff(column[0, 1:-1]) > 0.05).all()
    if method == "bilinear_corners":
        assert abs(row[:, 0] - np.linspace(0, 1, 6)).max() < 1e-12
        assert abs(column[0] - np.linspace(0, 1, 9)).max() < 1e-12


@each_method
@each_prefix
def test_the_same_grid_gives_an_equal_table_of_its_own(method, prefix):
    old = table(7, prefix)
    old.flags.writeable = False
    new = interpolate_pos_embed(old, 7, method=method, num_prefix_tokens=prefix)
    assert np.array_equal(new, old)
    assert not np.shares_memory(new, old) and new.flags.writeable


@each_method
def test_float32_is_rounded_once(method):
    old = table(7)
    new = interpolate_pos_embed(old, 12, method=method)
    exact = interpolate_pos_embed(old.astype("float64"), 12, method=method)
    assert np.array_equal(new, exact.astype("float32"))


@pytest.mark.parametrize("method", IN_TIMM)
@each_grid
@each_prefix
def test_timm_makes_the_same_table(method, side, grid, prefix):
    mend_torchvision()
    torch, layers = pytest.importorskip("torch"), pytest.importorskip("timm.layers")
    old = table(side, prefix)
    theirs = layers.resample_abs_pos_embed(
        torch.from_numpy(old),
        list(shape_of(grid)),
        num_prefix_tokens=prefix,
        **IN_TIMM[method],
    )
    ours = interpolate_pos_embed(old, grid, method=method, num_prefix_tokens=prefix)
    assert abs(ours - theirs.numpy()).max() < 1e-7


@each_grid
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-7), ("float64", 1e-14)])
def test_transformers_makes_the_same_table(side, grid, dtype, tolerance):
    mend_torchvision()
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    from transformers.models.vit.modeling_vit import ViTEmbeddings

    old = table(side, dtype=dtype)
    config = transformers.ViTConfig(image_size=2 * side, patch_size=2, hidden_size=5)
    embeddings = ViTEmbeddings(config)
    embeddings.position_embeddings = torch.nn.Parameter(torch.from_numpy(old))
    rows, columns = shape_of(grid)
    tokens = torch.zeros(1, 1 + rows * columns, 5)
    theirs = embeddings.interpolate_pos_encoding(tokens, 2 * rows, 2 * columns)
    ours = interpolate_pos_embed(old, grid)
    assert abs(ours - theirs.detach().numpy()).max() < tolerance


@each_grid
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-8), ("float64", 1e-14)])
def test_scipy_makes_the_same_table(side, grid, dtype, tolerance):
    ndimage = pytest.importorskip("scipy.ndimage")
    old = table(side, dtype=dtype)
    rows, columns = shape_of(grid)
    patches = old[0, 1:].reshape(side, side, 5)
    theirs = ndimage.zoom(patches, (rows / side, columns / side, 1), order=1)
    ours = interpolate_pos_embed(old, grid, method="bilinear_corners")
    assert abs(ours[0, 1:] - theirs.reshape(-1, 5)).max() < tolerance


@pytest.mark.parametrize(
    ("rows", "prefix", "said"),
    [
        (198, 1, r"198 rows .* num_prefix_tokens=1: 2 \(a grid of 14x14\) would fit"),
        (196, 1, r"196 rows .* num_prefix_tokens=1: 0 \(a grid of 14x14\) would fit"),
        (2, 0, r"num_prefix_tokens=0: 1 \(a grid of 1x1\) would fit"),
        (195, 1, r"num_prefix_tokens=1: 0, 1 and 2 do not fit either"),
        (195, -1, r"num_prefix_tokens=-1: 0, 1 and 2 do not fit either"),
        (1, 1, r"num_prefix_tokens=1: 0 \(a grid of 1x1\) would fit"),
    ],
)
def test_a_table_that_is_no_square_says_what_would_fit(rows, prefix, said):
    with pytest.raises(InputError, match=said):
        interpolate_pos_embed(np.zeros((1, rows, 3)), 7, num_prefix_tokens=prefix)


def test_more_prefix_tokens_than_two():
    old = table(4, prefix=5)
    new = interpolate_pos_embed(old, 6, num_prefix_tokens=5)
    assert np.array_equal(new[:, :5], old[:, :5]) and new.shape == (1, 5 + 36, 5)


@pytest.mark.parametrize("shape", [(197, 8), (2, 197, 8), (1, 14, 14, 8)])
def test_a_table_has_three_axes(shape):
    with pytest.raises(InputError, match=r"is \(1, tokens, embed_dim\), this one is \("):
        interpolate_pos_embed(np.zeros(shape), 7)


@pytest.mark.parametrize("grid", [0, -7, 2.5, (7, 0), (7,), (7, 7, 7), "7"])
def test_a_grid_is_one_whole_number_or_two(grid):
    with pytest.raises(InputError, match="give one whole number from 1 on, or"):
        interpolate_pos_embed(table(4), grid)


def test_an_unknown_method_names_those_there_are():
    with pytest.raises(InputError, match="'nearest' is not known: use one of bilinear, "):
        interpolate_pos_embed(table(4), 7, method="nearest")
