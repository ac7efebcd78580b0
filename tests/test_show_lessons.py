"""The drawings of the lessons: blocks to scale, colours, curves say what the numbers say."""

import numpy as np
import pytest
from drawn import texts

from tinyvit import show
from tinyvit.ops import patchify_forward

RNG = np.random.default_rng(0)


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


def test_patches_apart_are_the_patches_in_their_order():
    image = RNG.integers(0, 256, (3, 8, 12), dtype=np.uint8)
    patches = patchify_forward(image[None], 4)[0][0]
    figure = show.patch_grid(image, patches, 4)
    whole, apart = (axes.images[0].get_array() for axes in figure.axes)
    np.testing.assert_allclose(whole[5, 7], image[:, 5, 7] / 255)
    np.testing.assert_allclose(apart[5:9, 5:9], whole[4:8, 4:8])  # patch 4, one pixel between
    assert (apart[4] == 1).all() and (apart[:, 4] == 1).all()
    written = texts(figure)
    assert {"0 to 2", "3 to 5", "image (3, 8, 12)", "patches (6, 48)"} <= set(written)
    assert nothing_is_cut_off(figure)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_patch_its_channels_and_its_vector_hold_the_same_numbers(channels):
    image = RNG.uniform(-1, 1, (channels, 8, 12))
    vector = patchify_forward(image[None], 4)[0][0, 4]
    figure = show.patch_vector(image, vector, 4, 4)
    _, _, *planes, strip = figure.axes
    for channel, axes in enumerate(planes):
        np.testing.assert_allclose(axes.images[0].get_array(), image[channel, 4:8, 4:8])
    np.testing.assert_allclose(strip.images[0].get_array()[0], vector)
    assert figure.axes[0].patches[0].get_xy() == (3.5, 3.5)
    assert f"the vector ({16 * channels},)" in texts(figure)
    assert nothing_is_cut_off(figure)


@pytest.mark.parametrize("back", [False, True])
def test_a_number_has_the_colour_of_its_patch_in_both_places(back):
    image = np.arange(24.0).reshape(4, 6)
    patches = patchify_forward(image[None, None], 2)[0][0]
    figure = show.patch_places(image, patches, 2, back=back)
    left, _, right = figure.axes

    def colours(axes):
        numbers = [text.get_text() for text in axes.texts]
        return dict(zip(numbers, [p.get_facecolor() for p in axes.patches], strict=True))

    assert colours(left) == colours(right) and len(set(colours(left).values())) >= 6
    assert "patch 5" in texts(figure)
    assert nothing_is_cut_off(figure)


def test_answers_stand_below_their_filters():
    filters, maps = RNG.normal(size=(2, 3, 4, 4)), RNG.normal(size=(2, 2, 3))
    figure = show.answers(RNG.uniform(-1, 1, (3, 8, 12)), filters, maps, titles=["one", "two"])
    _, _, _, filter1, answer1 = (axes.images[0] for axes in figure.axes)
    np.testing.assert_allclose(filter1.get_array(), filters[1].mean(axis=0))
    np.testing.assert_allclose(answer1.get_array(), maps[1])
    assert answer1.get_clim() == pytest.approx((-abs(maps[1]).max(), abs(maps[1]).max()))
    assert {"two\nfilter (3, 4, 4)", "answers (2, 3)"} <= set(texts(figure))
    assert nothing_is_cut_off(figure)


def test_tiles_lie_where_they_belong():
    maps = RNG.uniform(0, 1, (2, 3, 4, 5))
    figure = show.tiles({"a": maps, "b": maps - 0.5}, unit="similarity", row_names=(0, 7))
    sheet = figure.axes[0].images[0].get_array()
    assert sheet.shape == (2 * 5 - 1, 3 * 6 - 1)
    np.testing.assert_allclose(sheet[5:9, 12:17], maps[1, 2])
    assert np.isnan(np.ma.filled(sheet, np.nan)[4]).all()
    low, high = figure.axes[1].images[0].get_clim()
    assert -low == high == pytest.approx(maps.max())
    assert {"a\neach map (4, 5)", "similarity", "7"} <= set(texts(figure))
    assert nothing_is_cut_off(figure)
    shares = show.tiles({"a": maps}, limits=(0, 1))
    assert shares.axes[0].images[0].get_clim() == (0, 1)


def test_a_product_lies_where_rows_meet_columns_and_its_sum_is_right():
    left, right = RNG.integers(-9, 10, (3, 6)) / 10, RNG.integers(-9, 10, (6, 4)) / 10
    named = {"names": ("dout.T", "x", "dweight"), "axes": ("output", "token", "input")}
    figure = show.product(left, right, entry=(2, 1), **named)
    a, b, out = figure.axes
    np.testing.assert_allclose(out.images[0].get_array(), left @ right)
    assert a.get_position().y0 == pytest.approx(out.get_position().y0)
    assert b.get_position().x0 == pytest.approx(out.get_position().x0)
    (said,) = (text.get_text() for text in figure.texts)
    lines = said.splitlines()
    assert lines[0] == "dweight[2, 1] =" and len(lines) == 1 + 6 + 1
    assert float(lines[-1].split()[-1]) == pytest.approx((left @ right)[2, 1], abs=0.005)
    assert sum(float(line.split()[-1]) for line in lines[1:-1]) == pytest.approx(
        (left @ right)[2, 1], abs=0.01
    )
    assert {"dweight (3, 4)", "x (6, 4)"} <= set("\n".join(texts(figure)).splitlines())
    assert nothing_is_cut_off(figure)


def test_dots_stand_at_their_values_a_group_beside_the_other():
    groups = {"after": RNG.random((3, 4)) * 9, "before": RNG.random((3, 4)) * 9}
    figure = show.dots([0, 1, 2], groups, levels={"even: 14.4": 14.4}, xlabel="block")
    axes = figure.axes[0]
    for collection, values, side in zip(axes.collections, groups.values(), (-1, 1), strict=True):
        x, y = collection.get_offsets().T
        np.testing.assert_allclose(y, values.ravel())
        assert (np.round(x) == np.repeat([0, 1, 2], 4)).all()
        assert (np.sign(x - np.round(x)) == side).all()
    assert axes.lines[0].get_ydata()[0] == 14.4 and axes.get_ylim()[0] == 0
    assert {"after", "before", "even: 14.4", "block"} <= set(texts(figure))
    assert nothing_is_cut_off(figure)


def test_maps_lie_below_their_images_each_scaled_to_its_own_largest():
    images = np.full((3, 1, 8, 8), -1, np.float32)
    flat, one = np.full((3, 2, 2), 0.25), np.zeros((3, 2, 2))
    one[:, 1, 0] = 0.01  # the only patch, however small its share
    figure = show.maps_below(images, {"flat": flat, "one": one}, [4, 1, 7], [4, 9, 7])
    assert {"image", "flat", "one", "✓ 4", "✗ 9 (is 1)", "✓ 7"} <= set(texts(figure))
    panels = np.reshape(figure.axes, (3, 3))  # image, flat, one
    light = [panel.images[0].get_array().sum(axis=-1) for panel in panels[:, 0]]
    assert (light[1] == light[1].max()).all() and light[1].max() > 2.5
    bright = np.zeros((8, 8), bool)
    bright[4:, :4] = True
    np.testing.assert_allclose(light[2][bright], light[1].max())
    assert light[2][~bright].max() < 0.1
    assert nothing_is_cut_off(figure)
    assert "4" in texts(show.maps_below(images, {"flat": flat}, [4, 1, 7]))
