"""The pictures that a training run leaves behind."""

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm, PowerNorm
from matplotlib.ticker import MaxNLocator

from ..backend import to_numpy
from .style import (
    BLUE,
    GREY,
    ORANGE,
    RED,
    TEXT,
    TITLE,
    as_rgb,
    blank_figure,
    end_of,
    enlarged,
    name_axes,
)


def curves(rows):
    """Draw the loss and the accuracies over the epochs.

    rows : list of dicts, as the lines of metrics.jsonl: `epoch`, `train_loss` [nats],
        `train_accuracy` and `test_accuracy` or `validation_accuracy` [0 to 1]

    Returns the Figure.
    """
    figure = blank_figure(11, 4.6)
    loss, accuracy = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]
    held_out = "test" if "test_accuracy" in rows[0] else "validation"
    train = [100 * row["train_accuracy"] for row in rows]
    test = [100 * row[f"{held_out}_accuracy"] for row in rows]

    marker = "o" if len(rows) <= 20 else ""
    losses = [row["train_loss"] for row in rows]
    loss.plot(epochs, losses, color=RED, marker=marker, linewidth=2)
    _name(loss, "Training loss [nats]")
    loss.set_ylim(bottom=0)
    _end_values(loss, epochs, [(losses[-1], RED, f"{losses[-1]:.3g}")])

    accuracy.plot(epochs, test, color=BLUE, marker=marker, linewidth=2, label=held_out)
    augmented = "train (augmented images)"
    accuracy.plot(epochs, train, color=ORANGE, marker=marker, linewidth=2, ls="--", label=augmented)
    _name(accuracy, "Accuracy [%]")
    accuracy.set_ylim(*_zoomed(train, test))
    figure.legend(fontsize=TEXT, loc="outside lower right", ncols=2, frameon=False)
    ends = [(test[-1], BLUE, f"{test[-1]:.2f}"), (train[-1], ORANGE, f"{train[-1]:.2f}")]
    _end_values(accuracy, epochs, ends)
    return figure


def confusion(labels, predictions, num_classes):
    """Draw how often each class was taken for each: right ones in grey, errors in colour.

    labels, predictions : (n,) int
    num_classes : K

    Returns the Figure.
    """
    labels, predictions = to_numpy(labels), to_numpy(predictions)
    counts = np.zeros((num_classes, num_classes), int)  # [true, predicted]
    np.add.at(counts, (labels, predictions), 1)
    right = np.eye(num_classes, dtype=bool)
    errors, total = int(counts[~right].sum()), len(labels)

    side = max(7.5, 0.3 * num_classes)
    figure = blank_figure(1.08 * side + 0.2, side)
    axes = figure.subplots()
    diagonal = np.ma.masked_where(~right, counts)
    axes.imshow(diagonal, cmap="Greys", vmin=0, vmax=4 * max(1, counts.max()))
    wrong = np.ma.masked_where(right | (counts == 0), counts)
    colours = ListedColormap(colormaps["YlOrRd"](np.linspace(0.15, 0.9, 256)))
    most = max(2, counts[~right].max(initial=0))  # the colours' scale is logarithmic: 1 is seen too
    image = axes.imshow(wrong, cmap=colours, norm=LogNorm(1, most))
    bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02, fraction=0.04, aspect=25)
    ticks = sorted(
        {1, most} | {tick for tick in (2, 5, 10, 20, 50, 100, 200, 500) if tick < most / 1.5}
    )
    bar.set_ticks(ticks, labels=[str(tick) for tick in ticks])
    bar.ax.minorticks_off()
    bar.ax.tick_params(labelsize=TEXT)
    bar.set_label("errors [images]", fontsize=TEXT)

    size = TEXT if num_classes <= 12 else 9 if num_classes <= 26 else 7
    for true, predicted in np.argwhere(counts > 0):
        count = counts[true, predicted]
        dark = true != predicted and np.log(count) > 0.7 * np.log(most)
        axes.text(
            *(predicted, true, str(count)),
            **{"ha": "center", "va": "center", "fontsize": size - (count > 999)},
            color="white" if dark else "black",
        )
    axes.set_xticks(range(num_classes))
    axes.set_yticks(range(num_classes))
    axes.tick_params(labelsize=max(size, 9), length=0)
    axes.set_xticks(np.arange(num_classes + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(num_classes + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#DDDDDD", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    axes.set_xlabel("predicted", fontsize=TITLE)
    axes.set_ylabel("true", fontsize=TITLE)
    share = 100 * (1 - errors / max(1, total))
    axes.set_title(f"{share:.2f} % right: {errors} errors in {total} images", fontsize=TITLE)
    return figure


def hardest(images, labels, logits, count=24):
    """Draw the images with the highest loss, the hardest first.

        loss = -log softmax(logits)[label]

    images : (n, C, H, W) uint8, or float in [-1, 1]
    labels : (n,) int, the true classes
    logits : (n, K) the model's answers
    count : how many to draw

    Returns the Figure.
    """
    images, labels, logits = to_numpy(images), to_numpy(labels), to_numpy(logits)
    logprobs = logits - logits.max(axis=1, keepdims=True)
    logprobs = logprobs - np.log(np.exp(logprobs).sum(axis=1, keepdims=True))
    loss = -logprobs[np.arange(len(labels)), labels]
    order = np.argsort(-loss, kind="stable")[:count]

    columns = min(8, max(3, len(order)))
    lines = -(-len(order) // columns)
    figure = blank_figure(1.6 * columns, 2.0 * lines + 0.5)
    figure.suptitle(f"The {len(order)} hardest of {len(labels)} images", fontsize=TITLE)
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for axes, index in zip(grid.ravel(), order, strict=False):
        predicted = int(logprobs[index].argmax())
        probability = np.exp(logprobs[index, predicted])
        right = predicted == labels[index]
        answer = f"{'✓' if right else '✗'} {predicted}  ({100 * probability:.0f} %)"
        axes.imshow(as_rgb(images[index]))
        axes.set_title(f"true {labels[index]}\n", fontsize=TEXT, pad=3)
        style = {"color": BLUE if right else RED, "fontsize": TEXT, "fontweight": "bold"}
        axes.text(0.5, 1.03, answer, transform=axes.transAxes, ha="center", va="bottom", **style)
    return figure


def attention(images, maps, labels, predictions=None):
    """Draw images, and beneath them where the class token looks; without one, all patches together.

    images : (n, C, H, W) uint8, or float in [-1, 1]
    maps : (n, H', W') attention over the patches, as `Model.attention` gives it; its sum is about 1
    labels : (n,) int, the true classes
    predictions : (n,) int; left out, the labels alone are named

    Returns the Figure.
    """
    images, maps, labels = to_numpy(images), to_numpy(maps), to_numpy(labels)
    shares = 100 * maps
    figure = blank_figure(1.5 * len(images) + 1.4, 3.35)
    grid = figure.subplots(2, len(images), squeeze=False)
    colours = colormaps["inferno"]
    scale = ScalarMappable(PowerNorm(0.5, 0, shares.max()), colours)
    for above, below, image, share in zip(*grid, images, shares, strict=True):
        shown = as_rgb(image)
        above.imshow(shown)
        heat = scale.to_rgba(share)[..., :3]  # (H', W', 3)
        heat = enlarged(heat, shown)
        below.imshow(heat + (1 - heat) * 0.5 * shown)  # the digit shines through
    for axes in grid.ravel():
        axes.set_axis_off()
    for place, axes in enumerate(grid[0]):
        text, colour = f"{labels[place]}", "black"
        if predictions is not None:
            right = predictions[place] == labels[place]
            text = (
                f"✓ {labels[place]}" if right else f"✗ {predictions[place]} (true {labels[place]})"
            )
            colour = BLUE if right else RED
        axes.set_title(text, fontsize=TITLE, color=colour, fontweight="bold")
    bar = figure.colorbar(scale, ax=grid, shrink=0.95, pad=0.015, aspect=18)
    bar.set_label("share of the\nattention [%]", fontsize=TEXT)
    bar.ax.tick_params(labelsize=TEXT)
    bar.locator = MaxNLocator(5)
    return figure


def predictions(images, probabilities, names):
    """Draw each picture as the model saw it, with its most probable classes.

    images : (n, C, H, W) float in [-1, 1], or uint8
    probabilities : (n, K), each row sums to 1
    names : n file names

    Returns the Figure.
    """
    images, probabilities = to_numpy(images), to_numpy(probabilities)
    top = min(5, probabilities.shape[1])
    figure = blank_figure(7.2, 2.5 * len(images))
    grid = figure.subplots(len(images), 2, squeeze=False, width_ratios=[1, 1.7])
    for (left, right), image, row, name in zip(grid, images, probabilities, names, strict=True):
        left.imshow(as_rgb(image))
        left.set_axis_off()
        left.set_title(end_of(name, 24), fontsize=TEXT)
        best = np.argsort(-row, kind="stable")[:top]
        places = np.arange(top)
        right.barh(places, 100 * row[best], color=[BLUE] + [GREY] * (top - 1), height=0.7)
        for place, share in zip(places, 100 * row[best], strict=True):
            text = f"{share:.1f} %" if share >= 0.05 else "< 0.1 %"
            right.text(share + 2, place, text, va="center", fontsize=TEXT)
        right.set_yticks(places, labels=[str(label) for label in best], fontsize=TEXT)
        right.invert_yaxis()
        right.set_xlim(0, 124)  # room for "100.0 %"
        right.set_xticks([])
        right.set_title("probability", fontsize=TEXT, loc="left")
        right.tick_params(length=0)
        right.spines[["top", "right", "bottom"]].set_visible(False)
    return figure


def _name(axes, title):
    name_axes(axes, "epoch", title=title)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))


def _end_values(axes, epochs, ends):
    """Write the last values to the right of their curves, a line apart where they would overlap.

    ends : list of (value, colour, text)
    """
    low, high = axes.get_ylim()
    line = 0.07 * (high - low)
    places = []
    for value, colour, text in sorted(ends):
        places.append(max(value, places[-1] + line) if places else value)
        axes.annotate(
            *(text, (1, places[-1])),
            **{"xycoords": ("axes fraction", "data"), "va": "center"},
            **{"xytext": (6, 0), "textcoords": "offset points"},
            **{"color": colour, "fontsize": TEXT, "fontweight": "bold"},
        )
    margin = 0.02 * (epochs[-1] - epochs[0]) or 0.5
    axes.set_xlim(epochs[0] - margin, epochs[-1] + margin)


def _zoomed(*curves):
    """Choose the accuracy axis's range: up to 100 %, down to where the curves have settled."""
    values = np.concatenate(curves)
    settled = np.concatenate([curve[len(curve) // 4 :] for curve in curves])
    lowest = min(np.quantile(settled, 0.1), *[curve[-1] for curve in curves], values.max() - 1)
    low = max(0.0, lowest - 0.25 * (100 - lowest))
    return low, 100 + 0.03 * (100 - low)
