"""What `tinyvit bench --device gpu` does."""

import json
from dataclasses import replace
from importlib.util import find_spec

from ..backend import require_device
from ..bench import measure
from ..bench.cases import GPU_CASES
from ..bench.gpu import CONTESTANTS
from ..display import make_console, saying

GIGA, TERA = 1e9, 1e12
HOW_TO_INSTALL = {"torch": "pip install torch", "jax": "pip install 'jax[cuda13]'"}


def run(args):
    """Measure, print, draw; returns the exit status."""
    from .. import show
    from ..bench.pictures import batch_times

    require_device("gpu")
    from ..kernels.cuda import card

    precision = args.precision or "bf16"
    path = args.save or "gpu.png"
    with saying("timing the card's limits"):
        peak, bandwidth = card.peak_flops(precision), card.peak_bandwidth()
        card.free()
    missing = {entry.package for entry in CONTESTANTS.values() if not find_spec(entry.package)}
    names = [name for name, entry in CONTESTANTS.items() if entry.package not in missing]
    rows = {}
    for name in args.cases or GPU_CASES:
        case = replace(GPU_CASES[name], precision=precision)
        with saying(f"timing {name}"):
            rows[name] = measure.on_gpu(case, names, args.seconds, peak, bandwidth)
    show.save(batch_times(rows, precision), path)
    report = {"card": card.describe(), "precision": precision, "peak_flops": peak}
    report |= {"peak_bandwidth": bandwidth, "not_installed": sorted(missing), "cases": rows}
    report["picture"] = path
    if args.json:
        print(json.dumps(report, indent=2))
    else:
        _print(report)
    return 0


def _print(report):
    console = make_console()
    card, rows = report["card"], report["cases"]
    driver = f"driver {card['driver']}, " if card["driver"] else ""
    console.print(f"{card['name']}, {driver}CUDA {card['cuda']}; {report['precision']}")
    for who, entry in CONTESTANTS.items():
        results = [row["contestants"][who] for row in rows.values() if who in row["contestants"]]
        for about in dict.fromkeys(result["about"] for result in results):
            console.print(f"{entry.label}: {about}")
    console.print(
        f"matrix products: {report['peak_flops'] / TERA:.3g} TFLOP/s; "
        f"memory: {report['peak_bandwidth'] / GIGA:.0f} GB/s"
    )
    speed = ["ms", "images/s", "s/epoch", "launches", "/ eager", "/ best"]
    console.print(_table(rows, speed, _speed))
    console.print("ms: least time of a batch; / eager, / best: divided by that of PyTorch eager,")
    console.print("and by that of the better of torch.compile and JAX.")
    limits = ["median ms", "TFLOP/s", "of peak", "GB/s", "of peak"]
    console.print(_table(rows, limits, _limits))
    console.print("GB/s: if each array went to memory, and came from there, once.")
    for name, row in rows.items():
        for reason in row["failed"].values():
            console.print(f"{name}: {reason}")
    for package in report["not_installed"]:
        console.print(
            f"{package} is not installed: {HOW_TO_INSTALL[package]}, and it is timed, too."
        )
    console.print(f"picture: {report['picture']}")


def _table(rows, names, cells):
    """Lay out a line for each contestant below each case."""
    from rich.table import Column, Table

    table = Table("", *(Column(name, justify="right", no_wrap=True) for name in names))
    for name, row in rows.items():
        table.add_row(name)
        for who, result in row["contestants"].items():
            table.add_row(f" {CONTESTANTS[who].label}", *cells(result))
        for who in row["failed"]:
            table.add_row(f" {CONTESTANTS[who].label}", "failed")
        table.add_section()
    return table


def _speed(result):
    return [
        _number(1e3 * result["seconds"], ".3f"),
        _number(result["images_per_second"], ",.0f"),
        _number(result["epoch_seconds"], ".3f"),
        _number(result["launches"], "d"),
        _number(result["ratio_to_eager"], ".2f"),
        _number(result["ratio_to_compiled"], ".2f"),
    ]


def _limits(result):
    return [
        _number(1e3 * result["median_seconds"], ".3f"),
        _number(result["flops"] / TERA, ".1f"),
        _number(result["share_of_peak"], ".0%"),
        _number(result["bytes_per_second"] / GIGA, ".0f"),
        _number(result["share_of_bandwidth"], ".0%"),
    ]


def _number(value, form):
    return "" if value is None else format(value, form)
