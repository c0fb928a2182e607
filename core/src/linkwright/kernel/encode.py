"""From a step to netlink messages, by a table of resource kind and action. Pure: no socket, nothing looked up.

Whole links are in ``encode_link``, VLANs of ports in ``bridge_vlans``, shaping in ``traffic_control``; here are the
table and all else that lies on links.
"""

import sys
from collections.abc import Callable
from struct import Struct
from typing import Any

from linkwright.kernel import bridge_vlans, encode_link, traffic_control
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.encode_link import Indexes
from linkwright.kernel.netlink import (
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Request,
    attribute,
    u8,
    u32,
)
from linkwright.model import Address as IPAddress
from linkwright.plan.resources import (
    Address,
    BridgeVlan,
    FdbEntry,
    Hairpin,
    Link,
    Neighbour,
    Redirect,
    Resource,
    Route,
    Shaper,
)
from linkwright.plan.steps import Action, Step

_NEW = NLM_F_CREATE | NLM_F_EXCL
_PUT = NLM_F_CREATE | NLM_F_REPLACE


def encode(step: Step, indexes: Indexes, protocol: int = rt.PROTOCOL, was: Resource | None = None) -> list[Request]:
    """Return the messages that do *step*: none if there is nothing to do.

    *was* is what a CHANGE finds (by default what the step says). LookupError names a link that is not there.
    """
    if step.action is Action.CHANGE and isinstance(step.resource, Link):
        before = was or step.before
        return encode_link.change(step.resource, before if isinstance(before, Link) else None, indexes)
    return _ENCODERS[type(step.resource), step.action](step.resource, indexes, protocol)


def _address(kind: int, flags: int) -> Callable[[Address, Indexes, int], list[Request]]:
    def build(address: Address, indexes: Indexes, protocol: int) -> list[Request]:
        interface = address.interface
        packed = interface.ip.packed
        head = rt.IFADDR.pack(rt.FAMILY[interface.version], interface.network.prefixlen, 0, 0, indexes.of(address.link))
        parts = [attribute(rt.IFA_LOCAL, packed), attribute(rt.IFA_ADDRESS, packed)]
        if kind == rt.RTM_NEWADDR:
            parts.append(u8(rt.IFA_PROTO, protocol))
            parts += [u32(rt.IFA_FLAGS, rt.IFA_F_NODAD)] if interface.version == 6 else []  # noqa: PLR2004
        return [Request(kind, flags, head + b"".join(parts))]

    return build


def _route(kind: int, flags: int) -> Callable[[Route, Indexes, int], list[Request]]:
    def build(route: Route, indexes: Indexes, protocol: int) -> list[Request]:
        family = rt.FAMILY[route.destination.version]
        scope = rt.RT_SCOPE_LINK if route.via is None and family == rt.AF_INET else rt.RT_SCOPE_UNIVERSE
        if kind == rt.RTM_DELROUTE:  # whatever its scope and type; our protocol keeps strangers' routes safe
            scope = rt.RT_SCOPE_NOWHERE
        table = route.table if route.table <= 0xFF else rt.RT_TABLE_UNSPEC  # noqa: PLR2004 - one octet
        of_type = rt.RTN_UNICAST if kind == rt.RTM_NEWROUTE else 0
        length = route.destination.prefixlen
        parts = [attribute(rt.RTA_DST, route.destination.network_address.packed), u32(rt.RTA_TABLE, route.table)]
        # Without a metric, deleting takes the first that matches: IPv6's own default has to be said.
        metric = route.metric or (rt.METRIC_IPV6 if family == rt.AF_INET6 else 0)
        parts += [u32(rt.RTA_PRIORITY, metric)] if metric else []
        if kind == rt.RTM_NEWROUTE:
            parts += [u32(rt.RTA_OIF, indexes.of(route.link))] if route.link else []
            parts += [_gateway(route.via, family)] if route.via is not None else []
            parts += [attribute(rt.RTA_PREFSRC, route.source.packed)] if route.source is not None else []
        head = rt.RTMSG.pack(family, length, 0, 0, table, protocol, scope, of_type, 0)
        return [Request(kind, flags, head + b"".join(parts))]

    return build


def _gateway(via: IPAddress, family: int) -> bytes:
    if rt.FAMILY[via.version] == family:
        return attribute(rt.RTA_GATEWAY, via.packed)
    return attribute(rt.RTA_VIA, rt.FAMILY[via.version].to_bytes(2, sys.byteorder) + via.packed)


def _neighbour(kind: int, flags: int) -> Callable[[Neighbour, Indexes, int], list[Request]]:
    def build(neighbour: Neighbour, indexes: Indexes, protocol: int) -> list[Request]:
        state, own = (0, rt.NTF_PROXY) if neighbour.proxy else (rt.NUD_PERMANENT, 0)
        family = rt.FAMILY[neighbour.address.version]
        body = rt.NDMSG.pack(family, indexes.of(neighbour.link), state, own, 0)
        body += attribute(rt.NDA_DST, neighbour.address.packed)
        if kind == rt.RTM_NEWNEIGH:
            body += attribute(rt.NDA_LLADDR, neighbour.mac.octets) if neighbour.mac is not None else b""
            body += u8(rt.NDA_PROTOCOL, protocol)
        return [Request(kind, flags, body)]

    return build


#: struct ndmsg, NDA_LLADDR and NDA_DST as one: a host of many endpoints writes these by the ten thousand.
_BEHIND = {length: Struct(f"=BxxxiHBBHH6sxxHH{length}s") for length in (4, 16)}
_ZERO = bytes(6)


def _fdb(kind: int, flags: int) -> Callable[[FdbEntry, Indexes, int], list[Request]]:
    def build(entry: FdbEntry, indexes: Indexes, _: int) -> list[Request]:
        index, mac = indexes.of(entry.link), entry.mac.octets
        if entry.remote is None:  # its bridge's entry, "static" (bridge(8)): not learned, not aged
            head = rt.NDMSG.pack(rt.AF_BRIDGE, index, rt.NUD_NOARP, rt.NTF_MASTER, 0)
            return [Request(kind, flags, head + attribute(rt.NDA_LLADDR, mac))]
        remote = entry.remote.packed
        length = len(remote)
        state = rt.NUD_NOARP | rt.NUD_PERMANENT
        body = _BEHIND[length].pack(
            rt.AF_BRIDGE, index, state, rt.NTF_SELF, 0, 10, rt.NDA_LLADDR, mac, 4 + length, rt.NDA_DST, remote
        )
        if mac == _ZERO:  # it has a list of remotes, which cannot be replaced, only appended to (vxlan_fdb_update)
            return [Request(kind, NLM_F_CREATE | NLM_F_APPEND if flags else 0, body)]
        if kind == rt.RTM_DELNEIGH:  # any other has one, and goes wherever it points by now
            body = body[: -4 - length]
        return [Request(kind, flags, body)]

    return build


_Encoder = Callable[[Any, Indexes, int], list[Request]]
_ENCODERS: dict[tuple[type[Resource], Action], _Encoder] = {
    (Link, Action.CREATE): encode_link.create,
    (Link, Action.DELETE): encode_link.delete,
    (Address, Action.CREATE): _address(rt.RTM_NEWADDR, _NEW),
    (Address, Action.CHANGE): _address(rt.RTM_NEWADDR, _PUT),
    (Address, Action.DELETE): _address(rt.RTM_DELADDR, 0),
    (Route, Action.CREATE): _route(rt.RTM_NEWROUTE, _NEW),
    (Route, Action.CHANGE): _route(rt.RTM_NEWROUTE, _PUT),
    (Route, Action.DELETE): _route(rt.RTM_DELROUTE, 0),
    # A neighbour that the kernel found out by itself, or a learned forwarding entry, is no reason to fail.
    (Neighbour, Action.CREATE): _neighbour(rt.RTM_NEWNEIGH, _PUT),
    (Neighbour, Action.CHANGE): _neighbour(rt.RTM_NEWNEIGH, _PUT),
    (Neighbour, Action.DELETE): _neighbour(rt.RTM_DELNEIGH, 0),
    (FdbEntry, Action.CREATE): _fdb(rt.RTM_NEWNEIGH, _PUT),
    (FdbEntry, Action.CHANGE): _fdb(rt.RTM_NEWNEIGH, _PUT),
    (FdbEntry, Action.DELETE): _fdb(rt.RTM_DELNEIGH, 0),
    (BridgeVlan, Action.CREATE): bridge_vlans.join,
    (BridgeVlan, Action.CHANGE): bridge_vlans.join,
    (BridgeVlan, Action.DELETE): bridge_vlans.leave,
    (Hairpin, Action.CREATE): encode_link.send_back(1),
    (Hairpin, Action.CHANGE): encode_link.send_back(1),
    (Hairpin, Action.DELETE): encode_link.send_back(0),
    (Shaper, Action.CREATE): traffic_control.shape,
    (Shaper, Action.CHANGE): traffic_control.shape,
    (Shaper, Action.DELETE): traffic_control.unshape,
    (Redirect, Action.CREATE): traffic_control.redirect,
    (Redirect, Action.CHANGE): traffic_control.redirect_anew,
    (Redirect, Action.DELETE): traffic_control.lead_nowhere,
}
