"""The pictures of `tinyvit bench`: the roofline, and how the time of a step grows."""

import numpy as np

from .. import show

GIGA = 1e9


def roofline(rows, peak, bandwidth):
    """Draw what was reached below what the machine can do at most.

        roof = min(peak, bandwidth * intensity)

    rows : dict case name -> as `measure.against_pytorch` returns it
    peak : of matrix products [flop/s]
    bandwidth : of memory [byte/s]

    Returns the Figure. Left of the bend memory is the limit, right of it arithmetic.
    """
    figure = show.blank_figure(9.6, 5.6)
    axes = figure.subplots()
    ridge = peak / bandwidth
    intensities = [row["intensity"] for row in rows.values()]
    low, high = min(intensities + [ridge]) / 3, max(intensities + [ridge]) * 4
    x = np.geomspace(low, high, 200)
    roof = np.minimum(peak, bandwidth * x) / GIGA
    axes.plot(x, roof, color=show.GREY, linewidth=2)
    axes.annotate(
        f"matrix products: {peak / GIGA:.0f} GFLOP/s",
        *((high, peak / GIGA), (0, 6)),
        textcoords="offset points",
        ha="right",
        fontsize=show.TEXT,
        color=show.GREY,
    )
    axes.annotate(
        f"memory: {bandwidth / GIGA:.0f} GB/s",
        *((low, bandwidth * low / GIGA), (14, -2)),
        textcoords="offset points",
        fontsize=show.TEXT,
        color=show.GREY,
    )
    for who, colour, marker in (("tinyvit", show.BLUE, "o"), ("pytorch", show.ORANGE, "s")):
        points = [
            (row["intensity"], row[who]["flops"] / GIGA) for row in rows.values() if who in row
        ]
        if points:
            label = {"tinyvit": "tinyvit", "pytorch": "PyTorch"}[who]
            axes.plot(*zip(*points, strict=True), marker, color=colour, markersize=9, label=label)
    for i, (name, row) in enumerate(sorted(rows.items(), key=lambda item: item[1]["intensity"])):
        reached = [row[who]["flops"] / GIGA for who in ("tinyvit", "pytorch") if who in row]
        axes.annotate(
            name,
            *((row["intensity"], min(reached)), (0, -20 - 16 * (i % 2))),
            textcoords="offset points",
            ha="center",
            fontsize=show.TEXT - 2,
        )
    axes.set(xscale="log", yscale="log", xlim=(low, high))
    axes.set_ylim(min(roof[0], *(r["tinyvit"]["flops"] / GIGA / 4 for r in rows.values())), None)
    axes.set_xlabel("arithmetic for each byte of memory [flop/byte]", fontsize=show.TEXT)
    axes.set_ylabel("GFLOP/s", fontsize=show.TEXT)
    axes.set_title("What is reached of what the machine can do", fontsize=show.TITLE)
    _tidy(axes)
    axes.legend(fontsize=show.TEXT, frameon=False, loc="lower right")
    return figure


def growth(curves):
    """Draw the time of a training step against its size, one panel for each kind of size.

    curves : dict kind -> as `measure.growth` returns it

    Returns the Figure.
    """
    figure = show.blank_figure(12, 4.4)
    panels = figure.subplots(1, len(curves), squeeze=False)[0]
    for axes, (kind, curve) in zip(panels, curves.items(), strict=True):
        sizes, seconds = np.array(curve["sizes"]), np.array(curve["seconds"])
        axes.plot(sizes, 1e3 * seconds, "o", color=show.BLUE, markersize=8)
        middle = np.exp(np.log(1e3 * seconds).mean() - curve["exponent"] * np.log(sizes).mean())
        axes.plot(sizes, middle * sizes ** curve["exponent"], color=show.BLUE, linewidth=1.5)
        axes.set(xscale="log", yscale="log")
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set_xlabel(kind, fontsize=show.TEXT)
        axes.set_title(
            f"time ~ {kind}$^{{{curve['exponent']:.2f}}}$\n"
            f"(arithmetic: {curve['flop_exponent']:.2f})",
            fontsize=show.TEXT,
        )
        _tidy(axes)
    panels[0].set_ylabel("training step [ms]", fontsize=show.TEXT)
    return figure


def _tidy(axes):
    axes.tick_params(labelsize=show.TEXT - 1)
    axes.grid(color="#DDDDDD", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
