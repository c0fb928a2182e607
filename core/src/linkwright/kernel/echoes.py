"""What we did ourselves, so that its echo among the kernel's events is known for one.

The port id in an event tells our own work for IPv4 addresses, routes, neighbours and traffic control. For links, VLANs
of ports, forwarding entries and IPv6 addresses the kernel says 0 whoever it was (netdev_state_change, br_vlan_notify,
vxlan_fdb_notify, inet6_ifa_notify): there the event is compared with what was last asked for. A wrong guess costs one
needless look, never a missed change.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from linkwright.plan.compare import changed
from linkwright.plan.resources import Element, Key, Link, Redirect, Resource, Route, Shaper, Sysctl, Veth
from linkwright.plan.steps import Action, Step

#: Kinds of which the port id tells enough, or of which rtnetlink tells nothing.
_TOLD_BY_PORT = frozenset({Route, Shaper, Redirect, Sysctl, Element})
#: Keys made, and keys deleted whose echo has not come, at most: what goes with its link is never unmade, and of what
#: was gone already no echo comes.
_REMEMBERED = 50_000


class Echoes:
    """Written by the request thread before it acts, read by the monitor; single dict operations, so without a lock."""

    def __init__(self) -> None:
        self._made: dict[Key, Resource] = {}
        self._unmade: dict[Key, None] = {}

    def expect(self, steps: Iterable[Step]) -> None:
        """Note what is about to be done."""
        for step in steps:
            resource = step.resource
            if type(resource) in _TOLD_BY_PORT:
                continue
            if step.action is Action.DELETE:
                for key in _keys(resource):
                    self._made.pop(key, None)
                    self._unmade[key] = None
            else:
                key = resource.key
                self._made.pop(key, None)  # so that it is the youngest
                self._made[key] = resource
                self._unmade.pop(key, None)
        _drop_oldest(self._made)
        _drop_oldest(self._unmade)

    def forget(self, steps: Iterable[Step]) -> None:
        """Note that it was not done after all: whatever is told of these is news."""
        for step in steps:
            for key in _keys(step.resource):
                self._made.pop(key, None)
                self._unmade.pop(key, None)

    def is_made(self, resource: Resource) -> bool:
        """Whether *resource*, as the kernel now shows it, is what we last asked for."""
        wish = self._made.get(resource.key)
        return wish is not None and not changed(resource, wish)

    def is_unmade(self, key: Key) -> bool:
        """Whether the absence of *key* is our doing. Asked once for each time it goes."""
        return self._unmade.pop(key, _MISSING) is None

    def is_leaving(self, link: str) -> bool:
        """Whether link *link* is being deleted by us, and what lies on it goes for that."""
        return ("link", link) in self._unmade


_MISSING = object()


def _drop_oldest(remembered: dict[Key, Any]) -> None:
    for key in list(islice(remembered, max(0, len(remembered) - _REMEMBERED))):
        remembered.pop(key, None)


def _keys(resource: Resource) -> Sequence[Key]:
    """What goes with it: of a veth the other end too."""
    if isinstance(resource, Link) and isinstance(resource.kind, Veth):
        return (resource.key, ("link", resource.kind.peer))
    return (resource.key,)
