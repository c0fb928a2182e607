"""What was acknowledged is there after SIGKILL, and nothing by halves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from linkwright.store import SqliteStore

#: Ten callers at once commit an endpoint with its lease, again and again, and print the key once it is durable.
WRITER = """
import os, sys
from ipaddress import ip_address
from pathlib import Path
import trio
from linkwright.model import Endpoint, Lease
from linkwright.model.change import Put
from linkwright.store import SqliteStore

async def caller(store, number):
    for turn in range(10_000):
        key = number * 10_000 + turn
        records = Endpoint(str(key), "n"), Lease("p", ip_address(key), owner=str(key))
        await store.commit([Put(record, flushed=bool(sys.argv[2])) for record in records])
        os.write(1, f"{key}\\n".encode())

async def main():
    opened = await SqliteStore.open(Path(sys.argv[1]), copy_interval=0.01)
    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(caller, opened.store, number)

trio.run(main)
"""


@pytest.mark.parametrize("flushed", ["flushed", ""], ids=["flushed", "written"])
@pytest.mark.parametrize("acknowledged", [1, 100, 1000])
async def test_acknowledged_changes_survive_a_kill(tmp_path: Path, acknowledged: int, flushed: str) -> None:
    """Killed in full work: each printed key is there, each endpoint has its lease, and there is no damage."""
    writer = [sys.executable, "-c", WRITER, tmp_path, flushed]
    process = subprocess.Popen(writer, stdout=subprocess.PIPE)  # noqa: ASYNC220
    with process:
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(acknowledged)]
        os.kill(process.pid, signal.SIGKILL)
        seen += process.stdout.readlines()
    keys = {line.strip().decode() for line in seen if line.endswith(b"\n")}
    assert len(keys) >= acknowledged
    opened = await SqliteStore.open(tmp_path)
    await opened.store.aclose()
    assert opened.recovered is None
    there = {endpoint.id for endpoint in opened.contents.endpoints}
    assert keys <= there
    assert there == {lease.owner for lease in opened.contents.leases}
    assert len(there) <= len(keys) + 10 + 10  # per caller one durable and not yet printed, and one in the pipe's end
