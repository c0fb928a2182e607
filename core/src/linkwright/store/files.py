"""The state directory: which files lie in it, how they are made, moved and locked down. No SQL here.

All are readable by their owner only (0600, the directory 0700): endpoint options may carry what people would not
publish. A file appears under its final name only when it is whole and flushed.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from linkwright.errors import Unavailable

_BESIDE = ("", "-wal", "-shm")  # a database in WAL mode is three files


@frozen
class Files:
    """Names in one state directory."""

    directory: Path

    @property
    def database(self) -> Path:
        """The records."""
        return self.directory / "linkwright.db"

    @property
    def log(self) -> Path:
        """SQLite's write-ahead log: absent after an orderly end, and only then."""
        return self.directory / "linkwright.db-wal"

    @property
    def good(self) -> Path:
        """The last good copy (``copies``)."""
        return self.directory / "linkwright.db.good"

    @property
    def lock(self) -> Path:
        """Held while a daemon uses the directory (``lock``)."""
        return self.directory / "lock"

    def kept(self, version: int) -> Path:
        """The copy kept from before migrating away from format *version*."""
        return self.directory / f"linkwright.db.v{version}"

    def kept_versions(self) -> list[int]:
        """Formats of which a copy is kept, oldest first."""
        ends = [path.name.removeprefix("linkwright.db.v") for path in self.directory.glob("linkwright.db.v*")]
        return sorted(int(end) for end in ends if end.isdecimal())

    def make_directory(self) -> None:
        """Make the directory if it is not there; one that is there keeps the mode its administrator gave it."""
        with told(f"the state directory {self.directory} cannot be made"):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def set_aside(self) -> Path | None:
        """Rename the database and what belongs to it to the next free ``linkwright.db.damaged-<n>``.

        The new name, or None where the database itself was not there.
        """
        there = self.database.exists()
        number = 1
        while any((self.directory / f"linkwright.db.damaged-{number}{end}").exists() for end in _BESIDE):
            number += 1
        aside = self.directory / f"linkwright.db.damaged-{number}"
        with told(f"the damaged {self.database} cannot be set aside as {aside}"):
            for end in _BESIDE:
                source = Path(f"{self.database}{end}")
                if source.exists():
                    source.rename(f"{aside}{end}")
            flush(self.directory)
        return aside if there else None


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn what the operating system refuses into Unavailable: *what*, and the reason."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"{what}: {error.strerror or error}; check the disk and the permissions") from error


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """Give the path of an empty private file beside *target*; at the end it is flushed and replaces *target*.

    After a failure *target* is as it was and nothing is left beside it.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        with told(f"{target} cannot be written"):
            _clear(part)  # a stale log beside a new database would be read into it
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
        with told(f"{target} cannot be written"):
            flush(part)
            part.rename(target)
            flush(target.parent)
    finally:
        _clear(part)


def _clear(part: Path) -> None:
    for end in (*_BESIDE, "-journal"):
        Path(f"{part}{end}").unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Ask the disk to keep *path*: a file's bytes, or a directory's names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def has_room(directory: Path, size: int) -> bool:
    """Whether *size* more bytes may be written there without coming near the end of the disk."""
    return shutil.disk_usage(directory).free > 2 * size
