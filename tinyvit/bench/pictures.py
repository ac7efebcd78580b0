"""The pictures of `tinyvit bench`: the roofline, how the time of a step grows, times on a card."""

import numpy as np

from .. import show
from .gpu import CONTESTANTS

GIGA = 1e9
WHO = {"tinyvit": ("tinyvit", show.BLUE, "o"), "pytorch": ("PyTorch", show.ORANGE, "s")}


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
    low, high = min(intensities + [ridge]) / 2, max(intensities + [ridge]) * 3
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
    for who, (label, colour, marker) in WHO.items():
        points = [
            (row["intensity"], row[who]["flops"] / GIGA) for row in rows.values() if who in row
        ]
        if points:
            axes.plot(*zip(*points, strict=True), marker, color=colour, markersize=9, label=label)
    lowest = {
        name: (row["intensity"], min(row[who]["flops"] for who in WHO if who in row) / GIGA)
        for name, row in rows.items()
    }
    for name, (x, y) in lowest.items():
        reached = [rows[name][who]["flops"] / GIGA for who in WHO if who in rows[name]]
        axes.plot([x] * len(reached), reached, color=show.GREY, linewidth=1, zorder=0)
        crowded = any(x < u < 2 * x and y / 1.3 < v < y * 1.3 for u, v in lowest.values())
        axes.annotate(
            name,
            *((x, y), (-9 if crowded else 9, 0)),
            textcoords="offset points",
            ha="right" if crowded else "left",
            va="center",
            fontsize=show.TEXT - 1,
        )
    axes.set(xscale="log", yscale="log", xlim=(low, high))
    bottom = min(roof[0], *(y for _, y in lowest.values()))
    axes.set_ylim(bottom / 1.5, 1.5 * peak / GIGA)
    for axis, ends in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        round_numbers = [m * 10.0**e for e in range(-3, 7) for m in (1, 2, 5)]
        shown = [n for n in round_numbers if ends[0] < n < ends[1]]
        axis.set_ticks(shown, [f"{n:g}" for n in shown])
        axis.set_ticks([], minor=True)
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
        for size, time in zip(sizes, 1e3 * seconds, strict=True):
            axes.annotate(
                f"{time:.0f}" if time >= 10 else f"{time:.1f}",
                *((size, time), (8, -4)),
                textcoords="offset points",
                va="top",
                fontsize=show.TEXT - 2,
            )
        axes.set(xscale="log", yscale="log")
        axes.margins(0.14)
        axes.set_yticks([])
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


def batch_times(rows, precision):
    """Draw the time of a batch on the card, one panel for each case, a bar for each contestant.

    rows : dict case name -> as `measure.on_gpu` returns it
    precision : of the matrix products

    Returns the Figure.
    """
    figure = show.blank_figure(1.5 + 4.2 * len(rows), 3.4)
    panels = figure.subplots(1, len(rows), squeeze=False, sharey=True)[0]
    seen = set().union(*(row["contestants"].keys() | row["failed"].keys() for row in rows.values()))
    labels = {who: entry.label for who, entry in CONTESTANTS.items() if who in seen}
    for axes, (name, row) in zip(panels, rows.items(), strict=True):
        times = {who: 1e3 * result["seconds"] for who, result in row["contestants"].items()}
        longest = max(times.values(), default=1)
        for place, who in enumerate(labels):
            time = times.get(who, 0)
            axes.barh(place, time, color=show.BLUE if who == "tinyvit" else show.GREY, height=0.7)
            text = f"{time:.2f}" if who in times else "failed"
            axes.text(time + 0.03 * longest, place, text, va="center", fontsize=show.TEXT)
        axes.set_xlim(0, 1.25 * longest)
        axes.set_xticks([])
        axes.tick_params(length=0)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.set_title(name, fontsize=show.TITLE)
    panels[0].set_yticks(range(len(labels)), labels.values())
    panels[0].tick_params(labelsize=show.TEXT)
    panels[0].invert_yaxis()
    figure.supxlabel(f"least time of a batch, {precision} [ms]", fontsize=show.TEXT)
    return figure


def _tidy(axes):
    axes.tick_params(labelsize=show.TEXT - 1)
    axes.grid(color="#DDDDDD", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
