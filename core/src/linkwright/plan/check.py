"""A linter for wishes: what cannot be right whatever the kernel has. Run on every driver's answer. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator

from attrs import frozen

from linkwright.plan.resources import (
    Address,
    BridgeVlan,
    Hold,
    Ipvlan,
    Key,
    Link,
    Redirect,
    Resource,
    Route,
    Shaper,
    Sysctl,
    Veth,
    Vlan,
)
from linkwright.plan.shaping import FRAME_OVERHEAD

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
    return (*notes, *_together(resources))


def _alone(resource: Resource) -> list[str]:
    match resource:
        case Link(hold=Hold.OWN, name=name, kind=kind) if not (name.startswith(PREFIX) or isinstance(kind, Vlan)):
            return [f"a link of ours is named {PREFIX}…"]
        case Link(kind=Veth(peer=peer), name=name) if not peer.startswith(PREFIX) or peer == name:
            return [f"its peer is named {PREFIX}…, and otherwise than itself"]
        case Link(hold=Hold.BORROW, lent=True):
            return ["what is borrowed cannot be lent"]
        case Link(mac=mac) if mac is not None and not mac.is_unicast:
            return [f"{mac} is no unicast hardware address"]
        case Link(mac=mac, kind=Ipvlan()) if mac is not None:
            return ["an ipvlan link has its parent's hardware address"]
        case Redirect(link=link, to=to) if link == to:
            return ["leads back to where it came from"]
        case Address(interface=interface) if interface.ip.is_multicast or interface.ip.is_unspecified:
            return [f"{interface} cannot be an interface's address"]
        case Route(link=None, via=None):
            return ["leads nowhere: it names neither a link nor a next hop"]
        case Sysctl(path=path) if not path.startswith("net/") or ".." in path.split("/"):
            return ["only settings below net/ may be wished for"]
    return []


def _together(resources: Iterable[Resource]) -> Iterator[Note]:
    """Yield what is wrong with wishes for the sake of other wishes."""
    mtus: dict[str, int] = {}
    sorts: dict[str, Ipvlan] = {}
    pvids: set[str] = set()
    for resource in sorted(resources, key=lambda one: not isinstance(one, Link)):
        match resource:
            case Link(kind=Ipvlan(parent=parent) as kind) if sorts.setdefault(parent, kind) != kind:
                yield Note(resource, f"all ipvlan links on {parent} have one mode and one flag")
            case Link(name=name, mtu=int() as mtu):
                mtus[name] = mtu
            case BridgeVlan(link=link, pvid=True) if link in pvids:
                yield Note(resource, f"{link} puts what has no tag into one VLAN")
            case BridgeVlan(link=link, pvid=True):
                pvids.add(link)
            case Shaper(link=link, burst=burst) if burst < mtus.get(link, 0) + FRAME_OVERHEAD:
                yield Note(resource, f"no frame of {link} would ever leave: a burst of {burst} bytes holds none")
