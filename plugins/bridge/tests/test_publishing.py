"""``-p`` on the bridge driver: what is bound on the host, and what leads from there into the container."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from plugins.bridge.tests.asked import (
    DRIVER,
    ENDPOINT,
    FOUR,
    HOST,
    ONLY4,
    ONLY6,
    PLAIN,
    SIX,
    bound,
    network,
    published,
    publishing,
)

from linkwright import sdk
from linkwright.plan import check
from linkwright_bridge import Options

BOTH = network(FOUR, SIX)
FILTERED = evolve(PLAIN, features=frozenset({"br_netfilter"}))
FILTERED6 = evolve(HOST, features=HOST.features | {"br_netfilter"})
ROUTED6 = network(FOUR, SIX, o={"gateway_mode_ipv6": "routed"})
ROUTED = network(FOUR, SIX, o={"gateway_mode_ipv4": "routed", "gateway_mode_ipv6": "routed"})

#: What is asked of which network, for which container → what is bound, a line for each that gets one port.
BOUND: list[tuple[str, sdk.Network[Options], sdk.Endpoint, str, list[str]]] = [
    ("every address of the host", BOTH, ENDPOINT, "8080:80", ["[0.0.0.0]:8080:80/tcp [::]:8080:80/tcp"]),
    ("a port that is to be chosen", BOTH, ENDPOINT, "80", ["[0.0.0.0]:80/tcp [::]:80/tcp"]),
    ("one of a range", BOTH, ENDPOINT, "8000-8010:80/udp", ["[0.0.0.0]:8000-8010:80/udp [::]:8000-8010:80/udp"]),
    ("every IPv4 address", BOTH, ENDPOINT, "[0.0.0.0]:8080:80", ["[0.0.0.0]:8080:80/tcp"]),
    ("every IPv6 address", BOTH, ENDPOINT, "[::]:8080:80", ["[::]:8080:80/tcp"]),
    ("one address", BOTH, ENDPOINT, "[192.0.2.1]:8080:80", ["[192.0.2.1]:8080:80/tcp"]),
    ("the host alone", BOTH, ENDPOINT, "[127.0.0.1]:8080:80", ["[127.0.0.1]:8080:80/tcp"]),
    (
        "by IPv6 to a container of IPv4: relayed",
        network(),
        ONLY4,
        "8080:80",
        ["[0.0.0.0]:8080:80/tcp [::]:8080:80/tcp"],
    ),
    ("the same, one address", network(), ONLY4, "[2001:db8::1]:8080:80", ["[2001:db8::1]:8080:80/tcp"]),
    ("what cannot be relayed", network(), ONLY4, "8080:80/sctp", ["[0.0.0.0]:8080:80/sctp"]),
    ("SCTP need not be", BOTH, ENDPOINT, "8080:80/sctp", ["[0.0.0.0]:8080:80/sctp [::]:8080:80/sctp"]),
    ("no IPv4 inside, so none outside", network(SIX), ONLY6, "8080:80", ["[::]:8080:80/tcp"]),
    ("a host without IPv6", network(host=PLAIN), ONLY4, "8080:80", ["[0.0.0.0]:8080:80/tcp"]),
    (
        "the network's own choice",
        network(FOUR, SIX, o={"host_binding_ipv4": "192.0.2.1"}),
        ENDPOINT,
        "8080:80",
        ["[192.0.2.1]:8080:80/tcp"],
    ),
    (
        "of either family",
        network(FOUR, SIX, o={"host_binding_ipv4": "::1"}),
        ENDPOINT,
        "8080:80",
        ["[::1]:8080:80/tcp"],
    ),
    (
        "every address, said in Docker's way",
        network(FOUR, SIX, o={"host_binding_ipv4": "0.0.0.0"}),
        ENDPOINT,
        "8080:80",
        ["[0.0.0.0]:8080:80/tcp [::]:8080:80/tcp"],
    ),
    (
        "but the user's comes first",
        network(o={"host_binding_ipv4": "192.0.2.1"}),
        ONLY4,
        "[192.0.2.9]:8080:80",
        ["[192.0.2.9]:8080:80/tcp"],
    ),
    ("IPv6 is routed: IPv4 alone", ROUTED6, ENDPOINT, "8080:80", ["[0.0.0.0]:8080:80/tcp"]),
    ("an IPv6 container beside IPv4 ones", ROUTED6, ONLY4, "8080:80", ["[0.0.0.0]:8080:80/tcp [::]:8080:80/tcp"]),
    ("all is routed: nothing", ROUTED, ENDPOINT, "8080:80", []),
    ("whatever address was said", ROUTED, ENDPOINT, "[192.0.2.1]:8080:80", []),
    ("and whichever family", ROUTED, ONLY4, "[2001:db8::1]:8080:80", []),
    (
        "unprotected: as nat",
        network(o={"gateway_mode_ipv4": "nat-unprotected"}),
        ONLY4,
        "[0.0.0.0]:8080:80",
        ["[0.0.0.0]:8080:80/tcp"],
    ),
    ("internal: nothing", network(FOUR, SIX, internal=True), ENDPOINT, "8080:80", []),
]


@pytest.mark.parametrize(("wanted", "of", "port", "groups"), [b[1:] for b in BOUND], ids=[b[0] for b in BOUND])
def test_what_is_bound(wanted: sdk.Network[Options], of: sdk.Endpoint, port: str, groups: list[str]) -> None:
    """Each group gets one port of the host, whose holder keeps it from everybody else."""
    assert groups == bound(wanted, of, port)


def test_b_10_each_port_is_a_group() -> None:
    """``-p 9000-9001:9000-9001`` comes as two: the ports of one do not follow the other's."""
    assert bound(network(host=PLAIN), ONLY4, "9000:9000", "9001:9001") == [
        "[0.0.0.0]:9000:9000/tcp",
        "[0.0.0.0]:9001:9001/tcp",
    ]


REFUSED: list[tuple[sdk.Network[Options], sdk.Endpoint, str, str]] = [
    (
        network(SIX),
        ONLY6,
        "[0.0.0.0]:8080:80",
        (
            "port 0.0.0.0:8080:80/tcp cannot be published: the container has no IPv4 address that what comes to "
            "0.0.0.0 could be led to"
        ),
    ),
    (
        network(SIX, o={"host_binding_ipv4": "192.0.2.1"}),
        ONLY6,
        "8080:80",
        "port 8080:80/tcp cannot be published: the container has no IPv4 address that what comes to 192.0.2.1",
    ),
    (
        network(host=PLAIN),
        ONLY4,
        "[::1]:8080:80",
        "port [::1]:8080:80/tcp cannot be published: this host has no IPv6, so ::1 cannot be bound",
    ),
    (
        network(),
        ONLY4,
        "[fe80::1]:8080:80",
        "port [fe80::1]:8080:80/tcp cannot be published: fe80::1 is no address of this host that others",
    ),
    (
        network(),
        ONLY4,
        "[224.0.0.1]:8080:80",
        "port 224.0.0.1:8080:80/tcp cannot be published: 224.0.0.1 is no address",
    ),
    (
        network(),
        ONLY4,
        "[::]:8080:80/sctp",
        "port [::]:8080:80/sctp cannot be published: SCTP cannot be relayed from :: to a container that has IPv4 alone",
    ),
]


@pytest.mark.parametrize(("wanted", "of", "port", "text"), REFUSED)
def test_what_cannot_be_published_is_refused(
    wanted: sdk.Network[Options], of: sdk.Endpoint, port: str, text: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """The port is named as it was asked for, and why."""
    assert refusal(lambda: bound(wanted, of, port)).startswith(text)


LED: list[tuple[str, sdk.Network[Options], sdk.Endpoint, list[str], list[str]]] = [
    (
        "every address, and from the host itself by 127.0.0.1",
        BOTH,
        ENDPOINT,
        ["8080:80"],
        [
            "nft add element inet linkwright relayed_wildcard6 { tcp . 8080 }",
            "sysctl -w net.ipv4.conf.lwbb0b1b2b3b4b5.route_localnet=1",
            "nft add element inet linkwright wildcard4 { tcp . 8080 : 10.1.0.9 . 80 }",
            "nft add element inet linkwright wildcard6 { tcp . 8080 : fd00:1::9 . 80 }",
        ],
    ),
    (
        "named addresses: nothing of the host's own loopback is led anywhere",
        BOTH,
        ENDPOINT,
        ["[192.0.2.1]:53:5353/udp", "[2001:db8::1]:53:5353/udp"],
        [
            "nft add element inet linkwright relayed6 { 2001:db8::1 . udp . 53 }",
            "nft add element inet linkwright published4 { 192.0.2.1 . udp . 53 : 10.1.0.9 . 5353 }",
            "nft add element inet linkwright published6 { 2001:db8::1 . udp . 53 : fd00:1::9 . 5353 }",
        ],
    ),
    (
        "the host alone; of IPv6 the holder of the socket has to see to that",
        BOTH,
        ENDPOINT,
        ["[127.0.0.1]:8080:80", "[::1]:8080:80"],
        [
            "sysctl -w net.ipv4.conf.lwbb0b1b2b3b4b5.route_localnet=1",
            "nft add element inet linkwright published4 { 127.0.0.1 . tcp . 8080 : 10.1.0.9 . 80 }",
        ],
    ),
    (
        "IPv6 of the host to a container of IPv4: relayed, not led",
        network(),
        ONLY4,
        ["[2001:db8::1]:8080:80", "[::]:8081:80"],
        [
            "nft add element inet linkwright relayed6 { 2001:db8::1 . tcp . 8080 }",
            "nft add element inet linkwright relayed_wildcard6 { tcp . 8081 }",
        ],
    ),
    (
        "routed: the container's own port, once, of the families that were asked for",
        ROUTED,
        ENDPOINT,
        ["8080:80", "8081:80", "[192.0.2.1]:53:53/udp"],
        [
            "nft add element inet linkwright open4 { 10.1.0.9 . tcp . 80 }",
            "nft add element inet linkwright open6 { fd00:1::9 . tcp . 80 }",
            "nft add element inet linkwright open4 { 10.1.0.9 . udp . 53 }",
        ],
    ),
    (
        "IPv6 routed: each family in its own way",
        ROUTED6,
        ENDPOINT,
        ["[192.0.2.1]:8080:80", "[::]:8080:80"],
        [
            "nft add element inet linkwright open6 { fd00:1::9 . tcp . 80 }",
            "nft add element inet linkwright published4 { 192.0.2.1 . tcp . 8080 : 10.1.0.9 . 80 }",
        ],
    ),
    ("a way outside without ports", BOTH, ENDPOINT, [], []),
    ("internal: nothing", network(FOUR, SIX, internal=True), ENDPOINT, ["8080:80"], []),
]


@pytest.mark.parametrize(("wanted", "of", "ports", "text"), [one[1:] for one in LED], ids=[one[0] for one in LED])
def test_what_leads_to_the_container(
    wanted: sdk.Network[Options], of: sdk.Endpoint, ports: list[str], text: list[str]
) -> None:
    """By elements of maps that are there anyway: one port more costs the same at ten and at ten thousand."""
    assert text == published(wanted, of, *ports)
    wishes = DRIVER.publish(wanted, publishing(wanted, of, *ports))
    assert check(wishes, around=DRIVER.network(wanted).by_key()) == ()


HAIRPIN = "bridge link set dev lwhe0e1e2e3e4e5 hairpin on"
SENDS_BACK: list[tuple[str, sdk.Network[Options], sdk.Endpoint, list[str], bool]] = [
    ("bridged frames pass the firewall", network(host=FILTERED), ONLY4, ["8080:80"], True),
    ("at one address, of either family", network(FOUR, SIX, host=FILTERED6), ENDPOINT, ["[2001:db8::1]:8080:80"], True),
    ("they do not", network(), ONLY4, ["8080:80"], False),
    ("nothing is published", network(host=FILTERED), ONLY4, [], False),
    ("all of it is relayed", network(host=FILTERED6), ONLY4, ["[::]:8080:80"], False),
    ("all of it is open", network(host=FILTERED, o={"gateway_mode_ipv4": "routed"}), ONLY4, ["8080:80"], False),
    ("it is not wanted", network(host=FILTERED, o={"hairpin": "false"}), ONLY4, ["8080:80"], False),
    ("the endpoint has it anyway", network(host=FILTERED, o={"hairpin": "true"}), ONLY4, ["8080:80"], False),
]


@pytest.mark.parametrize(
    ("wanted", "of", "ports", "sends"), [s[1:] for s in SENDS_BACK], ids=[s[0] for s in SENDS_BACK]
)
def test_b_12_the_port_of_who_publishes_sends_back_where_it_must(
    wanted: sdk.Network[Options], of: sdk.Endpoint, ports: list[str], *, sends: bool
) -> None:
    """No other port: a container behind one hears its own broadcasts."""
    assert (HAIRPIN in published(wanted, of, *ports)) is sends
    around = DRIVER.network(wanted).by_key() | DRIVER.endpoint(wanted, of).by_key()
    assert check(DRIVER.publish(wanted, publishing(wanted, of, *ports)), around=around) == ()


def test_route_localnet_is_put_back_with_the_last_port() -> None:
    """The bridge stays, and what made it take 127.0.0.0/8 for an address of somebody's has gone."""
    settings = [
        one for one in DRIVER.publish(BOTH, publishing(BOTH, ENDPOINT, "8080:80")) if isinstance(one, sdk.Sysctl)
    ]
    assert [(one.value, one.otherwise, one.requires) for one in settings] == [
        ("1", "0", (("link", "lwbb0b1b2b3b4b5"),)),
    ]


# --- whatever is asked for ---------------------------------------------------------------------------------------

_ADDRESSES = [None, *map(ip_address, ("0.0.0.0", "::", "127.0.0.1", "::1", "192.0.2.1", "2001:db8::1"))]
_MODES = ["nat", "routed", "nat-unprotected"]
_PORTS = st.builds(
    sdk.PortBinding,
    protocol=st.sampled_from(sdk.Protocol),
    port=st.integers(1, 65535),
    host_address=st.sampled_from(_ADDRESSES),
    host_port=st.integers(1, 65535),
)


@given(
    ports=st.lists(_PORTS, max_size=4, unique_by=lambda port: port.host_port).map(tuple),
    modes=st.tuples(st.sampled_from(_MODES), st.sampled_from(_MODES)),
    of=st.sampled_from([ENDPOINT, ONLY4]),
    internal=st.booleans(),
)
def test_what_is_bound_gets_to_the_container_and_nothing_else_does(
    ports: tuple[sdk.PortBinding, ...], modes: tuple[str, str], of: sdk.Endpoint, *, internal: bool
) -> None:
    """Each port that is bound is led, or left to the relay, which is closed to some; nothing leads to nobody."""
    wanted = network(
        FOUR, SIX, internal=internal, o=dict(zip(("gateway_mode_ipv4", "gateway_mode_ipv6"), modes, strict=True))
    )
    try:
        groups = DRIVER.bindings(wanted, of, ports)
    except sdk.Refused:
        assert any(port.protocol is sdk.Protocol.SCTP for port in ports)  # the one that cannot be relayed
        return
    assert [{(one.protocol, one.port, one.host_port) for one in group} for group in groups] == [
        {(port.protocol, port.port, port.host_port)} for port in ports if DRIVER.bindings(wanted, of, (port,))
    ]
    every = tuple(binding for group in groups for binding in group)
    external = evolve(of, external=True, ports=ports, published=every)
    wishes = DRIVER.publish(wanted, external)
    assert check(wishes, around=DRIVER.network(wanted).by_key()) == ()
    own, families = {str(address.ip) for address in of.addresses}, {address.version for address in of.addresses}
    elements = [wish for wish in wishes if isinstance(wish, sdk.Element)]
    relayed = {element.parts for element in elements if element.set.startswith("relayed")}
    assert relayed == {
        (*([] if one.host_address.is_unspecified else [str(one.host_address)]), str(one.protocol), str(one.host_port))
        for one in every
        if one.host_address and one.host_address.version == 6 and str(one.host_address) != "::1"
        if one.protocol is not sdk.Protocol.SCTP
    }
    assert all(own & {*element.parts, *element.data} for element in elements if element.parts not in relayed)
    led = {(element.set[-1], element.parts[-1]) for element in elements if element.data}
    assert led == {
        (str(one.host_address.version), str(one.host_port))
        for one in every
        if one.host_address and one.host_address.version in families and str(one.host_address) != "::1"
    }
    assert not (internal and (every or elements))


def test_the_host_decides_whether_there_is_ipv6(ask: Callable[..., Any]) -> None:
    """Not the container: one of IPv4 alone is reached by IPv6 as well."""
    assert bound(network(host=HOST), ONLY4, "8080:80") == ["[0.0.0.0]:8080:80/tcp [::]:8080:80/tcp"]
    assert bound(network(host=evolve(HOST, features=frozenset())), ONLY4, "8080:80") == ["[0.0.0.0]:8080:80/tcp"]
