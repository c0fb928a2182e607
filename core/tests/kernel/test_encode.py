"""Every message that we write, read by pyroute2: it says what the step says, and nothing else."""

from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.encode import encode
from linkwright.kernel.netlink import NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, frame
from linkwright.model.mac import Mac
from linkwright.plan.mark import Mark
from linkwright.plan.resources import (
    Address,
    Bridge,
    BridgePort,
    Existing,
    FdbEntry,
    Link,
    Macvlan,
    MacvlanMode,
    Neighbour,
    Resource,
    Route,
    Veth,
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
    """Attributes of pyroute2 as a dict, all the way down."""
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
            Link("v7", Veth("v8"), port=BridgePort(hairpin=True, flood=True, neighbour_suppress=True)),
            Link("v7", Veth("v8"), port=BridgePort(True, True, False, False, False)),
        ),
        [_set(7, {"IFLA_PROTINFO": {"IFLA_BRPORT_MODE": 1, "IFLA_BRPORT_NEIGH_SUPPRESS": 1}}, family=7)],
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
    same_as_create = {(kind, Action.CHANGE) for kind in (Address, Neighbour, FdbEntry)}
    assert set(_ENCODERS) <= covered | same_as_create


def test_what_needs_a_link_that_is_not_there_says_so() -> None:
    """A missing master, parent or link is a LookupError that names it, before anything is sent."""
    missing: list[Resource] = [
        Link("lwv", Veth("lwp"), master="nosuch"),
        Link("lwm", Macvlan("nosuch")),
        Address("nosuch", ip_interface("10.0.0.1/24")),
        Route(ip_network("10.9.0.0/16"), "nosuch"),
    ]
    for resource in missing:
        with pytest.raises(LookupError, match="nosuch"):
            encode(create(resource), Indexes())


def test_a_link_of_unknown_kind_cannot_be_made() -> None:
    """A borrowed link's wish is never a message that makes one."""
    with pytest.raises(ValueError, match="lwz"):
        encode(create(Link("lwz", Existing())), Indexes())
