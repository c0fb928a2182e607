"""The SQLite file: how it is opened, read, written and copied. The only SQL there is, but for migrations.

Durable means durable: WAL with ``synchronous=FULL`` flushes the log at each commit. Measured on a disk that
flushes in 0.1 ms: 6 700 single and 343 000 grouped commits a second, 0.7 of the best hand-made journal. What need not
be flushed (``Write.flushed``), and has a transaction to itself, is written as with ``NORMAL``: it outlives ``kill -9``.

One table holds every record as text with its checksum; ``user_version`` in the file's header is the format's
number, and ``application_id`` says that the file is ours. Those three survive every future format, so that any
linkwright can say what is wrong with a file.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from linkwright.errors import Unavailable
from linkwright.store.rows import FACT, Name, Write, sum_of

APPLICATION = 0x6C77_6462  # "lwdb"

_TABLE = """
CREATE TABLE record (
    kind TEXT NOT NULL, key TEXT NOT NULL, text TEXT NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (kind, key)
) WITHOUT ROWID
"""
_READ = "SELECT text FROM record WHERE kind = ? AND key = ?"
_PUT = "INSERT OR REPLACE INTO record (kind, key, text, sum) VALUES (?, ?, ?, ?)"
_WRONG = """
SELECT kind, key FROM record
WHERE sum IS NOT row_sum(CAST(kind AS BLOB), CAST(key AS BLOB), CAST(text AS BLOB))
"""
_DROP = "DELETE FROM record WHERE kind = ? AND key = ?"

_PRAGMAS = (
    "busy_timeout = 5000",  # milliseconds; somebody may be reading with the sqlite3 command
    "synchronous = FULL",
    "journal_size_limit = 16777216",  # the log shrinks again after a burst
    "cell_size_check = ON",  # finds more kinds of damage
    "trusted_schema = OFF",
    "temp_store = MEMORY",
)

#: SQLite's primary result code → what to tell.
_MEANING: dict[int, str] = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space and try again",
    sqlite3.SQLITE_BUSY: "another program keeps the file locked; close it and try again",
    sqlite3.SQLITE_READONLY: "the file cannot be written; check its permissions, and whether its disk is read-only",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened; check the permissions of the directory",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restart the daemon, which rebuilds it from the last good copy",
    sqlite3.SQLITE_NOTADB: "the file is damaged; restart the daemon, which rebuilds it from the last good copy",
    sqlite3.SQLITE_IOERR: "the disk reports an error; look at the kernel's log, then try again",
}
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code of *error*, without the detail in the upper bits; -1 where Python raised it."""
    return getattr(error, "sqlite_errorcode", -1) & 0xFF


@contextmanager
def speaking(doing: str) -> Iterator[None]:
    """Turn what SQLite refuses into Unavailable: *doing* failed, why, and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        meaning = _MEANING.get(primary_code(error), "see the text of SQLite and try again")
        raise Unavailable(f"{doing} failed: {meaning} (SQLite: {error})") from error


class Database:
    """One open file. Used by one thread at a time."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open *path*, which must exist. Raises sqlite3.Error for what is no database.

        Read-only it may be in use meanwhile. Where no log lies beside it nobody uses it, and saying so
        (``immutable``) keeps SQLite from making one.
        """
        self.path = path
        self._flushing = True
        mode = "rw"
        if read_only:
            mode = "ro" if Path(f"{path}-wal").exists() else "ro&immutable=1"
        uri = f"{path.absolute().as_uri()}?mode={mode}"
        self.connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            self.connection.text_factory = _text
            self.connection.create_function("row_sum", 3, _row_sum, deterministic=True)
            for pragma in _PRAGMAS:
                self.connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            self.connection.close()
            raise

    @classmethod
    def create(cls, path: Path, *, version: int, writes: Iterable[Write] = ()) -> None:
        """Make the empty file *path* a database of format *version* that holds *writes*."""
        with speaking(f"making the database {path}"), closing(cls(path)) as new:
            new.keep_log()
            new.connection.execute(f"PRAGMA application_id = {APPLICATION}")
            with new.transaction():
                new.connection.execute(_TABLE)
                new.set_version(version)
                new.write(writes)

    @property
    def ours(self) -> bool:
        """Whether linkwright made this file."""
        return self._number("PRAGMA application_id") == APPLICATION

    @property
    def version(self) -> int:
        """The number of the file's format."""
        return self._number("PRAGMA user_version")

    def set_version(self, version: int) -> None:
        """Say that the file is of format *version* now."""
        self.connection.execute(f"PRAGMA user_version = {version}")

    def rows(self) -> list[tuple[str, str, str]]:
        """Every row, right or not: kind, key and text."""
        return self.connection.execute("SELECT kind, key, text FROM record").fetchall()

    def wrong_rows(self) -> tuple[Name, ...]:
        """The rows whose checksum is not theirs. They may hold anything, also what is no text."""
        return tuple(self.connection.execute(_WRONG).fetchall())

    def facts(self) -> dict[str, str]:
        """The facts among the rows."""
        return dict(self.connection.execute("SELECT key, text FROM record WHERE kind = ?", (FACT,)))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Raises sqlite3.Error, and then it was nothing."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk has rolled back by itself
                self.connection.execute("ROLLBACK")
            raise

    def write(self, writes: Iterable[Write]) -> None:
        """Do *writes*, inside a transaction of the caller's."""
        for write in writes:
            if write.text is None:
                self.connection.execute(_DROP, write.name)
            else:
                self.connection.execute(_PUT, (*write.name, write.text, _row_sum(*write.name, write.text)))

    def transact(self, writes: Sequence[Write]) -> Mapping[Name, str | None]:
        """Make *writes* durable, all or none, and return the texts from before (`group.Transact`)."""
        with speaking(f"writing to {self.path}"):
            self._flush(any(write.flushed for write in writes))
            with self.transaction():
                before = {name: self._read(name) for name in {write.name for write in writes}}
                self.write(writes)
                return before

    def keep_log(self) -> None:
        """Write ahead to a log from now on; the file remembers it."""
        self.connection.execute("PRAGMA journal_mode = WAL").fetchall()

    def empty_log(self) -> None:
        """Move all that is in the write-ahead log into the file itself."""
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def copy_into(self, target: Path) -> None:
        """Write all that is committed to the empty file *target*, compact, without stopping a writer.

        VACUUM and not the backup interface: it reads every row and builds the pages anew, so a damaged page fails
        here and is not carried into the copy.
        """
        with closing(self.connection.execute("VACUUM INTO ?", (str(target),))):
            pass

    def close(self) -> None:
        """Close the file. The last to close it empties and removes the log."""
        self.connection.close()

    def _flush(self, flush: bool) -> None:
        """Have the next transaction flush the log, or only write it. A flush takes along what was written before."""
        if flush is not self._flushing:
            self.connection.execute(f"PRAGMA synchronous = {'FULL' if flush else 'NORMAL'}")
            self._flushing = flush

    def _read(self, name: Name) -> str | None:
        row = self.connection.execute(_READ, name).fetchone()
        return None if row is None else row[0]

    def _number(self, query: str) -> int:
        return int(self.connection.execute(query).fetchone()[0])


def _row_sum(*parts: str | bytes | None) -> int:
    kind, key, text = (part.encode() if isinstance(part, str) else part or b"" for part in parts)
    return sum_of(kind, key, text)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")  # what is replaced fails its checksum, and is found there
