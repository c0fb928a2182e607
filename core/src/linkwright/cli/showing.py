"""How answers look: a page of ``blocks``, coloured on a terminal (``colours``), plain text elsewhere, or JSON."""

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, TextIO, TypeVar

import click

from linkwright.cli.blocks import LONGEST, Block, Facts, Lines, Table, Title, cell
from linkwright.daemon.printable import printable

F = TypeVar("F", bound=Callable[..., Any])

#: Digits of an id in a list, as Docker shows them.
SHORT: Final = 12


def as_json(command: F) -> F:
    """Give *command* the option ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Write JSON, with stable keys.")(command)


def show(document: object, page: Callable[[], Sequence[Block]], *, as_json: bool) -> None:
    """Write *document* as JSON, or the *page* that is made of it."""
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        write(page(), sys.stdout)


def write(page: Sequence[Block], stream: TextIO) -> None:
    """Write *page* to *stream*, in the form that fits it."""
    if stream.isatty():
        from linkwright.cli import colours  # noqa: PLC0415 - rich takes longer to import than most commands to run

        colours.write(page, stream)
    else:
        stream.writelines(f"{line}\n" for line in plain(page))


def plain(page: Sequence[Block]) -> list[str]:
    """Return *page* as lines without any escape sequence, the columns of a table aligned."""
    lines: list[str] = []
    for at, block in enumerate(page):
        if isinstance(block, Title) and at:
            lines.append("")
        lines += _PLAIN[type(block)](block)
    return lines


def short(id: str) -> str:  # noqa: A002 - the domain's word
    """Return as much of an id as is shown in a list."""
    return id[:SHORT]


def one_line(commands: str) -> str:
    """Return several commands, one a line, as one line that a shell would take."""
    return "; ".join(commands.splitlines())


def _facts(block: Facts) -> list[str]:
    width = max((len(name) for name, _ in block.pairs), default=0)
    return [f"{name:<{width}}  {cell(value)}" for name, value in block.pairs]


def _table(block: Table) -> list[str]:
    if not block.rows:
        return [block.nothing]
    rows = [[heading.upper() for heading in block.headings], *([cell(one) for one in row] for row in block.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(block.headings))]
    return ["  ".join(f"{one:<{width}}" for one, width in zip(row, widths, strict=True)).rstrip() for row in rows]


_PLAIN: Final[dict[type, Callable[[Any], list[str]]]] = {
    Facts: _facts,
    Table: _table,
    Lines: lambda block: [printable(line, longest=LONGEST) for line in block.lines],
    Title: lambda block: [f"{printable(block.text)}:"],
}
