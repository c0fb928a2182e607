"""Every message that we read: written by pyroute2, by our own encoder, and by nobody."""

import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_interface, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pyroute2.netlink.rtnl.br_vlan import br_vlan_msg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from linkwright.kernel import bridge_vlans, decode, traffic_control
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.encode import encode
from linkwright.kernel.netlink import Message, frame, messages
from linkwright.model.mac import Mac
from linkwright.plan.compare import changed
from linkwright.plan.mark import Mark
from linkwright.plan.resources import (
    Address,
    Bridge,
    BridgePort,
    BridgeVlan,
    Existing,
    FdbEntry,
    Ifb,
    Link,
    LinkKind,
    Macvlan,
    MacvlanMode,
    Neighbour,
    Redirect,
    Resource,
    Route,
    Shaper,
    Veth,
    Vlan,
    Vxlan,
)
from linkwright.plan.steps import Action, Step

MARK = Mark("default", "network1", "endpoint1")
M1 = Mac.parse("02:00:00:00:00:01")
NAMES = {3: "eth0", 4: "br0", 5: "lw0"}


def written(kind: int, of: type[Any], head: dict[str, Any], attributes: list[Any]) -> Message:
    """A message as pyroute2 writes it."""
    message = of()
    message["header"].update({"type": kind, "flags": 0, "sequence_number": 1, "pid": 0})
    for key, value in head.items():
        message[key] = value
    message["attrs"] = attributes
    message.encode()
    (read,) = messages(bytes(message.data))
    return read


def link(
    attributes: list[Any], *, flags: int = 0, kind: str = "", data: Any = None, port: Any = None
) -> decode.LinkRow:
    """A link as pyroute2 writes it, read by us."""
    info: list[Any] = [["IFLA_INFO_KIND", kind]] if kind else []
    info += [["IFLA_INFO_DATA", {"attrs": data}]] if data is not None else []
    info += [["IFLA_INFO_SLAVE_KIND", "bridge"], ["IFLA_INFO_SLAVE_DATA", {"attrs": port}]] if port is not None else []
    all_of_it = [["IFLA_IFNAME", "lw0"], ["IFLA_MTU", 1400], ["IFLA_ADDRESS", str(M1)], *attributes]
    all_of_it += [["IFLA_LINKINFO", {"attrs": info}]] if info else []
    return decode.link(written(rt.RTM_NEWLINK, ifinfmsg, {"index": 5, "flags": flags}, all_of_it))


KINDS: dict[str, tuple[list[Any], str, list[Any] | None, LinkKind]] = {
    "bridge": ([], "bridge", [["IFLA_BR_MCAST_SNOOPING", 1]], Bridge(True, vlan_filtering=False)),
    "bridge of a kernel that can filter": (
        [],
        "bridge",
        [["IFLA_BR_MCAST_SNOOPING", 0], ["IFLA_BR_VLAN_FILTERING", 1], ["IFLA_BR_VLAN_DEFAULT_PVID", 7]],
        Bridge(False, vlan_filtering=True, default_pvid=7),
    ),
    "ifb": ([], "ifb", None, Ifb()),
    "vlan": ([["IFLA_LINK", 3]], "vlan", [["IFLA_VLAN_ID", 50]], Vlan("eth0", 50)),
    "vlan, the parent elsewhere": (
        [["IFLA_LINK", 3], ["IFLA_LINK_NETNSID", 0]],
        "vlan",
        [["IFLA_VLAN_ID", 50]],
        Vlan("?", 50),
    ),
    "vlan of priorities only": ([["IFLA_LINK", 3]], "vlan", [["IFLA_VLAN_ID", 0]], Existing()),
    "veth": ([["IFLA_LINK", 3]], "veth", None, Veth("eth0")),
    "veth, the other end in a sandbox": ([["IFLA_LINK", 3], ["IFLA_LINK_NETNSID", 0]], "veth", None, Veth("?")),
    "macvlan": ([["IFLA_LINK", 3]], "macvlan", [["IFLA_MACVLAN_MODE", "vepa"]], Macvlan("eth0", MacvlanMode.VEPA)),
    "vxlan": (
        [],
        "vxlan",
        [
            ["IFLA_VXLAN_ID", 77],
            ["IFLA_VXLAN_PORT", 4789],
            ["IFLA_VXLAN_LOCAL", "10.0.0.1"],
            ["IFLA_VXLAN_LINK", 3],
            ["IFLA_VXLAN_LEARNING", 1],
            ["IFLA_VXLAN_PROXY", 0],
        ],
        Vxlan(77, 4789, ip_address("10.0.0.1"), "eth0", learning=True, proxy=False),
    ),
    "vxlan over IPv6": (
        [],
        "vxlan",
        [["IFLA_VXLAN_ID", 77], ["IFLA_VXLAN_PORT", 8472], ["IFLA_VXLAN_LOCAL6", "fd00::1"]],
        Vxlan(77, 8472, ip_address("fd00::1"), learning=False, proxy=False),
    ),
    "vxlan without a VNI of its own": ([], "vxlan", [["IFLA_VXLAN_PORT", 8472]], Existing()),
    "hardware": ([], "", None, Existing()),
    "a kind of which we know nothing": ([], "wireguard", None, Existing()),
}


@pytest.mark.parametrize(("attributes", "kind", "data", "expected"), KINDS.values(), ids=KINDS)
def test_a_link_is_read_with_its_kind(
    attributes: list[Any], kind: str, data: list[Any] | None, expected: LinkKind
) -> None:
    """Kinds that we make come out as such; of others the name of the kind is kept."""
    row = link(attributes, kind=kind, data=data)
    assert kind == row.kind
    assert Link("lw0", expected, mtu=1400, mac=M1, master="", up=False) == row.link(NAMES.get)


def test_a_link_is_read_with_master_state_port_and_mark() -> None:
    """All that may be wished of a port is in the value."""
    names = ("IFLA_BRPORT_LEARNING", "IFLA_BRPORT_UNICAST_FLOOD", "IFLA_BRPORT_MODE", "IFLA_BRPORT_ISOLATED")
    port = [[name, int(name.endswith("MODE"))] for name in (*names, "IFLA_BRPORT_NEIGH_SUPPRESS")]
    above = [["IFLA_MASTER", 4], ["IFLA_IFALIAS", str(MARK)]]
    row = link(above, flags=rt.IFF_UP, kind="bridge", data=[], port=port)
    value = row.link(NAMES.get)
    assert (value.master, value.up, value.mark) == ("br0", True, MARK)
    assert BridgePort(learning=False, flood=False, isolated=False, neighbour_suppress=False) == value.port
    assert row.sends_back


def test_a_strangers_alias_is_no_mark_and_no_error() -> None:
    """An alias may hold anything."""
    assert link([["IFLA_IFALIAS", "uplink to the office"]]).mark is None


def test_the_kernels_own_and_the_odd_are_told_apart() -> None:
    """Connected routes and link-local addresses are marked as the kernel's; broadcast and local routes are none."""
    address = [["IFA_ADDRESS", "fe80::1"], ["IFA_PROTO", 3]]
    found = decode.address(written(20, ifaddrmsg, {"family": 10, "prefixlen": 64, "index": 5}, address), NAMES.get)
    assert found is not None
    assert found.by_kernel
    head = {"family": 2, "dst_len": 24, "table": 254, "proto": 2, "type": 1}
    attributes = [["RTA_DST", "10.0.0.0"], ["RTA_OIF", 5]]
    connected = decode.route(written(24, rtmsg, head, attributes))
    assert connected is not None
    assert (row := connected.found(NAMES.get)) is not None
    assert row.by_kernel
    assert decode.route(written(24, rtmsg, {**head, "type": 3}, attributes)) is None
    assert decode.route(written(24, rtmsg, {**head, "table": 255}, attributes)) is None


def test_a_route_of_several_hops_is_read_by_its_first() -> None:
    """An uplink of two ways is an uplink still."""
    hops = [
        {"oif": 3, "hops": 0, "flags": 0, "attrs": [["RTA_GATEWAY", "10.0.0.1"]]},
        {"oif": 4, "hops": 0, "flags": 0, "attrs": [["RTA_GATEWAY", "10.0.0.2"]]},
    ]
    head = {"family": 2, "dst_len": 0, "table": 254, "proto": 4, "type": 1}
    row = decode.route(written(24, rtmsg, head, [["RTA_MULTIPATH", hops]]))
    assert row is not None
    assert (ip_network("0.0.0.0/0"), 3, ip_address("10.0.0.1")) == (row.destination, row.output, row.via)


def test_a_point_to_point_address_is_the_hosts_own() -> None:
    """IFA_ADDRESS is the peer's there."""
    attributes = [["IFA_LOCAL", "10.0.0.1"], ["IFA_ADDRESS", "10.0.0.2"]]
    found = decode.address(written(20, ifaddrmsg, {"family": 2, "prefixlen": 32, "index": 5}, attributes), NAMES.get)
    assert found is not None
    assert Address("lw0", ip_interface("10.0.0.1/32")) == found.resource


NEIGHBOURS: dict[str, tuple[dict[str, int], list[Any], Resource | None]] = {
    "permanent": (
        {"family": 2, "state": 0x80},
        [["NDA_DST", "10.0.0.7"], ["NDA_LLADDR", str(M1)]],
        Neighbour("lw0", ip_address("10.0.0.7"), M1),
    ),
    "found out by ARP": ({"family": 2, "state": 0x02}, [["NDA_DST", "10.0.0.7"], ["NDA_LLADDR", str(M1)]], None),
    "proxy": (
        {"family": 10, "flags": 8},
        [["NDA_DST", "fd00::7"]],
        Neighbour("lw0", ip_address("fd00::7"), proxy=True),
    ),
    "behind a VTEP": (
        {"family": 7, "state": 0xC0, "flags": 2},
        [["NDA_LLADDR", str(M1)], ["NDA_DST", "10.0.0.8"]],
        FdbEntry("lw0", M1, ip_address("10.0.0.8")),
    ),
    "learned": ({"family": 7, "state": 0x02, "flags": 2}, [["NDA_LLADDR", str(M1)], ["NDA_DST", "10.0.0.8"]], None),
    "static in a bridge": (
        {"family": 7, "state": 0x40},
        [["NDA_LLADDR", str(M1)], ["NDA_MASTER", 4]],
        FdbEntry("lw0", M1),
    ),
    "the bridge's own": ({"family": 7, "state": 0x80}, [["NDA_LLADDR", str(M1)], ["NDA_MASTER", 4]], None),
    "learned by a bridge": ({"family": 7, "state": 0x02}, [["NDA_LLADDR", str(M1)], ["NDA_MASTER", 4]], None),
}


@pytest.mark.parametrize(("head", "attributes", "expected"), NEIGHBOURS.values(), ids=NEIGHBOURS)
def test_entries_that_last_are_read_and_others_are_not(
    head: dict[str, int], attributes: list[Any], expected: Resource | None
) -> None:
    """What ages, and what belongs to the host itself, is nothing to plan with."""
    found = decode.neighbour(written(28, ndmsg, {**head, "ifindex": 5}, attributes), NAMES.get)
    assert expected == (None if found is None else found.resource)


def test_what_lies_on_an_unknown_link_is_nothing() -> None:
    """A link that has gone between two messages takes what was told of it along."""
    head = {"family": 2, "prefixlen": 24, "index": 99}
    assert decode.address(written(20, ifaddrmsg, head, [["IFA_LOCAL", "10.0.0.1"]]), NAMES.get) is None


# --- what we write we read -----------------------------------------------------------------------------------

MACS = some.binary(min_size=6, max_size=6).map(Mac)
LINKS = some.sampled_from(sorted(NAMES.values()))
FOURS, SIXES = some.ip_addresses(v=4), some.ip_addresses(v=6)
ADDRESSES = FOURS | SIXES
PREFIXES = some.builds(lambda ip, length: IPv4Network((int(ip), length), strict=False), FOURS, some.integers(0, 32)) | (
    some.builds(lambda ip, length: IPv6Network((int(ip), length), strict=False), SIXES, some.integers(0, 128))
)


@some.composite
def routes(draw: some.DrawFn) -> Route:
    """A route whose source is of the destination's family; the gateway may be of the other."""
    destination = draw(PREFIXES)
    of_family: some.SearchStrategy[IPv4Address | IPv6Address] = FOURS if destination.version == 4 else SIXES
    metric = draw(some.none() | some.integers(1, 1 << 31).filter(lambda value: value != rt.METRIC_IPV6))
    table = draw(some.integers(1, 1 << 31).filter(lambda value: value != rt.RT_TABLE_LOCAL))
    return Route(
        destination,
        draw(some.none() | LINKS),
        draw(some.none() | ADDRESSES),
        draw(some.none() | of_family),
        metric,
        table,
    )


RESOURCES: some.SearchStrategy[Resource] = (
    some.builds(Address, LINKS, some.builds(lambda ip, bits: ip_interface((ip, bits)), ADDRESSES, some.integers(0, 32)))
    | routes()
    | some.builds(Neighbour, LINKS, ADDRESSES, MACS)
    | some.builds(Neighbour, LINKS, ADDRESSES, some.none(), some.just(True))
    | some.builds(FdbEntry, LINKS, MACS, ADDRESSES)
    | some.builds(Shaper, LINKS, some.integers(10**6, 10**12), some.integers(1500, 1 << 24))
    | some.builds(Redirect, LINKS, LINKS)
)


class Indexes:
    """The indexes of NAMES."""

    def of(self, name: str) -> int:
        """The index of a known name."""
        return {known: index for index, known in NAMES.items()}[name]

    def choose(self, name: str) -> int:
        """No link is made here."""
        raise AssertionError(name)


def _read(message: Message) -> Iterator[decode.Found | None]:
    if message.type == rt.RTM_NEWADDR:
        yield decode.address(message, NAMES.get)
    elif message.type == rt.RTM_NEWNEIGH:
        yield decode.neighbour(message, NAMES.get)
    elif message.type == rt.RTM_NEWQDISC:
        yield traffic_control.shaper(message, NAMES.get)
    elif message.type == rt.RTM_NEWTFILTER:
        yield traffic_control.redirection(message, NAMES.get)
    else:
        row = decode.route(message)
        yield None if row is None else row.found(NAMES.get)


@given(RESOURCES)
def test_what_is_written_is_read_back_as_ours(resource: Resource) -> None:
    """A resource survives the way through the bytes, and carries our protocol where the kernel keeps one."""
    *_, request = encode(Step(Action.CREATE, resource), Indexes())
    (message,) = messages(frame(request, 1))
    (found,) = _read(message)
    assert found is not None
    assert frozenset() == changed(found.resource, resource)
    assert resource.key == found.resource.key
    assert found.protocol == (0 if isinstance(resource, FdbEntry | Shaper | Redirect) else rt.PROTOCOL)


# --- VLANs of ports, which no kernel at hand has: as pyroute2 writes them -----------------------------------


def vlans(*entries: list[Any], index: int = 5, kind: int = rt.RTM_NEWVLAN) -> list[Resource]:
    """What we read of a message with these entries."""
    attributes = [["BRIDGE_VLANDB_ENTRY", {"attrs": entry}] for entry in entries]
    message = written(kind, br_vlan_msg, {"family": rt.AF_BRIDGE, "ifindex": index}, attributes)
    return [found.resource for found in bridge_vlans.memberships(message, NAMES.get)]


def entry(vid: int, flags: int = 0, *, last: int | None = None) -> list[Any]:
    """One entry of a bridge's table."""
    ends = [] if last is None else [["BRIDGE_VLANDB_ENTRY_RANGE", last]]
    return [["BRIDGE_VLANDB_ENTRY_INFO", {"flags": flags, "vid": vid}], *ends, ["BRIDGE_VLANDB_ENTRY_STATE", 3]]


def test_the_vlans_of_a_port_are_read_one_by_one() -> None:
    """Several in one message, each with its flags; a range is the kernel's shorthand for neighbours that are alike."""
    expected = [
        BridgeVlan("lw0", 10, pvid=True, untagged=True),
        *(BridgeVlan("lw0", vid, untagged=True) for vid in (20, 21, 22)),
        BridgeVlan("lw0", 4094),
    ]
    assert expected == vlans(entry(10, 2 | 4), entry(20, 4, last=22), entry(4094))
    assert expected[-1:] == vlans(entry(4094), kind=rt.RTM_DELVLAN)


def test_settings_of_a_vlan_and_links_that_are_not_known_are_no_membership() -> None:
    """The same message tells of a bridge's multicast in a VLAN; and a link may have gone since."""
    assert vlans([["BRIDGE_VLANDB_ENTRY_STATE", 3]]) == []
    assert vlans(entry(10), index=99) == []


# --- what is not ours ----------------------------------------------------------------------------------------


def test_qdiscs_and_filters_of_others_are_not_ours() -> None:
    """Told apart by handle and preference: another's token bucket on the same link is another's."""
    shaper, redirect = Shaper("lw0", 8_000_000, 10_000), Redirect("lw0", "eth0")
    for resource, read, head in (
        (shaper, traffic_control.shaper, {"handle": 0x8001 << 16}),
        (shaper, traffic_control.shaper, {"parent": 0x10000}),
        (redirect, traffic_control.redirection, {"info": 49152 << 16 | 0x300}),
        (redirect, traffic_control.redirection, {"index": 99}),
    ):
        *_, request = encode(Step(Action.CREATE, resource), Indexes())
        _, index, handle, parent, info = rt.TCMSG.unpack_from(request.body)
        fields = {"index": index, "handle": handle, "parent": parent, "info": info} | head
        body = rt.TCMSG.pack(0, *fields.values()) + request.body[rt.TCMSG.size :]
        (message,) = messages(frame(request._replace(body=body), 1))
        assert read(message, NAMES.get) is None


def test_where_a_link_leads_that_has_gone_is_elsewhere() -> None:
    """The kernel keeps the filter and forgets the link: so the difference to the wish is seen."""
    for to in (0, 99):
        *_, request = encode(Step(Action.CREATE, Redirect("lw0", "eth0")), Indexes())
        mirred = rt.MIRRED.pack(0, 0, 4, 0, 0, 1, 3)
        body = request.body.replace(mirred, mirred[:-4] + to.to_bytes(4, sys.byteorder))
        (message,) = messages(frame(request._replace(body=body), 1))
        found = traffic_control.redirection(message, NAMES.get)
        assert found is not None
        assert Redirect("lw0", "?") == found.resource
