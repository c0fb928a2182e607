"""What happens at a start (lock, look, mend, migrate, read, mark as in use) and at an end. All of it blocks."""

from contextlib import closing

from attrs import frozen

from linkwright.errors import Unavailable
from linkwright.store.contents import Contents
from linkwright.store.database import Database, speaking
from linkwright.store.files import Files, whole
from linkwright.store.lock import DirectoryLock
from linkwright.store.records import decode_all
from linkwright.store.recovery import RecoveryReport, find_damage, recover
from linkwright.store.rows import FACT, ORDERLY, RECOVERY, Write
from linkwright.store.schema import Schema, migrate


@frozen
class Ready:
    """An open state directory: whole, of our format, locked, and read."""

    database: Database
    lock: DirectoryLock
    contents: Contents
    facts: dict[str, str]
    recovered: RecoveryReport | None


def make_ready(files: Files, *, schema: Schema, now: float) -> Ready:
    """Open the state directory, making or mending what has to be.

    Conflict while another process uses it; Refused where a newer linkwright wrote it; Unavailable where the disk
    or the permissions do not allow it. *now* is in seconds since the Unix epoch.
    """
    files.make_directory()
    lock = DirectoryLock.take(files.lock)
    try:
        _be_there(files, schema, now)
        with speaking(f"opening {files.database}"):
            database = Database(files.database)
            try:
                return _read(database, lock, files, schema)
            except BaseException:
                database.close()
                raise
    except BaseException:
        lock.release()
        raise


def _be_there(files: Files, schema: Schema, now: float) -> None:
    if not any(path.exists() for path in (files.database, files.log, files.good)):
        with whole(files.database) as part:
            Database.create(part, version=schema.version, writes=[Write(FACT, ORDERLY, "yes")])
        return
    found = find_damage(files, schema)
    if found:
        recover(files, found, schema=schema, now=now)


def _read(database: Database, lock: DirectoryLock, files: Files, schema: Schema) -> Ready:
    schema.check(database.version, files)
    database.keep_log()  # a copy that was put in place by hand does not say so itself
    if database.version < schema.version:
        migrate(database, files, schema)
    contents = decode_all(database.rows())
    facts = database.facts()
    # Twice: the mark must be in the file itself and the log not be empty, or a log that is lost would not be noticed.
    database.transact([Write(FACT, ORDERLY, "no")])
    database.empty_log()
    database.transact([Write(FACT, ORDERLY, "no")])
    report = RecoveryReport.parse(facts[RECOVERY]) if RECOVERY in facts else None
    return Ready(database, lock, contents, facts, report)


def leave(database: Database, lock: DirectoryLock) -> None:
    """Close what `make_ready` opened, and say in the file that this was the orderly end.

    Where the disk is too full to say it, the files are left as a crash would: everything is in the log, which the
    last to close removes unless it is only a reader.
    """
    try:
        database.transact([Write(FACT, ORDERLY, "yes")])
    except Unavailable:
        with closing(Database(database.path, read_only=True)) as reader:
            reader.facts()
            database.close()
    finally:
        database.close()
        lock.release()
