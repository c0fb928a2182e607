"""The engine: the parts of this package put together, and nothing more. Made by ``daemon.app`` and by the test kit.

It is handed a kernel, a store's ``commit``, drivers and clocks, and holds no nursery.
"""

from collections.abc import Callable, Iterable

from linkwright.engine.applying import Applying
from linkwright.engine.asking import DEADLINE, Asking, Somewhere, in_thread
from linkwright.engine.collecting import Collecting
from linkwright.engine.desired import Desired
from linkwright.engine.endpoints import Endpoints, GiveBack
from linkwright.engine.networks import Networks
from linkwright.engine.observation import Observer, nobody
from linkwright.engine.ports import Kernel
from linkwright.engine.reconcile import Reconcile
from linkwright.engine.registry import Registered
from linkwright.engine.state import State
from linkwright.model import Endpoint, StoredNetwork, Subnet
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
        pool_held: Callable[[Subnet], bool] = lambda _: True,
        give_back: GiveBack = _nothing_to_give_back,
        driver_deadline: float = DEADLINE,
        somewhere: Somewhere = in_thread,
    ) -> None:
        """Put the parts together. *clock* gives Unix time, *timer* monotonic seconds."""
        self.kernel = kernel
        self.instance = instance
        self.state = State(commit)
        self.asking = Asking(
            drivers, instance=instance, observer=observer, deadline=driver_deadline, somewhere=somewhere
        )
        self.applying = Applying(Desired(), kernel)
        self.networks = Networks(
            state=self.state,
            asking=self.asking,
            applying=self.applying,
            kernel=kernel,
            observer=observer,
            clock=clock,
            manage_forwarding=manage_forwarding,
            pool_held=pool_held,
        )
        self.endpoints = Endpoints(
            state=self.state,
            asking=self.asking,
            applying=self.applying,
            networks=self.networks,
            kernel=kernel,
            observer=observer,
            clock=clock,
            timer=timer,
            give_back=give_back,
        )
        self.collecting = Collecting(
            state=self.state, networks=self.networks, endpoints=self.endpoints, kernel=kernel, clock=clock
        )
        self.reconcile = Reconcile(
            state=self.state,
            asking=self.asking,
            applying=self.applying,
            networks=self.networks,
            endpoints=self.endpoints,
            kernel=kernel,
            collecting=self.collecting,
            observer=observer,
        )
