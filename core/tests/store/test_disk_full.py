"""R-09: the disk is full. It is said, nothing is left by halves, and the next call after space comes works."""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from linkwright.errors import Unavailable
from linkwright.store.database import Database
from linkwright.store.rows import Write

BIG = [Write("k", f"{number:04}", "x" * 1000) for number in range(1000)]


def test_r_09_a_full_database_takes_all_or_none(tmp_path: Path) -> None:
    """A transaction that does not fit leaves nothing; a small one and, with room again, the large one work."""
    path = tmp_path / "x.db"
    path.touch()
    Database.create(path, version=1)
    with closing(Database(path)) as database:
        limit = database.connection.execute("PRAGMA max_page_count").fetchone()[0]
        database.connection.execute("PRAGMA max_page_count = 20")
        with pytest.raises(Unavailable, match=r"writing to .*x.db failed: the disk is full; free some space"):
            database.transact(BIG)
        assert database.rows() == []
        assert database.transact(BIG[:3]) == {write.name: None for write in BIG[:3]}
        database.connection.execute(f"PRAGMA max_page_count = {limit}")
        database.transact(BIG)
        assert len(database.rows()) == 1000


#: Runs on a private tmpfs of 2 MB that it fills to the last byte, twice: once going on, once ending there.
STORY = """
import json, sys
from pathlib import Path
import trio
from linkwright.errors import Unavailable
from linkwright.model import Endpoint
from linkwright.model.change import Put
from linkwright.store import SqliteStore

directory = Path(sys.argv[1])
filler = directory / "filler"

def fill():
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as error:
            return error.errno

def pair(number):
    return [Put(Endpoint(f"{number:04}{half}", "n", name="x" * 500)) for half in "ab"]

async def commit_until_full(store, number):
    while True:
        try:
            await store.commit(pair(number))
        except Unavailable as error:
            return number, str(error)
        number += 1

def are_there(contents, count):
    return contents.endpoints == tuple(put.record for number in range(count) for put in pair(number))

async def main():
    story = {}
    store = (await SqliteStore.open(directory / "state", copy_interval=3600)).store
    story["filler"] = fill()
    count, story["refused"] = await commit_until_full(store, 0)
    story["after refusal"] = are_there(await store.load(), count)
    filler.unlink()
    await store.commit(pair(count))
    story["after space"] = are_there(await store.load(), count + 1)
    fill()
    count, _ = await commit_until_full(store, count + 1)
    story["failures"] = store.statistics().failures
    await store.aclose()
    filler.unlink()
    opened = await SqliteStore.open(directory / "state", copy_interval=3600)
    story["after an end without room"] = are_there(opened.contents, count)
    story["recovered"] = str(opened.recovered)
    await opened.store.aclose()
    print(json.dumps(story))

trio.run(main)
"""


@pytest.mark.netns  # a mount namespace of its own, which needs what a network namespace needs
def test_r_09_a_really_full_disk(tmp_path: Path) -> None:
    """On a tmpfs without a free byte: refused with a text that says so, nothing half there, and on it goes."""
    mount = 'mount -t tmpfs -o size=2m tmpfs "$1" && exec "$2" -c "$3" "$1"'
    result = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, "sh", tmp_path, sys.executable, STORY],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert result.stderr == ""
    story = json.loads(result.stdout)
    refused = story.pop("refused")
    assert refused.startswith(
        f"writing to {tmp_path}/state/linkwright.db failed: the disk is full; free some space and try again"
    )
    assert story == {
        "filler": 28,  # ENOSPC
        "after refusal": True,
        "after space": True,
        "failures": 2,
        "after an end without room": True,
        "recovered": "None",
    }
