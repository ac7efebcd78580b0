"""The report on one file, for a terminal."""

import numpy as np

from .heat_text import heat_text

PRINTED_LINES = 8


def show_report(report, console):
    """Print what was found in a student's file: what to say first, first.

    report : `FileReport`
    console : rich's
    """
    if report.exercise is None or not report.states:
        console.print(f"{report.file}: {report.first.message}", soft_wrap=True)
        return
    console.print(f"{report.exercise} · {report.file}", style="bold", soft_wrap=True)
    first = report.first
    if first and first.name == "file":
        console.print(f"\n{first.message}")
    else:
        _table(report, console)
        _messages(report, console)
    for what, state in report.states.items():
        if state == "open" and any(other != "open" for other in report.states.values()):
            console.print(f"\n{what}: not written yet")
    if report.printed.strip():
        lines = report.printed.strip().splitlines()
        console.print("\nthe file printed:")
        console.print("\n".join(f"    {line}" for line in lines[:PRINTED_LINES]))
        if len(lines) > PRINTED_LINES:
            console.print("    ...")


def _table(report, console):
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    task = None
    for result in report.results:
        error = "" if result.error is None else f"relative error {result.error:.1e}"
        mark = Text("✓ right", "green") if result.ok else Text("✗ WRONG", "red")
        shown = "" if result.task == task else result.task
        table.add_row(shown, result.name, mark, error)
        task = result.task
    console.print()
    console.print(table)


def _messages(report, console):
    """Each message once, with the names it is about; the earliest check that failed first.

    Remarks on what is right wait until nothing is wrong.
    """
    first = report.first
    results = [one for one in report.results if one.message and (not first or not one.ok)]
    groups = {}
    for result in sorted(results, key=lambda one: one is not first):
        groups.setdefault(result.about, []).append(result)
    for about in groups.values():
        names = ", ".join(result.name for result in about)
        console.print(f"\n{about[0].said(names)}", style="" if about[0].ok else "bold")
        if about[0].got is not None:
            _evidence(about[0], console)


def _evidence(result, console):
    got, expected = np.asarray(result.got), np.asarray(result.expected)
    worst = np.unravel_index(np.abs(got - expected).argmax(), got.shape)
    place = f"at {tuple(int(i) for i in worst)}: " if got.ndim else ""
    if result.evidence:
        console.print(f"    {result.evidence}")
    console.print(f"    {place}got {got[worst]:.6g}, expected {expected[worst]:.6g}")
    if result.diagnosis == "unknown" and got.ndim:
        console.print(f"    where {result.name} is wrong (its last axis runs across):")
        console.print("\n".join(f"    {line}" for line in heat_text(got, expected)))
