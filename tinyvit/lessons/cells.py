"""A lesson's file, cut into its cells: the percent format that VS Code and Jupyter read, too."""

import re
from dataclasses import dataclass

MARK = re.compile(r"# %%(?P<title>[^\[]*)(?P<kind>\[markdown\])?\s*$")


@dataclass(frozen=True)
class Cell:
    """One cell of a lesson.

    kind : "text" (Markdown) or "code" (Python)
    source : without the marks: Markdown as it is meant, or Python lines
    line : where `source` starts in the file, from 1
    """

    kind: str
    source: str
    line: int


def read_cells(text):
    """Cut a lesson into cells.

    text : of a percent-format script; what stands before the first `# %%` is not shown

    Returns a list of Cell; empty cells are left out.
    """
    cells, kind, lines, start = [], None, [], 0
    for number, line in enumerate([*text.splitlines(), "# %%"], 1):
        mark = MARK.match(line)
        if not mark:
            lines.append(line)
            continue
        if kind and any(one.strip() for one in lines):
            cells.append(_cell(kind, lines, start))
        kind, lines, start = "text" if mark["kind"] else "code", [], number + 1
    return cells


def _cell(kind, lines, start):
    while not lines[0].strip():
        lines, start = lines[1:], start + 1
    if kind == "text":
        lines = [line.removeprefix("#").removeprefix(" ") for line in lines]
    return Cell(kind, "\n".join(lines).rstrip(), start)
