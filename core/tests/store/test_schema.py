"""From one format to the next, and why not back. The migrations here are invented; the mechanism is the real one."""

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from linkwright.errors import Refused, Unavailable
from linkwright.model import Endpoint, Network, StoredNetwork
from linkwright.model.change import Put
from linkwright.store import SCHEMA, Archive, Contents, Schema, SqliteStore, export_text, import_text
from linkwright.store.files import Files
from linkwright.store.records import Document
from linkwright.store.schema import Step

NETWORK: StoredNetwork = Network("n", "bridge", {"mode": "l2"})


def _rename_driver(kind: str, document: Document) -> Document:
    return {**document, "driver": "bridge2"} if kind == "network" else document


def _drop_endpoints(kind: str, document: Document) -> Document | None:
    return None if kind == "endpoint" else document


UPPER = (
    "CREATE TABLE note (text TEXT)",
    "INSERT INTO note SELECT key FROM record WHERE kind = 'network'",
    """UPDATE record SET text = replace(text, '"l2"', '"l3"'),
                         sum = row_sum(kind, key, replace(text, '"l2"', '"l3"'))""",
)
STEPS: Mapping[int, Step] = {1: _rename_driver, 2: UPPER, 3: _drop_endpoints}


async def _make(directory: Path, *, schema: Schema = SCHEMA) -> Files:
    async with (await SqliteStore.open(directory, schema=schema)).store as store:
        await store.commit([Put(NETWORK), Put(Endpoint("e", "n"))])
        await store.remember({"boot": "1"})
    return Files(directory)


def _bytes(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "lock"}


def _version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


async def test_r_11_an_upgrade_goes_every_step_and_keeps_a_copy(tmp_path: Path) -> None:
    """From 1 to 4 by function, SQL and function; the file from before is kept, whole, and facts stay."""
    files = await _make(tmp_path)
    opened = await SqliteStore.open(tmp_path, schema=Schema(4, STEPS))
    expected = Contents(networks=(Network("n", "bridge2", {"mode": "l3"}),))
    assert (expected, None, {"boot": "1"}) == (opened.contents, opened.recovered, opened.store.facts())
    await opened.store.aclose()
    assert (_version(files.database), _version(files.kept(1))) == (4, 1)
    assert files.kept(1).stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(files.database)) as connection:
        assert connection.execute("SELECT text FROM note").fetchall() == [("n",)]
    again = await SqliteStore.open(tmp_path, schema=Schema(4, STEPS))
    assert (expected, [1]) == (again.contents, files.kept_versions())
    await again.store.aclose()


async def test_r_11_going_back_is_refused_and_names_the_way(tmp_path: Path) -> None:
    """The older build refuses with both formats and the kept copy named, and touches nothing."""
    files = await _make(tmp_path)
    await (await SqliteStore.open(tmp_path, schema=Schema(2, STEPS))).store.aclose()
    before = _bytes(tmp_path)
    with pytest.raises(Refused) as refusal:
        await SqliteStore.open(tmp_path)
    assert (
        f"{files.database} is of format 2, and this linkwright reads formats up to 1: it was written by a newer one. "
        f"Use that one again, or go back to the copy {files.kept(1)} from before the upgrade and lose what came since: "
        f"move {files.database}, linkwright.db-wal and linkwright.db.good away, and rename the copy to the first"
    ) == str(refusal.value)
    assert before == _bytes(tmp_path)


@pytest.mark.parametrize("end", ["orderly", "crash"])
async def test_r_11_the_named_way_back_works(tmp_path: Path, end: str) -> None:
    """Doing what the message says gives the state from before the upgrade, without alarm, and it is durable again."""
    files = await _make(tmp_path / "life")
    opened = await SqliteStore.open(files.directory)
    if end == "crash":  # before the upgrade
        files = Files(shutil.copytree(files.directory, tmp_path / "left", ignore=shutil.ignore_patterns("*.good*")))
    await opened.store.aclose()
    await (await SqliteStore.open(files.directory, schema=Schema(2, STEPS))).store.aclose()
    files.good.unlink()
    files.kept(1).replace(files.database)
    opened = await SqliteStore.open(files.directory)
    assert (opened.contents, opened.recovered) == (Contents.of([NETWORK, Endpoint("e", "n")]), None)
    await opened.store.commit([Put(Endpoint("f", "n"))])
    again = shutil.copytree(files.directory, tmp_path / "again", ignore=shutil.ignore_patterns("*.good*"))
    await opened.store.aclose()
    opened = await SqliteStore.open(again)
    assert (len(opened.contents.endpoints), opened.recovered) == (2, None)
    await opened.store.aclose()


async def test_without_a_kept_copy_that_is_said(tmp_path: Path) -> None:
    """A state directory born in a newer format has no way back, and the message does not pretend."""
    await _make(tmp_path, schema=Schema(2))
    with pytest.raises(Refused, match="no copy from before the upgrade is there"):
        await SqliteStore.open(tmp_path)


async def test_too_old_is_refused(tmp_path: Path) -> None:
    """A build that has forgotten the first steps says which formats it can still read."""
    await _make(tmp_path)
    with pytest.raises(Refused, match=r"is of format 1, and this linkwright reads formats from 2 on"):
        await SqliteStore.open(tmp_path, schema=Schema(3, {2: UPPER}))


def _explode(kind: str, document: Document) -> Document:
    raise ZeroDivisionError("a bug in the step")


def _spoil(kind: str, document: Document) -> Document:
    return {**document, "colour": 1}


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (_explode, "a bug in the step"),
        (_spoil, "unknown field colour"),
        (("DELETE FROM record", "SELECT nonsense"), "no such column: nonsense"),
        (("UPDATE record SET text = '{}'",), "wrong checksum"),
    ],
)
async def test_a_step_that_fails_leaves_all_as_it_was(tmp_path: Path, step: Step, reason: str) -> None:
    """A migration is one transaction, proven before it counts: raised, unreadable or wrong, nothing has happened."""
    files = await _make(tmp_path)
    with pytest.raises(Unavailable, match=reason):
        await SqliteStore.open(tmp_path, schema=Schema(3, {1: _rename_driver, 2: step}))
    assert _version(files.database) == 1
    opened = await SqliteStore.open(tmp_path)
    assert (Contents.of([NETWORK, Endpoint("e", "n")])) == opened.contents
    await opened.store.aclose()


def test_an_old_export_goes_the_same_steps() -> None:
    """A backup of format 1 is imported by a build of format 2: rewritten, or dropped, like the records on disk."""
    text = export_text(Archive(Contents.of([NETWORK, Endpoint("e", "n")])))
    schema = Schema(3, {1: _rename_driver, 2: _drop_endpoints})
    assert Contents.of([Network("n", "bridge2", {"mode": "l2"})]) == import_text(text, schema=schema).contents


def test_an_export_of_a_newer_format_is_refused() -> None:
    """Both formats and the build that wrote it are named."""
    text = export_text(Archive(Contents(), build="9.0"), schema=Schema(2))
    with pytest.raises(Refused, match=r"of format 2 \(written by linkwright 9.0\).* reads formats 1 to 1"):
        import_text(text)


def test_the_table_leads_from_the_oldest_format_to_ours() -> None:
    """The real table has no gap."""
    steps: Mapping[int, Step | Callable[..., object]] = SCHEMA.steps
    assert list(range(SCHEMA.oldest, SCHEMA.version)) == sorted(steps)
