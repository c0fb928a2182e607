"""The engine: the parts of this package put together, and nothing more. Made by ``daemon.app`` and by the test kit.

It is handed a kernel, a store's ``commit``, drivers and clocks, and holds no nursery.
"""

from collections.abc import Callable, Iterable
from functools import partial

from linkwright.engine.applying import Applying
from linkwright.engine.asking import Asking
from linkwright.engine.borrowing import Borrowing
from linkwright.engine.bounded import Somewhere
from linkwright.engine.claims import Claiming
from linkwright.engine.collecting import Collecting
from linkwright.engine.desired import Desired
from linkwright.engine.desiring import Desiring
from linkwright.engine.ending import Ending, GiveBack
from linkwright.engine.endpoints import Endpoints
from linkwright.engine.leftovers import Leftovers
from linkwright.engine.moments import Moments
from linkwright.engine.networks import Networks, References
from linkwright.engine.observation import Observer, nobody
from linkwright.engine.others import Others
from linkwright.engine.parents import Parents
from linkwright.engine.ports import Allocator, HostPorts, Kernel
from linkwright.engine.publishing import Publishing
from linkwright.engine.rebuilding import Rebuilding
from linkwright.engine.reconcile import PERIOD, Reconcile
from linkwright.engine.registry import Registered
from linkwright.engine.repairing import Repairing
from linkwright.engine.state import State
from linkwright.engine.vitality import Vitality
from linkwright.model import Endpoint, StoredNetwork
from linkwright.model.change import Commit
from linkwright.plan import render, table_name


async def _nothing_to_give_back(_: StoredNetwork, __: Endpoint) -> None:
    """Addresses of another IPAM driver are not ours to release."""


class Engine:
    """What to do on each request and each event."""

    def __init__(
        self,
        *,
        kernel: Kernel,
        host_ports: HostPorts,
        commit: Commit,
        drivers: Iterable[Registered],
        clock: Callable[[], float],
        timer: Callable[[], float],
        instance: str = "default",
        observer: Observer = nobody,
        manage_forwarding: bool = False,
        references: References = lambda: lambda _: None,
        give_back: GiveBack = _nothing_to_give_back,
        allocator: Allocator | None = None,
        docker_bridges: Iterable[str] = (),
        witnessed: bool = False,
        somewhere: Somewhere | None = None,
        period: float = PERIOD,
    ) -> None:
        """Put the parts together. *clock* gives Unix time, *timer* monotonic seconds; *period* is in seconds.

        *docker_bridges* are Docker's whatever they are called; *witnessed* is whether somebody asks it for more.
        """
        self.kernel = kernel
        self.instance = instance
        self.state = State(commit)
        self.asking = Asking(
            drivers,
            instance=instance,
            manage_forwarding=manage_forwarding,
            observer=observer,
            somewhere=somewhere,
        )
        rendered = partial(render, table=table_name(instance))
        desired = Desired()
        self.desiring = Desiring(state=self.state, asking=self.asking, desired=desired)
        borrowing = Borrowing(
            state=self.state, desired=desired, kernel=kernel, observer=observer, frozen=lambda: self.desiring.frozen
        )
        self.applying = Applying(desired, kernel, observer, borrowing)
        self.others = Others(
            applying=self.applying,
            kernel=kernel,
            observer=observer,
            render=rendered,
            frozen=lambda: self.desiring.frozen,
            named=docker_bridges,
            asks=witnessed,
        )
        self.vitality = Vitality(desired, kernel, clock)
        self.moments = Moments(state=self.state, kernel=kernel, observer=observer)
        self.publishing = Publishing(
            state=self.state,
            asking=self.asking,
            applying=self.applying,
            kernel=kernel,
            host_ports=host_ports,
            observer=observer,
        )
        self.networks = Networks(
            state=self.state,
            asking=self.asking,
            applying=self.applying,
            claiming=Claiming(self.asking, allocator, observer),
            publishing=self.publishing,
            kernel=kernel,
            vitality=self.vitality,
            observer=observer,
            clock=clock,
            references=references,
            others=self.others,
        )
        self.ending = Ending(
            state=self.state,
            applying=self.applying,
            desiring=self.desiring,
            networks=self.networks,
            publishing=self.publishing,
            vitality=self.vitality,
            observer=observer,
            give_back=give_back,
        )
        self.endpoints = Endpoints(
            state=self.state,
            asking=self.asking,
            applying=self.applying,
            desiring=self.desiring,
            networks=self.networks,
            publishing=self.publishing,
            ending=self.ending,
            moments=self.moments,
            kernel=kernel,
            observer=observer,
            clock=clock,
            timer=timer,
        )
        self.collecting = Collecting(
            state=self.state,
            desired=desired,
            networks=self.networks,
            ending=self.ending,
            publishing=self.publishing,
            vitality=self.vitality,
            observer=observer,
            clock=clock,
            orphaned=2 * period,
        )
        self.rebuilding = Rebuilding(
            state=self.state,
            applying=self.applying,
            networks=self.networks,
            endpoints=self.endpoints,
            kernel=kernel,
            observer=observer,
        )
        repairing = Repairing(
            state=self.state,
            desired=desired,
            borrowing=borrowing,
            kernel=kernel,
            vitality=self.vitality,
            observer=observer,
            render=rendered,
        )
        self.parents = Parents(
            state=self.state, desired=desired, kernel=kernel, vitality=self.vitality, observer=observer
        )
        self.reconcile = Reconcile(
            state=self.state,
            desired=desired,
            desiring=self.desiring,
            networks=self.networks,
            kernel=kernel,
            repairing=repairing,
            leftovers=Leftovers(
                desired=desired,
                kernel=kernel,
                observer=observer,
                render=rendered,
                frozen=lambda: self.desiring.frozen,
                serves=repairing.serves,
            ),
            others=self.others,
            borrowing=borrowing,
            parents=self.parents,
            publishing=self.publishing,
            collecting=self.collecting,
            observer=observer,
            clock=clock,
            period=period,
        )
