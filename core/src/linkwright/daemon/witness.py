"""The Docker witness: what Docker deleted while we were away it never tells, so ask it. Optional and read-only.

Rule 1: only the reconciler asks, never an RPC: dockerd waits for its plugins at the start, and two that wait for each
other hang the boot. Rule 2: a short deadline, and two sightings before anything is collected.
"""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from linkwright.daemon import client
from linkwright.engine.engine import Engine
from linkwright.errors import LinkwrightError, Unavailable
from linkwright.model import StoredNetwork

#: The label by which a bridge network of Docker's own says what its bridge is called.
_BRIDGE_NAME = "com.docker.network.bridge.name"

#: Seconds for an answer of the Docker API. It is on this host or it is of no use.
DEADLINE = 2.0


class Witness:
    """Remembers which of our networks Docker did not know at the last look."""

    def __init__(self, path: Path, engine: Engine, release: Callable[[StoredNetwork], Awaitable[None]]) -> None:
        """Ask the API at *path* about the networks of *engine*; *release* gives back the pools of one that is gone."""
        self._path = path
        self._engine = engine
        self._release = release
        self._missed: frozenset[str] = frozenset()
        self.error = ""

    @property
    def unconfirmed(self) -> frozenset[str]:
        """The networks that Docker did not know when it was last asked."""
        return self._missed

    async def look(self) -> None:
        """Ask once; collect networks that were missed the last time too. An API that does not answer is no evidence."""
        state = self._engine.state
        before = frozenset(state.networks) | state.lost
        try:
            known = await self._networks()
        except LinkwrightError as error:
            self.error = str(error)
            return
        self.error = ""
        await self._engine.others.learn(name for name in known.values() if name)
        missed = before - known.keys()
        for network_id in sorted(missed & self._missed):
            state.lost.discard(network_id)
            network = state.networks.get(network_id)
            if network and await self._engine.networks.collect(network_id, "Docker does not know it any more"):
                await self._release(network)  # before DeleteNetwork Docker sent ReleasePool, into the void as well
        self._missed = frozenset(missed & (state.networks.keys() | state.lost))

    async def _networks(self) -> dict[str, str]:
        """The networks that Docker knows by id, and of its own bridge driver's the name of the bridge; else ""."""
        answer = await client.request(self._path, "/networks", host="docker", deadline=DEADLINE)
        networks = answer.json()
        if answer.status != 200 or not isinstance(networks, list):  # noqa: PLR2004
            raise Unavailable(f"the Docker API at {self._path} answered {answer.status} to a list of networks")
        ids = [one for network in networks if isinstance(network, dict) and isinstance(one := network.get("Id"), str)]
        if len(ids) < len(networks) or not all(ids):
            # Read as "no such network", an answer that is not understood would be the end of every network.
            raise Unavailable(f"the Docker API at {self._path} listed something that is no network")
        return dict(zip(ids, map(_bridge_of, networks), strict=True))


def _bridge_of(network: Mapping[str, Any]) -> str:
    """The bridge of a network of Docker's own driver; which it is, is an option only where it was chosen (moby)."""
    options = network.get("Options")
    name = options.get(_BRIDGE_NAME) if network.get("Driver") == "bridge" and isinstance(options, dict) else None
    return name if isinstance(name, str) else ""
