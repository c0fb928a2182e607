"""Whether an endpoint still lives: what the kernel shows of its sandbox and its links. Looking only.

What follows from it is for ``ending`` (a new holder of an address or a port) and ``collecting`` (what Docker has
forgotten).
"""

from collections.abc import Callable, Iterable, Mapping

from linkwright.engine.desired import Desired, Scope
from linkwright.engine.ports import Kernel
from linkwright.model import Endpoint, EndpointState
from linkwright.plan import Hold, Key, Link, Veth

#: Seconds in which more calls about a new endpoint may still come, and its sandbox may still be on its way: up to
#: engine 27 it is made after Join, and a host that starts a hundred containers at once takes its time.
YOUTH = 60.0


class Vitality:
    """Tells the living from the dead."""

    def __init__(self, desired: Desired, kernel: Kernel, clock: Callable[[], float]) -> None:
        """Look with *kernel* for the links that *desired* names. *clock* gives Unix time."""
        self._desired = desired
        self._kernel = kernel
        self._clock = clock

    def young(self, endpoint: Endpoint) -> bool:
        """Whether it was made so lately that Docker may still be at it. Not where the clock was put back since."""
        return 0 <= self._clock() - endpoint.created <= YOUTH

    def of_another_boot(self, endpoint: Endpoint) -> bool:
        """Whether it was made before the host was started anew; old endpoint ids never return."""
        boot = self._kernel.boot_id()
        return endpoint.boot not in {"", boot} or (endpoint.sandbox is not None and endpoint.sandbox.boot != boot)

    async def dead(self, endpoint: Endpoint) -> bool:
        """Whether it is another boot's, or its sandbox is gone.

        Of one that is known by its mark alone the sandbox is not known: it is gone when it took the host's end along.
        """
        if self.of_another_boot(endpoint):
            return True
        if endpoint.sandbox is not None:
            return not await self._kernel.sandbox_alive(endpoint.sandbox.key)
        staying = frozenset(link.key for link in self._links(endpoint) if not link.lent)
        if endpoint.state is not EndpointState.JOINED or not staying:
            return False
        return not staying <= (await self._kernel.observe(staying)).resources.keys()

    async def in_use(self, endpoint: Endpoint) -> bool:
        """Whether a container that lives has it."""
        return endpoint.state is EndpointState.JOINED and not await self.dead(endpoint)

    async def bereaved(self, endpoint: Endpoint) -> bool:
        """Whether its sandbox is gone with what was lent to it: of that one sighting is enough.

        The host's end may still be there: a network namespace that nobody has any more ends at the kernel's leisure.
        """
        lent = self._lent(endpoint)
        if endpoint.state is EndpointState.CREATING or not lent:
            return False
        if lent & (await self._kernel.observe(lent)).resources.keys():
            return False
        return await self.dead(endpoint)

    async def returned(self, endpoints: Iterable[Endpoint]) -> frozenset[str]:
        """Of *endpoints* those whose link lies on the host, by id: no sandbox has it yet, or any more."""
        lent = {endpoint.id: self._lent(endpoint) for endpoint in endpoints}
        keys = frozenset[Key]().union(*lent.values())
        seen: Mapping[Key, object] = (await self._kernel.observe(keys)).resources if keys else {}
        return frozenset(endpoint_id for endpoint_id, links in lent.items() if links & seen.keys())

    def _lent(self, endpoint: Endpoint) -> frozenset[Key]:
        """The links of *endpoint* that Docker takes into the sandbox."""
        links = self._links(endpoint)
        peers = {link.kind.peer for link in links if isinstance(link.kind, Veth)}
        return frozenset(link.key for link in links if link.lent) | {("link", peer) for peer in peers}

    def _links(self, endpoint: Endpoint) -> list[Link]:
        wishes = self._desired.of(Scope.of(endpoint)).values()
        links = [wish for wish in wishes if isinstance(wish, Link)]
        return [link for link in links if link.hold is Hold.OWN and not link.shared]
