"""The links that containers' own stand on: whether they are there and up, and what becomes of those that are lent.

A link that Docker has moved into a sandbox is out of sight, and yet goes with its parent, and has its parent's MTU as
long as that is only lowered: the kernel raises no child's. So when somebody touches a parent, and once at the start,
its children are looked for in their sandboxes: one that is gone is told at each look from then on, until its container
is gone or ``rebuilding`` has made it anew; and an MTU is handed on to those that have the lowest which their parent had
since, whether it was seen to have it or had it for a moment only. Any other is the container's own choice.
"""

from collections.abc import Iterable, Iterator, Mapping

from attrs import frozen

from linkwright.engine.desired import Desired, Scope
from linkwright.engine.observation import Drift, Observer
from linkwright.engine.ports import Kernel
from linkwright.engine.state import State
from linkwright.engine.vitality import Vitality
from linkwright.errors import LinkwrightError
from linkwright.model import Address, Endpoint, EndpointState, Mac
from linkwright.plan import Hold, Key, Link, Resource, Snapshot


@frozen
class _Child:
    """An endpoint's link in its sandbox, and the link of the host that it stands on."""

    endpoint: Endpoint
    link: Link
    parent: str

    @property
    def known_by(self) -> frozenset[Mac | Address]:
        """What it is found by inside, whatever it is called there."""
        own = (self.endpoint.mac, *(address.ip for address in self.endpoint.addresses))
        return frozenset(one for one in own if one is not None)


class Parents:
    """Remembers what parents were like when they were last seen."""

    def __init__(
        self, *, state: State, desired: Desired, kernel: Kernel, vitality: Vitality, observer: Observer
    ) -> None:
        """Take the parts."""
        self._state = state
        self._desired = desired
        self._kernel = kernel
        self._vitality = vitality
        self._observer = observer
        self._mtus: dict[str, int] = {}  # the lowest that each had since it was last handed on
        self._up: dict[str, bool] = {}
        self._suspects: set[str] | None = None  # endpoints whose link may have gone; None: all, we have just begun

    @property
    def up(self) -> Mapping[str, bool]:
        """Those that the host has lent us, by name, and whether each is there and up."""
        return self._up

    async def look(self, seen: Snapshot, *, repair: bool) -> list[str]:
        """Take note of all parents as they were *seen*; return in words which containers have lost their link.

        Without *repair* that is all; else it is told, and what has grown is handed on.
        """
        every = self._desired.all().values()
        borrowed = {wish.name for wish in every if isinstance(wish, Link) and wish.hold is Hold.BORROW}
        self._up = {name: _is_up(seen.resources.get(("link", name))) for name in sorted(borrowed)}
        children = list(self._children(self._state.endpoints.values()))
        if self._suspects is None:
            self._suspects = {child.endpoint.id for child in children}
        self._suspects.intersection_update(self._state.endpoints)
        if repair:
            await self._note(await self._see({("link", child.parent) for child in children}), children)
        lost = [child for child in children if child.endpoint.id in self._suspects and await self._is_lost(child)]
        for child in lost if repair else ():
            self._observer(Drift("joined", repaired=False, text=child.link.name, network=child.endpoint.network))
        return [
            f"link {child.link.name} of endpoint {child.endpoint.id[:12]} went with {child.parent}; restart its "
            "container, or have it made anew with `linkwright repair`"
            for child in lost
        ]

    async def follow(self, keys: Iterable[Key]) -> None:
        """Somebody changed *keys*: suspect the children of those that are parents."""
        touched = {key for key in keys if key[0] == "link"}
        networks = self._desired.networks_of(touched)
        endpoints = (one for network in networks for one in self._state.endpoints_of(network))
        children = [child for child in self._children(endpoints) if ("link", child.parent) in touched]
        parents = {("link", child.parent) for child in children} | {key for key in touched if key[1] in self._up}
        if not parents:
            return
        found = await self._see(parents)
        self._up |= {name: _is_up(found.get(("link", name))) for _, name in parents if name in self._up}
        if self._suspects is not None:
            self._suspects |= {child.endpoint.id for child in children}
        await self._note(found, children)

    async def _see(self, parents: Iterable[Key]) -> Mapping[Key, Resource]:
        """Look at *parents*. How low they were is asked before: what happens after the look is the next one's."""
        lowest = self._kernel.lowest_mtus()
        for child in self._children(self._state.endpoints.values()) if lowest else ():
            mtu = lowest.get(child.parent)
            if mtu is not None:
                self._mtus[child.parent] = min(self._mtus.get(child.parent, mtu), mtu)
        return (await self._kernel.observe(parents)).resources

    async def _note(self, found: Mapping[Key, Resource], children: Iterable[_Child]) -> None:
        """Hand on what is larger than it was, and remember what is now."""
        grown: dict[str, tuple[int, int]] = {}
        for name in {child.parent for child in children}:
            parent = found.get(("link", name))
            if isinstance(parent, Link) and parent.mtu is not None:
                was = self._mtus.get(name, parent.mtu)
                self._mtus[name] = parent.mtu
                if parent.mtu > was:
                    grown[name] = (was, parent.mtu)
        for child in children:
            if child.parent in grown and child.link.mtu is None and child.endpoint.sandbox is not None:
                was, now = grown[child.parent]
                try:
                    await self._kernel.raise_mtu(child.endpoint.sandbox.key, child.known_by, was, now)
                except LinkwrightError as error:
                    if await self._vitality.dead(child.endpoint):
                        continue
                    text = f"{child.link.name} has not the {now} of its parent {child.parent}: {error}"
                    self._observer(Drift("link", repaired=False, text=text, network=child.endpoint.network))

    async def _is_lost(self, child: _Child) -> bool:
        """Whether *child* has gone and its container runs; one that is where it should be is no suspect any more."""
        endpoint = child.endpoint
        if endpoint.sandbox is None or self._vitality.young(endpoint) or await self._vitality.dead(endpoint):
            return False
        try:
            inside = await self._kernel.addresses_inside(endpoint.sandbox.key)
        except LinkwrightError:  # it is just going
            return False
        here = (await self._kernel.observe([child.link.key])).resources
        if not here and child.known_by.isdisjoint(inside):
            return True
        if self._suspects is not None:
            self._suspects.discard(endpoint.id)
        return False

    def _children(self, endpoints: Iterable[Endpoint]) -> Iterator[_Child]:
        for endpoint in endpoints:
            if endpoint.state is not EndpointState.JOINED:
                continue
            for wish in self._desired.of(Scope.of(endpoint)).values():
                parent = getattr(wish.kind, "parent", None) if isinstance(wish, Link) and wish.lent else None
                if isinstance(wish, Link) and parent is not None:
                    yield _Child(endpoint, wish, parent)


def _is_up(found: Resource | None) -> bool:
    return isinstance(found, Link) and bool(found.up)
