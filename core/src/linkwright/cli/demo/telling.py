"""How the demo speaks: chapters, commands with what they print, promises kept or not. In colour on a terminal only.

Rule: the same words with and without colours. What is promised and not kept makes the exit status 1.
"""

from collections.abc import Iterable
from typing import Final, TextIO

from rich.console import Console
from rich.text import Text

from linkwright.cli.blocks import Table
from linkwright.cli.showing import plain
from linkwright.daemon.printable import printable

#: Characters of a line that is told, and of one that a command printed: a mark on a link has two ids of 64 digits.
_LONGEST: Final = 4096
_WIDTH: Final = 112


class Telling:
    """Writes to *stream* as things happen, and remembers what was not as promised."""

    def __init__(self, stream: TextIO) -> None:
        """Begin with nothing said."""
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._stream = stream
        self.broken: list[str] = []

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._line("")
        self._line(title, "bold cyan")

    def say(self, text: str) -> None:
        """Say something between things that happen."""
        self._line(f"  {text}")

    def command(self, text: str) -> None:
        """Say what is done now, as a person would type it."""
        self._line(f"  $ {text}", "bold")

    def output(self, lines: Iterable[str]) -> None:
        """Show what a command printed."""
        for line in lines:
            self._line(f"      {printable(line, longest=_WIDTH)}", "dim" if line.startswith("#") else "green")

    def table(self, table: Table) -> None:
        """Show rows under headings."""
        for at, line in enumerate(plain([table])):
            self._line(f"      {line}", "bold" if not at and table.rows else "")

    def promise(self, kept: object, text: str) -> bool:
        """Say that *text* is so, or that it is not; return which."""
        self._line(f"  {'ok  ' if kept else 'NOT '}{text}", "bold green" if kept else "bold red")
        if not kept:
            self.broken.append(text)
        return bool(kept)

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(Text(printable(text, longest=_LONGEST), style=style))
        self._stream.flush()
