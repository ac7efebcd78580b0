"""Curves and bars, each named where it is drawn."""

import numpy as np

from ..backend import to_numpy
from .style import BLUE, COLOURS, LINES, TEXT, blank_figure, name_axes

MARKERS = "os^Dvp*"


def lines(
    x,
    curves,
    *,
    xlabel="",
    ylabel="",
    title="",
    logx=False,
    logy=False,
    points=False,
    errors=None,
    axes=None,
):
    """Draw curves over x, each with a colour, a dash and, with `points`, a marker of its own.

    x : (n,), or dict label -> (n,) where the curves have different ones
    curves : dict label -> (n,)
    xlabel, ylabel, title : in words, with units in [brackets]
    logx, logy : whether an axis goes by factors
    points : whether each value is marked
    errors : dict label -> (n,), half the length of its error bars; None draws none
    axes : where to draw; None makes a figure

    Returns the Figure.
    """
    figure, axes = _place(axes, (9.5, 5))
    for number, (label, y) in enumerate(curves.items()):
        places = to_numpy(x[label] if isinstance(x, dict) else x)
        style = {"color": COLOURS[number % len(COLOURS)], "ls": LINES[number % len(LINES)]}
        style |= {"linewidth": 2.4, "label": label}
        if points:
            style |= {"marker": MARKERS[number % len(MARKERS)], "markersize": 8}
        if errors is None:
            axes.plot(places, to_numpy(y), **style)
        else:
            axes.errorbar(places, to_numpy(y), yerr=to_numpy(errors[label]), capsize=5, **style)
    if logx:
        axes.set_xscale("log")
    if logy:
        axes.set_yscale("log")
    name_axes(axes, xlabel, ylabel, title)
    if len(curves) > 1 or "" not in curves:
        axes.legend(fontsize=TEXT, frameon=False)
    return figure


def bars(values, *, ylabel="", title="", numbers="{:.3g}", logy=False, axes=None):
    """Draw a bar for each value, with the number at its end.

    values : dict label -> number
    ylabel, title : in words, with units in [brackets]
    numbers : how the numbers are written, a format string
    logy : whether the axis goes by factors
    axes : where to draw; None makes a figure

    Returns the Figure. The bars lie, so that long labels can be read.
    """
    figure, axes = _place(axes, (9.5, 0.5 * len(values) + 1.4))
    labels, lengths = list(values), np.array(list(values.values()), float)
    places = np.arange(len(labels))
    axes.barh(places, lengths, color=BLUE, height=0.7)
    for place, value in zip(places, lengths, strict=True):
        axes.annotate(
            *(numbers.format(value), (value, place)),
            **{"xytext": (6 if value >= 0 else -6, 0), "textcoords": "offset points"},
            **{"va": "center", "ha": "left" if value >= 0 else "right", "fontsize": TEXT},
        )
    axes.set_yticks(places, labels=labels)
    axes.invert_yaxis()
    if logy:
        axes.set_xscale("log")
        axes.set_xlim(right=lengths.max() * (lengths.max() / lengths.min()) ** 0.18)
    else:
        low, high = min(0.0, lengths.min()), max(0.0, lengths.max())
        axes.set_xlim(low * 1.18, high * 1.18 or 1.0)
    name_axes(axes, ylabel, "", title)
    axes.set_xticks([])
    axes.minorticks_off()
    axes.tick_params(length=0)
    axes.spines["bottom"].set_visible(False)
    axes.grid(visible=False)
    return figure


def _place(axes, size):
    if axes is not None:
        return axes.figure, axes
    figure = blank_figure(*size)
    return figure, figure.subplots()
