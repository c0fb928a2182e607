"""What a page is made of: facts, tables, lines and titles. No output.

Rule: text that came from outside (names of containers, options) is made printable once, for every page: in ``cell``, or
where a line or a title is written.
"""

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from linkwright.daemon.printable import printable

#: Characters of one cell or line: a command of a plan may be long, and must not be cut.
LONGEST: Final = 4096


@frozen
class Facts:
    """Pairs of a name and a value, one a line."""

    pairs: Sequence[tuple[str, object]]


@frozen
class Table:
    """Rows under headings; *nothing* is said where there are none."""

    headings: Sequence[str]
    rows: Sequence[Sequence[object]]
    nothing: str = "none"


@frozen
class Lines:
    """Text as it is, such as commands."""

    lines: Sequence[str]


@frozen
class Title:
    """What comes next."""

    text: str


Block = Facts | Table | Lines | Title


def cell(value: object) -> str:
    """Return *value* as one cell: "-" for nothing, "yes" and "no", lists in a row."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(cell(one) for one in value) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{cell(key)}={cell(one)}" for key, one in value.items()) or "-"
    return printable("" if value is None else str(value), longest=LONGEST) or "-"
