"""The last good copy: when it is made, and that nothing bad ever takes its place."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
import trio

from linkwright.errors import Unavailable
from linkwright.model import Endpoint, FoundBefore, Network
from linkwright.model.change import Put, Record
from linkwright.store import SqliteStore
from linkwright.store.copies import Copier, make_good_copy
from linkwright.store.files import Files


def _keys(path: Path) -> list[str]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return [row[0] for row in connection.execute("SELECT key FROM record WHERE kind = 'endpoint' ORDER BY key")]


async def test_an_orderly_end_leaves_a_copy_of_everything(tmp_path: Path) -> None:
    """After closing the copy has the last change, is private, and nothing is left beside it."""
    files = Files(tmp_path)
    async with (await SqliteStore.open(tmp_path, copy_interval=3600)).store as store:
        await store.commit([Put(Endpoint("e", "n"))])
    assert _keys(files.good) == ["e"]
    assert files.good.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in files.directory.iterdir()) == ["linkwright.db", "linkwright.db.good", "lock"]


async def test_a_change_is_copied_while_running(tmp_path: Path) -> None:
    """The copy follows the changes without an end; commits go on meanwhile."""
    files = Files(tmp_path)
    store = (await SqliteStore.open(tmp_path, copy_interval=0)).store
    for number in range(20):
        await store.commit([Put(Endpoint(f"{number:02}", "n"))])
    with trio.fail_after(10):
        while not files.good.exists() or len(_keys(files.good)) < 20:
            await trio.lowlevel.checkpoint()
    assert store.statistics().copies >= 1
    assert store.statistics().copy_failures == 0
    await store.aclose()


async def test_a_damaged_database_is_not_copied_over_a_good_copy(tmp_path: Path) -> None:
    """A wrong row is found when it is copied: the older copy stays, and what to do is said."""
    files = Files(tmp_path)
    async with (await SqliteStore.open(tmp_path)).store as store:
        await store.commit([Put(Endpoint("e", "n"))])
    good = files.good.read_bytes()
    with closing(sqlite3.connect(files.database)) as connection:
        connection.execute("UPDATE record SET text = '{}' WHERE kind = 'endpoint'")
        connection.commit()
    with pytest.raises(Unavailable, match=r"damaged and was not copied: wrong checksum: endpoint e\. Restart"):
        make_good_copy(files)
    assert files.good.read_bytes() == good
    assert not list(files.directory.glob("*.part*"))


class Made:
    """A stand-in for the copying that notes when it is called, and fails when told to."""

    def __init__(self) -> None:
        self.calls = threading.Semaphore(0)
        self.error: Exception | None = None

    def __call__(self) -> None:
        """One copy."""
        self.calls.release()
        if self.error is not None:
            raise self.error

    def wait(self) -> bool:
        """Whether a copy was made."""
        return self.calls.acquire(timeout=10)


def test_a_copy_is_made_at_once_and_then_after_changes_only() -> None:
    """One at the start; nothing more without a change; one for all changes of an interval; the last at the end."""
    made = Made()
    copier = Copier(made, interval=3600)
    assert made.wait()
    for _ in range(5):
        copier.changed()
    copier.close()
    assert made.wait()
    assert not made.calls.acquire(blocking=False)
    assert copier.statistics().copies == 2


def test_what_must_not_be_lost_is_copied_soon() -> None:
    """It does not wait for the minute that an earlier change has begun, nor a later change for the next."""
    made = Made()
    copier = Copier(made, interval=3600, soon=0.01)
    assert made.wait()
    copier.changed()
    copier.changed(soon=True)
    assert made.wait()
    copier.changed()
    assert not made.calls.acquire(blocking=False)
    copier.close()
    assert made.wait()


@pytest.mark.parametrize("record", [Network("k", "bridge", {}), FoundBefore("k", "boot-1")])
async def test_what_only_the_file_tells_of_is_copied_soon(tmp_path: Path, record: Record) -> None:
    """A network, and what was found before: no mark on a link tells of them. With it goes what was committed before."""
    files = Files(tmp_path)
    store = (await SqliteStore.open(tmp_path, copy_interval=3600)).store
    await store.commit([Put(Endpoint("e", "k"))])
    await store.commit([Put(record)])
    with trio.fail_after(30):
        while not files.good.exists() or _keys(files.good) != ["e"]:
            await trio.lowlevel.checkpoint()
    await store.aclose()


def test_without_a_change_the_end_makes_no_copy() -> None:
    """A copy that lacks nothing is not made again."""
    made = Made()
    copier = Copier(made, interval=3600)
    assert made.wait()
    copier.close()
    assert not made.calls.acquire(blocking=False)


def test_a_failure_is_counted_and_tried_again() -> None:
    """A copy that could not be made is due again an interval later, without another change."""
    made = Made()
    made.error = Unavailable("no room")
    copier = Copier(made, interval=0)
    assert made.wait()
    assert made.wait()
    made.error = None
    copier.close()
    seen = copier.statistics()
    assert seen.copy_failures >= 2
    assert seen.last_failure == "no room"
