"""Editing a cell: in your own editor where one is set, else here in the terminal."""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from ..errors import InputError


def edit(source):
    """Let the user change some lines of Python.

    source : the lines as they are

    Returns the new lines, or None when nothing is to be changed.
    Raises InputError when the editor cannot be started, or there is no terminal to edit in.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    changed = _in_editor(command, source) if command else _in_terminal(source)
    if changed is None or changed.rstrip() == source.rstrip():
        return None
    return changed.rstrip()


def _in_editor(command, source):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cell.py"
        path.write_text(source + "\n", "utf-8")
        try:
            subprocess.run([*shlex.split(command), str(path)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise InputError(f"the editor {command!r} did not work: {error}") from None
        return path.read_text("utf-8")


def _in_terminal(source):
    if not sys.stdin.isatty():
        raise InputError("there is no terminal to edit in: set EDITOR to an editor's name")
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.lexers import PygmentsLexer
    from pygments.lexers.python import PythonLexer

    keys = KeyBindings()

    @keys.add("c-s")
    @keys.add("f5")
    @keys.add("escape", "enter")
    def _(event):
        event.current_buffer.validate_and_handle()

    @keys.add("tab")
    def _(event):
        event.current_buffer.insert_text("    ")

    session = PromptSession(
        multiline=True,
        lexer=PygmentsLexer(PythonLexer),
        key_bindings=keys,
        erase_when_done=True,
        prompt_continuation="  ",
        bottom_toolbar="arrows move · Ctrl-S or F5 runs it · Ctrl-C leaves it as it was",
    )
    try:
        return session.prompt("  ", default=source)
    except (KeyboardInterrupt, EOFError):
        return None
