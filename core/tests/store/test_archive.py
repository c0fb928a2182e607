"""Export and import: the same bytes both ways, and clear refusals."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linkwright.errors import Conflict, Refused, Unavailable
from linkwright.model import Endpoint
from linkwright.model.change import Put, Record, key_of
from linkwright.store import Archive, Contents, MemoryStore, SqliteStore, Store, export_text, import_text, restore
from linkwright.store.records import kind_of

#: Drawing records is slow on a busy machine, and that is no failure.
CALM = settings(suppress_health_check=[HealthCheck.too_slow])
Restart = Callable[[], Awaitable[Store]]


@CALM
@given(data=st.data(), instance=st.text(max_size=5))
def test_i_25_export_of_an_import_is_the_same_bytes(
    any_record: st.SearchStrategy[Record], data: Any, instance: str
) -> None:
    """Whatever is stored: export, import, export gives equal contents and equal bytes."""
    lists = st.lists(any_record, max_size=8, unique_by=lambda record: (kind_of(record), key_of(record)))
    archive = Archive(Contents.of(data.draw(lists)), instance=instance, build="1.2")
    text = export_text(archive)
    assert archive == import_text(text)
    assert text == export_text(import_text(text))


async def test_i_25_wiped_and_imported_is_the_same(restart: Restart, sample: Contents) -> None:
    """Export, wipe the state, import, export: the two exports are byte-equal, on either store."""
    store = await restart()
    await store.commit([Put(record) for record in sample])
    first = export_text(Archive(await store.load()))
    await restore(store, Contents(), replace=True)
    assert Contents() == await store.load()
    await restore(store, import_text(first).contents)
    assert first == export_text(Archive(await (await restart()).load()))


async def test_s_07_a_restored_backup_gives_the_same_records_in_a_new_directory(
    tmp_path: Path, sample: Contents
) -> None:
    """The state directory is lost and another one is filled from the backup: records are equal to the last."""
    async with (await SqliteStore.open(tmp_path / "old")).store as old:
        await old.commit([Put(record) for record in sample])
        backup = export_text(Archive(await old.load(), instance="main"))
    async with (await SqliteStore.open(tmp_path / "new")).store as new:
        await restore(new, import_text(backup).contents)
    async with (await SqliteStore.open(tmp_path / "new")).store as new:
        assert sample == await new.load()


def test_order_of_putting_does_not_show(sample: Contents) -> None:
    """Two stores with equal contents give equal exports."""
    assert export_text(Archive(sample)) == export_text(Archive(Contents.of(reversed([*sample]))))


async def test_import_into_something_is_refused_unless_told_to_replace(store: Store, sample: Contents) -> None:
    """What is there is not mixed with what comes: refused, or replaced as a whole in one transaction."""
    await store.commit([Put(Endpoint("old", "n")), Put(evolve(sample.endpoints[0], name="old"))])
    with pytest.raises(Conflict, match=r"holds 2 records already.*--replace"):
        await restore(store, sample)
    assert len(await store.load()) == 2
    await restore(store, sample, replace=True)
    assert (sample, 2) == (await store.load(), store.statistics().transactions)


async def test_import_that_the_disk_refuses_changes_nothing(sample: Contents) -> None:
    """All or none holds for an import as well."""
    store = MemoryStore([Endpoint("old", "n")], fail_on={1})
    with pytest.raises(Unavailable):
        await restore(store, sample, replace=True)
    assert (Endpoint("old", "n"),) == (await store.load()).endpoints


HEADER = '{"build":"","format":1,"instance":"","linkwright":"export","records":1}'
LEASE = '{"lease":{"pool":"p","address":"10.0.0.2"}}'

#: text, and what the refusal says
REFUSED = [
    ("", "no linkwright export"),
    ("hello", "line 1 of the export: not JSON"),
    ("[1]", r"line 1 of the export: a JSON object is needed, this is \[1\]"),
    ("{}", "no linkwright export"),
    ('{"linkwright":"export"}', "line 1 of the export: the header needs the field build, of type str"),
    (HEADER.replace('"format":1', '"format":"1"'), "the header needs the field format, of type int"),
    (HEADER.replace('"format":1', '"format":true'), "the header needs the field format, of type int"),
    (HEADER.replace('"format":1', '"format":1,"colour":1'), "unknown field colour"),
    (HEADER.replace('"format":1', '"format":0'), "is of format 0"),
    (HEADER, "has 0 records and its first line says 1: it was cut off, or edited"),
    (f"{HEADER}\n{LEASE}\n{LEASE.replace('.2', '.3')}", "has 2 records and its first line says 1"),
    (f"{HEADER}\n{LEASE}\n{LEASE}", "line 3 of the export: a second lease p 10.0.0.2"),
    (f"{HEADER}\n{LEASE[:-9]}", "line 2 of the export: not JSON"),
    (f"{HEADER}\n\n{{}}", "line 3 of the export: one of network, endpoint, pool, lease, found is needed"),
    (f'{HEADER}\n{{"lease":{{}},"pool":{{}}}}', "line 2 of the export: one of .* and nothing beside it"),
    (f'{HEADER}\n{{"planet":{{}}}}', "line 2 of the export: 'planet' is no kind of record"),
    (f'{HEADER}\n{{"lease":[]}}', "line 2 of the export: 'lease' is no kind of record, or what follows is no object"),
    (f"{HEADER}\n{LEASE.replace('10.', '10:')}", r"line 2 of the export: .* @ \$\.address"),
    (f"{HEADER}\n{LEASE.replace('pool', 'pond')}", r"line 2 of the export: .*unknown field pond"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_bad_text_is_refused_with_line_and_field(text: str, reason: str) -> None:
    """A person who edited a backup is told where to look; nothing is imported in part."""
    with pytest.raises(Refused, match=reason):
        import_text(text)


@CALM
@given(cut=st.integers(min_value=0), data=st.data())
def test_a_cut_export_is_never_taken_for_a_whole_one(
    any_record: st.SearchStrategy[Record], cut: int, data: Any
) -> None:
    """Wherever the file was cut off, the import says so, but for the missing line break at the very end."""
    lists = st.lists(any_record, min_size=1, max_size=3, unique_by=lambda record: (kind_of(record), key_of(record)))
    text = export_text(Archive(Contents.of(data.draw(lists))))
    with pytest.raises(Refused):
        import_text(text[: cut % (len(text) - 1)])


def test_line_ends_and_spaces_of_an_editor_do_no_harm(sample: Contents) -> None:
    """A backup that passed through an editor, with other line ends and spacing, is the same backup."""
    lines = export_text(Archive(sample)).splitlines()
    edited = "\r\n".join(json.dumps(json.loads(line), indent=None) for line in lines) + "\r\n\r\n"
    assert sample == import_text(edited).contents
