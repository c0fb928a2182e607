"""Links in the fake kernel: what rtnetlink refuses, what it fills in, and what falls with a link that goes.

Rule 1: no trio and no events here, that is ``fake_kernel``; every rule is one that ``core/tests/kernel`` saw the real
kernel follow. Rule 2: links are stored as the real one reads them back: no attribute left None that the kernel fills.
"""

import errno
from collections.abc import Iterator
from typing import Any

import attrs
from attrs import evolve, frozen

from linkwright.errors import KernelError
from linkwright.model.mac import Mac
from linkwright.plan.render import render
from linkwright.plan.resources import (
    Address,
    Bridge,
    BridgePort,
    Existing,
    Key,
    Link,
    LinkKind,
    Macvlan,
    MacvlanMode,
    Neighbour,
    Resource,
    Route,
    Veth,
    Vxlan,
)
from linkwright.plan.steps import Action, Step

#: How the real kernel's reader names a veth's peer that is in another namespace.
ELSEWHERE = "?"

#: What a bridge gives a new port (br_add_if in net/bridge/br_if.c).
PORT_DEFAULTS = BridgePort(learning=True, flood=True, hairpin=False, isolated=False, neighbour_suppress=False)


@frozen
class Lent:
    """A link that Docker has moved: the sandbox where it is, and the link as it left."""

    sandbox: str
    link: Link


class FakeLinks:
    """Everything the fake kernel has, by key, and what may be done to links."""

    def __init__(self) -> None:
        self.resources: dict[Key, Resource] = {}
        self.ours: set[Key] = set()
        self.lent: dict[str, Lent] = {}
        self.sysctls: dict[str, str] = {}

    def link(self, name: str) -> Link | None:
        """The link of that name in the host's namespace."""
        found = self.resources.get(("link", name))
        return found if isinstance(found, Link) else None

    def do_link(self, step: Step) -> None:
        """Make, change or remove a link."""
        link = step.resource
        assert isinstance(link, Link)  # noqa: S101 - the table of do() says so
        match step.action:
            case Action.CREATE:
                self._create_link(step, link)
            case Action.CHANGE:
                self._change_link(step, link)
            case Action.DELETE:
                self.remove_link(link.name)

    def _create_link(self, step: Step, wish: Link) -> None:
        names = [wish.name, *([wish.kind.peer] if isinstance(wish.kind, Veth) else [])]
        if any(self.link(name) for name in names) or len(set(names)) < len(names):
            raise refused(errno.EEXIST, step)
        if isinstance(wish.kind, Existing):
            raise refused(errno.EOPNOTSUPP, step, "a link of unknown kind cannot be made")
        if any(self.link(required[1]) is None for required in wish.requires):
            raise refused(errno.ENODEV, step)
        self._check_exclusive(step, wish)
        mac = self._passed_through(wish) or wish.mac or Mac.derive("fake", wish.name)
        kind, mtu = self._filled(wish)
        link = Link(wish.name, kind, mtu=mtu, mac=mac, master=wish.master or "", up=bool(wish.up), mark=wish.mark)
        self.resources[link.key] = evolve(link, port=self._port(step, link, wish.port, None))
        if isinstance(kind, Veth):
            peer_mac = getattr(wish.kind, "peer_mac", None) or Mac.derive("fake", kind.peer)
            peer = Link(kind.peer, Veth(wish.name), mtu=mtu, mac=peer_mac, master="", up=False)
            self.resources[peer.key] = peer

    def _passed_through(self, wish: Link) -> Mac | None:
        """A passthru link has its parent's hardware address, whatever is asked for (macvlan_common_newlink)."""
        match wish.kind:
            case Macvlan(mode=MacvlanMode.PASSTHRU, parent=name) if parent := self.link(name):
                return parent.mac
        return None

    def _check_exclusive(self, step: Step, wish: Link) -> None:
        held = {other.exclusive for other in self.links()}
        if isinstance(wish.kind, Vxlan) and wish.exclusive in held:
            raise refused(errno.EEXIST, step, "A VXLAN device with the specified VNI already exists")
        if isinstance(wish.kind, Macvlan):
            parent = wish.kind.parent
            siblings = [other for other in self.links() if getattr(other.kind, "parent", None) == parent]
            macvlans = [other.kind for other in siblings if isinstance(other.kind, Macvlan)]
            passthru = [kind for kind in macvlans if kind.mode is MacvlanMode.PASSTHRU]
            if passthru or (macvlans and wish.kind.mode is MacvlanMode.PASSTHRU):
                raise refused(errno.EINVAL, step)

    def _filled(self, wish: Link) -> tuple[LinkKind, int]:
        mtu = 1500
        match kind := wish.kind:
            case Bridge():
                kind = Bridge(True if kind.multicast_snooping is None else kind.multicast_snooping)
            case Veth():
                kind = Veth(kind.peer)  # the peer's address is the peer's
            case Vxlan():
                learning = True if kind.learning is None else kind.learning
                kind = evolve(kind, learning=learning, proxy=bool(kind.proxy))
                if kind.parent and (parent := self.link(kind.parent)):
                    overhead = 70 if kind.local and kind.local.version == 6 else 50  # noqa: PLR2004
                    mtu = (parent.mtu or mtu) - overhead
            case Macvlan() if parent := self.link(kind.parent):
                mtu = parent.mtu or mtu
        return kind, wish.mtu or mtu

    def _port(self, step: Step, link: Link, wish: BridgePort | None, had: BridgePort | None) -> BridgePort | None:
        master = self.link(link.master or "")
        if link.master and master is None:
            raise refused(errno.ENODEV, step)
        if master is None or not isinstance(master.kind, Bridge):
            if wish is not None:
                raise refused(errno.EOPNOTSUPP, step)
            return None
        return evolve(had or PORT_DEFAULTS, **({} if wish is None else _wished(wish)))

    def _change_link(self, step: Step, wish: Link) -> None:
        had = self.link(wish.name)
        if had is None:
            raise refused(errno.ENODEV, step)
        kind = self._changed_kind(step, had.kind, wish.kind)
        wished = {name: getattr(wish, name) for name in ("mtu", "mac", "master", "up", "mark")}
        link = evolve(had, kind=kind, **{name: value for name, value in wished.items() if value is not None})
        port = None if had.master != link.master else had.port
        self.resources[link.key] = evolve(link, port=self._port(step, link, wish.port, port))
        if had.up and not link.up:
            self._went_down(link.name)

    def _changed_kind(self, step: Step, had: LinkKind, wish: LinkKind) -> LinkKind:
        if isinstance(wish, Existing):
            return had
        if type(wish) is not type(had):
            raise refused(errno.EOPNOTSUPP, step)
        if isinstance(wish, Veth):
            return had
        wished = _wished(wish)
        fixed = wish.FIXED | ({"proxy"} if isinstance(wish, Vxlan) else set())
        if any(name in fixed and value != getattr(had, name) for name, value in wished.items()):
            raise refused(errno.EOPNOTSUPP, step)
        return evolve(had, **wished)

    def _went_down(self, name: str) -> None:
        """As fib_disable_ip, addrconf_ifdown and neigh_ifdown do: only IPv4 addresses and forwarding entries stay."""
        for key, resource in list(self.resources.items()):
            match resource:
                case Route() | Neighbour() if resource.link == name:
                    self.drop(key)
                case Address() if resource.link == name and resource.interface.version == 6:  # noqa: PLR2004
                    self.drop(key)

    def remove_link(self, name: str) -> None:
        """Remove a link and all that falls with it; nothing where there is none."""
        link = self.link(name)
        if link is None:
            return
        self.drop(link.key)
        for key, resource in list(self.resources.items()):
            if getattr(resource, "link", None) == name:
                self.drop(key)
            elif isinstance(resource, Link) and resource.master == name:
                self.resources[key] = evolve(resource, master="", port=None)
            elif isinstance(resource, Link) and getattr(resource.kind, "parent", None) == name:
                self.remove_link(resource.name)
        for path in [path for path in self.sysctls if path.split("/")[3:4] == [name]]:
            del self.sysctls[path]
        for moved, lent in list(self.lent.items()):
            if getattr(lent.link.kind, "parent", None) == name or getattr(lent.link.kind, "peer", None) == name:
                del self.lent[moved]
        if isinstance(link.kind, Veth):
            self.remove_link(link.kind.peer)

    def links(self) -> Iterator[Link]:
        """All links of the host's namespace, and those lent: a lent one still holds its parent."""
        yield from (resource for resource in self.resources.values() if isinstance(resource, Link))
        yield from (lent.link for lent in self.lent.values())

    def drop(self, key: Key) -> None:
        """Forget one thing and whose it is."""
        self.resources.pop(key, None)
        self.ours.discard(key)


def _wished(value: attrs.AttrsInstance) -> dict[str, Any]:
    return {name: wish for name, wish in attrs.asdict(value, recurse=False).items() if wish is not None}


def refused(code: int, step: Step, extack: str = "") -> KernelError:
    """Say that the kernel refused *step* with errno *code*."""
    text = "; ".join(render(step).splitlines()) or f"{step.action.value} {' '.join(step.resource.key)}"
    return KernelError(code, step=text, extack=extack)
