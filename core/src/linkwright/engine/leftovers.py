"""What is ours in the kernel and nobody's wish: left by a crash, by a driver's new version, by a removal that failed.

Nothing that a call is just making is ever swept: what a call makes is noted as coming (``Desired.begin``) before the
kernel is asked for it and until it stands or is undone, and here that note is read last, right before the step is
handed to the kernel, which does steps in the order they come.

Nor is what a container that runs may need: a link that only a new version of its driver wishes for no more stays, and
all that lies on it, until the container has gone. A bridge is needed as long as it has ports.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping

from linkwright.engine.desired import Desired
from linkwright.engine.observation import Drift, Observer
from linkwright.engine.others import SET as OTHERS
from linkwright.engine.ports import Kernel
from linkwright.errors import KernelError, LinkwrightError
from linkwright.plan import SHARED, Bridge, Key, Link, Mark, Plan, Resource, Snapshot, Step, diff


class Leftovers:
    """Finds them and sweeps them."""

    def __init__(
        self,
        *,
        desired: Desired,
        kernel: Kernel,
        observer: Observer,
        render: Callable[[Step], str],
        frozen: Callable[[], Iterable[str]],
        serves: Callable[[Mark], bool],
    ) -> None:
        """Take the parts. *frozen* gives the networks of which it is not known what they wish for.

        *serves* tells whether a container runs on the network, or has the endpoint, that a mark names. *render* puts a
        step in words, the firewall's tables called as this instance calls them.
        """
        self._desired = desired
        self._kernel = kernel
        self._observer = observer
        self._render = render
        self._frozen = frozen
        self._serves = serves

    async def find(self, seen: Snapshot) -> tuple[dict[Key, Resource], list[str]]:
        """Return what is left over, of what was *seen* a while ago and is there still; and what stays, in words."""
        suspects = self._unwanted(seen.owned())
        if not suspects:
            return {}, []
        found = self._unwanted((await self._kernel.observe(suspects)).owned())
        masters = {link.master for link in seen.resources.values() if isinstance(link, Link)}
        kept = {link.name: link for link in found.values() if isinstance(link, Link) and self._needed(link, masters)}
        texts = [
            f"pending: link {name} of {link.mark} is no longer wished for by its driver, and stays while it is in use"
            for name, link in sorted(kept.items())
        ]
        return {key: value for key, value in found.items() if _lies_on(value) not in kept}, texts

    def _needed(self, link: Link, masters: Collection[str | None]) -> bool:
        if link.mark is None or not self._serves(link.mark):
            return False
        return not isinstance(link.kind, Bridge) or link.name in masters

    async def sweep(self, found: Mapping[Key, Resource]) -> Plan:
        """Remove *found*, network by network, and one by one where that will not go; return what was planned."""
        links = {value.name: value for value in found.values() if isinstance(value, Link)}
        groups: dict[str, dict[Key, Resource]] = defaultdict(dict)
        for key, resource in found.items():
            groups[_network_of(links.get(_lies_on(resource), resource))][key] = resource
        steps: list[Step] = []
        for network_id, group in groups.items():
            steps += await self._sweep(group, network_id)
        return Plan(tuple(steps))

    async def _sweep(self, group: Mapping[Key, Resource], network_id: str) -> tuple[Step, ...]:
        steps = diff(self._unwanted(group), {}).steps
        if not steps:
            return ()
        try:
            await self._kernel.apply(steps)
        except LinkwrightError as error:
            if isinstance(error, KernelError) and len(steps) > 1:
                for key, resource in group.items():
                    await self._sweep({key: resource}, network_id)
                return steps
            self._observer(Drift.unrepaired(error, network_id))
            return steps
        for step in steps:
            self._observer(Drift("leftover", repaired=True, text=self._render(step), network=network_id))
        return steps

    def _unwanted(self, found: Mapping[Key, Resource]) -> dict[Key, Resource]:
        """What a frozen network owns is nobody's to judge: of its links that is known, of all else it is not."""
        left, frozen = self._desired.unwanted(found), frozenset(self._frozen())
        left = {key: resource for key, resource in left.items() if key[:2] != ("element", OTHERS)}
        if not frozen:
            return left
        return {key: resource for key, resource in left.items() if _network_of(resource) not in {"", *frozen}}


def _lies_on(resource: Resource) -> str:
    """The link that *resource* is, or lies on; "" for neither."""
    return resource.name if isinstance(resource, Link) else getattr(resource, "link", None) or ""


def _network_of(resource: Resource) -> str:
    mark = resource.mark if isinstance(resource, Link) else None
    return mark.network if mark is not None and mark.network != SHARED else ""
