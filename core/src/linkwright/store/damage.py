"""Is this file whole? Looking only: what is done about it is ``recovery``."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from attrs import field, frozen

from linkwright.store.database import DAMAGE, Database, primary_code, speaking
from linkwright.store.rows import FACT, Name


@frozen
class Examination:
    """What was found; nothing, where it is false."""

    structure: str = ""  # why the file as such cannot be used
    rows: tuple[Name, ...] = ()  # single rows that are not what was written
    log: str = ""  # why the newest changes are gone though the rest is whole

    def __bool__(self) -> bool:
        return bool(self.structure or self.rows or self.log)

    def __str__(self) -> str:
        rows = f"wrong checksum: {', '.join(shown(self.rows))}" if self.rows else ""
        return "; ".join(text for text in (self.structure, rows, self.log) if text)


@frozen
class Look:
    """A file as it was found: its damage and, where its structure is whole, its format and its whole rows."""

    found: Examination
    version: int = 0
    rows: Mapping[Name, str] = field(factory=dict)

    def fact(self, name: str) -> str:
        """The fact *name*, empty where there is none."""
        return self.rows.get((FACT, name), "")


def look(path: Path) -> Look:
    """Read the file *path* and change nothing. Unavailable where it cannot be read just now."""
    with speaking(f"opening {path}"):
        try:
            with closing(Database(path, read_only=True)) as database:
                found = examine(database)
                if found.structure:
                    return Look(found)
                rows = {(kind, key): text for kind, key, text in database.rows() if (kind, key) not in found.rows}
                return Look(found, database.version, rows)
        except sqlite3.Error as error:
            if primary_code(error) not in DAMAGE:
                raise
            return Look(Examination(structure=str(error)))


def shown(names: Iterable[Name]) -> tuple[str, ...]:
    """*names* as a person reads them; a damaged name may hold anything."""
    return tuple(f"{kind} {key}" for kind, key in names)


def examine(database: Database) -> Examination:
    """Check that the pages fit together, that the file is ours, and the checksum of every row.

    ``quick_check`` and not ``integrity_check``: what the latter does more concerns indexes, and there are none.
    Raises sqlite3.Error where the damage is such that nothing can be read, and for what is no damage.
    """
    answers = [" ".join(str(row[0]).split()) for row in database.connection.execute("PRAGMA quick_check(3)")]
    if answers != ["ok"]:
        return Examination(structure="; ".join(answers))
    if not database.ours:
        return Examination(structure="it was not made by linkwright")
    if not database.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'record'").fetchone():
        return Examination(structure="it has no table of records")
    return Examination(rows=database.wrong_rows())
