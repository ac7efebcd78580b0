"""What a lesson looks like in a terminal."""

from pygments.token import Comment, Keyword, Number, Operator, String, Token
from rich.control import Control
from rich.markdown import Markdown
from rich.padding import Padding
from rich.segment import ControlType
from rich.style import Style
from rich.syntax import ANSISyntaxTheme, Syntax
from rich.table import Table
from rich.text import Text

from ..display import make_console

LARGE = 64  # columns of text for a projector: the terminal's letters can be made large
THEME = ANSISyntaxTheme(  # read on light and on dark; shapes are comments, and must be seen
    {
        Token: Style(),
        Comment: Style(color="green"),
        Keyword: Style(bold=True),
        Operator.Word: Style(bold=True),
        String: Style(color="magenta"),
        Number: Style(color="cyan"),
    }
)


class Terminal:
    """A terminal with someone before it.

    large : whether for a projector: a cell to a screen, short lines, room around
    """

    def __init__(self, large=False):
        self._console = make_console()
        self.large = large
        if large:
            self._console.width = min(LARGE, self._console.width)

    def title(self, lesson, count):
        """Name the lesson, before its first cell."""
        self._console.print(Text(f"{lesson.number} {lesson.stem}: {count} cells", style="bold"))

    def cell(self, cell, source, number, count):
        """Show a cell: text as it is meant, code with colours."""
        if self.large:
            self._console.clear()
        self._console.rule(f"cell {number + 1} of {count}", style="dim", align="right")
        if cell.kind == "text":
            shown = Markdown(source, code_theme=THEME, justify="left")
        else:
            shown = Syntax(
                source,
                *("python",),
                theme=THEME,
                background_color="default",
                word_wrap=True,
            )
        below = int(cell.kind == "code")  # a line between the code and what it prints
        self._console.print(Padding(shown, (1, 2) if self.large else (0, 1, below, 1)))

    def say(self, words):
        """Print a line of the stepper's own."""
        self._console.print(Text(words, style="italic"))

    def wrong(self, words):
        """Print what went wrong."""
        self._console.print(Text(words, style="bold red"))

    def variables(self, rows):
        """Print a table of variables.

        rows : (name, kind, shape or value)
        """
        table = Table("variable", "what", "shape or value", box=None, padding=(0, 2, 0, 0))
        for row in rows:
            table.add_row(*row)
        self._console.print(table)

    def ask(self, words):
        """Wait for a line; None at the end of the input, and at Ctrl-C."""
        try:
            return self._console.input(Text.assemble((words, "bold"), " > ")).strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return None

    def ask_for_key(self, words):
        """Wait for a line as `ask` does, and take the question away again."""
        key = self.ask(words)
        if key is not None and self._console.is_terminal:
            self._console.control(
                Control((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2))
            )
        return key
