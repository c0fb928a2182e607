"""Links as netlink messages: making and changing them. Pure: no socket, nothing looked up.

Rule 1: one link is one RTM_NEWLINK with all that the kernel takes in it, so that it is there whole or not at all.
What the kernel ignores in a creating message (the mark; settings of and as a bridge's port) follows **by index**: a
follow-up by name would, after EEXIST, mark a stranger's link as ours.
Rule 2: what is None in a wish is not in the message, and neither is what the link has already.
"""

from collections.abc import Callable
from typing import Any, Protocol

from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.netlink import NLM_F_CREATE, NLM_F_EXCL, Request, attribute, nested, text, u8, u16, u32
from linkwright.plan.resources import (
    Bridge,
    BridgePort,
    Hairpin,
    Ifb,
    Ipvlan,
    Link,
    LinkKind,
    Macvlan,
    Veth,
    Vlan,
    Vxlan,
)


class Indexes(Protocol):
    """Where an encoder gets interface indexes from."""

    def of(self, name: str) -> int:
        """The index of link *name*; LookupError if there is none."""

    def choose(self, name: str) -> int:
        """An index for link *name* that is about to be made; from now on ``of`` knows it."""


def message(
    kind: int, flags: int, index: int, *parts: bytes, up: bool | None = None, family: int = rt.AF_UNSPEC
) -> Request:
    """Return a message about the link with *index* (0: the one that a name in *parts* says)."""
    change = 0 if up is None else rt.IFF_UP
    return Request(kind, flags, rt.IFINFO.pack(family, 0, index, rt.IFF_UP if up else 0, change) + b"".join(parts))


def create(link: Link, indexes: Indexes, _: int = 0) -> list[Request]:
    """Return what makes *link*, under an index of our choice.

    LookupError if its master or parent is not there, ValueError if it is of no kind that can be made.
    """
    parent = getattr(link.kind, "parent", None)
    below = indexes.of(parent) if parent else 0
    master = indexes.of(link.master) if link.master else 0
    index = indexes.choose(link.name)
    later = [] if link.mark is None else [text(rt.IFLA_IFALIAS, str(link.mark))]
    parts = [text(rt.IFLA_IFNAME, link.name)]
    if link.mtu is not None:
        # A bridge follows its ports' MTU unless it was set by hand, and that at its making is not (br_change_mtu).
        (later if isinstance(link.kind, Bridge) else parts).append(u32(rt.IFLA_MTU, link.mtu))
    parts += [attribute(rt.IFLA_ADDRESS, link.mac.octets)] if link.mac is not None else []
    parts += [u32(rt.IFLA_MASTER, master)] if master else []
    parts += [u32(rt.IFLA_LINK, below)] if below and isinstance(link.kind, _ON_A_PARENT) else []
    build = _DATA.get(type(link.kind))
    if build is None:
        raise ValueError(f"{link.name!r} is of no kind that could be made")
    parts.append(_info(link.kind, build(link.kind, link, indexes, below)))
    requests = [message(rt.RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, index, *parts, up=True if link.up else None)]
    requests += [message(rt.RTM_SETLINK, 0, index, *later)] if later else []
    return requests + port(link.port, None, index)


def change(link: Link, was: Link | None, indexes: Indexes) -> list[Request]:
    """Return what makes the link that is there as *link* wishes; a master of "" is none. Nothing if it is so."""
    index = indexes.of(link.name)

    def differs(name: str) -> bool:
        value = getattr(link, name)
        return value is not None and (was is None or value != getattr(was, name))

    parts = [u32(rt.IFLA_MTU, link.mtu)] if link.mtu is not None and differs("mtu") else []
    parts += [attribute(rt.IFLA_ADDRESS, link.mac.octets)] if link.mac is not None and differs("mac") else []
    if differs("master"):
        parts.append(u32(rt.IFLA_MASTER, indexes.of(link.master) if link.master else 0))
    parts += [text(rt.IFLA_IFALIAS, str(link.mark))] if differs("mark") else []
    settings = _settings(link.kind, was.kind if was else None)
    parts += [_info(link.kind, settings)] if settings else []
    up = link.up if differs("up") else None
    requests = [message(rt.RTM_NEWLINK, 0, index, *parts, up=up)] if parts or up is not None else []
    return requests + port(link.port, None if was is None or differs("master") else was.port, index)


def _info(kind: LinkKind, data: bytes) -> bytes:
    return nested(rt.IFLA_LINKINFO, text(rt.IFLA_INFO_KIND, kind.kind), nested(rt.IFLA_INFO_DATA, data))


#: Kinds whose parent is said outside of what is the kind's own.
_ON_A_PARENT = (Macvlan, Ipvlan, Vlan)

#: What of a kind can be changed: the attribute's name, its number, how it is written.
_SETTINGS: dict[type[LinkKind], tuple[tuple[str, int, Callable[[int, int], bytes]], ...]] = {
    Bridge: (
        ("multicast_snooping", rt.IFLA_BR_MCAST_SNOOPING, u8),
        ("vlan_filtering", rt.IFLA_BR_VLAN_FILTERING, u8),
        ("default_pvid", rt.IFLA_BR_VLAN_DEFAULT_PVID, u16),
    ),
    Macvlan: (("bc_queue_len", rt.IFLA_MACVLAN_BC_QUEUE_LEN, u32),),
    Vxlan: (("learning", rt.IFLA_VXLAN_LEARNING, u8), ("proxy", rt.IFLA_VXLAN_PROXY, u8)),
}


def _settings(kind: LinkKind, was: LinkKind | None) -> bytes:
    """Write what *kind* says and *was* has not."""
    return b"".join(
        write(number, value)
        for name, number, write in _SETTINGS.get(type(kind), ())
        if (value := getattr(kind, name)) is not None and value != getattr(was, name, None)
    )


def _settings_back(was: LinkKind, wish: LinkKind) -> bytes:
    """Write what *was* has of that which *wish* says; the kernel may not even know the rest."""
    wished = (one for one in _SETTINGS.get(type(wish), ()) if getattr(wish, one[0]) is not None)
    said = [(number, getattr(was, name, None), write) for name, number, write in wished]
    return b"".join(write(number, value) for number, value, write in said if value is not None)


def _bridge(kind: Bridge, _: Link, __: Indexes, ___: int) -> bytes:
    return _settings(kind, None)


def _ifb(_: Ifb, __: Link, ___: Indexes, ____: int) -> bytes:
    return b""


def _veth(kind: Veth, link: Link, indexes: Indexes, _: int) -> bytes:
    peer = rt.IFINFO.pack(rt.AF_UNSPEC, 0, indexes.choose(kind.peer), 0, 0) + text(rt.IFLA_IFNAME, kind.peer)
    peer += u32(rt.IFLA_MTU, link.mtu) if link.mtu is not None else b""
    peer += attribute(rt.IFLA_ADDRESS, kind.peer_mac.octets) if kind.peer_mac is not None else b""
    return attribute(rt.VETH_INFO_PEER, peer)


def _macvlan(kind: Macvlan, _: Link, __: Indexes, ___: int) -> bytes:
    data = u32(rt.IFLA_MACVLAN_MODE, rt.MACVLAN_MODE[kind.mode.value]) + _settings(kind, None)
    if kind.sources:
        heard = (attribute(rt.IFLA_MACVLAN_MACADDR, source.octets) for source in kind.sources)
        data += u32(rt.IFLA_MACVLAN_MACADDR_MODE, rt.MACVLAN_MACADDR_SET) + nested(rt.IFLA_MACVLAN_MACADDR_DATA, *heard)
    return data


def _ipvlan(kind: Ipvlan, _: Link, __: Indexes, ___: int) -> bytes:
    mode, flag = rt.IPVLAN_MODE[kind.mode.value], rt.IPVLAN_FLAG[kind.flag.value]
    return u16(rt.IFLA_IPVLAN_MODE, mode) + u16(rt.IFLA_IPVLAN_FLAGS, flag)


def _vlan(kind: Vlan, _: Link, __: Indexes, ___: int) -> bytes:
    return u16(rt.IFLA_VLAN_ID, kind.vid)


def _vxlan(kind: Vxlan, _: Link, __: Indexes, below: int) -> bytes:
    data = u32(rt.IFLA_VXLAN_ID, kind.vni) + attribute(rt.IFLA_VXLAN_PORT, kind.port.to_bytes(2))  # network order
    if kind.local is not None:
        local = {4: rt.IFLA_VXLAN_LOCAL, 6: rt.IFLA_VXLAN_LOCAL6}[kind.local.version]
        data += attribute(local, kind.local.packed)
    return data + (u32(rt.IFLA_VXLAN_LINK, below) if below else b"") + _settings(kind, None)


_DATA: dict[type[LinkKind], Callable[[Any, Link, Indexes, int], bytes]] = {
    Bridge: _bridge,
    Veth: _veth,
    Macvlan: _macvlan,
    Ipvlan: _ipvlan,
    Vlan: _vlan,
    Vxlan: _vxlan,
    Ifb: _ifb,
}


def port(wish: BridgePort | None, was: BridgePort | None, index: int) -> list[Request]:
    """Return what sets the bridge port with *index* as *wish* has it and *was* has not."""
    wished = [(number, getattr(wish, name, None), getattr(was, name, None)) for name, number in rt.BRIDGE_PORT.items()]
    flags = [u8(number, value) for number, value, had in wished if value is not None and value != had]
    if not flags:
        return []
    return [message(rt.RTM_SETLINK, 0, index, nested(rt.IFLA_PROTINFO, *flags), family=rt.AF_BRIDGE)]


def send_back(on: int) -> Callable[[Hairpin, Indexes, int], list[Request]]:
    """Return the encoder that switches a port's hairpin mode *on* (1), or off (0)."""

    def build(wish: Hairpin, indexes: Indexes, _: int = 0) -> list[Request]:
        flag = nested(rt.IFLA_PROTINFO, u8(rt.IFLA_BRPORT_MODE, on))
        return [message(rt.RTM_SETLINK, 0, indexes.of(wish.link), flag, family=rt.AF_BRIDGE)]

    return build


def restore(was: Link, wish: Link, indexes: Indexes) -> list[Request]:
    """Return what undoes a change to *wish*, however much of it was done: all that it wished, as *was* has it."""
    index = indexes.of(was.name)
    parts = [u32(rt.IFLA_MTU, was.mtu)] if wish.mtu is not None and was.mtu is not None else []
    parts += [attribute(rt.IFLA_ADDRESS, was.mac.octets)] if wish.mac is not None and was.mac is not None else []
    if wish.master is not None:
        parts.append(u32(rt.IFLA_MASTER, indexes.of(was.master) if was.master else 0))
    if wish.mark is not None:  # an empty one takes it away
        parts.append(attribute(rt.IFLA_IFALIAS, str(was.mark).encode() if was.mark else b""))
    settings = _settings_back(was.kind, wish.kind)
    parts += [_info(was.kind, settings)] if settings else []
    up = was.up if wish.up is not None else None
    return [message(rt.RTM_NEWLINK, 0, index, *parts, up=up), *port(was.port, None, index)]


def delete(link: Link, indexes: Indexes, _: int = 0) -> list[Request]:
    """Return what deletes the link of that name, at once."""
    return [message(rt.RTM_DELLINK, 0, indexes.of(link.name))]
