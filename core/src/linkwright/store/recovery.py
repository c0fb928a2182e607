"""What is done about a damaged database: it is set aside, never overwritten, and rebuilt from the last good copy.

Damage is bytes that are not what was written: no database, pages that do not fit, a wrong checksum, a database or
its log that is gone. Bytes that are as they were written and make no sense here (a newer format, an unknown field)
are no damage: the start is refused then and nothing is touched.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from attrs import asdict, evolve, frozen

from linkwright.store.damage import Examination, Look, look, shown
from linkwright.store.database import Database, speaking
from linkwright.store.files import Files, whole
from linkwright.store.rows import FACT, ORDERLY, RECOVERY, REVISION, Name, Write
from linkwright.store.schema import Schema


@frozen
class RecoveryReport:
    """What was damaged, what it was rebuilt from, and what may be missing. Times are seconds since the Unix epoch."""

    damage: str
    found: float  # when
    aside: str = ""  # where the damaged file lies now; empty where it was kept in use or not there
    source: str = ""  # what the records were taken from; empty: nothing was left
    made: float | None = None  # when the source was made, where it is the good copy
    lost: tuple[str, ...] = ()  # records known to be lost: kind and key

    @property
    def age(self) -> float:
        """How old the source was, in seconds; 0 where it is not a copy, or the clock went back."""
        return 0.0 if self.made is None else max(0.0, self.found - self.made)

    @classmethod
    def parse(cls, text: str) -> "RecoveryReport":
        """Read what `text` wrote."""
        document = json.loads(text)
        return cls(**{**document, "lost": tuple(document["lost"])})

    @property
    def text(self) -> str:
        """As the fact that is kept until somebody has acted upon it."""
        return json.dumps(asdict(self), sort_keys=True)

    def __str__(self) -> str:
        parts = [f"The stored state was damaged: {self.damage}."]
        if self.aside:
            parts.append(f"The damaged file is kept as {self.aside}.")
        if not self.source:
            parts.append("There was no good copy: all records are missing, and it starts empty.")
        elif self.made is not None:
            parts.append(
                f"Records were taken from {self.source}, which was {self.age:.0f} s old: changes since are missing."
            )
        else:
            parts.append(f"Records were taken from {self.source}, which is whole; its newest changes may be missing.")
        if self.lost:
            parts.append(f"Known to be lost: {', '.join(self.lost)}.")
        return " ".join(parts)


def find_damage(files: Files, schema: Schema) -> Examination:
    """Look whether the database is whole. Refused where it is of a format that this linkwright cannot read.

    A log that is gone or cut leaves a database that looks whole and is of an earlier hour. Two signs tell: SQLite
    removes the log at an orderly end only, and revisions only go up and are flushed before anybody reads them, so
    one below the good copy's has gone back.
    """
    if not files.database.exists():
        return Examination(structure="the file is missing")
    logged = files.log.exists() and files.log.stat().st_size > 0  # looked at before SQLite makes one
    seen = look(files.database)
    if seen.found.structure:
        return seen.found
    schema.check(seen.version, files)
    if seen.fact(ORDERLY) == "yes":
        return seen.found
    here, copied = (revision_of(one.fact(REVISION)) for one in (seen, _look_at_good(files)))
    if here < copied:
        return Examination(structure=f"it went back: it is at revision {here}, and its copy at {copied}")
    return seen.found if logged else evolve(seen.found, log="its write-ahead log is gone")


def recover(files: Files, found: Examination, *, schema: Schema, now: float) -> RecoveryReport:
    """Put a whole database in the place of the damaged one and tell what was done.

    Where the file as such is whole, only its damaged rows are taken from the good copy and all others stay as new
    as they are. The report goes into the new database with the rest: a crash before anybody acted upon it does not
    lose it. Refused, with nothing touched, where the good copy is of a newer format.
    """
    good = _look_at_good(files)
    usable = files.good.exists() and not good.found.structure
    if usable:
        schema.check(good.version, files)
    with speaking(f"rebuilding {files.database}"), whole(files.database) as part:
        if not found.structure:
            version = _copy(files.database, part)
            lost = _mend(part, found.rows, good.rows if good.version == version else {})
            report = RecoveryReport(str(found), now, source=str(files.database), lost=lost)
        elif usable:
            _copy(files.good, part)
            lost = _mend(part, good.found.rows, {})
            report = RecoveryReport(str(found), now, source=str(files.good), made=files.good.stat().st_mtime, lost=lost)
        else:
            Database.create(part, version=schema.version)
            report = RecoveryReport(str(found), now)
        report = evolve(report, aside=str(files.set_aside() or ""))
        _note(part, report)
    return report


def revision_of(text: str) -> int:
    """The revision that *text* is; 0 where it is none."""
    return int(text) if text.isdecimal() else 0


def _look_at_good(files: Files) -> Look:
    return look(files.good) if files.good.exists() else Look(Examination())


def _copy(source: Path, target: Path) -> int:
    with closing(Database(source, read_only=True)) as database:
        database.copy_into(target)
        return database.version


def _mend(path: Path, damaged: Iterable[Name], spare: Mapping[Name, str]) -> tuple[str, ...]:
    """Put the *spare* texts in the place of *damaged* rows; what there is none for is dropped, and told."""
    writes = [Write(kind, key, spare.get((kind, key))) for kind, key in damaged]
    with closing(Database(path)) as database, database.transaction():
        database.write(writes)
    return shown(write.name for write in writes if write.text is None)


def _note(path: Path, report: RecoveryReport) -> None:
    with closing(Database(path)) as database:
        database.keep_log()
        with database.transaction():
            database.write([Write(FACT, ORDERLY, "yes"), Write(FACT, RECOVERY, report.text)])
