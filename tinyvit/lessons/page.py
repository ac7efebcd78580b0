"""A lesson as an HTML page with all it needs inside: to hand out, or to read on a phone."""

import base64
import contextlib
import html
import io
from pathlib import Path

from ..files import whole_file
from .audience import before
from .play import Play

INCH = 72  # pixels of a page's figure: the widest, 11 inches, fill the page
STYLE = """\
:root { font-size: SIZEpx; }
body { margin: 0 auto; padding: 0 1rem 3rem; max-width: 50rem; background: white; color: #222;
  font: 1rem/1.55 system-ui, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.25rem; margin-top: 2.2rem; }
pre, code { font: 0.875rem/1.45 ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono",
  monospace; }
p code, li code, td code { background: #f2f2f2; padding: 0.05em 0.25em; border-radius: 3px; }
pre { overflow-x: auto; padding: 0.7rem 0.9rem; margin: 0.9rem 0; border-radius: 4px; }
pre code { font-size: inherit; }
.text pre { background: #fff8e6; border-left: 4px solid #E69F00; }
.code pre { background: #f5f7f9; border-left: 4px solid #0072B2; margin-bottom: 0; }
.output pre { border: 1px solid #ddd; border-left: 4px solid #999; margin-top: 0; }
.figure { overflow-x: auto; margin: 0.9rem 0; }
.figure img { display: block; height: auto; min-width: min(36rem, var(--width)); }
table { border-collapse: collapse; display: block; overflow-x: auto; }
td, th { border-bottom: 1px solid #ddd; padding: 0.3rem 0.7rem 0.3rem 0; text-align: left; }
nav { display: flex; justify-content: space-between; gap: 1rem; margin: 1rem 0; }
a { color: #0072B2; }
@media print { pre { white-space: pre-wrap; } nav { display: none; } }
"""
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
{nav}
{body}
{nav}
</body>
</html>
"""


class Paper:
    """An audience on paper: what is printed and drawn is kept in its order."""

    def __init__(self):
        self._parts, self._printed, self._places = [], io.StringIO(), {}

    @contextlib.contextmanager
    def listening(self):
        """Keep what is printed in this block."""
        with contextlib.redirect_stdout(self):
            yield

    def write(self, text):
        """Keep printed text, as a file would."""
        return self._printed.write(text)

    def flush(self):
        """Nothing is held back."""

    def figure(self, drawing, name):
        """Keep a picture; one of the same name takes its place."""
        from .. import show

        self._end_of_print()
        data = base64.b64encode(show.as_png(drawing)).decode()
        width = round(INCH * drawing.get_size_inches()[0])
        style = f"--width: {width}px; width: min(100%, {width}px)"
        source = f"data:image/png;base64,{data}"
        image = f'<img alt="figure {html.escape(name)}" style="{style}" src="{source}">'
        part = f'<div class="figure">{image}</div>'
        if name in self._places:
            self._parts[self._places[name]] = part
        else:
            self._places[name] = len(self._parts)
            self._parts.append(part)

    def ask(self):
        """Paper does not answer."""

    def taken(self):
        """The HTML of all that came since the last time."""
        self._end_of_print()
        parts, self._parts, self._places = self._parts, [], {}
        return "\n".join(parts)

    def _end_of_print(self):
        text = self._printed.getvalue()
        if text.strip():
            lines = html.escape(text.rstrip())
            self._parts.append(f'<div class="output"><pre>{lines}</pre></div>')
        self._printed = io.StringIO()


def write_pages(lessons, folder, *, large=False):
    """Run lessons and write each as a page.

    lessons : list of `Lesson`; where there are several, an index.html lists them
    folder : where to; made if it is not there
    large : whether in large letters

    Yields the paths, as they are written. Raises `CellError` when a lesson fails.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for place, lesson in enumerate(lessons):
        before = lessons[place - 1] if place else None
        after = lessons[place + 1] if place + 1 < len(lessons) else None
        links = [_link(before, "←"), _link(after, "→")] if len(lessons) > 1 else []
        body = "\n".join(_cells(lesson))
        yield _write(folder / f"{lesson.path.stem}.html", lesson.title, links, body, large)
    if len(lessons) > 1:
        rows = "\n".join(f"<li>{_link(lesson, '')}</li>" for lesson in lessons)
        body = f"<h1>tinyvit: the lessons</h1>\n<ul>\n{rows}\n</ul>"
        yield _write(folder / "index.html", "tinyvit: the lessons", [], body, large)


def _cells(lesson):
    from markdown_it import MarkdownIt
    from pygments import highlight
    from pygments.formatters.html import HtmlFormatter
    from pygments.lexers.python import PythonLexer

    markdown, colours = MarkdownIt("commonmark").enable("table"), HtmlFormatter(noclasses=True)
    paper = Paper()
    play = Play(lesson)
    for number, cell in enumerate(play.cells):
        with paper.listening(), before(paper):
            play.run(number)
        if cell.kind == "text":
            yield f'<section class="text">\n{markdown.render(cell.source)}</section>'
        else:
            code = highlight(cell.source, PythonLexer(), colours)
            yield f'<section class="code">\n{code}</section>\n{paper.taken()}'


def _link(lesson, arrow):
    if lesson is None:
        return '<a href="index.html">all lessons</a>'
    text = html.escape(f"{lesson.number} {lesson.title}")
    words = f"{arrow} {text}" if arrow == "←" else f"{text} {arrow}"
    return f'<a href="{lesson.path.stem}.html">{words.strip()}</a>'


def _write(path, title, links, body, large):
    nav = f"<nav>{''.join(links)}</nav>" if links else ""
    style = STYLE.replace("SIZE", "24" if large else "16")
    page = PAGE.format(title=html.escape(title), style=style, nav=nav, body=body)
    with whole_file(path) as temporary:
        temporary.write_text(page, "utf-8")
    return path
