"""The pictures say what the numbers say; what they look like is for the eye."""

import subprocess
import sys

import numpy as np
import pytest
from drawn import texts
from PIL import Image

from tinyvit import show

RNG = np.random.default_rng(0)


def rows(count, held_out="test"):
    return [
        {
            "epoch": epoch,
            "train_loss": 2.3 / epoch,
            "train_accuracy": 0.97 - 0.5 / (epoch + 1),
            f"{held_out}_accuracy": 0.9912 - 0.2 / epoch**2,
            "learning_rate": 1e-3,
            "seconds": 20.0,
        }
        for epoch in range(1, count + 1)
    ]


@pytest.mark.parametrize("count", [1, 2, 12, 200])
@pytest.mark.parametrize("held_out", ["test", "validation"])
def test_curves_end_in_the_last_values(count, held_out):
    given = rows(count, held_out)
    figure = show.curves(given)
    written = texts(figure)
    assert f"{100 * given[-1][f'{held_out}_accuracy']:.2f}" in written
    assert f"{100 * given[-1]['train_accuracy']:.2f}" in written
    assert f"{given[-1]['train_loss']:.3g}" in written
    assert held_out in written and "train (augmented images)" in written
    loss, accuracy = figure.axes
    np.testing.assert_allclose(loss.lines[0].get_ydata(), [row["train_loss"] for row in given])
    low, high = accuracy.get_ylim()
    assert low < 100 * given[-1]["train_accuracy"] and 100 < high < 110


def test_curves_zoom_in_on_settled_accuracies():
    given = [row | {"train_accuracy": 0.98, "test_accuracy": 0.991} for row in rows(30)]
    given[0]["test_accuracy"] = given[0]["train_accuracy"] = 0.1
    low, _ = show.curves(given).axes[1].get_ylim()
    assert 95 < low < 98


def test_equal_last_values_are_written_apart():
    given = [row | {"train_accuracy": 0.99, "test_accuracy": 0.99} for row in rows(5)]
    figure = show.curves(given)
    figure.canvas.draw()
    first, second = [text.get_window_extent() for text in figure.axes[1].texts]
    assert not first.overlaps(second)


def test_confusion_counts_true_by_row_and_predicted_by_column():
    labels = np.array([0, 0, 0, 1, 2, 2, 2, 2])
    predictions = np.array([0, 0, 2, 1, 2, 2, 1, 1])
    figure = show.confusion(labels, predictions, 3)
    assert "62.50 % right: 3 errors in 8 images" in texts(figure)
    cells = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    # (predicted, true)
    assert cells == {(0, 0): "2", (2, 0): "1", (1, 1): "1", (2, 2): "2", (1, 2): "2"}


@pytest.mark.parametrize("num_classes, error_rate", [(10, 0.0), (10, 0.01), (47, 0.1)])
def test_confusion_of_many_classes(num_classes, error_rate):
    labels = RNG.integers(0, num_classes, 10_000)
    shift = (RNG.random(10_000) < error_rate) * 1
    figure = show.confusion(labels, (labels + shift) % num_classes, num_classes)
    expected = f"{100 * (1 - shift.mean()):.2f} % right: {shift.sum()} errors in 10000 images"
    assert expected in texts(figure)


def test_hardest_are_sorted_and_marked():
    images = np.zeros((5, 1, 6, 6), np.uint8)
    images[:, 0, 0, 0] = [10, 20, 30, 40, 50]  # so that an image can be told in the figure
    labels = np.array([0, 1, 2, 0, 1])
    probabilities = np.array(
        [[0.9, 0.06, 0.04], [0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [0.05, 0.05, 0.9], [0.0, 1.0, 0.0]]
    )
    logits = np.log(probabilities + 1e-30)
    logits[4, 1] = 2000.0  # large logits must not overflow
    figure = show.hardest(images, labels, logits, count=4)
    shown = [
        round(255 * axes.images[0].get_array()[0, 0, 0]) for axes in figure.axes if axes.images
    ]
    assert shown == [40, 20, 30, 10]  # -log 0.05, -log 0.2, -log 0.4, -log 0.9
    written = texts(figure)
    assert "The 4 hardest of 5 images" in written
    answers = [text for text in written if "✓" in text or "✗" in text]
    assert answers == ["✗ 2  (90 %)", "✗ 0  (70 %)", "✓ 2  (40 %)", "✓ 0  (90 %)"]


def test_attention_is_laid_over_the_right_patches():
    images = np.full((3, 1, 8, 8), -1, np.float32)
    maps = np.full((3, 2, 4), 0.05)
    maps[:, 1, 2] = 0.65
    figure = show.attention(images, maps, np.array([7, 2, 1]), np.array([7, 3, 1]))
    written = texts(figure)
    assert "✓ 7" in written and "✗ 3 (true 2)" in written
    assert "share of the\nattention [%]" in written
    below = figure.axes[3].images[0].get_array()
    brightness = below.sum(axis=-1)
    bright = np.zeros((8, 8), bool)
    bright[4:8, 4:6] = True  # patch (1, 2) of 2 x 4 is 4 pixels high and 2 wide
    assert (brightness[bright] > 2 * brightness[~bright].max()).all()
    scale = figure.axes[-1]
    assert scale.get_ylim() == pytest.approx((0, 65))
    assert "2" in texts(show.attention(images, maps, np.array([7, 2, 1])))


def test_predictions_name_the_best_first():
    images = np.zeros((2, 3, 8, 8), np.float32)
    probabilities = np.array([[0.1, 0.2, 0.7], [0.99999, 0.00001, 0.0]])
    figure = show.predictions(images, probabilities, ["a.png", "a/very/long/path/to/digit_two.png"])
    written = texts(figure)
    assert {"a.png", "70.0 %", "20.0 %", "10.0 %", "100.0 %", "< 0.1 %"} <= set(written)
    assert any(text.startswith("…") and text.endswith("digit_two.png") for text in written)
    bars = figure.axes[1]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["2", "1", "0"]


def all_figures():
    images = RNG.integers(0, 256, (8, 1, 28, 28), dtype=np.uint8)
    labels, logits = RNG.integers(0, 10, 8), RNG.normal(size=(8, 10))
    yield "curves", show.curves(rows(12))
    yield "confusion", show.confusion(labels, logits.argmax(axis=1), 10)
    yield "hardest", show.hardest(images, labels, logits)
    maps = RNG.random((8, 7, 7)) / 49
    yield "attention", show.attention(images, maps, labels, logits.argmax(axis=1))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    yield "predictions", show.predictions(images[:2], probabilities[:2], ["a.png", "b.png"])


def test_figures_are_saved_and_nothing_is_cut_off(tmp_path):
    for name, figure in all_figures():
        show.save(figure, tmp_path / f"{name}.png")
        with Image.open(tmp_path / f"{name}.png") as image:
            assert image.format == "PNG" and min(image.size) >= 300
        drawn = figure.get_tightbbox()  # [inches]
        width, height = figure.get_size_inches()
        assert drawn.x0 >= 0 and drawn.x1 <= width, name
        assert drawn.y0 >= 0 and drawn.y1 <= height, name
    assert len(list(tmp_path.iterdir())) == 5  # and no half-written file is left


def test_pyplot_is_not_touched():
    code = "import sys, tinyvit.show; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
