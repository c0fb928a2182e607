"""Damaged files: found, set aside, rebuilt from the last good copy, and told; never emptied in silence."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import trio
from attrs import evolve

from linkwright.errors import Refused
from linkwright.model import Endpoint, Network, StoredNetwork
from linkwright.model.change import Put
from linkwright.store import SCHEMA, Contents, Opened, RecoveryReport, SqliteStore
from linkwright.store.files import Files
from linkwright.store.recovery import find_damage, recover
from linkwright.store.rows import sum_of

NETWORKS: tuple[StoredNetwork, ...] = tuple(
    Network(f"network-{number:02}", "bridge", {"note": "x" * 300}) for number in range(40)
)
BEFORE = Contents(networks=NETWORKS)
LATER = Endpoint("later", "network-01")


async def _made(directory: Path) -> Files:
    """A state directory that was closed in order: its database and its copy hold `BEFORE`."""
    async with (await SqliteStore.open(directory)).store as store:
        await store.commit([Put(network) for network in NETWORKS])
        await store.remember({"instance": "main"})
    return Files(directory)


async def _crashed(directory: Path, *, without: str = "") -> Files:
    """What a crash leaves after one more change, as a copy of the files in use, but for those that end *without*.

    The good copy is the one made at the start, and does not have the change.
    """
    files = await _made(directory / "life")
    opened = await SqliteStore.open(files.directory, copy_interval=3600)
    await _first_copy(opened)
    await opened.store.commit([Put(LATER)])
    in_use = files.directory.iterdir()
    left = _copied(directory / "left", *(path for path in in_use if not (without and path.name.endswith(without))))
    await opened.store.aclose()
    return left


def _copied(directory: Path, *paths: Path) -> Files:
    """A state directory of what is in *paths* now."""
    files = Files(directory)
    files.make_directory()
    for path in paths:
        shutil.copy2(path, directory)
    return files


async def _first_copy(opened: Opened) -> None:
    with trio.fail_after(10):
        while not opened.store.statistics().copies:
            await trio.lowlevel.checkpoint()


async def _reopened(files: Files) -> Opened:
    opened = await SqliteStore.open(files.directory)
    await opened.store.aclose()
    return opened


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _write(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def _garble_header(path: Path) -> None:
    _write(path, 0, b"not a database at all")


def _zero_a_page(path: Path) -> None:
    _write(path, 2 * 4096, bytes(4096))


def _random_page(path: Path) -> None:
    _write(path, 2 * 4096, bytes(range(256)) * 16)


def _miscount_free_pages(path: Path) -> None:
    _write(path, 36, b"\0\0\0\5")  # every row can still be read


def _spoil_a_row(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE record SET text = replace(text, 'xxx', 'xyx') WHERE key = 'network-07'")
        connection.commit()


def _remove_the_copy_and_garble(path: Path) -> None:
    Files(path.parent).good.unlink()
    _garble_header(path)


def _swap_for_a_strangers(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE browser_history (url)")
        connection.commit()


def _swap_for_text(path: Path) -> None:
    path.write_text("dear diary, " * 1000)


DAMAGES: list[tuple[Callable[[Path], None], str]] = [
    (_truncate, "malformed"),
    (_empty, "not made by linkwright"),
    (_garble_header, "file is not a database"),
    (_zero_a_page, "malformed|btree|Page|page"),
    (_random_page, "malformed|btree|Page|page"),
    (_miscount_free_pages, "freelist|Freelist"),
    (_swap_for_a_strangers, "not made by linkwright"),
    (_swap_for_text, "file is not a database"),
]


@pytest.mark.parametrize(("damage", "reason"), DAMAGES, ids=lambda value: getattr(value, "__name__", ""))
async def test_a_damaged_file_is_set_aside_and_rebuilt(
    tmp_path: Path, damage: Callable[[Path], None], reason: str
) -> None:
    """Each kind of damage: nothing that the copy has is lost, the damaged bytes are kept, and the report says all."""
    files = await _made(tmp_path)
    damage(files.database)
    bytes_before = _read(files.database)
    opened = await SqliteStore.open(tmp_path)
    report = opened.recovered
    assert opened.contents == BEFORE
    assert opened.store.facts() == {"instance": "main"}
    assert report is not None
    assert (report.aside, report.source) == (f"{files.database}.damaged-1", str(files.good))
    assert _read(Path(report.aside)) == bytes_before
    assert report.made is not None
    assert 0 <= report.age < 3600
    assert report.lost == ()
    assert any(word in report.damage for word in reason.split("|")), report.damage
    await opened.store.commit([Put(LATER)])
    await opened.store.aclose()
    assert (await _reopened(files)).contents == Contents(networks=NETWORKS, endpoints=(LATER,))


def _read(path: Path) -> bytes:
    return path.read_bytes()


async def test_a_missing_file_is_rebuilt_from_the_copy(tmp_path: Path) -> None:
    """A database that is gone is damage too, and there is nothing to set aside."""
    files = await _made(tmp_path)
    files.database.unlink()
    opened = await _reopened(files)
    assert opened.contents == BEFORE
    assert opened.recovered is not None
    assert (opened.recovered.damage, opened.recovered.aside) == ("the file is missing", "")


async def test_single_damaged_rows_come_from_the_copy_and_the_rest_stays_new(tmp_path: Path) -> None:
    """One flipped letter in one record: that record is the copy's, and changes that only the database has stay."""
    files = await _crashed(tmp_path)
    _spoil_a_row(files.database)  # also brings the log into the file
    opened = await SqliteStore.open(files.directory)
    assert opened.contents == Contents(networks=NETWORKS, endpoints=(LATER,))
    report = opened.recovered
    assert report is not None
    assert (report.source, report.made, report.lost) == (str(files.database), None, ())
    assert report.damage.startswith("wrong checksum: network network-07")
    await opened.store.aclose()


async def test_a_damaged_row_that_no_copy_has_is_named_as_lost(tmp_path: Path) -> None:
    """What cannot be brought back is said by name, and nothing else is missing."""
    files = await _crashed(tmp_path)
    with closing(sqlite3.connect(files.database)) as connection:
        connection.execute("UPDATE record SET sum = sum + 1 WHERE kind = 'endpoint'")
        connection.commit()
    opened = await _reopened(files)
    assert opened.contents == BEFORE
    assert opened.recovered is not None
    assert opened.recovered.lost == ("endpoint later",)
    assert "Known to be lost: endpoint later." in str(opened.recovered)


@pytest.mark.parametrize("bit", [0x01, 0x80])
async def test_a_flipped_bit_in_the_file_is_found(tmp_path: Path, bit: int) -> None:
    """A bit that flips inside a text leaves a perfect database, and its checksum tells; so where no UTF-8 is left."""
    files = await _made(tmp_path)
    at = files.database.read_bytes().index(b"network-23") + 60
    flipped = files.database.read_bytes()[at] ^ bit
    _write(files.database, at, bytes([flipped]))
    opened = await _reopened(files)
    assert opened.contents == BEFORE
    assert opened.recovered is not None
    assert "wrong checksum: network network-23" in opened.recovered.damage


async def test_a_crash_alone_is_no_damage(tmp_path: Path) -> None:
    """With its log in place a crashed database has everything, and there is nothing to report."""
    opened = await _reopened(await _crashed(tmp_path))
    assert opened.contents == Contents(networks=NETWORKS, endpoints=(LATER,))
    assert opened.recovered is None


async def test_a_crash_before_the_first_change_is_no_damage(tmp_path: Path) -> None:
    """Nothing was committed since the start, so nothing can be missing."""
    opened = await SqliteStore.open(tmp_path / "life")
    shutil.copytree(tmp_path / "life", tmp_path / "left", ignore=shutil.ignore_patterns("*.good*"))
    await opened.store.aclose()
    assert (await _reopened(Files(tmp_path / "left"))).recovered is None


@pytest.mark.parametrize("how", ["removed", "emptied"])
async def test_a_log_that_is_gone_is_noticed(tmp_path: Path, how: str) -> None:
    """Without its log the database looks whole and lacks the newest changes: said, and the file kept as it was."""
    files = await _crashed(tmp_path, without="-wal")
    if how == "emptied":
        files.log.touch()
    opened = await _reopened(files)
    assert opened.contents == BEFORE
    assert opened.recovered is not None
    assert opened.recovered.damage == "its write-ahead log is gone"
    assert (opened.recovered.source, opened.recovered.aside) == (str(files.database), f"{files.database}.damaged-1")


async def test_a_log_that_is_gone_behind_a_newer_copy_means_the_copy(tmp_path: Path) -> None:
    """Where the good copy has more than what is left of the database, the copy is taken."""
    files = await _made(tmp_path / "life")
    opened = await SqliteStore.open(files.directory)
    left = _copied(tmp_path / "left", files.database)
    await opened.store.commit([Put(LATER)])
    await opened.store.aclose()
    shutil.copy2(files.good, left.good)
    opened = await _reopened(left)
    assert opened.contents == Contents(networks=NETWORKS, endpoints=(LATER,))
    assert opened.recovered is not None
    assert opened.recovered.damage.startswith("it went back: it is at revision ")
    assert opened.recovered.source == str(left.good)


async def test_a_garbled_log_loses_nothing_that_the_copy_has(tmp_path: Path) -> None:
    """SQLite ignores a log it cannot read; the revisions tell that the database went back behind its copy."""
    files = await _made(tmp_path / "life")
    opened = await SqliteStore.open(files.directory)
    await opened.store.commit([Put(LATER)])
    left = _copied(tmp_path / "left", files.database, files.log)
    await opened.store.aclose()
    shutil.copy2(files.good, left.good)
    _garble_header(left.log)
    opened = await _reopened(left)
    assert opened.contents == Contents(networks=NETWORKS, endpoints=(LATER,))
    assert opened.recovered is not None


async def test_what_was_only_written_and_went_with_the_power_is_no_damage(tmp_path: Path) -> None:
    """A confirmation may be in the good copy and no longer in the database: that is no sign of a lost log."""
    files = await _made(tmp_path / "life")
    opened = await SqliteStore.open(files.directory)
    await opened.store.commit([Put(LATER)])
    left = _copied(tmp_path / "left", files.database, files.log)  # what is on the disk for certain
    await opened.store.commit([Put(evolve(LATER, name="said again"), flushed=False)])
    await opened.store.aclose()
    shutil.copy2(files.good, left.good)
    opened = await _reopened(left)
    assert opened.contents == Contents(networks=NETWORKS, endpoints=(LATER,))
    assert opened.recovered is None


async def test_without_any_good_copy_it_starts_empty_and_says_so(tmp_path: Path) -> None:
    """Nothing can be read any more: the damaged file is kept, and the report leaves no doubt."""
    files = await _made(tmp_path)
    files.good.unlink()
    _garble_header(files.database)
    opened = await _reopened(files)
    assert opened.contents == Contents()
    assert opened.recovered is not None
    assert str(opened.recovered) == (
        f"The stored state was damaged: file is not a database. The damaged file is kept as {files.database}.damaged-1."
        " There was no good copy: all records are missing, and it starts empty."
    )


async def test_a_damaged_copy_is_no_good_copy(tmp_path: Path) -> None:
    """A copy that is damaged itself is not used, and a whole database does not need one."""
    files = await _made(tmp_path)
    _garble_header(files.good)
    opened = await _reopened(files)
    assert (opened.contents, opened.recovered) == (BEFORE, None)
    _garble_header(files.good)
    _garble_header(files.database)
    opened = await _reopened(files)
    assert opened.contents == Contents()
    assert opened.recovered is not None
    assert opened.recovered.source == ""


async def test_single_damaged_rows_of_the_copy_are_lost_by_name(tmp_path: Path) -> None:
    """When both are damaged, what is whole in the copy is used and the rest is named."""
    files = await _made(tmp_path)
    with closing(sqlite3.connect(files.good)) as connection:
        connection.execute("UPDATE record SET text = '{}' WHERE key = 'network-07'")
        connection.commit()
    _garble_header(files.database)
    opened = await _reopened(files)
    assert opened.contents == Contents(networks=tuple(one for one in NETWORKS if one.id != "network-07"))
    assert opened.recovered is not None
    assert opened.recovered.lost == ("network network-07",)


async def test_the_report_is_given_until_somebody_adopts(tmp_path: Path) -> None:
    """A crash before the kernel's marks were read does not swallow the report; adopting ends it for good."""
    files = await _made(tmp_path)
    _garble_header(files.database)
    first = (await _reopened(files)).recovered
    opened = await SqliteStore.open(tmp_path)
    assert first == opened.recovered
    assert first is not None
    await opened.store.adopt([LATER])
    await opened.store.aclose()
    opened = await _reopened(files)
    assert opened.recovered is None
    assert opened.contents == Contents(networks=NETWORKS, endpoints=(LATER,))


async def test_a_crash_straight_after_the_rebuilding_is_no_second_damage(tmp_path: Path) -> None:
    """What was put in place is whole and orderly, whichever way it was made."""
    files = await _made(tmp_path)
    for damage in (_garble_header, _spoil_a_row, _remove_the_copy_and_garble):
        damage(files.database)
        found = find_damage(files, SCHEMA)
        assert found
        recover(files, found, schema=SCHEMA, now=0.0)
        assert not find_damage(files, SCHEMA)


async def test_each_damage_is_kept_under_a_name_of_its_own(tmp_path: Path) -> None:
    """A second accident does not overwrite what was left of the first."""
    files = await _made(tmp_path)
    for number in (1, 2):
        _garble_header(files.database)
        opened = await _reopened(files)
        assert opened.recovered is not None
        assert opened.recovered.aside == f"{files.database}.damaged-{number}"
    assert opened.contents == BEFORE


async def test_bytes_that_are_whole_but_make_no_sense_are_no_damage(tmp_path: Path) -> None:
    """A field of a newer linkwright under a right checksum: refused by name, with every byte left as it was."""
    files = await _made(tmp_path)
    with closing(sqlite3.connect(files.database)) as connection:
        text = '{"colour":"red","driver":"bridge","id":"network-07","options":{}}'
        row = (text, sum_of(b"network", b"network-07", text.encode()))
        connection.execute("UPDATE record SET text = ?, sum = ? WHERE key = 'network-07'", row)
        connection.commit()
    with pytest.raises(Refused, match=r"the stored network network-07 cannot be read: unknown field colour"):
        await SqliteStore.open(tmp_path)
    assert not list(files.directory.glob("*damaged*"))


async def test_a_damaged_row_in_a_newer_format_is_left_to_the_newer_linkwright(tmp_path: Path) -> None:
    """Going back is refused before anything is mended: the newer build may know better, and nothing is moved."""
    files = await _made(tmp_path)
    _spoil_a_row(files.database)
    with closing(sqlite3.connect(files.database)) as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(Refused, match="of format 2, and this linkwright reads formats up to 1"):
        await SqliteStore.open(tmp_path)
    assert not list(files.directory.glob("*damaged*"))


async def test_a_copy_of_a_newer_format_is_not_put_in_place(tmp_path: Path) -> None:
    """Recovering must not step around the refusal to go back: nothing is moved, the text names both formats."""
    files = await _made(tmp_path)
    with closing(sqlite3.connect(files.good)) as connection:
        connection.execute("PRAGMA user_version = 2")
    _garble_header(files.database)
    with pytest.raises(Refused, match="of format 2, and this linkwright reads formats up to 1"):
        await SqliteStore.open(tmp_path)
    assert not list(files.directory.glob("*damaged*"))


def test_report_text_comes_back() -> None:
    """What is written into the database is the report again."""
    report = RecoveryReport("x", 5.0, aside="/a", source="/b", made=7.0, lost=("endpoint e",))
    assert RecoveryReport.parse(report.text) == report


def test_r_10_age_is_never_negative() -> None:
    """A clock that went back makes the copy 0 seconds old, not minus two."""
    assert RecoveryReport("x", 5.0, source="/b", made=7.0).age == 0.0
    assert RecoveryReport("x", 67.0, source="/b", made=7.0).age == 60.0
    assert "which was 60 s old: changes since are missing." in str(RecoveryReport("x", 67.0, source="/b", made=7.0))
