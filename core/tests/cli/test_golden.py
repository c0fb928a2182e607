"""What every command writes, in full, for one busy host: as plain text and as JSON. Review the files, not this."""

import json
import os
from collections.abc import Callable

import pytest
from core.tests.cli.conftest import STORAGE, Served

from linkwright import __version__
from linkwright.daemon.admin.routes import ROUTES

Golden = Callable[[str, str], None]

#: Name of the file → the words typed.
COMMANDS = {
    "status": "status",
    "drivers": "drivers",
    "network-ls": "network ls",
    "network-show": "network show abab",
    "endpoint-ls": "endpoint ls",
    "endpoint-show": "endpoint show web",
    "pool-ls": "pool ls",
    "pool-show": "pool show 10.7.0.0/24",
    "plan": "plan",
    "plan-driver": "plan --driver bridge --subnet 10.9.0.0/24 -o com.docker.network.bridge.enable_icc=false",
    "repair": "repair",
}


async def spoil(served: Served) -> None:
    """Somebody deletes a bridge, and leaves the other's MTU wrong."""
    served.kernel.foreign_delete(("link", f"lwb{STORAGE[:12]}"))


def steady(text: str, served: Served) -> str:
    """Put words in the place of what differs from run to run."""
    for found, word in ((str(served.run_dir), "RUN"), (f'"pid": {os.getpid()}', '"pid": 1')):
        text = text.replace(found, word)
    return text.replace(__version__, "VERSION")


@pytest.mark.parametrize("name", COMMANDS)
async def test_golden_text(served: Served, golden: Golden, name: str) -> None:
    """In a pipe: aligned columns, no escape sequence, times in UTC."""
    await served.busy()
    await spoil(served)

    text = await served.text(*COMMANDS[name].split())

    assert "\x1b" not in text
    golden(f"{name}.txt", steady(text, served))


@pytest.mark.parametrize("name", COMMANDS)
async def test_golden_json(served: Served, golden: Golden, name: str) -> None:
    """With --json: one document, whose keys people's scripts rely on."""
    await served.busy()
    await spoil(served)

    document = await served.json(*COMMANDS[name].split())

    golden(f"{name}.json", steady(json.dumps(document, indent=2) + "\n", served))


async def test_nothing_to_show_is_said_in_words(served: Served, golden: Golden) -> None:
    """An empty list, no drift, no pool: a sentence each, and no bare heading."""
    texts = [await served.text(*words.split()) for words in ("network ls", "endpoint ls", "pool ls", "plan", "repair")]

    expected = [
        "no networks; make one with `docker network create -d lw-bridge --ipam-driver lw-ipam NAME`\n",
        "no endpoints\n",
        "no pools\n",
        "# nothing to do: the host is as it should be\n",
        "nothing to do: the host is as it should be\n",
    ]
    assert expected == texts


def test_the_golden_commands_ask_every_route() -> None:
    """A route that is added needs a golden text here, or one of the tests named beside it."""
    elsewhere = {"/doctor": "test_doctor", "/export": "test_archive"}
    asked = {"status", "drivers", "networks", "endpoints", "pools", "plan", "repair"}

    assert asked | {path[1:] for path in elsewhere} == {route.path.split("/")[1] for route in ROUTES}
