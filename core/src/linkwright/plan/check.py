"""A linter for wishes: what cannot be right whatever the kernel has. Run on every driver's answer. Pure."""

from collections import Counter
from collections.abc import Iterable

from attrs import frozen

from linkwright.plan.resources import Address, Hold, Key, Link, Resource, Route, Sysctl, Veth

#: Every link of ours begins like this, so that a person sees whose it is.
PREFIX = "lw"


@frozen
class Note:
    """Something wrong with a wish."""

    resource: Resource
    text: str

    def __str__(self) -> str:
        return f"{' '.join(self.resource.key)}: {self.text}"


def check(wishes: Iterable[Resource], *, around: Iterable[Key] = ()) -> tuple[Note, ...]:
    """Return what is wrong with *wishes*; *around* are keys that somebody else sees to (an endpoint's network)."""
    resources = tuple(wishes)
    known = {resource.key for resource in resources} | set(around)
    notes = [Note(resource, text) for resource in resources for text in _alone(resource)]
    notes += [
        Note(resource, f"requires {' '.join(required)}, which nobody wishes for")
        for resource in resources
        for required in resource.requires
        if required not in known
    ]
    counts = Counter(resource.key for resource in resources)
    notes += [Note(resource, "is wished for twice") for resource in resources if counts[resource.key] > 1]
    exclusive = Counter(resource.exclusive for resource in resources if isinstance(resource, Link))
    notes += [
        Note(resource, f"only one link can hold {' '.join(resource.exclusive)}")
        for resource in resources
        if isinstance(resource, Link) and resource.exclusive and exclusive[resource.exclusive] > 1
    ]
    return tuple(notes)


def _alone(resource: Resource) -> list[str]:
    match resource:
        case Link(hold=Hold.OWN, name=name) if not name.startswith(PREFIX):
            return [f"a link of ours is named {PREFIX}…"]
        case Link(kind=Veth(peer=peer), name=name) if not peer.startswith(PREFIX) or peer == name:
            return [f"its peer is named {PREFIX}…, and otherwise than itself"]
        case Link(hold=Hold.BORROW, lent=True):
            return ["what is borrowed cannot be lent"]
        case Link(mac=mac) if mac is not None and not mac.is_unicast:
            return [f"{mac} is no unicast hardware address"]
        case Address(interface=interface) if interface.ip.is_multicast or interface.ip.is_unspecified:
            return [f"{interface} cannot be an interface's address"]
        case Route(link=None, via=None):
            return ["leads nowhere: it names neither a link nor a next hop"]
        case Sysctl(path=path) if not path.startswith("net/") or ".." in path.split("/"):
            return ["only settings below net/ may be wished for"]
    return []
