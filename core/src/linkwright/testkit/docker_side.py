"""Docker's side of the wire: a daemon without sockets, asked in bytes as dockerd asks, in the order of engine 28.

Engine, ledger and plugins are the real ones, joined as the daemon joins them; kernel and sandboxes are those of the
surroundings, the store is in memory.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import trio
from attrs import define, field

from linkwright.daemon.calls import Listener
from linkwright.daemon.config import Config
from linkwright.daemon.discovery import Found
from linkwright.daemon.http import HttpRequest
from linkwright.daemon.parts import Parts, join_parts
from linkwright.daemon.peer import Peer
from linkwright.daemon.plugin import Plugin
from linkwright.engine.observation import Observation
from linkwright.engine.registry import Registered
from linkwright.model import Prefix
from linkwright.store import MemoryStore
from linkwright.testkit.fake_host_ports import FakeHostPorts
from linkwright.testkit.surroundings import Surroundings

Document = dict[str, Any]

PREFIX: Final = "lw-"
SPACE: Final = "linkwright-local"

#: The one dockerd that asks.
_DOCKERD: Final = Peer(100, 1)


class Refusal(Exception):
    """The daemon answered with an error; the text is what Docker's user reads."""


@define
class Daemon:
    """A daemon on *around* with the driver *registered*; ``start`` it, and again after a crash."""

    around: Surroundings
    registered: Registered
    store: MemoryStore = field(factory=MemoryStore)
    told: list[Observation] = field(factory=list)
    parts: Parts = field(init=False)
    _plugin: Plugin = field(init=False)
    _life: trio.CancelScope | None = field(init=False, default=None)

    async def start(self, nursery: trio.Nursery) -> None:
        """Start it over what the store has."""
        if self._life is not None:
            self._life.cancel()
        config, found = Config(), Found((self.registered,))
        self.parts = join_parts(
            config,
            found=found,
            kernel=self.around.kernel,
            host_ports=FakeHostPorts(),
            store=self.store,
            contents=await self.store.load(),
            observer=self.told.append,
            clock=lambda: 1_700_000_000.0,
            timer=lambda: 0.0,
            nameservers=_no_nameservers,
            somewhere=_here,
        )
        listener = Listener(
            name=f"{PREFIX}{self.registered.name}",
            engine=self.parts.engine,
            ipam=self.parts.ipam,
            holdings=self.parts.holdings,
            driver=self.registered.name,
        )
        self._plugin = Plugin(listener, closing=lambda: False, timing=_untimed)
        self._life = await nursery.start(self._live)
        await self.parts.engine.reconcile.start()

    async def _live(self, *, task_status: trio.TaskStatus[trio.CancelScope] = trio.TASK_STATUS_IGNORED) -> None:
        with trio.CancelScope() as life:
            async with trio.open_nursery() as services:
                await services.start(self.parts.ipam.run)
                services.start_soon(self.parts.engine.moments.run)
                task_status.started(life)

    async def call(self, method: str, document: object = None) -> Document:
        """Call ``method``, ``NetworkDriver.Join`` say, at the driver's socket; Refusal with the words of a failure."""
        body = b"" if document is None else json.dumps(document).encode() + b"\n"
        response = await self._plugin.answer(HttpRequest("POST", f"/{method}", body), _DOCKERD)
        answer: Document = json.loads(response.body)
        said = answer.get("Err") or answer.get("Error")
        if said:
            raise Refusal(str(said))
        return answer

    async def heal(self) -> None:
        """Look at everything, put it right, and collect what was asked to go, as the daemon does by itself."""
        await self.parts.engine.collecting.collect()
        await self.parts.engine.reconcile.heal()

    async def stored(self) -> list[Any]:
        """What is durable of networks, endpoints, and what was found; not leases, which rest a while."""
        contents = await self.store.load()
        return [*contents.networks, *contents.endpoints, *contents.found]


@define
class _Call:
    """A call that nobody times."""

    outcome: str = ""


@contextmanager
def _untimed(_: str, __: str) -> Iterator[_Call]:
    yield _Call()


async def _no_nameservers() -> tuple[Prefix, ...]:
    return ()


async def _here(question: Callable[[], Any]) -> Any:
    """Run a driver's code in the loop: the autojump clock does not see threads work."""
    await trio.lowlevel.checkpoint()
    return question()
