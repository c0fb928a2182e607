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
    BridgeVlan,
    Existing,
    Ipvlan,
    Key,
    Link,
    LinkKind,
    Macvlan,
    MacvlanMode,
    Neighbour,
    Redirect,
    Resource,
    Route,
    Veth,
    Vlan,
    Vxlan,
)
from linkwright.plan.steps import Action, Step

#: How the real kernel's reader names a veth's peer that is in another namespace, and where a link leads that has gone.
ELSEWHERE = "?"

#: What a bridge gives a new port (br_add_if in net/bridge/br_if.c).
PORT_DEFAULTS = BridgePort(learning=True, flood=True, isolated=False, neighbour_suppress=False)

#: The VLAN that a bridge puts new ports into (br_vlan_init), and the broadcasts that wait in a macvlan's queue.
_DEFAULT_PVID = 1
_BROADCASTS = 1000


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
        self.lowest: dict[str, int] = {}  # MTUs of links of which it has changed

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
        self._join_vlans(link)
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
        if isinstance(wish.kind, Vlan) and wish.exclusive in held:
            raise refused(errno.EEXIST, step, "VLAN device already exists")
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
                pvid = _DEFAULT_PVID if kind.default_pvid is None else kind.default_pvid
                kind = Bridge(kind.multicast_snooping is not False, bool(kind.vlan_filtering), pvid)
            case Veth():
                kind = Veth(kind.peer)  # the peer's address is the peer's
            case Vxlan():
                learning = True if kind.learning is None else kind.learning
                kind = evolve(kind, learning=learning, proxy=bool(kind.proxy))
                if kind.parent and (parent := self.link(kind.parent)):
                    overhead = 70 if kind.local and kind.local.version == 6 else 50  # noqa: PLR2004
                    mtu = (parent.mtu or mtu) - overhead
            case Macvlan() | Ipvlan() | Vlan() if parent := self.link(kind.parent):
                mtu = parent.mtu or mtu
        if isinstance(kind, Macvlan) and kind.bc_queue_len is None:
            kind = evolve(kind, bc_queue_len=_BROADCASTS)
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

    def _join_vlans(self, port: Link) -> None:
        """As nbp_vlan_init does. The real kernel does so without filtering too, where it makes no difference."""
        master = self.link(port.master or "")
        bridge = master.kind if master is not None else None
        if isinstance(bridge, Bridge) and bridge.vlan_filtering and bridge.default_pvid:
            vlan = BridgeVlan(port.name, bridge.default_pvid, pvid=True, untagged=True)
            self.resources[vlan.key] = vlan

    def is_default(self, vlan: BridgeVlan) -> bool:
        """Whether it is the one that the kernel made the port a member of."""
        link = self.link(vlan.link)
        bridge = self.link(link.master) if link and link.master else link
        return bridge is not None and isinstance(bridge.kind, Bridge) and bridge.kind.default_pvid == vlan.vid

    def _leave_bridge(self, name: str) -> None:
        self.drop(("hairpin", name))
        for key in [key for key in self.resources if key[:2] == ("vlan", name)]:
            self.drop(key)

    def _change_link(self, step: Step, wish: Link) -> None:
        had = self.link(wish.name)
        if had is None:
            raise refused(errno.ENODEV, step)
        kind = self._changed_kind(step, had.kind, wish.kind)
        wished = {name: getattr(wish, name) for name in ("mtu", "mac", "master", "up", "mark")}
        link = evolve(had, kind=kind, **{name: value for name, value in wished.items() if value is not None})
        port = None if had.master != link.master else had.port
        self.resources[link.key] = evolve(link, port=self._port(step, link, wish.port, port))
        if had.master != link.master:
            self._leave_bridge(link.name)
            self._join_vlans(link)
        if had.up and not link.up:
            self._went_down(link.name)
        if had.mtu and link.mtu and had.mtu != link.mtu:
            self._resized(link.name, had.mtu, link.mtu)

    def _resized(self, name: str, had: int, mtu: int) -> None:
        """Lower the children too, in sandboxes as well, and raise none (macvlan_device_event, vlan_device_event)."""
        self.lowest[name] = min(self.lowest.get(name, had), mtu)
        for key, child in list(self.resources.items()):
            if isinstance(child, Link) and (small := _lowered(child, name, mtu)) and child.mtu:
                self.resources[key] = small
                self._resized(child.name, child.mtu, mtu)
        for moved, lent in self.lent.items():
            if small := _lowered(lent.link, name, mtu):
                self.lent[moved] = evolve(lent, link=small)

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
        for resource in list(self.resources.values()):
            self._bereave(resource, name)
        for path in [path for path in self.sysctls if path.split("/")[3:4] == [name]]:
            del self.sysctls[path]
        for moved, lent in list(self.lent.items()):
            if getattr(lent.link.kind, "parent", None) == name or getattr(lent.link.kind, "peer", None) == name:
                del self.lent[moved]
        if isinstance(link.kind, Veth):
            self.remove_link(link.kind.peer)

    def _bereave(self, resource: Resource, name: str) -> None:
        """Do to *resource* what the end of link *name* does to it, if it is still there."""
        if resource.key not in self.resources:
            return
        match resource:
            case Link(master=master) if master == name:
                self.resources[resource.key] = evolve(resource, master="", port=None)
                self._leave_bridge(resource.name)
            case Link(kind=Macvlan(parent=parent) | Ipvlan(parent=parent) | Vlan(parent=parent) | Vxlan(parent=parent)):
                if parent == name:
                    self.remove_link(resource.name)
            case Redirect(link=link, to=to) if link != name and to == name:
                self.resources[resource.key] = evolve(resource, to=ELSEWHERE)
            case _ if getattr(resource, "link", None) == name:
                self.drop(resource.key)

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


def _lowered(child: Link, parent: str, mtu: int) -> Link | None:
    """*child* as small as its parent, if that is *parent* and it was larger."""
    if getattr(child.kind, "parent", None) != parent or isinstance(child.kind, Vxlan) or (child.mtu or 0) <= mtu:
        return None
    return evolve(child, mtu=mtu)


def refused(code: int, step: Step, extack: str = "") -> KernelError:
    """Say that the kernel refused *step* with errno *code*."""
    text = "; ".join(render(step).splitlines()) or f"{step.action.value} {' '.join(step.resource.key)}"
    return KernelError(code, step=text, extack=extack)
