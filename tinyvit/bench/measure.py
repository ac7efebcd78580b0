"""Timing in turn: each contestant once, then each again in another order, until time is up."""

import time
from contextlib import ExitStack, contextmanager
from random import Random
from statistics import median

import numpy as np

from ..errors import InputError
from .cases import EPOCH, TRAIN
from .gpu import COMPILED, EAGER
from .process import Process

GENERATIONS = 3  # where its memory happens to lie makes a process faster or slower for life


def in_turn(makers, seconds, generations, failed=None):
    """Start contestants and time them in alternating turns; then start them anew.

    makers : dict name -> function that starts a `Process`
    seconds : how long to go on in all, without the starts
    generations : how often each is started; each has a turn at least every time
    failed : dict that takes the reason of each that fails, name -> words; None lets it raise

    Returns dict name -> dict: `seconds` (the least), `median_seconds`, `peak_bytes`, `launches`,
    `runs`, `about`; without those that failed.
    """
    order = Random(0)  # nobody always comes after the same one
    times = {name: [] for name in makers}
    last, about = {}, {}
    for _ in range(generations):
        with ExitStack() as stack:
            processes = {}
            for name, make in makers.items():
                with _noted(failed, name):
                    processes[name] = stack.enter_context(make())
                    about[name] = processes[name].about
            end = time.monotonic() + seconds / generations
            while processes:
                for name in order.sample(list(processes), len(processes)):
                    process = processes.pop(name)  # put back if it goes well
                    with _noted(failed, name):
                        last[name] = process.run()
                        times[name] += last[name]["seconds"]
                        processes[name] = process
                if time.monotonic() >= end:
                    break
    return {
        name: {
            "seconds": min(times[name]),
            "median_seconds": median(times[name]),
            "peak_bytes": last[name]["peak_bytes"],
            "launches": last[name]["launches"],
            "runs": len(times[name]),
            "about": about[name],
        }
        for name in makers
        if name not in (failed or {})
    }


@contextmanager
def _noted(failed, name):
    """Write the reason of a failure down, if there is a place for it."""
    try:
        yield
    except InputError as error:
        if failed is None:
            raise
        failed[name] = str(error)


def against_pytorch(case, threads, seconds, has_pytorch):
    """Time a case, by PyTorch in turn where it is installed.

    Returns dict: `flop`, `intensity` [flop/byte], `tinyvit` and, with PyTorch, `pytorch`: what
    `in_turn` says of each, with `flops` [1/s]; `ratio` of the least times.
    """
    names = ["tinyvit", "pytorch"] if has_pytorch else ["tinyvit"]
    makers = {name: lambda name=name: Process(name, case, threads) for name in names}
    results = in_turn(makers, seconds, GENERATIONS)
    row = {"flop": case.flop, "intensity": case.flop / case.least_bytes}
    for name, result in results.items():
        row[name] = result | {"flops": case.flop / result["seconds"]}
    if has_pytorch:
        row["ratio"] = results["tinyvit"]["seconds"] / results["pytorch"]["seconds"]
    return row


def on_gpu(case, names, seconds, peak, bandwidth):
    """Time a case on the card by several in turn.

    names : contestants, of `gpu.CONTESTANTS`
    seconds : how long to go on in all, without the starts
    peak : of matrix products [flop/s]
    bandwidth : of memory [byte/s]

    Returns dict: `flop`, `bytes`, `failed` (dict name -> reason) and `contestants`: dict name ->
    `seconds`, `median_seconds`, `images_per_second`, `epoch_seconds` (None in prediction), `flops`
    [1/s], `bytes_per_second`, their `share_of_peak` and `share_of_bandwidth`, `launches`, `runs`,
    `about`, and the least time divided by PyTorch eager's, `ratio_to_eager`, and by that of the
    better of torch.compile and JAX, `ratio_to_compiled` (None where there is no such time).
    """
    makers = {name: lambda name=name: Process(name, case, device="gpu") for name in names}
    failed = {}
    results = in_turn(makers, seconds, 1, failed)  # compiling takes minutes
    times = {name: result["seconds"] for name, result in results.items()}
    eager = times.get(EAGER)
    compiled = min((times[name] for name in COMPILED if name in times), default=None)
    for result in results.values():
        del result["peak_bytes"]  # it is not the card's
        time = result["seconds"]
        result["images_per_second"] = case.batch / time
        result["epoch_seconds"] = EPOCH / case.batch * time if case.work == TRAIN else None
        result["flops"] = case.flop / time
        result["bytes_per_second"] = case.least_bytes / time
        result["share_of_peak"] = result["flops"] / peak
        result["share_of_bandwidth"] = result["bytes_per_second"] / bandwidth
        result["ratio_to_eager"] = eager and time / eager
        result["ratio_to_compiled"] = compiled and time / compiled
    row = {"flop": case.flop, "bytes": case.least_bytes, "failed": failed}
    return row | {"contestants": results}


def without_each(case, threads, seconds, tricks):
    """Time a case as it is, and without each trick in turn.

    tricks : names; `seconds` is for each of them

    Returns dict name -> dict: `seconds`, `ratio` to the time with all tricks, `peak_bytes`.
    """
    makers = {None: lambda: Process("tinyvit", case, threads)}
    makers |= {
        name: lambda name=name: Process("tinyvit", case, threads, without=name) for name in tricks
    }
    results = in_turn(makers, seconds * len(makers), GENERATIONS)
    whole = results.pop(None)
    rows = {"": whole | {"ratio": 1.0}}
    for name, result in results.items():
        rows[name] = result | {"ratio": result["seconds"] / whole["seconds"]}
    return rows


def growth(cases, threads, seconds):
    """Time training steps of growing size.

    cases : dict size -> Case

    Returns dict: `sizes`, `seconds`, `exponent` fitted to them, and `flop_exponent`, what the
    exponent would be if every floating-point operation took the same time.
    """
    times, flops = [], []
    for case in cases.values():
        makers = {"tinyvit": lambda case=case: Process("tinyvit", case, threads)}
        result = in_turn(makers, seconds, GENERATIONS)
        times.append(result["tinyvit"]["seconds"])
        flops.append(case.flop)
    sizes = list(cases)
    return {
        "sizes": sizes,
        "seconds": times,
        "exponent": exponent(sizes, times),
        "flop_exponent": exponent(sizes, flops),
    }


def exponent(x, y):
    """The p of y = c x^p that fits best: the slope of a straight line through the logarithms."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])
