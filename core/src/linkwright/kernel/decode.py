"""From netlink messages to resource values, or to rows where names are still indexes. Pure: no socket.

Rule 1: what a snapshot holds is complete: no attribute of a link is None that the kernel tells. A link without a master
has ``master=""``, so that "none" can be wished again; a peer or parent in another namespace is named "?".
Rule 2: what cannot be a resource (a learned entry, a broadcast route) is None, and so is what lies on an unknown link.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import NamedTuple

from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.netlink import Message, attributes, number, repeated, string
from linkwright.model import Address as IPAddress
from linkwright.model import Interface, Prefix
from linkwright.model.mac import Mac
from linkwright.plan.mark import Mark
from linkwright.plan.resources import (
    Address,
    Bridge,
    BridgePort,
    Existing,
    FdbEntry,
    Ifb,
    Ipvlan,
    IpvlanFlag,
    IpvlanMode,
    Link,
    LinkKind,
    Macvlan,
    MacvlanMode,
    Neighbour,
    Resource,
    Route,
    Veth,
    Vlan,
    Vxlan,
)

#: The name of the link with an index, None if it is not known.
Names = Callable[[int], str | None]

#: Stands for the name of a link that is in another namespace, or has gone: a veth's peer, a parent, where it leads to.
ELSEWHERE = "?"

_MAC_LENGTH = 6
_MODES = {value: MacvlanMode(name) for name, value in rt.MACVLAN_MODE.items()}
_LAYERS = {value: IpvlanMode(name) for name, value in rt.IPVLAN_MODE.items()}
_IPVLAN_FLAGS = {value: IpvlanFlag(name) for name, value in rt.IPVLAN_FLAG.items()}
_OCTETS = {rt.AF_INET: 4, rt.AF_INET6: 16}
_PREFIX: dict[int, Callable[[tuple[bytes, int]], Prefix]] = {rt.AF_INET: IPv4Network, rt.AF_INET6: IPv6Network}
_INTERFACE: dict[int, Callable[[tuple[bytes, int]], Interface]] = {
    rt.AF_INET: IPv4Interface,
    rt.AF_INET6: IPv6Interface,
}
_ADDRESS: dict[int, Callable[[bytes], IPAddress]] = {rt.AF_INET: IPv4Address, rt.AF_INET6: IPv6Address}


class Found(NamedTuple):
    """A resource that lies on a link, and the protocol that it was made by: 0 where the kernel keeps none."""

    resource: Resource
    protocol: int = 0
    by_kernel: bool = False  # made by the kernel itself, as a connected route is


class LinkRow(NamedTuple):
    """A link as the kernel tells it: other links by index."""

    ifindex: int
    name: str
    kind: str  # rtnetlink's name of it, "" for hardware and loopback
    mtu: int
    mac: Mac | None
    master: int
    lower: int  # the parent's index, or the veth peer's
    elsewhere: bool  # ``lower`` is an index in another namespace
    up: bool
    mark: Mark | None
    data: dict[int, bytes]
    port: BridgePort | None
    sends_back: bool  # a bridge's port in hairpin mode

    @property
    def parent(self) -> int:
        """The index of the link in this namespace that this one would go with; 0 if there is none."""
        if self.kind == "vxlan":
            return _number(self.data, rt.IFLA_VXLAN_LINK)
        return 0 if self.kind == "veth" or self.elsewhere else self.lower

    @property
    def filters_vlans(self) -> bool:
        """Whether it is a bridge whose ports are members of VLANs."""
        return self.kind == "bridge" and bool(_number(self.data, rt.IFLA_BR_VLAN_FILTERING))

    @property
    def default_pvid(self) -> int:
        """Of a bridge the VLAN that the kernel puts new ports into; 0 is none."""
        return _number(self.data, rt.IFLA_BR_VLAN_DEFAULT_PVID) if self.kind == "bridge" else 0

    def link(self, names: Names) -> Link:
        """Return it as a value, with names instead of indexes; a master that is not known is none."""
        master = (names(self.master) or "") if self.master else ""
        port = self.port if master else None
        kind = _kind(self, names)
        return Link(self.name, kind, mtu=self.mtu, mac=self.mac, master=master, up=self.up, port=port, mark=self.mark)


def link(message: Message) -> LinkRow:
    """Read RTM_NEWLINK or RTM_DELLINK."""
    _, _, index, flags, _ = rt.IFINFO.unpack_from(message.data, message.start)
    found = attributes(message.data, message.start + rt.IFINFO.size, message.end)
    info = _nested(found.get(rt.IFLA_LINKINFO))
    port = _port(info)
    mac, alias = found.get(rt.IFLA_ADDRESS, b""), found.get(rt.IFLA_IFALIAS)
    return LinkRow(
        ifindex=index,
        name=string(found.get(rt.IFLA_IFNAME, b"")),
        kind=string(info.get(rt.IFLA_INFO_KIND, b"")),
        mtu=_number(found, rt.IFLA_MTU),
        mac=Mac(mac) if len(mac) == _MAC_LENGTH else None,
        master=_number(found, rt.IFLA_MASTER),
        lower=_number(found, rt.IFLA_LINK),
        elsewhere=rt.IFLA_LINK_NETNSID in found,
        up=bool(flags & rt.IFF_UP),
        mark=None if alias is None else Mark.parse(string(alias)),
        data=_nested(info.get(rt.IFLA_INFO_DATA)),
        port=None if port is None else _settings(port),
        sends_back=port is not None and bool(_number(port, rt.IFLA_BRPORT_MODE)),
    )


def _kind(row: LinkRow, names: Names) -> LinkKind:
    lower = ELSEWHERE if row.elsewhere or not row.lower else names(row.lower) or ELSEWHERE
    match row.kind:
        case "bridge":
            snooping, filtering = rt.IFLA_BR_MCAST_SNOOPING, rt.IFLA_BR_VLAN_FILTERING
            pvid = row.default_pvid if rt.IFLA_BR_VLAN_DEFAULT_PVID in row.data else None
            return Bridge(bool(_number(row.data, snooping)), bool(_number(row.data, filtering)), pvid)
        case "veth":
            return Veth(lower)
        case "macvlan":
            mode = _MODES.get(_number(row.data, rt.IFLA_MACVLAN_MODE), MacvlanMode.BRIDGE)
            queue = row.data.get(rt.IFLA_MACVLAN_BC_QUEUE_LEN)
            heard = row.data.get(rt.IFLA_MACVLAN_MACADDR_DATA, b"")
            sources = [Mac(octets) for _, octets in repeated(heard, 0, len(heard))]
            return Macvlan(lower, mode, None if queue is None else number(queue), sources)
        case "ipvlan":
            flag = _IPVLAN_FLAGS.get(_number(row.data, rt.IFLA_IPVLAN_FLAGS), IpvlanFlag.BRIDGE)
            return Ipvlan(lower, _LAYERS.get(_number(row.data, rt.IFLA_IPVLAN_MODE), IpvlanMode.L3), flag)
        case "vlan" if vid := _number(row.data, rt.IFLA_VLAN_ID):  # a priority-tagged one, of VLAN 0, is not ours
            return Vlan(lower, vid)
        case "ifb":
            return Ifb()
        case "vxlan" if vni := _number(row.data, rt.IFLA_VXLAN_ID):  # an "external" one has none: not of our making
            return _vxlan(row.data, vni, names)
    return Existing()


def _vxlan(data: dict[int, bytes], vni: int, names: Names) -> Vxlan:
    local: IPAddress | None = None
    if rt.IFLA_VXLAN_LOCAL in data:
        local = IPv4Address(data[rt.IFLA_VXLAN_LOCAL])
    elif rt.IFLA_VXLAN_LOCAL6 in data:
        local = IPv6Address(data[rt.IFLA_VXLAN_LOCAL6])
    parent = _number(data, rt.IFLA_VXLAN_LINK)
    return Vxlan(
        vni,
        port=int.from_bytes(data.get(rt.IFLA_VXLAN_PORT, b"")),  # in network order
        local=local,
        parent=names(parent) if parent else None,
        learning=bool(_number(data, rt.IFLA_VXLAN_LEARNING)),
        proxy=bool(_number(data, rt.IFLA_VXLAN_PROXY)),
    )


def _port(info: dict[int, bytes]) -> dict[int, bytes] | None:
    is_port = string(info.get(rt.IFLA_INFO_SLAVE_KIND, b"")) == "bridge"
    return _nested(info.get(rt.IFLA_INFO_SLAVE_DATA)) if is_port else None


def _settings(data: dict[int, bytes]) -> BridgePort:
    return BridgePort(**{name: bool(_number(data, kind)) for name, kind in rt.BRIDGE_PORT.items()})


def address(message: Message, names: Names) -> Found | None:
    """Read RTM_NEWADDR or RTM_DELADDR."""
    family, length, _, _, index = rt.IFADDR.unpack_from(message.data, message.start)
    found = attributes(message.data, message.start + rt.IFADDR.size, message.end)
    packed = found.get(rt.IFA_LOCAL) or found.get(rt.IFA_ADDRESS)  # with a peer's, IFA_ADDRESS is the peer's
    name = names(index)
    if name is None or packed is None or family not in _ADDRESS:
        return None
    protocol = _number(found, rt.IFA_PROTO)
    return Found(Address(name, _INTERFACE[family]((packed, length))), protocol, protocol in rt.IFAPROT_OF_KERNEL)


class RouteRow(NamedTuple):
    """A unicast route as the kernel tells it. Of several next hops the first stands for all."""

    destination: Prefix
    table: int
    metric: int
    protocol: int
    output: int  # the link's index
    via: IPAddress | None
    source: IPAddress | None

    def found(self, names: Names) -> Found | None:
        """Return it as a value; the metric that IPv6 gives to a route without one is none."""
        metric = (
            None if not self.metric or (self.destination.version, self.metric) == (6, rt.METRIC_IPV6) else self.metric
        )
        name = names(self.output) if self.output else None
        if self.output and name is None:
            return None
        value = Route(self.destination, name, self.via, self.source, metric, self.table)
        return Found(value, self.protocol, self.protocol in rt.RTPROT_OF_KERNEL)


def route(message: Message) -> RouteRow | None:
    """Read RTM_NEWROUTE or RTM_DELROUTE; None for anything but a unicast route outside the local table."""
    family, length, _, _, table, protocol, _, kind, flags = rt.RTMSG.unpack_from(message.data, message.start)
    if kind != rt.RTN_UNICAST or family not in _ADDRESS or flags & rt.RTM_F_CLONED:
        return None
    found = attributes(message.data, message.start + rt.RTMSG.size, message.end)
    table = _number(found, rt.RTA_TABLE) or table
    if table == rt.RT_TABLE_LOCAL:
        return None
    of_family = _ADDRESS[family]
    hops = found.get(rt.RTA_MULTIPATH)
    if hops:
        length_of_hop, _, _, output = rt.RTNEXTHOP.unpack_from(hops)
        hop = attributes(hops, rt.RTNEXTHOP.size, min(length_of_hop, len(hops)))
    else:
        hop, output = found, _number(found, rt.RTA_OIF)
    destination = _PREFIX[family]((found.get(rt.RTA_DST) or bytes(_OCTETS[family]), length))
    source = found.get(rt.RTA_PREFSRC)
    return RouteRow(
        destination=destination,
        table=table,
        metric=_number(found, rt.RTA_PRIORITY),
        protocol=protocol,
        output=output,
        via=_gateway(hop, of_family),
        source=None if source is None else of_family(source),
    )


def _gateway(hop: dict[int, bytes], of_family: Callable[[bytes], IPAddress]) -> IPAddress | None:
    if rt.RTA_GATEWAY in hop:
        return of_family(hop[rt.RTA_GATEWAY])
    via = hop.get(rt.RTA_VIA)  # struct rtvia: a family, then an address of it
    if via is None:
        return None
    other = _ADDRESS.get(number(via[:2]))
    return None if other is None else other(via[2:])


def neighbour(message: Message, names: Names, *, any_state: bool = False) -> Found | None:
    """Read RTM_NEWNEIGH or RTM_DELNEIGH of any family: a permanent neighbour, a proxy, or a static forwarding entry.

    With *any_state* a neighbour that is permanent no longer is one too: so the kernel tells of its end.
    """
    family, index, state, flags, _ = rt.NDMSG.unpack_from(message.data, message.start)
    lasting = state & rt.NUD_PERMANENT or flags & rt.NTF_PROXY
    if family != rt.AF_BRIDGE and not lasting and not any_state:
        return None
    name = names(index)
    if name is None:
        return None
    found = attributes(message.data, message.start + rt.NDMSG.size, message.end)
    mac = found.get(rt.NDA_LLADDR, b"")
    hardware = Mac(mac) if len(mac) == _MAC_LENGTH else None
    if family == rt.AF_BRIDGE:
        return _forwarding(name, hardware, state, found)
    destination = found.get(rt.NDA_DST)
    if destination is None or family not in _ADDRESS:
        return None
    proxy = bool(flags & rt.NTF_PROXY)
    value = Neighbour(name, _ADDRESS[family](destination), None if proxy else hardware, proxy)
    return Found(value, _number(found, rt.NDA_PROTOCOL))


def _forwarding(name: str, mac: Mac | None, state: int, found: dict[int, bytes]) -> Found | None:
    remote = found.get(rt.NDA_DST)
    if mac is None:
        return None
    if remote is not None and state & rt.NUD_PERMANENT:
        of_family = IPv4Address if len(remote) == _OCTETS[rt.AF_INET] else IPv6Address
        return Found(FdbEntry(name, mac, of_family(remote)))
    # In a bridge's table "permanent" is an address of the host itself, "noarp" alone is a static entry.
    if remote is None and rt.NDA_MASTER in found and state == rt.NUD_NOARP:
        return Found(FdbEntry(name, mac))
    return None


def _nested(payload: bytes | None) -> dict[int, bytes]:
    return {} if payload is None else attributes(payload, 0, len(payload))


def _number(found: dict[int, bytes], kind: int) -> int:
    payload = found.get(kind)
    return 0 if payload is None else number(payload)
