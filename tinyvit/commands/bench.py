"""`tinyvit bench`: how fast this machine trains and predicts, beside PyTorch and JAX."""

import json
from importlib.util import find_spec
from math import inf

from ..bench import machine, measure
from ..bench.cases import CASES, GPU_CASES, SCALING
from ..bench.tricks import TRICKS
from ..display import make_console, saying
from ..errors import InputError
from ..train import PRECISIONS
from ..workers import granted_cores
from . import bench_gpu
from .options import add_threads, picture

EXAMPLES = """\
examples:
  tinyvit bench
  tinyvit bench A B16-predict-1 --seconds 30 --json
  OPENBLAS_CORETYPE=Haswell tinyvit bench A      (OpenBLAS without AVX-512)
  tinyvit bench --scaling
  tinyvit bench --tricks
  tinyvit bench --device gpu --precision tf32
"""

GIGA, MEGA = 1e9, 1e6


def add_arguments(parser):
    """Add this command's options to its parser."""
    add = parser.add_argument
    about = f"what to time (all of them): {', '.join(CASES)}; on the GPU {', '.join(GPU_CASES)}"
    add("cases", nargs="*", metavar="CASE", help=about)
    add("--device", choices=("cpu", "gpu"), default="cpu", help="where to compute (cpu)")
    about = "of matrix products on the GPU (bf16); on the CPU it is fp32"
    add("--precision", choices=PRECISIONS, help=about)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--scaling", action="store_true", help="time against batch, tokens and depth instead"
    )
    what.add_argument(
        "--tricks", action="store_true", help="the first case without each trick in turn instead"
    )
    add_threads(parser)
    add("--seconds", type=float, default=10.0, metavar="X", help="for each case (10)")
    add("--json", action="store_true", help="print the figures as JSON, not as a table")
    add(
        "--save",
        type=picture,
        metavar="FILE",
        help="the picture (roofline.png, scaling.png, gpu.png)",
    )


def run(args):
    """Measure, print, draw; returns the exit status."""
    cases = GPU_CASES if args.device == "gpu" else CASES
    for name in args.cases:
        if name not in cases:
            raise InputError(f"no case {name!r}: use {', '.join(cases)}")
    if not 0 <= args.seconds < inf:
        raise InputError(f"--seconds {args.seconds}: a number, not below 0")
    for name in ("scaling", "tricks", "threads") if args.device == "gpu" else ("precision",):
        if getattr(args, name):
            raise InputError(f"--{name} has no meaning with --device {args.device}: leave it out")
    if args.device == "gpu":
        return bench_gpu.run(args)
    threads = args.threads or granted_cores()
    drawn = args.save or ("scaling.png" if args.scaling else "roofline.png")

    report = {"machine": machine.describe(), "threads": threads}
    if args.scaling:
        report |= _scaling(threads, args.seconds, drawn)
    elif args.tricks:
        report |= _tricks((args.cases or ["A"])[0], threads, args.seconds)
    else:
        report |= _cases(args.cases or list(CASES), threads, args.seconds, drawn)
    if args.json:
        print(json.dumps(report, indent=2))
    else:
        show_table = _scaling_table if args.scaling else _tricks_table if args.tricks else _table
        show_table(report)
    return 0


def _cases(names, threads, seconds, path):
    from .. import show
    from ..bench.pictures import roofline

    has_pytorch = find_spec("torch") is not None
    with saying("timing the machine's limits"):
        peak, bandwidth = machine.peak_flops(threads), machine.peak_bandwidth(threads)
        one = machine.peak_flops(1)
    rows = {}
    for name in names:
        with saying(f"timing {name}"):
            row = measure.against_pytorch(CASES[name], threads, seconds, has_pytorch)
        row["share_of_peak"] = row["tinyvit"]["flops"] / peak
        rows[name] = row
    show.save(roofline(rows, peak, bandwidth), path)
    limits = {"peak_flops": peak, "peak_flops_one_thread": one, "peak_bandwidth": bandwidth}
    return limits | {"cases": rows, "picture": path}


def _table(report):
    from rich.table import Column, Table

    console = make_console()
    rows = report["cases"]
    console.print(f"{report['machine']}; {report['threads']} threads")
    for who in ("tinyvit", "pytorch"):
        for about in dict.fromkeys(row[who]["about"] for row in rows.values() if who in row):
            console.print(f"{who}: {about}")
    console.print(
        f"matrix products: {report['peak_flops'] / GIGA:.0f} GFLOP/s "
        f"({report['peak_flops_one_thread'] / GIGA:.0f} on one thread); "
        f"memory: {report['peak_bandwidth'] / GIGA:.0f} GB/s"
    )
    numbers = ["ms", "GFLOP/s", "peak", "MB", "PyTorch ms", "MB", "ratio"]
    table = Table("case", *(Column(name, justify="right") for name in numbers))
    for name, row in rows.items():
        ours, theirs = row["tinyvit"], row.get("pytorch")
        cells = [
            *(_ms(ours), f"{ours['flops'] / GIGA:.0f}", f"{row['share_of_peak']:.0%}", _mb(ours)),
            *((_ms(theirs), _mb(theirs), f"{row['ratio']:.2f}") if theirs else ("", "", "")),
        ]
        table.add_row(name, *cells)
    console.print(table)
    console.print("Least times of alternating runs; MB: most memory of the whole process.")
    if not any("pytorch" in row for row in rows.values()):
        console.print("PyTorch is not installed: pip install torch, and it is timed, too.")
    console.print(f"picture: {report['picture']}")


def _tricks(name, threads, seconds):
    with saying(f"timing {name}, without one trick after the other"):
        rows = measure.without_each(CASES[name], threads, seconds, TRICKS)
    return {"case": name, "tricks": rows}


def _tricks_table(report):
    from rich.table import Column, Table

    console = make_console()
    console.print(f"{report['machine']}; {report['threads']} threads; case {report['case']}")
    right = [Column(name, justify="right") for name in ("ms", "times", "MB")]
    table = Table("without", *right)
    for name, row in report["tricks"].items():
        what = TRICKS[name][0] if name else "(nothing: all tricks)"
        table.add_row(what, _ms(row), f"{row['ratio']:.2f}", _mb(row))
    console.print(table)


def _scaling(threads, seconds, path):
    from .. import show
    from ..bench.pictures import growth

    curves, left_out = {}, []
    for kind, cases in SCALING.items():
        fitting = {
            size: case
            for size, case in cases.items()
            if 2 * threads * case.kept_bytes / case.batch < machine.free_bytes()
        }
        left_out += [f"{kind} {size}" for size in cases.keys() - fitting.keys()]
        with saying(f"timing against {kind}"):
            curves[kind] = measure.growth(fitting, threads, seconds / len(cases))
    show.save(growth(curves), path)
    return {"scaling": curves, "left_out": left_out, "picture": path}


def _scaling_table(report):
    from rich.table import Column, Table

    console = make_console()
    console.print(f"{report['machine']}; {report['threads']} threads")
    table = Table(*("", Column("size", justify="right"), Column("ms", justify="right")))
    for kind, curve in report["scaling"].items():
        for size, time in zip(curve["sizes"], curve["seconds"], strict=True):
            table.add_row(kind, str(size), f"{1e3 * time:.1f}")
            kind = ""
    console.print(table)
    for kind, curve in report["scaling"].items():
        console.print(
            f"time ~ {kind}^{curve['exponent']:.2f}   "
            f"(arithmetic alone: {kind}^{curve['flop_exponent']:.2f})"
        )
    if report["left_out"]:
        console.print(f"too large for the free memory: {', '.join(report['left_out'])}")
    console.print(f"picture: {report['picture']}")


def _ms(result):
    return f"{1e3 * result['seconds']:.1f}"


def _mb(result):
    peak = result["peak_bytes"]
    return "" if peak is None else f"{peak / MEGA:.0f}"
