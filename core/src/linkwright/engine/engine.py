"""The engine: the parts of this package put together, and nothing more. Made by ``daemon.app`` and by the test kit.

It is handed a kernel, a store's ``commit``, drivers and clocks, and holds no nursery.
"""

from collections.abc import Callable, Iterable

from linkwright.engine.applying import Applying
from linkwright.engine.asking import DEADLINE, Asking, Somewhere
from linkwright.engine.collecting import Collecting
from linkwright.engine.desired import Desired
from linkwright.engine.desiring import Desiring
from linkwright.engine.endpoints import Endpoints, GiveBack
from linkwright.engine.networks import Networks, References
from linkwright.engine.observation import Observer, nobody
from linkwright.engine.ports import Kernel
from linkwright.engine.reconcile import PERIOD, Reconcile
from linkwright.engine.registry import Registered
from linkwright.engine.state import State
from linkwright.engine.vitality import Vitality
from linkwright.model import Endpoint, StoredNetwork
from linkwright.model.change import Commit


async def _nothing_to_give_back(_: StoredNetwork, __: Endpoint) -> None:
    """Addresses of another IPAM driver are not ours to release."""


class Engine:
    """What to do on each request and each event."""

    def __init__(
        self,
        *,
        kernel: Kernel,
        commit: Commit,
        drivers: Iterable[Registered],
        clock: Callable[[], float],
        timer: Callable[[], float],
        instance: str = "default",
        observer: Observer = nobody,
        manage_forwarding: bool = False,
        references: References = lambda: lambda _: None,
        give_back: GiveBack = _nothing_to_give_back,
        driver_deadline: float = DEADLINE,
        somewhere: Somewhere | None = None,
        period: float = PERIOD,
    ) -> None:
        """Put the parts together. *clock* gives Unix time, *timer* monotonic seconds; *period* is in seconds."""
        self.kernel = kernel
        self.instance = instance
        self.state = State(commit)
        self.asking = Asking(
            drivers,
            instance=instance,
            deadline=driver_deadline,
            manage_forwarding=manage_forwarding,
            observer=observer,
            somewhere=somewhere,
        )
        desired = Desired()
        self.applying = Applying(desired, kernel, observer)
        self.desiring = Desiring(state=self.state, asking=self.asking, desired=desired)
        self.vitality = Vitality(desired, kernel, clock)
        self.networks = Networks(
            state=self.state,
            asking=self.asking,
            applying=self.applying,
            kernel=kernel,
            vitality=self.vitality,
            observer=observer,
            clock=clock,
            references=references,
        )
        self.endpoints = Endpoints(
            state=self.state,
            asking=self.asking,
            applying=self.applying,
            desiring=self.desiring,
            networks=self.networks,
            kernel=kernel,
            vitality=self.vitality,
            observer=observer,
            clock=clock,
            timer=timer,
            give_back=give_back,
        )
        self.collecting = Collecting(
            state=self.state,
            networks=self.networks,
            endpoints=self.endpoints,
            vitality=self.vitality,
            observer=observer,
            clock=clock,
            orphaned=2 * period,
        )
        self.reconcile = Reconcile(
            state=self.state,
            desired=desired,
            desiring=self.desiring,
            networks=self.networks,
            kernel=kernel,
            vitality=self.vitality,
            collecting=self.collecting,
            observer=observer,
            clock=clock,
            period=period,
        )
