"""The bridge driver's endpoints: pair, port, limits, VLANs, and whom a container may send as."""

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from plugins.bridge.tests.asked import DRIVER, ENDPOINT, FOUR, LAN, ONLY4, PLAIN, SIX, VLANS, endpoint, lines, network

from linkwright import sdk
from linkwright.plan import check
from linkwright_bridge import Options

FILTERED = evolve(PLAIN, features=frozenset({"br_netfilter"}))
VLAN_NETWORK = network(internal=True, host=VLANS, o={"vlan_filtering": "1"})
PAIR = (
    "ip link add lwhe0e1e2e3e4e5 mtu 1500 master lwbb0b1b2b3b4b5 up "
    "type veth peer name lwce0e1e2e3e4e5 mtu 1500 address 02:42:0a:01:00:09"
)

STORIES: list[tuple[str, sdk.Network[Options], sdk.Endpoint, str]] = [
    ("one end a port of the bridge, the other for the container", network(), endpoint(), PAIR),
    (
        "b_06: the MTU is that of the network, on both ends; without icc the port is kept apart",
        network(o={"enable_icc": "false", "mtu": "1400", "name": "lw0"}),
        endpoint(),
        """
        ip link add lwhe0e1e2e3e4e5 mtu 1400 master lw0 up \
            type veth peer name lwce0e1e2e3e4e5 mtu 1400 address 02:42:0a:01:00:09
        bridge link set dev lwhe0e1e2e3e4e5 isolated on
        """,
    ),
    (
        "kept apart on the bridge, while the firewall lets routed packets pass",
        network(o={"port_isolation": "true"}),
        endpoint(),
        f"{PAIR}\nbridge link set dev lwhe0e1e2e3e4e5 isolated on",
    ),
    (
        "where bridged frames pass the firewall the port sends nothing back before a port is published",
        network(host=FILTERED),
        endpoint(),
        PAIR,
    ),
    ("nor where it is not wanted", network(host=FILTERED, o={"hairpin": "false"}), endpoint(), PAIR),
    (
        "and wherever it is wanted",
        network(internal=True, o={"hairpin": "true"}),
        endpoint(),
        f"{PAIR}\nbridge link set dev lwhe0e1e2e3e4e5 hairpin on",
    ),
    (
        "on an adopted bridge: its MTU, and an address that it does not take for its own",
        network(host=LAN, o={"name": "br0", "adopt": "true"}),
        endpoint(),
        """
        ip link add lwhe0e1e2e3e4e5 mtu 9000 address fe:b8:d1:55:f4:8b master br0 up \
            type veth peer name lwce0e1e2e3e4e5 mtu 9000 address 02:42:0a:01:00:09
        """,
    ),
    (
        "b_21: a limit both ways: what leaves the host's end, and what comes in by it and leaves an ifb first",
        network(o={"rate": "10mbit"}),
        endpoint(),
        f"""
        {PAIR}
        ip link add lwie0e1e2e3e4e5 mtu 1500 up type ifb
        tc qdisc replace dev lwhe0e1e2e3e4e5 root handle 6c77: tbf rate 10000000bit burst 69632b latency 50ms
        tc qdisc replace dev lwie0e1e2e3e4e5 root handle 6c77: tbf rate 10000000bit burst 69632b latency 50ms
        tc qdisc replace dev lwhe0e1e2e3e4e5 ingress
        tc filter add dev lwhe0e1e2e3e4e5 parent ffff: pref 27767 protocol all \
            u32 match u32 0 0 action mirred egress redirect dev lwie0e1e2e3e4e5
        """,
    ),
    (
        "one way needs no ifb; the container's own limit comes before its network's, direction before both",
        network(o={"rate": "10mbit", "burst": "1mb"}),
        endpoint(rate="0", rate_in="1gbit"),
        f"""
        {PAIR}
        tc qdisc replace dev lwhe0e1e2e3e4e5 root handle 6c77: tbf rate 1000000000bit burst 1048576b latency 50ms
        """,
    ),
    (
        "and so does its burst",
        network(o={"rate_in": "10mbit", "burst": "1mb"}),
        endpoint(burst="64kb"),
        f"""
        {PAIR}
        tc qdisc replace dev lwhe0e1e2e3e4e5 root handle 6c77: tbf rate 10000000bit burst 65536b latency 50ms
        """,
    ),
    ("none for this container", network(o={"rate": "10mbit"}), endpoint(rate="0"), PAIR),
    ("nor one way", network(o={"rate_in": "10mbit", "rate_out": "10mbit"}), endpoint(rate="0"), PAIR),
    (
        "b_20: the container sends as itself, of both families, or not at all",
        network(FOUR, SIX, o={"spoof_check": "true"}),
        endpoint(),
        f"""
        nft add element bridge linkwright checked {{ lwhe0e1e2e3e4e5 }}
        nft add element bridge linkwright macs {{ lwhe0e1e2e3e4e5 . 02:42:0a:01:00:09 }}
        nft add element bridge linkwright senders4 {{ lwhe0e1e2e3e4e5 . 10.1.0.9 }}
        nft add element bridge linkwright senders6 {{ lwhe0e1e2e3e4e5 . fd00:1::9 }}
        {PAIR}
        """,
    ),
    (
        "b_22: in the bridge's own VLAN, untagged",
        VLAN_NETWORK,
        endpoint(),
        f"{PAIR}\nbridge vlan add dev lwhe0e1e2e3e4e5 vid 1 pvid untagged",
    ),
    (
        "b_22: in a VLAN of its own, untagged, and in that alone",
        VLAN_NETWORK,
        endpoint(vlan="100"),
        f"{PAIR}\nbridge vlan add dev lwhe0e1e2e3e4e5 vid 100 pvid untagged",
    ),
    (
        "b_22: a trunk sees the tags, and nothing without one",
        VLAN_NETWORK,
        endpoint(trunk="200-202,101"),
        f"""
        {PAIR}
        bridge vlan add dev lwhe0e1e2e3e4e5 vid 101
        bridge vlan add dev lwhe0e1e2e3e4e5 vid 200
        bridge vlan add dev lwhe0e1e2e3e4e5 vid 201
        bridge vlan add dev lwhe0e1e2e3e4e5 vid 202
        """,
    ),
    (
        "b_22: a trunk with a native VLAN",
        VLAN_NETWORK,
        endpoint(vlan="100", trunk="101"),
        f"""
        {PAIR}
        bridge vlan add dev lwhe0e1e2e3e4e5 vid 100 pvid untagged
        bridge vlan add dev lwhe0e1e2e3e4e5 vid 101
        """,
    ),
]


@pytest.mark.parametrize(("wanted", "of", "text"), [s[1:] for s in STORIES], ids=[s[0] for s in STORIES])
def test_endpoints(wanted: sdk.Network[Options], of: sdk.Endpoint, text: str, ask: Callable[..., Any]) -> None:
    """What is made for a container when its network is there."""
    assert lines(text) == ask(DRIVER, wanted, of).endpoint_text.splitlines()


def test_an_adopted_bridge_keeps_its_address_whoever_joins() -> None:
    """A bridge whose address nobody set takes the lowest of its ports', and fe is above all that is usual."""
    wanted = network(host=LAN, o={"name": "br0", "adopt": "true"})
    macs = []
    for id in ("a" * 64, "b" * 64, "b" * 64):  # noqa: A001 - the domain's word
        (pair,) = DRIVER.endpoint(wanted, evolve(ENDPOINT, id=id))
        assert isinstance(pair, sdk.Link)
        assert pair.mac is not None
        assert pair.mac.is_unicast
        macs.append(pair.mac)
    assert macs[0] != macs[1] == macs[2]
    assert {mac.octets[0] for mac in macs} == {0xFE}


REFUSED: list[tuple[sdk.Network[Options], sdk.Endpoint, str]] = [
    (
        network(),
        endpoint(vlan="7"),
        "vlan and trunk are for networks made with -o vlan_filtering=true, and this one was not",
    ),
    (network(), endpoint(trunk="7"), "vlan and trunk are for networks made with"),
    (
        network(o={"vlan_filtering": "1", "spoof_check": "1"}, host=VLANS),
        endpoint(trunk="7"),
        "spoof_check does not see what is behind a VLAN tag",
    ),
    (network(), endpoint(burst="64kb"), "burst is for a limit, and there is none; add rate, rate_in or rate_out"),
    (network(o={"rate": "1mbit"}), endpoint(rate="0", burst="64kb"), "burst is for a limit, and there is none"),
    (
        network(o={"rate": "1mbit", "burst": "1500"}),
        endpoint(),
        "a burst of 1500 bytes lets no frame of 1518 bytes pass; take more, or a smaller MTU",
    ),
    (
        network(),
        endpoint(rate="8kbit", burst="1mb"),
        "a burst of 1048576 bytes takes too long to earn at 8000 bit/s; take a smaller burst",
    ),
    (
        network(o={"spoof_check": "1"}),
        evolve(ENDPOINT, mac=None),
        "spoof_check needs to know the container's hardware address, and it has none",
    ),
]


@pytest.mark.parametrize(("wanted", "of", "text"), REFUSED)
def test_what_an_endpoint_cannot_have_is_refused(
    wanted: sdk.Network[Options], of: sdk.Endpoint, text: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """With what to do about it."""
    assert refusal(lambda: DRIVER.endpoint(wanted, of)).startswith(text)


@pytest.mark.parametrize(
    ("opts", "text"),
    [
        ({"rat": "1mbit"}, "driver bridge has no endpoint option 'rat'; did you mean 'rate'?"),
        ({"rate": "fast"}, "endpoint option rate='fast' of driver bridge: write a rate like 512kbit, 10mbit or 1gbit"),
        ({"vlan": "4095"}, "endpoint option vlan='4095' of driver bridge: write a whole number from 1 to 4094"),
        ({"trunk": "9-7"}, "endpoint option trunk='9-7' of driver bridge: 9-7 begins behind its end"),
        ({"trunk": "1-5,5"}, "endpoint option trunk='1-5,5' of driver bridge: VLAN 5 is in it twice"),
        ({"trunk": "1-"}, "endpoint option trunk='1-' of driver bridge: write a whole number from 1 to 4094"),
        (
            {"trunk": "5-9", "vlan": "7"},
            "endpoint options of driver bridge: VLAN 7 cannot be untagged (vlan) and tagged (trunk) at once",
        ),
        ({"ifname": "much-too-long-for-a-link"}, "endpoint option ifname='much-too-long-for-a-link' of driver bridge:"),
    ],
)
def test_p_22_endpoint_options_are_read_or_refused_by_name(
    opts: dict[str, str], text: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """A typing error is not a default."""
    assert refusal(lambda: DRIVER.endpoint(VLAN_NETWORK, endpoint(**opts))).startswith(text)


def test_dockers_own_labels_pass() -> None:
    """The engine understands them for every driver, and so does the core the interface's name."""
    known = endpoint(
        **{"com.docker.network.endpoint.sysctls": "x=1", "com.docker.network.endpoint.ifname": "foo0", "ifname": "foo0"}
    )
    assert DRIVER.endpoint(network(), known) == DRIVER.endpoint(network(), ENDPOINT)


@given(
    rate=st.integers(8_000, 10**12),
    mtu=st.sampled_from([68, 1500, 9000, 65535]),
    way=st.sampled_from(["rate", "rate_in", "rate_out"]),
)
def test_any_rate_has_a_burst_that_lets_any_frame_pass(rate: int, mtu: int, way: str) -> None:
    """Whatever a user may write: the linter finds nothing, so the kernel would not either."""
    wanted = network(o={way: str(rate), "mtu": str(mtu)})
    around = DRIVER.network(wanted).by_key()
    assert check(DRIVER.endpoint(wanted, ONLY4), around=around) == ()
