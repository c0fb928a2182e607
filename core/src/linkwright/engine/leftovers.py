"""What is ours in the kernel and nobody's wish: left by a crash, by a driver's new version, by a removal that failed.

Nothing that a call is just making is ever swept: what a call makes is noted as coming (``Desired.begin``) before the
kernel is asked for it and until it stands or is undone, and here that note is read last, right before the step is
handed to the kernel, which does steps in the order they come.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from linkwright.engine.desired import Desired
from linkwright.engine.observation import Drift, Observer
from linkwright.engine.ports import Kernel
from linkwright.errors import KernelError, LinkwrightError
from linkwright.plan import Key, Link, Plan, Resource, Snapshot, Step, diff, render


class Leftovers:
    """Finds them and sweeps them."""

    def __init__(
        self, *, desired: Desired, kernel: Kernel, observer: Observer, frozen: Callable[[], Iterable[str]]
    ) -> None:
        """Take the parts. *frozen* gives the networks of which it is not known what they wish for."""
        self._desired = desired
        self._kernel = kernel
        self._observer = observer
        self._frozen = frozen

    async def find(self, seen: Snapshot) -> dict[Key, Resource]:
        """Return what is left over, of what was *seen* a while ago and is there still."""
        suspects = self._unwanted(seen.owned())
        return self._unwanted((await self._kernel.observe(suspects)).owned()) if suspects else {}

    async def sweep(self, found: Mapping[Key, Resource]) -> Plan:
        """Remove *found*, network by network, and one by one where that will not go; return what was planned."""
        links = {value.name: value for value in found.values() if isinstance(value, Link)}
        groups: dict[str, dict[Key, Resource]] = defaultdict(dict)
        for key, resource in found.items():
            lies_on = links.get(getattr(resource, "link", None) or "", resource)
            groups[_network_of(lies_on)][key] = resource
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
            kind = "kernel" if isinstance(error, KernelError) else "unavailable"
            self._observer(Drift(kind, repaired=False, text=str(error), network=network_id))
            return steps
        for step in steps:
            self._observer(Drift("leftover", repaired=True, text=render(step), network=network_id))
        return steps

    def _unwanted(self, found: Mapping[Key, Resource]) -> dict[Key, Resource]:
        """What a frozen network owns is nobody's to judge: of its links that is known, of all else it is not."""
        left, frozen = self._desired.unwanted(found), frozenset(self._frozen())
        if not frozen:
            return left
        return {key: resource for key, resource in left.items() if _network_of(resource) not in {"", *frozen}}


def _network_of(resource: Resource) -> str:
    return resource.mark.network if isinstance(resource, Link) and resource.mark else ""
