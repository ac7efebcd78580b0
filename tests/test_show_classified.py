"""The picture of a named photograph says what the numbers say."""

import numpy as np
import pytest
from drawn import texts

from tinyvit import show

RNG = np.random.default_rng(0)
NAMES = [f"thing {k}" for k in range(7)]


def figure_of(images, maps, names=NAMES, titles=None, probabilities=None):
    if probabilities is None:
        probabilities = np.tile([0.05, 0.5, 0.0001, 0.2499, 0.1, 0.06, 0.04], (len(images), 1))
    titles = titles or [f"{n}.jpg" for n in range(len(images))]
    return show.classified(images, probabilities, names, titles, maps)


def test_the_best_are_named_in_order_with_their_share():
    images = RNG.integers(0, 256, (2, 3, 8, 8), dtype=np.uint8)
    probabilities = np.array([[0.05, 0.5, 0.01, 0.2499, 0.1, 0.06, 0.0301]] * 2)
    probabilities[1] = [0.9999, 0.00006, 0.00004, 0, 0, 0, 0]
    figure = figure_of(images, {}, probabilities=probabilities)
    _, first, _, second = figure.axes
    written = [text.get_text() for text in first.texts]
    assert written[::2] == ["thing 1", "thing 3", "thing 4", "thing 5", "thing 0"]
    assert written[1::2] == ["50.0 %", "25.0 %", "10.0 %", "6.0 %", "5.0 %"]
    np.testing.assert_allclose([bar.get_width() for bar in first.patches], [50, 24.99, 10, 6, 5])
    assert [text.get_text() for text in second.texts][1:4:2] == ["100.0 %", "< 0.1 %"]


def test_attention_lights_its_patch_and_names_its_range():
    images = np.full((2, 3, 12, 12), 100, np.uint8)
    maps = np.full((2, 2, 3), 0.1)
    maps[0, 1, 2], maps[1, 0, 0] = 0.3, 0.1234
    figure = figure_of(images, {"rollout": maps, "even": np.full((2, 2, 3), 1 / 6)})
    _, over, even, _, _, over_second, *_ = figure.axes
    for axes, rows, columns in (
        (over, slice(6, 12), slice(8, 12)),
        (over_second, slice(6), slice(4)),
    ):
        drawn = np.asarray(axes.images[0].get_array())
        lit = np.zeros((12, 12), bool)
        lit[rows, columns] = True
        assert drawn[lit].min() > drawn[~lit].max()
    assert np.ptp(np.asarray(even.images[0].get_array())) < 0.01  # and no division by zero
    written = texts(figure)
    assert {"a patch: 10.00 to 30.00 %", "a patch: 10.00 to 12.34 %", "rollout", "even"} <= set(
        written
    )


def test_few_classes_long_names_and_grey():
    names = ["a" * 60, "b"]
    probabilities = np.array([[0.3, 0.7]])
    images = RNG.integers(0, 256, (1, 1, 8, 8), dtype=np.uint8)
    title = "a/very/long/path/to/some/photograph.jpg"
    figure = figure_of(images, {}, names, [title], probabilities)
    written = texts(figure)
    assert "a" * 31 + "…" in written and "8x8 pixels" in written
    assert any(text.startswith("…") and text.endswith("photograph.jpg") for text in written)
    np.testing.assert_allclose(
        figure.axes[0].images[0].get_array()[..., 2], images[0, 0] / 255, atol=1e-6
    )


@pytest.mark.parametrize("count", [1, 3])
def test_nothing_is_cut_off_or_overlaps(count):
    images = RNG.integers(0, 256, (count, 3, 16, 16), dtype=np.uint8)
    maps = {"class token, last block": RNG.random((count, 4, 4))}
    maps["class token, all blocks (rollout)"] = RNG.random((count, 4, 4))
    names = ["American Staffordshire terrier"] * 7
    figure = figure_of(images, maps, names, ["folder/IMG_20260131_142536_HDR.JPG"] * count)
    figure.canvas.draw()
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert drawn.x0 >= 0 and drawn.x1 <= width and drawn.y0 >= 0 and drawn.y1 <= height
    boxes = [
        text.get_window_extent()
        for axes in figure.axes
        for text in (*axes.texts, axes.title, axes.xaxis.label)
        if text.get_text()
    ]
    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
    assert not any(a.overlaps(b) for a, b in pairs)
