"""One daemon per state directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from linkwright.errors import Conflict, Unavailable
from linkwright.store import SqliteStore
from linkwright.store.lock import DirectoryLock

HOLD = """
import sys, pathlib
from linkwright.store.lock import DirectoryLock
held = DirectoryLock.take(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_and_told_the_pid(tmp_path: Path) -> None:
    """Another process holds the directory: refused with its pid. It is killed: the directory is free at once."""
    path = tmp_path / "lock"
    path.write_text("an older and longer text\n")
    other = subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(Conflict, match=rf"{tmp_path} is in use by the process with pid {other.pid};"):
            DirectoryLock.take(path)
        other.kill()
        other.wait()
    lock = DirectoryLock.take(path)
    assert f"{os.getpid()}\n" == path.read_text()
    lock.release()


async def test_a_second_store_in_this_process_is_refused(tmp_path: Path) -> None:
    """The same directory twice is refused in one process too, and the first is not disturbed."""
    opened = await SqliteStore.open(tmp_path)
    with pytest.raises(Conflict, match=str(os.getpid())):
        await SqliteStore.open(tmp_path)
    await opened.store.commit([])
    await opened.store.aclose()
    again = await SqliteStore.open(tmp_path)
    await again.store.aclose()


def test_no_directory_to_lock_in_is_unavailable(tmp_path: Path) -> None:
    """What the operating system says is in the message."""
    with pytest.raises(Unavailable, match="No such file or directory"):
        DirectoryLock.take(tmp_path / "absent" / "lock")
