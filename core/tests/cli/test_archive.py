"""``linkwright export`` and ``import``: nothing lost, nothing half done, and never under a running daemon."""

# ruff: noqa: ASYNC240 - small files of the test's own
import json
import shutil
import stat
from pathlib import Path

import pytest
from core.tests.cli.conftest import Served, typed

from linkwright.store import SqliteStore


@pytest.fixture
async def archive(served: Served, tmp_path: Path) -> Path:
    """A busy daemon's export."""
    await served.busy()
    path = tmp_path / "lw.export"
    await served.text("export", str(path))
    return path


async def test_i_25_exported_wiped_imported_and_exported_again_is_byte_equal(archive: Path, tmp_path: Path) -> None:
    """From the daemon to a file, to a directory, to a file, to a wiped directory, to a file: three equal files."""
    state, second, third = tmp_path / "state", tmp_path / "second", tmp_path / "third"
    for taken, given in ((archive, second), (second, third)):
        assert (await typed("import", str(taken), "--state-dir", str(state))).exit_code == 0
        assert (await typed("export", str(given), "--state-dir", str(state))).exit_code == 0
        shutil.rmtree(state)

    assert archive.read_bytes() == second.read_bytes() == third.read_bytes()
    assert archive.read_bytes().count(b"\n") == 13  # 2 networks, 3 endpoints, 2 pools, 5 leases, 1 header


async def test_a_file_is_for_its_owner_and_whole(archive: Path, served: Served) -> None:
    """Options of containers may be in it; and it replaces an older one at once, with nothing left beside it."""
    older = archive.read_bytes()
    archive.chmod(0o644)
    await served.network("77" * 32, "10.8.0.0/24")

    document = await served.json("export", str(archive))

    assert {"file": str(archive), "records": 15} == document
    assert older != archive.read_bytes()
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert list(archive.parent.glob("*.part*")) == []


async def test_without_a_file_the_text_goes_to_stdout(archive: Path, served: Served) -> None:
    """Byte for byte, so that it can be piped to another host, with or without a dash."""
    assert archive.read_text() == await served.text("export") == await served.text("export", "-")


async def test_the_text_can_come_from_stdin(archive: Path, tmp_path: Path) -> None:
    """``ssh old linkwright export | linkwright import -``."""
    result = await typed("import", "-", "--state-dir", str(tmp_path / "s"), "--json", stdin=archive.read_text())

    assert (result.exit_code, json.loads(result.stdout)["records"]) == (0, 12)


async def test_import_says_what_comes_next(archive: Path, tmp_path: Path) -> None:
    """The daemon has to be started; it does the rest."""
    result = await typed("import", str(archive), environ={"LINKWRIGHT_STATE_DIR": str(tmp_path / "s")})

    expected = (
        f"12 records of instance 'default' are in {tmp_path}/s\n"
        "start linkwright now: it makes the host as the state says\n"
    )
    assert (0, expected, "") == (result.exit_code, result.stdout, result.stderr)


async def test_a_state_is_replaced_only_on_request(archive: Path, tmp_path: Path) -> None:
    """Refused with how many records there are; with --replace exactly the export's are left."""
    state = str(tmp_path / "s")
    await typed("import", str(archive), "--state-dir", state)
    header, network, *_ = archive.read_text().splitlines()
    smaller = json.dumps({**json.loads(header), "records": 1}) + f"\n{network}\n"

    refused = await typed("import", "-", "--state-dir", state, stdin=smaller)
    unchanged = (await typed("export", "--state-dir", state)).stdout
    replaced = await typed("import", "-", "--state-dir", state, "--replace", stdin=smaller)

    assert (refused.exit_code, replaced.exit_code) == (1, 0)
    assert (
        "Error: the store holds 12 records already; import into an empty one, or ask to replace them (--replace)"
        in (refused.stderr)
    )
    assert archive.read_text() == unchanged
    assert network == (await typed("export", "--state-dir", state)).stdout.splitlines()[1]


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda text: text[: len(text) // 2], "line "),
        (lambda text: text.rpartition("\n{")[0] + "\n", "the export has 11 records and its first line says 12"),
        (lambda text: text.replace('"internal":true', '"internal":"yes"'), "line 3 of the export: "),
        (lambda _: "hello\n", "line 1 of the export: not JSON"),
        (lambda _: "", "this is no linkwright export"),
    ],
)
async def test_what_is_not_whole_is_refused_before_anything_is_touched(
    archive: Path,
    tmp_path: Path,
    spoil: object,
    text: str,
) -> None:
    """Cut off, edited, or something else: the line is named, and there is no directory afterwards."""
    state = tmp_path / "s"
    assert callable(spoil)

    result = await typed("import", "-", "--state-dir", str(state), "--replace", stdin=spoil(archive.read_text()))

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {text}"), result.stderr
    assert not state.exists()


async def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    """Somebody gave it the database itself."""
    path = tmp_path / "linkwright.db"
    path.write_bytes(b"SQLite format 3\x00\xff\xfe")

    result = await typed("import", str(path), "--state-dir", str(tmp_path / "s"))

    assert result.exit_code == 1
    assert f"{path} is no linkwright export: it is not text" in result.stderr


@pytest.mark.parametrize("words", [("import", "FILE", "--replace"), ("export",)])
async def test_a_directory_in_use_is_not_touched(archive: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    """Its daemon is named by its pid: what that has in its hands cannot be exchanged."""
    opened = await SqliteStore.open(tmp_path / "s")
    async with opened.store:
        result = await typed(
            *(str(archive) if word == "FILE" else word for word in words), "--state-dir", str(tmp_path / "s")
        )

    assert result.exit_code == 1
    assert f"the state directory {tmp_path}/s is in use by the process with pid " in result.stderr


async def test_a_directory_that_is_none_is_not_made(tmp_path: Path) -> None:
    """A typing error in --state-dir must not yield an empty export that looks well."""
    result = await typed("export", "--state-dir", str(tmp_path / "typo"))

    assert result.exit_code == 1
    assert f"there is no state of a linkwright in {tmp_path}/typo" in result.stderr
    assert not (tmp_path / "typo").exists()


async def test_a_file_that_cannot_be_written_is_told(archive: Path, served: Served, tmp_path: Path) -> None:
    """With the file's name and the reason; exit status 1."""
    result = await served.run("export", str(tmp_path / "none" / "lw.export"))

    assert result.exit_code == 1
    assert f"Error: {tmp_path}/none/lw.export cannot be written: No such file or directory" in result.stderr


async def test_an_instance_can_be_written_into_an_offline_export(archive: Path, tmp_path: Path) -> None:
    """The directory does not know its instance's name."""
    state = str(tmp_path / "s")
    await typed("import", str(archive), "--state-dir", state)

    text = (await typed("export", "--state-dir", state, "--instance", "blue")).stdout

    assert json.loads(text.splitlines()[0])["instance"] == "blue"
