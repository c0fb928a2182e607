"""Every message that we write, read by pyroute2: it says what the step says, and nothing else."""

import sys
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg
from pyroute2.netlink.rtnl.tcmsg import tcmsg

from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.encode import encode
from linkwright.kernel.netlink import (
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    NLM_F_REQUEST,
    attribute,
    attributes,
    frame,
    repeated,
)
from linkwright.model.mac import Mac
from linkwright.plan.mark import Mark
from linkwright.plan.resources import (
    Address,
    Bridge,
    BridgePort,
    BridgeVlan,
    Existing,
    FdbEntry,
    Hairpin,
    Ifb,
    Ipvlan,
    IpvlanFlag,
    IpvlanMode,
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

MARK = Mark("default", "network1")
M1, M2 = Mac.parse("02:00:00:00:00:01"), Mac.parse("02:00:00:00:00:02")
ZERO = Mac(bytes(6))
NEW = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL
PUT = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE

#: Messages as pyroute2 prints them: name of the type, flags of the header, fields of the head, attributes.
Seen = tuple[str, int, dict[str, Any], dict[str, Any]]

ORACLES = {
    "RTM_NEWLINK": (rt.RTM_NEWLINK, ifinfmsg),
    "RTM_SETLINK": (rt.RTM_SETLINK, ifinfmsg),
    "RTM_DELLINK": (rt.RTM_DELLINK, ifinfmsg),
    "RTM_NEWADDR": (rt.RTM_NEWADDR, ifaddrmsg),
    "RTM_DELADDR": (rt.RTM_DELADDR, ifaddrmsg),
    "RTM_NEWROUTE": (rt.RTM_NEWROUTE, rtmsg),
    "RTM_DELROUTE": (rt.RTM_DELROUTE, rtmsg),
    "RTM_NEWNEIGH": (rt.RTM_NEWNEIGH, ndmsg),
    "RTM_DELNEIGH": (rt.RTM_DELNEIGH, ndmsg),
    "RTM_NEWQDISC": (rt.RTM_NEWQDISC, tcmsg),
    "RTM_DELQDISC": (rt.RTM_DELQDISC, tcmsg),
    "RTM_NEWTFILTER": (rt.RTM_NEWTFILTER, tcmsg),
    "RTM_DELTFILTER": (rt.RTM_DELTFILTER, tcmsg),
}
NAMES = {number: name for name, (number, _) in ORACLES.items()}


class Indexes:
    """Known links have an index made of their name; those we make are numbered from 1000."""

    def __init__(self) -> None:
        self._made: dict[str, int] = {}

    def of(self, name: str) -> int:
        """The number in the name."""
        if name not in self._made and not name[-1].isdigit():
            raise LookupError(name)
        return self._made.get(name) or int(name[-1])

    def choose(self, name: str) -> int:
        """The next number."""
        return self._made.setdefault(name, 1000 + len(self._made))


def plain(value: Any) -> Any:
    """Attributes of pyroute2 as a dict, all the way down; without the numbers of a struct that are zero."""
    if isinstance(value, dict) and "attrs" not in value and "header" not in value:
        return {name: plain(one) for name, one in value.items() if one not in (0, ())}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict) and "attrs" in value:
        inner = {pair[0]: plain(pair[1]) for pair in value["attrs"]}
        head = {key: value[key] for key in ("index",) if value.get(key)}
        return {**head, **inner}
    return value


def seen(step: Step) -> list[Seen]:
    """What pyroute2 makes of the messages for *step*."""
    result: list[Seen] = []
    for request in encode(step, Indexes()):
        name = NAMES[request.type]
        message = ORACLES[name][1](frame(request, 5))
        message.decode()
        heads = {
            key: value for key, value in dict(message).items() if key not in _NOT_HEAD and value not in (0, "down")
        }
        result.append((name, message["header"]["flags"], heads, plain(dict(message))))
    return result


#: What of pyroute2's message is no field of the head.
_NOT_HEAD = {"attrs", "header", "event", "__align", "__pad", "ifi_type"}


def create(resource: Resource) -> Step:
    """The step that makes it."""
    return Step(Action.CREATE, resource)


def _link(attributes: dict[str, Any], *, index: int = 1000, up: bool = True) -> Seen:
    head = {"index": index, **({"flags": 1, "change": 1, "state": "up"} if up else {})}
    return ("RTM_NEWLINK", NEW, head, {"index": index, **attributes})


def _set(index: int, attributes: dict[str, Any], **head: Any) -> Seen:
    return ("RTM_SETLINK", NLM_F_REQUEST, {"index": index, **head}, {"index": index, **attributes})


def _change(index: int, attributes: dict[str, Any], **head: Any) -> Seen:
    return ("RTM_NEWLINK", NLM_F_REQUEST, {"index": index, **head}, {"index": index, **attributes})


ALIAS = {"IFLA_IFALIAS": "linkwright:default:network1"}
BRIDGE_WAS = Link("br5", Bridge(False), mtu=1400, mac=M1, master="", up=True)

#: Handles and places: "lw" at the root, the one that comes before what comes in, everything at our preference.
ROOT = {"index": 7, "handle": 0x6C770000, "parent": 0xFFFFFFFF}
INGRESS = {"index": 7, "handle": 0xFFFF0000, "parent": 0xFFFFFFF1}
FILTER = {"index": 7, "parent": 0xFFFF0000, "info": 0x6C77 << 16 | int.from_bytes(b"\0\3", sys.byteorder)}
MIRRED = {"TCA_ACT_KIND": "mirred", "TCA_ACT_OPTIONS": {"TCA_MIRRED_PARMS": {"action": 4, "eaction": 1, "ifindex": 4}}}
LEADING: list[Seen] = [
    ("RTM_NEWQDISC", PUT, INGRESS, {"index": 7, "TCA_KIND": "ingress"}),
    (
        "RTM_NEWTFILTER",
        NLM_F_REQUEST | NLM_F_CREATE,
        FILTER,
        {
            "index": 7,
            "TCA_KIND": "u32",
            "TCA_OPTIONS": {
                "TCA_U32_ACT": {"TCA_ACT_PRIO_1": MIRRED},
                "TCA_U32_SEL": {"flags": 1, "nkeys": 1, "keys": [{}]},
            },
        },
    ),
]


def _shaped(*, rate: int, buffer: int, limit: int) -> Seen:
    parameters = {"rate": rate, "rate___reserved": 1, "buffer": buffer, "limit": limit}
    # pyroute2 does not know the burst in bytes; tc(8) shows it below.
    options = {"TCA_TBF_PARMS": parameters, "UNKNOWN": {"header": {"length": 8, "type": 6}}}
    return ("RTM_NEWQDISC", PUT, ROOT, {"index": 7, "TCA_KIND": "tbf", "TCA_OPTIONS": options})


CASES: dict[str, tuple[Step, list[Seen]]] = {
    "a bridge, its MTU as if set by hand": (
        create(Link("lwb", Bridge(multicast_snooping=False), mtu=1400, mac=M1, mark=MARK)),
        [
            _link(
                {
                    "IFLA_IFNAME": "lwb",
                    "IFLA_ADDRESS": str(M1),
                    "IFLA_LINKINFO": {"IFLA_INFO_KIND": "bridge", "IFLA_INFO_DATA": {"IFLA_BR_MCAST_SNOOPING": 0}},
                }
            ),
            _set(1000, {**ALIAS, "IFLA_MTU": 1400}),
        ],
    ),
    "a bridge that stays down, unmarked": (
        create(Link("lwb", Bridge(), up=False)),
        [_link({"IFLA_IFNAME": "lwb", "IFLA_LINKINFO": {"IFLA_INFO_KIND": "bridge", "IFLA_INFO_DATA": {}}}, up=False)],
    ),
    "an endpoint: one message for all, then the mark and the port's settings by index": (
        create(
            Link(
                "lwv",
                Veth("lwp", M2),
                mtu=1400,
                mac=M1,
                master="br5",
                mark=MARK,
                port=BridgePort(True, False, isolated=True),
            )
        ),
        [
            _link(
                {
                    "IFLA_IFNAME": "lwv",
                    "IFLA_MTU": 1400,
                    "IFLA_ADDRESS": str(M1),
                    "IFLA_MASTER": 5,
                    "IFLA_LINKINFO": {
                        "IFLA_INFO_KIND": "veth",
                        "IFLA_INFO_DATA": {
                            "VETH_INFO_PEER": {
                                "index": 1001,
                                "IFLA_IFNAME": "lwp",
                                "IFLA_MTU": 1400,
                                "IFLA_ADDRESS": str(M2),
                            }
                        },
                    },
                }
            ),
            _set(1000, ALIAS),
            _set(
                1000,
                {
                    "IFLA_PROTINFO": {
                        "IFLA_BRPORT_LEARNING": 1,
                        "IFLA_BRPORT_UNICAST_FLOOD": 0,
                        "IFLA_BRPORT_ISOLATED": 1,
                    }
                },
                family=7,
            ),
        ],
    ),
    "macvlan": (
        create(Link("lwm", Macvlan("eth3", MacvlanMode.PRIVATE), mac=M1)),
        [
            _link(
                {
                    "IFLA_IFNAME": "lwm",
                    "IFLA_ADDRESS": str(M1),
                    "IFLA_LINK": 3,
                    "IFLA_LINKINFO": {"IFLA_INFO_KIND": "macvlan", "IFLA_INFO_DATA": {"IFLA_MACVLAN_MODE": "private"}},
                }
            )
        ],
    ),
    "vxlan": (
        create(Link("lwx", Vxlan(77, 8472, ip_address("10.0.0.1"), "eth3", learning=False, proxy=True), mtu=1450)),
        [
            _link(
                {
                    "IFLA_IFNAME": "lwx",
                    "IFLA_MTU": 1450,
                    "IFLA_LINKINFO": {
                        "IFLA_INFO_KIND": "vxlan",
                        "IFLA_INFO_DATA": {
                            "IFLA_VXLAN_ID": 77,
                            "IFLA_VXLAN_PORT": 8472,
                            "IFLA_VXLAN_LOCAL": "10.0.0.1",
                            "IFLA_VXLAN_LINK": 3,
                            "IFLA_VXLAN_LEARNING": 0,
                            "IFLA_VXLAN_PROXY": 1,
                        },
                    },
                }
            )
        ],
    ),
    "vxlan over IPv6": (
        create(Link("lwx", Vxlan(77, local=ip_address("fd00::1")), up=None)),
        [
            _link(
                {
                    "IFLA_IFNAME": "lwx",
                    "IFLA_LINKINFO": {
                        "IFLA_INFO_KIND": "vxlan",
                        "IFLA_INFO_DATA": {
                            "IFLA_VXLAN_ID": 77,
                            "IFLA_VXLAN_PORT": 4789,
                            "IFLA_VXLAN_LOCAL6": "fd00::1",
                        },
                    },
                },
                up=False,
            )
        ],
    ),
    "a link as it is already: nothing": (Step(Action.CHANGE, BRIDGE_WAS, BRIDGE_WAS), []),
    "a link's attributes, each that differs": (
        Step(Action.CHANGE, Link("br5", Bridge(True), mtu=1500, mac=M2, master="br6", up=False, mark=MARK), BRIDGE_WAS),
        [
            _change(
                5,
                {
                    "IFLA_MTU": 1500,
                    "IFLA_ADDRESS": str(M2),
                    "IFLA_MASTER": 6,
                    **ALIAS,
                    "IFLA_LINKINFO": {"IFLA_INFO_KIND": "bridge", "IFLA_INFO_DATA": {"IFLA_BR_MCAST_SNOOPING": 1}},
                },
                change=1,
            )
        ],
    ),
    "up alone": (
        Step(Action.CHANGE, Link("br5", up=True), Link("br5", up=False)),
        [_change(5, {}, flags=1, change=1, state="up")],
    ),
    "no master": (
        Step(Action.CHANGE, Link("v7", Veth("v8"), master="", up=None), Link("v7", Veth("v8"), master="br5")),
        [_change(7, {"IFLA_MASTER": 0})],
    ),
    "a port's settings, those that differ": (
        Step(
            Action.CHANGE,
            Link("v7", Veth("v8"), port=BridgePort(isolated=True, flood=True, neighbour_suppress=True)),
            Link("v7", Veth("v8"), port=BridgePort(True, True, False, False)),
        ),
        [_set(7, {"IFLA_PROTINFO": {"IFLA_BRPORT_ISOLATED": 1, "IFLA_BRPORT_NEIGH_SUPPRESS": 1}}, family=7)],
    ),
    "a port sends back": (create(Hairpin("v7")), [_set(7, {"IFLA_PROTINFO": {"IFLA_BRPORT_MODE": 1}}, family=7)]),
    "and does no more": (
        Step(Action.DELETE, Hairpin("v7")),
        [_set(7, {"IFLA_PROTINFO": {"IFLA_BRPORT_MODE": 0}}, family=7)],
    ),
    "vxlan learning": (
        Step(Action.CHANGE, Link("x4", Vxlan(9, learning=True)), Link("x4", Vxlan(9, learning=False, proxy=True))),
        [_change(4, {"IFLA_LINKINFO": {"IFLA_INFO_KIND": "vxlan", "IFLA_INFO_DATA": {"IFLA_VXLAN_LEARNING": 1}}})],
    ),
    "a link's end": (
        Step(Action.DELETE, Link("br5", Bridge())),
        [("RTM_DELLINK", NLM_F_REQUEST, {"index": 5}, {"index": 5})],
    ),
    "an address": (
        create(Address("br5", ip_interface("10.0.0.1/24"))),
        [
            (
                "RTM_NEWADDR",
                NEW,
                {"family": 2, "prefixlen": 24, "index": 5},
                {"index": 5, "IFA_LOCAL": "10.0.0.1", "IFA_ADDRESS": "10.0.0.1", "IFA_PROTO": 213},
            )
        ],
    ),
    "an IPv6 address, without duplicate detection": (
        create(Address("br5", ip_interface("fd00::1/64"))),
        [
            (
                "RTM_NEWADDR",
                NEW,
                {"family": 10, "prefixlen": 64, "index": 5},
                {"index": 5, "IFA_LOCAL": "fd00::1", "IFA_ADDRESS": "fd00::1", "IFA_PROTO": 213, "IFA_FLAGS": 2},
            )
        ],
    ),
    "an address's end": (
        Step(Action.DELETE, Address("br5", ip_interface("10.0.0.1/24"))),
        [
            (
                "RTM_DELADDR",
                NLM_F_REQUEST,
                {"family": 2, "prefixlen": 24, "index": 5},
                {"index": 5, "IFA_LOCAL": "10.0.0.1", "IFA_ADDRESS": "10.0.0.1"},
            )
        ],
    ),
    "a route": (
        create(Route(ip_network("10.9.0.0/16"), "br5", ip_address("10.0.0.9"), ip_address("10.0.0.1"), 7)),
        [
            (
                "RTM_NEWROUTE",
                NEW,
                {"family": 2, "dst_len": 16, "table": 254, "proto": 213, "type": 1},
                {
                    "RTA_DST": "10.9.0.0",
                    "RTA_TABLE": 254,
                    "RTA_PRIORITY": 7,
                    "RTA_OIF": 5,
                    "RTA_GATEWAY": "10.0.0.9",
                    "RTA_PREFSRC": "10.0.0.1",
                },
            )
        ],
    ),
    "a route on link, in a table of more than an octet": (
        create(Route(ip_network("10.9.0.0/16"), "br5", table=1000)),
        [
            (
                "RTM_NEWROUTE",
                NEW,
                {"family": 2, "dst_len": 16, "proto": 213, "type": 1, "scope": 253},
                {"RTA_DST": "10.9.0.0", "RTA_TABLE": 1000, "RTA_OIF": 5},
            )
        ],
    ),
    "an IPv6 route, with IPv6's own metric": (
        create(Route(ip_network("fd09::/64"), via=ip_address("fd00::9"))),
        [
            (
                "RTM_NEWROUTE",
                NEW,
                {"family": 10, "dst_len": 64, "table": 254, "proto": 213, "type": 1},
                {"RTA_DST": "fd09::", "RTA_TABLE": 254, "RTA_PRIORITY": 1024, "RTA_GATEWAY": "fd00::9"},
            )
        ],
    ),
    "an IPv4 route through an IPv6 gateway": (
        create(Route(ip_network("10.9.0.0/16"), "br5", ip_address("fe80::1"))),
        [
            (
                "RTM_NEWROUTE",
                NEW,
                {"family": 2, "dst_len": 16, "table": 254, "proto": 213, "type": 1},
                {"RTA_DST": "10.9.0.0", "RTA_TABLE": 254, "RTA_OIF": 5, "RTA_VIA": {"family": 10, "addr": "fe80::1"}},
            )
        ],
    ),
    "another way for a route": (
        Step(Action.CHANGE, Route(ip_network("10.9.0.0/16"), "br6"), Route(ip_network("10.9.0.0/16"), "br5")),
        [
            (
                "RTM_NEWROUTE",
                PUT,
                {"family": 2, "dst_len": 16, "table": 254, "proto": 213, "type": 1, "scope": 253},
                {"RTA_DST": "10.9.0.0", "RTA_TABLE": 254, "RTA_OIF": 6},
            )
        ],
    ),
    "a route's end: only one of our protocol": (
        Step(Action.DELETE, Route(ip_network("10.9.0.0/16"), "br5", ip_address("10.0.0.9"))),
        [
            (
                "RTM_DELROUTE",
                NLM_F_REQUEST,
                {"family": 2, "dst_len": 16, "table": 254, "proto": 213, "scope": 255},
                {"RTA_DST": "10.9.0.0", "RTA_TABLE": 254},
            )
        ],
    ),
    "a neighbour": (
        create(Neighbour("br5", ip_address("10.0.0.7"), M1)),
        [
            (
                "RTM_NEWNEIGH",
                PUT,
                {"family": 2, "ifindex": 5, "state": 0x80},
                {"NDA_DST": "10.0.0.7", "NDA_LLADDR": str(M1), "NDA_PROTOCOL": 213},
            )
        ],
    ),
    "a proxy entry": (
        create(Neighbour("br5", ip_address("fd00::7"), proxy=True)),
        [
            (
                "RTM_NEWNEIGH",
                PUT,
                {"family": 10, "ifindex": 5, "flags": 0x08},
                {"NDA_DST": "fd00::7", "NDA_PROTOCOL": 213},
            )
        ],
    ),
    "a neighbour's end": (
        Step(Action.DELETE, Neighbour("br5", ip_address("10.0.0.7"), M1)),
        [("RTM_DELNEIGH", NLM_F_REQUEST, {"family": 2, "ifindex": 5, "state": 0x80}, {"NDA_DST": "10.0.0.7"})],
    ),
    "a forwarding entry of a vxlan link": (
        create(FdbEntry("x4", M1, ip_address("10.0.0.8"))),
        [
            (
                "RTM_NEWNEIGH",
                PUT,
                {"family": 7, "ifindex": 4, "state": 0xC0, "flags": 2},
                {"NDA_LLADDR": str(M1), "NDA_DST": "10.0.0.8"},
            )
        ],
    ),
    "one more remote for what nothing is known of": (
        create(FdbEntry("x4", ZERO, ip_address("10.0.0.8"))),
        [
            (
                "RTM_NEWNEIGH",
                NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND,
                {"family": 7, "ifindex": 4, "state": 0xC0, "flags": 2},
                {"NDA_LLADDR": str(ZERO), "NDA_DST": "10.0.0.8"},
            )
        ],
    ),
    "the end of one of several remotes": (
        Step(Action.DELETE, FdbEntry("x4", ZERO, ip_address("10.0.0.8"))),
        [
            (
                "RTM_DELNEIGH",
                NLM_F_REQUEST,
                {"family": 7, "ifindex": 4, "state": 0xC0, "flags": 2},
                {"NDA_LLADDR": str(ZERO), "NDA_DST": "10.0.0.8"},
            )
        ],
    ),
    "the end of an entry, wherever it points by now": (
        Step(Action.DELETE, FdbEntry("x4", M1, ip_address("10.0.0.8"))),
        [
            (
                "RTM_DELNEIGH",
                NLM_F_REQUEST,
                {"family": 7, "ifindex": 4, "state": 0xC0, "flags": 2},
                {"NDA_LLADDR": str(M1)},
            )
        ],
    ),
    "a queue for what comes in": (
        create(Link("lwi", Ifb())),
        [_link({"IFLA_IFNAME": "lwi", "IFLA_LINKINFO": {"IFLA_INFO_KIND": "ifb", "IFLA_INFO_DATA": ""}})],
    ),
    "a VLAN": (
        create(Link("lwi", Vlan("eth3", 50))),
        [
            _link(
                {
                    "IFLA_IFNAME": "lwi",
                    "IFLA_LINK": 3,
                    "IFLA_LINKINFO": {"IFLA_INFO_KIND": "vlan", "IFLA_INFO_DATA": {"IFLA_VLAN_ID": 50}},
                }
            )
        ],
    ),
    "a bridge that filters, and then does not": (
        Step(
            Action.CHANGE,
            Link("br5", Bridge(False, vlan_filtering=False, default_pvid=1)),
            Link("br5", Bridge(False, vlan_filtering=True, default_pvid=0)),
        ),
        [
            _change(
                5,
                {
                    "IFLA_LINKINFO": {
                        "IFLA_INFO_KIND": "bridge",
                        "IFLA_INFO_DATA": {"IFLA_BR_VLAN_FILTERING": 0, "IFLA_BR_VLAN_DEFAULT_PVID": 1},
                    }
                },
            )
        ],
    ),
    "a port's VLAN": (
        create(BridgeVlan("v7", 10, pvid=True, untagged=True)),
        [_set(7, {"IFLA_AF_SPEC": {"IFLA_BRIDGE_VLAN_INFO": {"flags": 6, "vid": 10}}}, family=7)],
    ),
    "a bridge's own VLAN": (
        create(BridgeVlan("br5", 10, on_bridge=True)),
        [
            _set(
                5,
                {"IFLA_AF_SPEC": {"IFLA_BRIDGE_VLAN_FLAGS": 2, "IFLA_BRIDGE_VLAN_INFO": {"vid": 10}}},
                family=7,
            )
        ],
    ),
    "a port's VLAN's end": (
        Step(Action.DELETE, BridgeVlan("v7", 10)),
        [
            (
                "RTM_DELLINK",
                NLM_F_REQUEST,
                {"index": 7, "family": 7},
                {"index": 7, "IFLA_AF_SPEC": {"IFLA_BRIDGE_VLAN_INFO": {"vid": 10}}},
            )
        ],
    ),
    "a shaper, in place of whatever is at the root": (
        create(Shaper("v7", 10_000_000, 15_000)),
        [_shaped(rate=1_250_000, buffer=187_500, limit=77_500)],
    ),
    "a shaper past 32 bits of bytes a second": (
        create(Shaper("v7", 40_000_000_000, 10_000_000)),
        [_shaped(rate=0xFFFFFFFF, buffer=31_250, limit=260_000_000)],
    ),
    "a shaper's end, if it is ours": (
        Step(Action.DELETE, Shaper("v7", 10_000_000, 15_000)),
        [("RTM_DELQDISC", NLM_F_REQUEST, ROOT, {"index": 7, "TCA_KIND": "tbf"})],
    ),
    "what comes in leaves elsewhere": (create(Redirect("v7", "ifb4")), LEADING),
    "what comes in leaves elsewhere than before": (
        Step(Action.CHANGE, Redirect("v7", "ifb4"), Redirect("v7", "ifb3")),
        [("RTM_DELTFILTER", NLM_F_REQUEST, FILTER, {"index": 7, "TCA_KIND": "u32"}), *LEADING],
    ),
    "what comes in stays": (
        Step(Action.DELETE, Redirect("v7", "ifb4")),
        [("RTM_DELQDISC", NLM_F_REQUEST, INGRESS, {"index": 7, "TCA_KIND": "ingress"})],
    ),
    "a static entry of a bridge": (
        create(FdbEntry("v7", M1)),
        [("RTM_NEWNEIGH", PUT, {"family": 7, "ifindex": 7, "state": 0x40, "flags": 4}, {"NDA_LLADDR": str(M1)})],
    ),
}


@pytest.mark.parametrize(("step", "expected"), CASES.values(), ids=CASES)
def test_pyroute2_reads_what_the_step_says(step: Step, expected: list[Seen]) -> None:
    """Types, flags, heads and attributes are those of the table, no more and no fewer."""
    assert expected == seen(step)


def test_every_kind_and_action_has_a_case() -> None:
    """A kind that is added to the encoder is added here."""
    from linkwright.kernel.encode import _ENCODERS

    covered = {(type(step.resource), step.action) for step, _ in CASES.values()}
    same_as_create = {(kind, Action.CHANGE) for kind in (Address, Neighbour, FdbEntry, BridgeVlan, Hairpin, Shaper)}
    assert set(_ENCODERS) <= covered | same_as_create


def test_what_needs_a_link_that_is_not_there_says_so() -> None:
    """A missing master, parent or link is a LookupError that names it, before anything is sent."""
    missing: list[Resource] = [
        Link("lwv", Veth("lwp"), master="nosuch"),
        Link("lwm", Macvlan("nosuch")),
        Address("nosuch", ip_interface("10.0.0.1/24")),
        Route(ip_network("10.9.0.0/16"), "nosuch"),
        Redirect("v7", "nosuch"),
        Link("lwl", Ipvlan("nosuch")),
    ]
    for resource in missing:
        with pytest.raises(LookupError, match="nosuch"):
            encode(create(resource), Indexes())


#: IFLA_INFO_DATA as ip(8) of iproute2 6.1 sends it (little-endian), attribute by attribute; pyroute2 knows not all.
OF_IPROUTE2: dict[str, tuple[LinkKind, set[str]]] = {
    "type vlan id 50": (Vlan("eth3", 50), {"0600010032000000"}),
    "type ipvlan mode l3s vepa": (
        Ipvlan("eth3", IpvlanMode.L3S, IpvlanFlag.VEPA),
        {"0600010002000000", "0600020002000000"},
    ),
    "type ipvlan mode l2 private": (
        Ipvlan("eth3", IpvlanMode.L2, IpvlanFlag.PRIVATE),
        {"0600010000000000", "0600020001000000"},
    ),
    "type macvlan mode bridge bcqueuelen 2000": (
        Macvlan("eth3", bc_queue_len=2000),
        {"08000700d0070000", "0800010004000000"},
    ),
    "type macvlan mode source macaddr set 02:00:00:00:00:01 02:00:00:00:00:02": (
        Macvlan("eth3", MacvlanMode.SOURCE, sources=(M2, M1)),
        {"0800010010000000", "0800030003000000", "1c0005000a0004000200000000010000" + "0a0004000200000000020000"},
    ),
    "type bridge vlan_filtering 1 vlan_default_pvid 0": (
        Bridge(vlan_filtering=True, default_pvid=0),
        {"0500070001000000", "0600270000000000"},
    ),
}


@pytest.mark.skipif(sys.byteorder != "little", reason="the bytes were taken from a little-endian machine")
@pytest.mark.parametrize(("kind", "expected"), OF_IPROUTE2.values(), ids=OF_IPROUTE2)
def test_a_kind_is_said_as_iproute2_says_it(kind: LinkKind, expected: set[str]) -> None:
    """Of kinds that few kernels have the bytes are those of the tool that everybody uses."""
    request = encode(create(Link("lwz", kind)), Indexes())[0]
    found = attributes(request.body, rt.IFINFO.size, len(request.body))
    info = attributes(found[rt.IFLA_LINKINFO], 0, len(found[rt.IFLA_LINKINFO]))
    data = info[rt.IFLA_INFO_DATA]
    assert expected == {attribute(number, payload).hex() for number, payload in repeated(data, 0, len(data))}


@pytest.mark.skipif(sys.byteorder != "little", reason="the bytes were taken from a little-endian machine")
def test_a_range_of_vlans_is_one_message() -> None:
    """Each VLAN by itself in it, so that the kernel need not know ranges: flags and number, five times."""
    (request,) = encode(create(BridgeVlan("v7", 10, untagged=True, last=14)), Indexes())
    each = "".join(f"080002000400{vid:02x}00" for vid in range(10, 15))
    assert f"2c001a80{each}" == request.body[rt.IFINFO.size :].hex()


def test_a_link_of_unknown_kind_cannot_be_made() -> None:
    """A borrowed link's wish is never a message that makes one."""
    with pytest.raises(ValueError, match="lwz"):
        encode(create(Link("lwz", Existing())), Indexes())
