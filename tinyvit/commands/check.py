"""`tinyvit check`: check students' files and say what is wrong with them."""

import csv
import json
import sys

from ..display import make_console, saying
from ..exercises.check import check_files
from ..exercises.shelf import find_exercise
from ..files import whole_file
from .options import picture

EXAMPLES = """\
examples:
  tinyvit check layernorm.py                    one file: what is wrong, and why
  tinyvit check my_answer.py --exercise gelu    the exercise is named, not found out
  tinyvit check layernorm.py --plot wrong.png   got, expected and their difference
  tinyvit check hand-ins/*.py --csv marks.csv   a class: one table
This is practice, not a secure examination: a file could look up the answers.
"""
COLUMNS = ("file", "exercise", "passed", "right", "wrong", "diagnosis", "message")


def add_arguments(parser):
    """Add this command's options to its parser."""
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="Python files with x_forward, x_backward or both")
    add("--exercise", metavar="STEM", help="which exercise they answer (found out by itself)")
    add("--json", action="store_true", help="print a list with everything that was found")
    add("--csv", metavar="OUT", help="write a table, a row for each file")
    add("--plot", type=picture, metavar="OUT", help="draw the first wrong gradient")


def run(args):
    """Check and print; returns 0: all passed, 1: not all, 2: a file is no answer at all."""
    stem = find_exercise(args.exercise).stem if args.exercise else None
    with saying(f"checking {len(args.files)} file{'s' if len(args.files) > 1 else ''}"):
        reports = list(check_files(args.files, stem))
    if args.csv:
        _write_csv(args.csv, reports)
    if args.json:
        print(json.dumps([_as_json(report) for report in reports], indent=2, ensure_ascii=False))
    elif len(reports) > 1:
        _show_table(reports)
    elif not reports[0].bad_input:
        from ..exercises.show_report import show_report

        show_report(reports[0], make_console())
    if args.plot:
        _draw(args.plot, reports)
    sys.stdout.flush()
    for report in reports:
        if report.bad_input:
            print(f"tinyvit: {report.file}: {report.first.message}", file=sys.stderr)
    if any(report.bad_input for report in reports):
        return 2
    return 0 if all(report.passed for report in reports) else 1


def _as_json(report):
    results = [
        {
            "name": result.name,
            "task": result.task,
            "ok": result.ok,
            "error": result.error,
            "diagnosis": result.diagnosis,
            "message": result.message,
            "evidence": result.evidence,
        }
        for result in report.results
    ]
    facts = {"file": report.file, "exercise": report.exercise, "passed": report.passed}
    return facts | {"tasks": report.states, "results": results}


def _row(report):
    right = " ".join(result.name for result in report.results if result.ok)
    wrong = " ".join(result.name for result in report.results if not result.ok)
    first = report.first
    diagnosis, message = (first.diagnosis, first.said()) if first else ("", "")
    passed = "yes" if report.passed else "no"
    return (report.file, report.exercise or "", passed, right, wrong, diagnosis, message)


def _write_csv(path, reports):
    with whole_file(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_row(report) for report in reports)


def _show_table(reports):
    from rich.table import Table

    console = make_console()
    table = Table("file", "exercise", "", "the first thing that is wrong", show_lines=True)
    for report in reports:
        mark = "✓" if report.passed else "✗"
        said = report.first.said() if report.first else ""
        table.add_row(report.file, report.exercise or "", mark, said)
    console.print(table)
    passed = sum(report.passed for report in reports)
    console.print(f"{passed} of {len(reports)} files passed")


def _draw(path, reports):
    wrong = [r for report in reports for r in report.results if r.got is not None and r.got.ndim]
    if not wrong:
        print(f"{path}: nothing to draw, no value is wrong")
        return
    from ..show import heatmaps
    from ..show.style import save

    result = wrong[0]
    got, expected = (a.reshape(-1, a.shape[-1]) for a in (result.got, result.expected))
    name = result.name
    arrays = {f"{name}: got": got, "expected": expected, "got - expected": got - expected}
    save(heatmaps(arrays, rows="all other axes", columns="last axis"), path)
    print(path)
