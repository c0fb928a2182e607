"""What is there at the moment of a scrape, and who is asked for it. Values and callables; no metric is named here.

A scrape never waits: every source is a plain function that answers from memory. All are called on the loop, where what
they look at is changed, except those in ``LATER``: these are asked about the facts so far, in the scrape's own thread.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
from attrs import field, frozen

from linkwright.ipam.actor import ActorStatistics
from linkwright.kernel.linux import KernelStatistics
from linkwright.model import Endpoint, PortBinding, StoredNetwork
from linkwright.store.statistics import Statistics

#: The names of a source that failed, each with what it raised.
Failed = Mapping[str, Exception]


def idle_kernel() -> KernelStatistics:
    """Return the statistics of a kernel that was not asked for anything."""
    return KernelStatistics(
        operations={},
        batches=0,
        failures=0,
        not_undone=0,
        doomed_waiting=0,
        doomed_removed=0,
        events={},
        overruns=0,
        receive_buffer=0,
    )


@frozen
class Traffic:
    """Counters of one endpoint since its link was made, **as the container sees them**; packets and bytes."""

    endpoint: Endpoint
    link: str  # on the host
    receive_bytes: int = 0
    receive_packets: int = 0
    receive_drop: int = 0
    transmit_bytes: int = 0
    transmit_packets: int = 0
    transmit_drop: int = 0


@frozen
class Facts:
    """Everything that is read and not recorded."""

    version: str = ""
    python: str = ""
    started: float = 0.0  # seconds since the Unix epoch
    networks: Sequence[StoredNetwork] = ()
    endpoints: Sequence[Endpoint] = ()
    frozen: Sequence[str] = ()  # ids of networks whose driver could not be asked
    drivers: Sequence[tuple[str, str, str]] = ()  # those that are loaded, with distribution and version
    suspended: Sequence[str] = ()  # drivers that overran too often
    lost: Sequence[PortBinding] = ()  # published ports that another process has
    drops: Sequence[tuple[str, int]] = ()  # packets that the firewall dropped, by reason
    parents: Sequence[tuple[str, bool]] = ()  # links that the host lends us, and whether each is there and up
    bridge_ports: Sequence[tuple[str, int]] = ()  # networks with a bridge, and how many endpoints are ports of it
    ipam: ActorStatistics | None = None
    store: Statistics = field(factory=Statistics)
    kernel: KernelStatistics = field(factory=idle_kernel)
    checks: Mapping[str, bool] = field(factory=dict)
    traffic: Sequence[Traffic] = ()


@frozen(kw_only=True)
class Sources:
    """Who is asked. What has no source is left as ``Facts`` has it."""

    version: str = ""
    python: str = ""
    started: float = 0.0
    networks: Callable[[], Iterable[StoredNetwork]] = tuple
    endpoints: Callable[[], Iterable[Endpoint]] = tuple
    frozen: Callable[[], Iterable[str]] = tuple
    drivers: Callable[[], Iterable[tuple[str, str, str]]] = tuple
    suspended: Callable[[], Iterable[str]] = tuple
    lost: Callable[[], Iterable[PortBinding]] = tuple
    drops: Callable[[], Iterable[tuple[str, int]]] = tuple
    parents: Callable[[], Iterable[tuple[str, bool]]] = tuple
    ipam: Callable[[], ActorStatistics | None] = lambda: None
    store: Callable[[], Statistics] = Statistics
    kernel: Callable[[], KernelStatistics] = idle_kernel
    checks: Callable[[], Mapping[str, bool]] = dict
    bridge_ports: Callable[[Facts], Iterable[tuple[str, int]]] = lambda _: ()
    traffic: Callable[[Facts], Iterable[Traffic]] = lambda _: ()

    def gather(self) -> tuple[Facts, Failed]:
        """Ask on the loop. A source that raises is left out and named: the others still count."""
        values, failed = self._ask(ASKED)
        return Facts(version=self.version, python=self.python, started=self.started, **values), failed

    def complete(self, facts: Facts) -> tuple[Facts, Failed]:
        """Add what is asked about the networks and endpoints in *facts*. Not on the loop: it may take milliseconds."""
        values, failed = self._ask(LATER, facts)
        return attrs.evolve(facts, **values), failed

    def _ask(self, names: Iterable[str], *about: Facts) -> tuple[dict[str, Any], Failed]:
        values: dict[str, Any] = {}
        failed: dict[str, Exception] = {}
        for name in names:
            try:
                answer = getattr(self, name)(*about)
                values[name] = answer if name in _WHOLE else tuple(answer)
            except Exception as error:  # noqa: BLE001 - whatever it is, a scrape with holes beats none
                failed[name] = error
        return values, failed


_WHOLE = frozenset({"ipam", "store", "kernel", "checks"})

#: The sources that are asked on the loop, those that are asked in the scrape's thread, and all of them.
ASKED = ("networks", "endpoints", "frozen", "drivers", "suspended", "lost", "drops", "parents", *sorted(_WHOLE))
LATER = ("bridge_ports", "traffic")
NAMES = (*ASKED, *LATER)
