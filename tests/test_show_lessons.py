"""The drawings of the lessons: blocks to scale, colours, curves say what the numbers say."""

import numpy as np
import pytest
from matplotlib.text import Text

from tinyvit import show

RNG = np.random.default_rng(0)


def texts(figure):
    """Everything that is written in a figure, once it is drawn."""
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def nothing_is_cut_off(figure):
    """Whether all that is drawn lies inside the figure."""
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    return min(drawn.x0, drawn.y0) >= -0.01 and drawn.x1 <= width and drawn.y1 <= height


def sheets(figure, name):
    """Width and height of the sheets of a block [inches]."""
    patches = [patch for patch in figure.axes[0].patches if patch.get_label() == name]
    return [(patch.get_width(), patch.get_height()) for patch in patches]


def test_blocks_are_to_scale_and_named():
    shapes = {"tokens": (1, 197, 768), "hidden": np.zeros((1, 197, 3072)), "q": (1, 12, 197, 64)}
    figure = show.tensors(shapes)
    written = texts(figure)
    assert "tokens\n(1, 197, 768)" in written and "q\n(1, 12, 197, 64)" in written
    (tokens,), (hidden,), q = (sheets(figure, name) for name in shapes)
    assert hidden[0] / tokens[0] == pytest.approx(4) and hidden[1] == pytest.approx(tokens[1])
    assert len(q) == 12
    assert tokens[0] / q[0][0] == pytest.approx(12) and q[0][1] == pytest.approx(tokens[1])
    assert nothing_is_cut_off(figure)


def test_a_stack_of_many_sheets_says_how_many():
    figure = show.tensors({"qkv": (3, 1, 12, 197, 64), "x": (197, 768)})
    assert "qkv\n(3, 1, 12, 197, 64)\n12 of 36 sheets drawn" in texts(figure)


@pytest.mark.parametrize(
    "shapes",
    [
        {"a": (1000,)},
        {"b": (1, 3, 224, 224), "logits": (1, 1000)},
        {f"t{n}": (5, 7) for n in range(20)},
    ],
)
def test_blocks_of_all_sizes_fit(shapes):
    assert nothing_is_cut_off(show.tensors(shapes))


def test_heatmaps_share_a_scale_with_white_at_zero():
    a, b = RNG.normal(size=(3, 4)), 5 * RNG.normal(size=(2, 4))
    figure = show.heatmaps({"a": a, "b": b}, rows="token", columns="feature")
    images = [axes.images[0] for axes in figure.axes if axes.images][:2]
    most = max(abs(a).max(), abs(b).max())
    for image, matrix in zip(images, (a, b), strict=True):
        np.testing.assert_allclose(image.get_array(), matrix)
        assert image.get_clim() == pytest.approx((-most, most))
    written = texts(figure)
    assert "a\n(3, 4)" in written and f"{a[0, 0]:.2f}" in written and "token" in written
    assert nothing_is_cut_off(figure)


def test_heatmaps_of_shares_start_at_zero_and_large_ones_hold_no_numbers():
    matrix = RNG.random((50, 50))
    figure = show.heatmaps({"attn": matrix}, same_scale=False)
    assert figure.axes[0].images[0].get_clim() == pytest.approx((0, matrix.max()))
    assert not figure.axes[0].texts


def test_a_vector_is_one_row():
    figure = show.heatmaps({"v": np.array([1.0, -2.0, 3.0])}, digits=0)
    assert {"v\n(3,)", "1", "-2", "3"} <= set(texts(figure))


def test_lines_and_their_names():
    x = np.linspace(1, 10, 7)
    spread = {"a": 0.1 * x, "b": 0.2 * x}
    figure = show.lines(x, {"a": x, "b": x**2}, xlabel="h", logy=True, errors=spread, points=True)
    axes = figure.axes[0]
    assert axes.get_yscale() == "log" and axes.get_xlabel() == "h"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), x)
    assert {line.get_linestyle() for line in axes.get_lines()} >= {"-", "--"}


def test_bars_are_as_long_as_their_numbers():
    figure = show.bars({"attention": 2.0, "MLP": 4.0, "lost": -1.0}, ylabel="share")
    assert [bar.get_width() for bar in figure.axes[0].patches] == [2, 4, -1]
    assert {"attention", "MLP", "2", "4", "-1", "share"} <= set(texts(figure))


def test_the_photograph_is_an_image_for_a_vit():
    image = show.photograph(64)
    assert image.shape == (1, 3, 64, 64) and image.dtype == np.float32
    assert -1 <= image.min() < -0.9 and 0.9 < image.max() <= 1


def test_pictures_show_the_pixels_and_the_patches():
    image = RNG.integers(0, 256, (3, 32, 48), dtype=np.uint8)
    figure = show.pictures({"photo": image}, grid=16)
    np.testing.assert_allclose(figure.axes[0].images[0].get_array()[5, 7], image[:, 5, 7] / 255)
    assert "photo\n(3, 32, 48)" in texts(figure)
    rows, columns = figure.axes[0].collections
    assert len(rows.get_segments()) == 3 and len(columns.get_segments()) == 4


def test_looks_are_bright_where_attention_falls():
    share = np.full((4, 4), 0.01)
    share[1, 2] = 0.85
    image = np.full((1, 8, 8), -1, np.float32)
    figure = show.looks(image, {"head 0": share}, asking={"head 0": (3, 0)})
    brightness = figure.axes[1].images[0].get_array().sum(axis=-1)
    bright = np.zeros((8, 8), bool)
    bright[2:4, 4:6] = True
    assert brightness[bright].min() > 2 * brightness[~bright].max()
    (frame,) = [patch for patch in figure.axes[1].patches if patch.get_width() == 2]
    assert frame.get_xy() == (-0.5, 5.5)
