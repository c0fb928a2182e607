"""Telling systemd how it stands: one datagram, and never a reason to wait or to stop."""

import socket
from pathlib import Path

import pytest

from linkwright.daemon.notify import notify


@pytest.fixture
def supervisor(tmp_path: Path) -> socket.socket:
    """Somebody who listens as systemd does."""
    one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.bind(str(tmp_path / "notify"))
    one.settimeout(5)
    return one


def test_a_supervisor_is_told_at_its_socket(supervisor: socket.socket, tmp_path: Path) -> None:
    """sd_notify(3): the text and nothing else."""
    with supervisor:
        notify({"NOTIFY_SOCKET": str(tmp_path / "notify")}, "READY=1")

        assert supervisor.recv(100) == b"READY=1"


def test_an_abstract_socket_begins_with_an_at_sign(tmp_path: Path) -> None:
    """It stands for the NUL that an environment variable cannot hold."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(f"\0{tmp_path}")
        supervisor.settimeout(5)
        notify({"NOTIFY_SOCKET": f"@{tmp_path}"}, "STOPPING=1")

        assert supervisor.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("path", ["", "/nowhere/at/all", "x" * 200, "vsock:2:1", "@", "a\0b"])
def test_where_nobody_listens_nothing_happens(path: str) -> None:
    """A shell, a container, another init: no reason to stop."""
    notify({"NOTIFY_SOCKET": path}, "READY=1")
    notify({}, "READY=1")


def test_a_supervisor_that_does_not_read_is_not_waited_for(supervisor: socket.socket, tmp_path: Path) -> None:
    """Its queue is full, and a datagram would wait in the loop, with every call of Docker behind it."""
    with supervisor:
        for _ in range(1000):
            notify({"NOTIFY_SOCKET": str(tmp_path / "notify")}, "WATCHDOG=1")
