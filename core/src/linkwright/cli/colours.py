"""A page on a terminal, by rich: the same blocks and words as in plain text, with borders and colours."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from linkwright.cli.blocks import LONGEST, Block, Facts, Lines, Table, Title, cell
from linkwright.daemon.printable import printable

#: Words whose meaning has a colour, wherever they stand alone in a cell.
_STYLES: Final[Mapping[str, str]] = {
    "ok": "green",
    "ready": "green",
    "joined": "green",
    "warn": "yellow",
    "creating": "yellow",
    "left": "yellow",
    "deleting": "yellow",
    "fail": "bold red",
    "not ready": "bold red",
    "frozen": "bold red",
}


def write(page: Sequence[Block], stream: TextIO, *, width: int | None = None) -> None:
    """Write *page* to the terminal *stream*, as wide as that is unless *width* says otherwise."""
    console = Console(file=stream, highlight=False, width=width)
    for block in page:
        _WRITERS[type(block)](console, block)


def _text(value: object) -> Text:
    text = cell(value)
    return Text(text, style=_STYLES.get(text, ""))  # never markup: "[red]" may be somebody's container


def _facts(console: Console, block: Facts) -> None:
    grid = RichTable.grid(padding=(0, 2))
    for name, value in block.pairs:
        grid.add_row(Text(name, style="bold"), _text(value))
    console.print(grid)


def _table(console: Console, block: Table) -> None:
    if not block.rows:
        console.print(Text(block.nothing, style="dim"))
        return
    table = RichTable(box=SIMPLE_HEAD, pad_edge=False)
    for heading in block.headings:
        table.add_column(Text(heading.upper()), overflow="fold")
    for row in block.rows:
        table.add_row(*(_text(value) for value in row))
    console.print(table)


def _lines(console: Console, block: Lines) -> None:
    for line in block.lines:
        text = Text(printable(line, longest=LONGEST), style="dim" if line.startswith("#") else "")
        console.print(text, soft_wrap=True)  # a command is copied whole


def _title(console: Console, block: Title) -> None:
    console.print()
    console.print(Text(f"{printable(block.text)}:", style="bold underline"))


_WRITERS: Final[Mapping[type, Callable[[Console, Any], None]]] = {
    Facts: _facts,
    Table: _table,
    Lines: _lines,
    Title: _title,
}
