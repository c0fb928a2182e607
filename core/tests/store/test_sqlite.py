"""What only the store on disk can show: files, modes, grouping, other programs."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
import trio
import trio.testing

from linkwright.errors import Unavailable
from linkwright.model import Endpoint
from linkwright.model.change import Put
from linkwright.store import SqliteStore
from linkwright.store.database import Database, speaking
from linkwright.store.files import Files
from linkwright.store.rows import Write


async def test_files_are_private(tmp_path: Path) -> None:
    """Directories are made as needed with 0700, and every file in them, while in use, has 0600."""
    files = Files(tmp_path / "var" / "lib" / "linkwright")
    async with (await SqliteStore.open(files.directory)).store as store:
        await store.commit([Put(Endpoint("e", "n"))])
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files.directory.iterdir()}
        assert {"linkwright.db", "linkwright.db-wal", "linkwright.db-shm", "lock"} <= modes.keys()
        assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(files.directory.stat().st_mode) == 0o700


def test_a_commit_is_flushed_to_the_disk(tmp_path: Path) -> None:
    """No kill shows what a power cut would: the settings that promise durability are asserted by themselves."""
    path = tmp_path / "x.db"
    path.touch()
    Database.create(path, version=1)
    with closing(Database(path)) as database:
        values = [
            database.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
        ]
    assert values == ["wal", 2]  # 2 is FULL: the log is flushed at each commit


def test_only_what_the_hosts_end_makes_void_is_not_flushed(tmp_path: Path) -> None:
    """Alone it is just written; beside anything else, and after it, all is flushed. Drops always are."""
    path = tmp_path / "x.db"
    path.touch()
    Database.create(path, version=1)
    put, drop, note = Write("k", "a", "1"), Write("k", "b", None), Write("k", "c", "1", flushed=False)
    with closing(Database(path)) as database:
        database.keep_log()
        found = []
        for writes in ([note], [put, note], [note], [note], [drop], [note], []):
            database.transact(writes)
            found.append((database.connection.execute("PRAGMA synchronous").fetchone()[0], len(writes)))
        assert database.rows() == [("k", "a", "1"), ("k", "c", "1")]
    assert found == [(1, 1), (2, 2), (1, 1), (1, 1), (2, 1), (1, 1), (1, 0)]  # 1 is NORMAL, 2 FULL


async def test_group_commit(tmp_path: Path) -> None:
    """While somebody else keeps the file locked two hundred callers gather: two transactions serve them all."""
    files = Files(tmp_path)
    async with (await SqliteStore.open(tmp_path)).store as store:
        with closing(sqlite3.connect(files.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with trio.open_nursery() as nursery:
                for number in range(200):
                    nursery.start_soon(store.commit, [Put(Endpoint(f"{number:03}", "n"))])
                await trio.testing.wait_all_tasks_blocked()
                other.execute("ROLLBACK")
        seen = store.statistics()
        assert (seen.commits, seen.changes, seen.queue) == (200, 200, 0)
        assert seen.transactions <= 2
        assert seen.largest_group >= 100
        assert len((await store.load()).endpoints) == 200


async def test_a_disk_that_does_not_answer_is_unavailable_in_time(tmp_path: Path) -> None:
    """Who cannot be served within the patience is told so, and is not written afterwards."""
    files = Files(tmp_path)
    async with (await SqliteStore.open(tmp_path, patience=0.05)).store as store:
        with closing(sqlite3.connect(files.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable, match=r"did not answer within 0\.05 s"):
                await store.commit([Put(Endpoint("late", "n"))])
            other.execute("ROLLBACK")
    opened = await SqliteStore.open(tmp_path)
    assert opened.contents.endpoints == ()
    await opened.store.aclose()


async def test_a_reader_does_not_stop_a_writer(tmp_path: Path) -> None:
    """Somebody looking at the file with the sqlite3 command delays nothing."""
    files = Files(tmp_path)
    async with (await SqliteStore.open(tmp_path)).store as store:
        with closing(sqlite3.connect(files.database, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT * FROM record").fetchone()
            await store.commit([Put(Endpoint("e", "n"))])
        assert [endpoint.id for endpoint in (await store.load()).endpoints] == ["e"]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (sqlite3.SQLITE_FULL, "the disk is full"),
        (sqlite3.SQLITE_BUSY, "another program keeps the file locked"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "another program keeps the file locked"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "check its permissions"),
        (sqlite3.SQLITE_CANTOPEN, "check the permissions of the directory"),
        (sqlite3.SQLITE_CORRUPT, "the file is damaged; restart the daemon, which rebuilds it"),
        (sqlite3.SQLITE_NOTADB, "the file is damaged; restart the daemon, which rebuilds it"),
        (sqlite3.SQLITE_IOERR_FSYNC, "the disk reports an error"),
        (sqlite3.SQLITE_MISUSE, "see the text of SQLite"),
    ],
)
def test_every_refusal_of_sqlite_says_what_to_do(code: int, text: str) -> None:
    """Unavailable carries what was tried, what it means, what to do, and SQLite's own words."""
    refusal = sqlite3.OperationalError("in SQLite's words")
    refusal.sqlite_errorcode = code
    expected = rf"^writing failed: .*{text}.* \(SQLite: in SQLite's words\)$"
    with pytest.raises(Unavailable, match=expected), speaking("writing"):
        raise refusal


async def test_a_directory_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    """A file where the directory should be: the message has the path and the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"the state directory .*/file/state cannot be made: Not a directory"):
        await SqliteStore.open(tmp_path / "file" / "state")


async def test_leftovers_of_a_crash_while_making_files_do_no_harm(tmp_path: Path) -> None:
    """Half a copy and half a database, with logs that belong to nothing, are cleared and never read."""
    files = Files(tmp_path)
    async with (await SqliteStore.open(tmp_path)).store as store:
        await store.commit([Put(Endpoint("e", "n"))])
    for name in (
        "linkwright.db.part",
        "linkwright.db.part-wal",
        "linkwright.db.good.part",
        "linkwright.db.good.part-journal",
    ):
        (tmp_path / name).write_bytes(b"half")
    opened = await SqliteStore.open(tmp_path)
    await opened.store.commit([Put(Endpoint("f", "n"))])
    await opened.store.aclose()
    assert opened.store.statistics().copy_failures == 0
    opened = await SqliteStore.open(tmp_path)
    assert [endpoint.id for endpoint in opened.contents.endpoints] == ["e", "f"]
    assert opened.recovered is None
    await opened.store.aclose()
    assert not list(files.directory.glob("*.good.part*"))


async def test_each_transaction_that_is_flushed_has_a_revision(tmp_path: Path) -> None:
    """Revisions go up by one, also over a restart: what a lost log is recognised by. What may be lost has none."""
    revisions = []
    for _ in range(2):
        async with (await SqliteStore.open(tmp_path)).store as store:
            for _ in range(3):
                await store.commit([Put(Endpoint("e", "n"))])
                await store.commit([Put(Endpoint("e", "n"), flushed=False)])
                with closing(sqlite3.connect(tmp_path / "linkwright.db")) as other:
                    query = "SELECT text FROM record WHERE kind = 'fact' AND key = 'revision'"
                    revisions.append(other.execute(query).fetchone()[0])
    assert revisions == ["1", "2", "3", "4", "5", "6"]
