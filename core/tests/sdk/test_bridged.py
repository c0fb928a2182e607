"""What drivers that stand on a bridge share: the pair, the gateways, what the firewall has to know."""

from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest
from attrs import evolve

from linkwright import sdk
from linkwright.plan import Resource, Wishes, check, diff, render_all

FOUR = sdk.Subnet(ip_network("10.1.0.0/24"), ip_interface("10.1.0.1/24"))
SECOND = sdk.Subnet(ip_network("10.2.0.0/24"), ip_interface("10.2.0.1/24"))
SIX = sdk.Subnet(ip_network("fd00:1::/64"), ip_interface("fd00:1::1/64"))
NETWORK: sdk.Network[Any] = sdk.Network(id="n" * 64, driver="toy", options=None, subnets=(FOUR, SIX))
ENDPOINT = sdk.Endpoint(
    id="0123456789abcdef" * 4,
    network="n" * 64,
    ipv4=ip_interface("10.1.0.9/24"),  # type: ignore[arg-type]
    ipv6=ip_interface("fd00:1::9/64"),  # type: ignore[arg-type]
    mac=sdk.Mac.parse("02:00:00:00:00:09"),
)


def made(*resources: Resource) -> str:
    """Return what making *resources* looks like."""
    return render_all(diff({}, Wishes(resources).by_key()).steps)


def test_a_pair_has_one_end_on_the_bridge_and_one_for_the_sandbox() -> None:
    """Both ends have the MTU, and the container's the hardware address that Docker was told."""
    pair = sdk.veth(ENDPOINT, bridge="lwb1", mtu=1400, port=sdk.BridgePort(isolated=True))
    assert made(pair) == (
        "ip link add lwh0123456789ab mtu 1400 master lwb1 up "
        "type veth peer name lwc0123456789ab mtu 1400 address 02:00:00:00:00:09\n"
        "bridge link set dev lwh0123456789ab isolated on\n"
    )
    assert sdk.sandbox_end(ENDPOINT) == "lwc0123456789ab"


PAIR = sdk.veth(ENDPOINT, bridge="lwb1", mtu=1500)


def test_a_limit_to_the_container_is_on_the_hosts_end_and_one_from_it_on_an_ifb() -> None:
    """The kernel queues what leaves a link, so what comes in is led to one that it leaves first."""
    assert made(*sdk.rate_limits(ENDPOINT, PAIR, inward=8_000_000, outward=2_000_000, burst=100_000)) == (
        "ip link add lwi0123456789ab mtu 1500 up type ifb\n"
        "tc qdisc replace dev lwh0123456789ab root handle 6c77: tbf rate 8000000bit burst 100000b latency 50ms\n"
        "tc qdisc replace dev lwi0123456789ab root handle 6c77: tbf rate 2000000bit burst 100000b latency 50ms\n"
        "tc qdisc replace dev lwh0123456789ab ingress\n"
        "tc filter add dev lwh0123456789ab parent ffff: pref 27767 protocol all "
        "u32 match u32 0 0 action mirred egress redirect dev lwi0123456789ab\n"
    )


@pytest.mark.parametrize("none", [None, 0])
def test_no_limit_is_nothing_at_all(none: int | None) -> None:
    """Not even a queue that would let everything pass."""
    assert sdk.rate_limits(ENDPOINT, PAIR, inward=none, outward=none) == ()
    assert [type(wish).__name__ for wish in sdk.rate_limits(ENDPOINT, PAIR, inward=10**6, outward=none)] == ["Shaper"]


@pytest.mark.parametrize(
    ("rate", "burst"),
    [
        (8_000, 69_632),  # a packet of 64 KiB and its headers, in one piece
        (10**9, 1_250_000),  # 10 ms
    ],
)
def test_a_burst_suits_its_rate(rate: int, burst: int) -> None:
    """Nobody has to know what a token bucket is."""
    (shaper,) = sdk.rate_limits(ENDPOINT, PAIR, inward=rate, outward=None)
    assert isinstance(shaper, sdk.Shaper)
    assert shaper.burst == burst


@pytest.mark.parametrize(
    ("rate", "burst", "text"),
    [
        (10**6, 1517, "a burst of 1517 bytes lets no frame of 1518 bytes pass; take more, or a smaller MTU"),
        (8_000, 10**6, "a burst of 1000000 bytes takes too long to earn at 8000 bit/s; take a smaller burst"),
    ],
)
def test_a_burst_that_does_not_suit_its_rate_is_refused(rate: int, burst: int, text: str) -> None:
    """The kernel would drop every packet, or say EINVAL and no more."""
    with pytest.raises(sdk.Refused) as refused:
        sdk.rate_limits(ENDPOINT, PAIR, inward=None, outward=rate, burst=burst)
    assert str(refused.value) == text


GATEWAYS = [
    ("one of each family", NETWORK, ["10.1.0.1", "fd00:1::1"]),
    ("the endpoint's own subnet decides", evolve(NETWORK, subnets=(SECOND, FOUR, SIX)), ["10.1.0.1", "fd00:1::1"]),
    (
        "an auxiliary address named for it comes first",
        evolve(
            NETWORK,
            subnets=(
                evolve(
                    FOUR,
                    auxiliary={
                        "DefaultGatewayIPv4": ip_address("10.1.0.254"),
                        "DefaultGatewayIPv6": ip_address("10.1.0.253"),
                    },
                ),
                SIX,
            ),
        ),
        ["10.1.0.254", "fd00:1::1"],
    ),
    (
        "other auxiliary addresses are only kept free",
        evolve(NETWORK, subnets=(evolve(FOUR, auxiliary={"printer": ip_address("10.1.0.7")}),)),
        ["10.1.0.1"],
    ),
    ("a subnet without one", evolve(NETWORK, subnets=(evolve(FOUR, gateway=None), SIX)), ["fd00:1::1"]),
    ("an internal network leads nowhere", evolve(NETWORK, internal=True), []),
    ("an address outside every subnet", evolve(NETWORK, subnets=()), []),
]


@pytest.mark.parametrize(("network", "texts"), [case[1:] for case in GATEWAYS], ids=[case[0] for case in GATEWAYS])
def test_gateways(network: sdk.Network[Any], texts: list[str]) -> None:
    """At most one a family, IPv4 first."""
    assert texts == [str(gateway) for gateway in sdk.gateways(network, ENDPOINT)]


def test_p_14_an_internal_network_has_no_gateway() -> None:
    """The engine does not take it away, so it must not be named."""
    assert sdk.gateways(evolve(NETWORK, internal=True), ENDPOINT) == ()


RULES: list[tuple[str, dict[str, Any], sdk.Network[Any], list[str]]] = [
    ("closed", {"outward": False, "siblings": False}, NETWORK, ["bridges lwb1"]),
    ("among themselves", {"outward": False}, NETWORK, ["bridges lwb1", "siblings lwb1 lwb1"]),
    (
        "outward with the host's address",
        {"outward": True, "siblings": False},
        NETWORK,
        ["bridges lwb1", "outward lwb1", "masquerade4 lwb1", "masquerade6 lwb1"],
    ),
    (
        "outward with their own",
        {"outward": True, "siblings": False, "masquerade": ()},
        NETWORK,
        ["bridges lwb1", "outward lwb1"],
    ),
    (
        "outward with the host's address by IPv6 alone",
        {"outward": True, "siblings": False, "masquerade": [6]},
        NETWORK,
        ["bridges lwb1", "outward lwb1", "masquerade6 lwb1"],
    ),
    (
        "one family",
        {"outward": True},
        evolve(NETWORK, subnets=(FOUR, SECOND)),
        ["bridges lwb1", "siblings lwb1 lwb1", "outward lwb1", "masquerade4 lwb1"],
    ),
]


@pytest.mark.parametrize(
    ("flags", "network", "elements"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES]
)
def test_what_the_firewall_is_told(flags: dict[str, Any], network: sdk.Network[Any], elements: list[str]) -> None:
    """Every bridge is known; what it may do is said by membership, not by rules."""
    rules = sdk.bridge_rules(network, "lwb1", **flags)
    assert elements == [" ".join((rule.set, *rule.parts)) for rule in rules if isinstance(rule, sdk.Element)]


def test_routing_is_required_where_a_network_leads_outside_and_not_switched_on() -> None:
    """A host that forwards is a router: the operator's decision, so the setting is borrowed."""
    settings = [rule for rule in sdk.bridge_rules(NETWORK, "lwb1", outward=True) if isinstance(rule, sdk.Sysctl)]
    assert [(rule.path, rule.value) for rule in settings if rule.hold is sdk.Hold.BORROW] == [
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv6/conf/all/forwarding", "1"),
    ]
    assert not any(
        getattr(r, "hold", None) is sdk.Hold.BORROW for r in sdk.bridge_rules(NETWORK, "lwb1", outward=False)
    )


@pytest.mark.parametrize(
    ("features", "subnets", "names"),
    [
        (frozenset({"ipv6"}), (FOUR, SIX), ["accept_ra", "disable_ipv6"]),
        (frozenset({"ipv6"}), (FOUR,), ["accept_ra"]),
        (frozenset[str](), (FOUR,), []),  # without IPv6 the kernel has no such file
    ],
)
def test_a_bridge_listens_to_no_router_before_it_is_up(
    features: frozenset[str], subnets: tuple[sdk.Subnet, ...], names: list[str]
) -> None:
    """A container could tell the host its routes otherwise, from the first moment on."""
    network = evolve(NETWORK, host=sdk.HostFacts(features=features), subnets=subnets)
    rules = [rule for rule in sdk.bridge_rules(network, "lwb1", outward=False) if isinstance(rule, sdk.Sysctl)]
    assert names == [rule.path.rpartition("/")[2] for rule in rules]
    assert all(rule.value == "0" and rule.before_up == "lwb1" for rule in rules)


def test_what_is_shared_passes_the_linter() -> None:
    """With the bridge around it."""
    network = evolve(NETWORK, host=sdk.HostFacts(features=frozenset({"ipv6"})))
    wishes = [sdk.veth(ENDPOINT, bridge="lwb1", mtu=1500), *sdk.bridge_rules(network, "lwb1", outward=True)]
    assert check(wishes, around=[("link", "lwb1")]) == ()
