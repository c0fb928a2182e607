"""Socket files: made with the right mode, stale ones replaced, living ones respected, systemd's left alone."""

import socket
import stat
from pathlib import Path

import pytest

from linkwright.daemon import sockets
from linkwright.errors import Conflict, Refused


async def test_a_socket_is_private_and_gone_when_closed(tmp_path: Path) -> None:
    """Mode 0600 from its first moment; a file left behind would cost Docker 15 s for each touch."""
    path = tmp_path / "plugins" / "lw-bridge.sock"

    listening = sockets.listen(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    listening.close()
    assert not path.exists()


async def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    """What a crash left is no obstacle."""
    path = tmp_path / "lw-bridge.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))

    listening = sockets.listen(path)

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    listening.close()


async def test_a_socket_somebody_listens_on_is_theirs(tmp_path: Path) -> None:
    """A second daemon is refused in words, and the first one's socket stays."""
    path = tmp_path / "lw-bridge.sock"
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(path))
        theirs.listen()

        with pytest.raises(Conflict, match="another process listens"):
            sockets.listen(path)

        assert path.exists()


async def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """What was tried, on what, and why not."""
    (tmp_path / "file").touch()

    with pytest.raises(Refused, match=r"cannot listen on .*file"):
        sockets.listen(tmp_path / "file" / "lw-bridge.sock")


async def test_a_socket_that_systemd_hands_over_is_used_and_left(tmp_path: Path) -> None:
    """sd_listen_fds(3): Docker's calls wait in it for the next process, so the file stays."""
    path = tmp_path / "lw-bridge.sock"
    given = socket.socket(socket.AF_UNIX)
    given.bind(str(path))
    given.listen()

    listening = sockets.listen(path, handed=sockets.by_path([given]))

    assert listening.inherited
    listening.close()
    assert path.exists()


def test_nothing_is_inherited_that_is_not_ours() -> None:
    """LISTEN_PID names another process: the descriptors are its own."""
    assert sockets.inherited({"LISTEN_PID": "1", "LISTEN_FDS": "3"}, pid=2) == sockets.Inherited()
    assert sockets.inherited({}, pid=2) == sockets.Inherited()
