"""Where no daemon answers: every command says which socket, and how to start one; two of them do what they can."""

import json
import socket
from pathlib import Path

import pytest
from core.tests.cli.conftest import typed

from linkwright.cli import COMMANDS

ASKING = [
    *("status", "network ls", "network show a", "endpoint ls", "endpoint show a", "pool ls", "pool show a"),
    *("plan", "plan --driver bridge", "repair", "export"),
]


@pytest.mark.parametrize("words", ASKING)
async def test_no_daemon(words: str, tmp_path: Path) -> None:
    """The message names the socket, the command that starts one, and the flag that names another."""
    result = await typed(*words.split(), environ={"LINKWRIGHT_RUN_DIR": str(tmp_path)})

    expected = (
        f"Error: no linkwright answers at {tmp_path}/admin.sock; start it with `linkwright serve`, or name the run "
        "directory of the one you mean with --run-dir (or LINKWRIGHT_RUN_DIR)\n"
    )
    assert (1, "", expected) == (result.exit_code, result.stdout, result.stderr)


async def test_a_socket_that_a_crash_left_behind_is_no_daemon(tmp_path: Path) -> None:
    """The same words: whoever reads them does not care why nobody answers."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "admin.sock"))

        result = await typed("status", "--run-dir", str(tmp_path))

    assert result.exit_code == 1
    assert "no linkwright answers at" in result.stderr


async def test_somebody_else_behind_the_socket_is_told_apart(tmp_path: Path) -> None:
    """It hangs up without a word of HTTP: an error in one line, not a traceback."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "admin.sock"))
        other.listen()
        other.settimeout(5)

        import trio

        async def hang_up() -> None:
            connection, _ = await trio.to_thread.run_sync(other.accept)
            connection.close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hang_up)
            result = await typed("status", "--run-dir", str(tmp_path))

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1), result.stderr
    assert f"cannot ask {tmp_path}/admin.sock" in result.stderr


async def test_the_flag_wins_over_the_environment(tmp_path: Path) -> None:
    """``--run-dir`` and LINKWRIGHT_RUN_DIR name the same thing."""
    result = await typed("status", "--run-dir", str(tmp_path), environ={"LINKWRIGHT_RUN_DIR": "/elsewhere"})

    assert f"at {tmp_path}/admin.sock" in result.stderr


async def test_installed_drivers_are_listed_without_a_daemon(tmp_path: Path) -> None:
    """The same document as with one, and who says so."""
    result = await typed("drivers", "--json", "--run-dir", str(tmp_path))

    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert document["source"] == "installed"
    assert "bridge" in [driver["name"] for driver in document["drivers"]]
    text = (await typed("drivers", "--run-dir", str(tmp_path))).stdout
    assert text.startswith("Installed; no daemon answers:\nDRIVER")


async def test_an_unknown_command_is_a_wrong_usage() -> None:
    """Exit status 2."""
    result = await typed("netwrok", "ls")

    assert result.exit_code == 2
    assert "No such command 'netwrok'" in result.stderr


def test_no_command_is_forgotten_here() -> None:
    """A new command is in the list above, or it does not ask the daemon, or it has tests of its own."""
    without = {"serve", "demo", "import", "drivers", "doctor", "new-driver"}

    assert set(COMMANDS) == without | {words.split()[0] for words in ASKING}
