"""Timing in turn: each contestant once, then each again in another order, until time is up."""

import time
from contextlib import ExitStack
from random import Random
from statistics import median

import numpy as np

from .process import Process

GENERATIONS = 3  # where its memory happens to lie makes a process faster or slower for life


def in_turn(makers, seconds):
    """Start contestants and time them in alternating turns; then start them anew.

    makers : dict name -> function that starts a `Process`
    seconds : how long to go on in all, without the starts; each has three turns at least

    Returns dict name -> dict: `seconds` (the least), `median_seconds`, `peak_bytes`, `runs`,
    `about`.
    """
    order = Random(0)  # nobody always comes after the same one
    times = {name: [] for name in makers}
    peaks, about = {}, {}
    for _ in range(GENERATIONS):
        with ExitStack() as stack:
            processes = {name: stack.enter_context(make()) for name, make in makers.items()}
            end = time.monotonic() + seconds / GENERATIONS
            while True:
                for name in order.sample(list(processes), len(processes)):
                    turn = processes[name].run()
                    times[name] += turn["seconds"]
                    peaks[name] = turn["peak_bytes"]
                if time.monotonic() >= end:
                    break
            about |= {name: process.about for name, process in processes.items()}
    return {
        name: {
            "seconds": min(times[name]),
            "median_seconds": median(times[name]),
            "peak_bytes": peaks[name],
            "runs": len(times[name]),
            "about": about[name],
        }
        for name in makers
    }


def against_pytorch(case, threads, seconds, has_pytorch):
    """Time a case, by PyTorch in turn where it is installed.

    Returns dict: `flop`, `intensity` [flop/byte], `tinyvit` and, with PyTorch, `pytorch`: what
    `in_turn` says of each, with `flops` [1/s]; `ratio` of the least times.
    """
    names = ["tinyvit", "pytorch"] if has_pytorch else ["tinyvit"]
    makers = {name: lambda name=name: Process(name, case, threads) for name in names}
    results = in_turn(makers, seconds)
    row = {"flop": case.flop, "intensity": case.flop / case.least_bytes}
    for name, result in results.items():
        row[name] = result | {"flops": case.flop / result["seconds"]}
    if has_pytorch:
        row["ratio"] = results["tinyvit"]["seconds"] / results["pytorch"]["seconds"]
    return row


def without_each(case, threads, seconds, tricks):
    """Time a case as it is, and without each trick in turn.

    tricks : names; `seconds` is for each of them

    Returns dict name -> dict: `seconds`, `ratio` to the time with all tricks, `peak_bytes`.
    """
    makers = {None: lambda: Process("tinyvit", case, threads)}
    makers |= {
        name: lambda name=name: Process("tinyvit", case, threads, without=name) for name in tricks
    }
    results = in_turn(makers, seconds * len(makers))
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
        result = in_turn({"tinyvit": lambda case=case: Process("tinyvit", case, threads)}, seconds)
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
