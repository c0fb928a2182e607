"""Which networks the bridge driver refuses, alone and beside others, and what it says."""

from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from attrs import evolve
from plugins.bridge.tests.asked import DRIVER, FOUR, HOST, SIX, network

from linkwright import sdk
from linkwright_bridge import Options

BRIDGE = sdk.LinkFact("br0", "bridge", mtu=1500)


def lan(link: sdk.LinkFact | None, **o: str) -> sdk.Network[Options]:
    """Return a network that adopts br0, where that is *link*."""
    host = evolve(HOST, links=(link,) if link else ())
    return network(host=host, o={"name": "br0", "adopt": "true", **o})


REFUSED: list[tuple[str, sdk.Network[Options], str]] = [
    ("no subnet", evolve(network(), subnets=()), "a bridge network needs addresses, and the null IPAM gives none"),
    (
        "the null IPAM",
        network(sdk.Subnet(ip_network("0.0.0.0/0"))),
        (
            "a bridge network needs addresses, and the null IPAM gives none; leave out --ipam-driver null, or use "
            "--ipam-driver lw-ipam"
        ),
    ),
    (
        "a name of somebody else's",
        network(o={"name": "br0"}),
        (
            "'br0' cannot be the name of a bridge that linkwright makes: those begin with lw, so that it can be seen "
            "whose they are; to take a bridge that is there already add -o adopt=true"
        ),
    ),
    ("nothing to adopt", lan(None), "there is no link 'br0' on this host to adopt; see `ip link show type bridge`"),
    (
        "no bridge to adopt",
        lan(sdk.LinkFact("br0", "vlan")),
        "br0 cannot be adopted: it is vlan and no bridge",
    ),
    ("hardware", lan(sdk.LinkFact("br0")), "br0 cannot be adopted: it is hardware and no bridge"),
    (
        "one of ours",
        lan(evolve(BRIDGE, ours=True)),
        "br0 cannot be adopted: it is linkwright's own, and goes when its network goes",
    ),
    ("one that is called like ours", lan(BRIDGE, name="lw0"), "lw0 cannot be adopted: it is linkwright's own"),
    (
        "another MTU than it has",
        lan(BRIDGE, mtu="1400"),
        "MTU 1400 is not the 1500 of br0, and an adopted bridge is left as it is; leave mtu out, or set the bridge's",
    ),
    (
        "isolated, and a way out",
        network(o={"gateway_mode_ipv6": "isolated"}),
        "gateway_mode_ipv6=isolated is for networks that lead nowhere; add --internal, or take another mode",
    ),
    (
        "a gateway that cannot be reached",
        network(evolve(FOUR, auxiliary={"DefaultGatewayIPv4": ip_address("10.9.0.1")})),
        "--aux-address DefaultGatewayIPv4=10.9.0.1 is no address of 10.1.0.0/24, so containers could not reach it",
    ),
    (
        "IPv6 by an option that the engine does not understand",
        network(FOUR, o={"enable_ipv6": "true"}),
        (
            "com.docker.network.enable_ipv6 is true, and Docker gives this network no IPv6 subnet: engines before 28 "
            "do not understand it; use --ipv6"
        ),
    ),
    (
        "no IPv4 likewise",
        network(FOUR, SIX, o={"enable_ipv4": "0"}),
        (
            "com.docker.network.enable_ipv4 is false, and Docker gives this network an IPv4 subnet: engines before 28 "
            "do not understand it; use --ipv4=false"
        ),
    ),
    (
        "VLANs on a kernel without",
        network(o={"vlan_filtering": "1"}),
        "vlan_filtering needs a kernel that keeps VLANs apart on bridges (CONFIG_BRIDGE_VLAN_FILTERING)",
    ),
]


@pytest.mark.parametrize(("wanted", "text"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_cannot_be_had_is_refused(
    wanted: sdk.Network[Options], text: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """With what to do about it; when Docker asks, and when it is asked for again after a restart."""
    assert refusal(lambda: DRIVER.network(wanted)).startswith(text)
    assert refusal(lambda: DRIVER.admit(wanted, (), wanted.host)) == refusal(lambda: DRIVER.network(wanted))


@pytest.mark.parametrize(
    "wanted",
    [
        lan(BRIDGE),
        lan(BRIDGE, mtu="1500"),
        network(internal=True, o={"gateway_mode_ipv6": "isolated"}),
        network(SIX, o={"enable_ipv4": "false", "enable_ipv6": "true"}),
        network(evolve(FOUR, auxiliary={"printer": ip_address("10.9.0.1")})),
        network(o={"default_bridge": "false"}),
    ],
)
def test_what_can_be_had_is_not_refused(wanted: sdk.Network[Options]) -> None:
    """The other side of each line."""
    DRIVER.admit(wanted, (), wanted.host)


# --- beside others -----------------------------------------------------------------------------------------------


def other(*pools: str, id: str = "c" * 64, **o: str) -> sdk.Network[Options]:  # noqa: A002 - the domain's word
    """Return another network of *pools*."""
    subnets = [
        sdk.Subnet(ip_network(pool), ip_interface(f"{ip_network(pool)[1]}/{pool.split('/')[1]}")) for pool in pools
    ]
    internal = "isolated" in o.values()
    return evolve(network(*subnets, internal=internal, o=o), id=id)


IN_THE_WAY: list[tuple[str, sdk.Network[Options], sdk.Network[Options], str]] = [
    (
        "the same subnet",
        network(FOUR, SIX),
        other("10.1.0.0/24"),
        "networks have overlapping IPv4, 10.1.0.0/24 and 10.1.0.0/24; take another --subnet",
    ),
    (
        "a part of it",
        network(FOUR, SIX),
        other("10.9.0.0/24", "fd00::/16"),
        "networks have overlapping IPv6, fd00:1::/64 and fd00::/16; take another --subnet",
    ),
    (
        "one bridge for two",
        network(o={"name": "lw0"}),
        other("10.9.0.0/24", name="lw0"),
        "networks have same bridge name; name another by com.docker.network.bridge.name",
    ),
]


@pytest.mark.parametrize(("wanted", "theirs", "text"), [w[1:] for w in IN_THE_WAY], ids=[w[0] for w in IN_THE_WAY])
def test_one_that_is_in_the_way_is_named(
    wanted: sdk.Network[Options],
    theirs: sdk.Network[Options],
    text: str,
    refusal: Callable[[Callable[[], object]], str],
) -> None:
    """As Docker's own bridge does: by both networks' ids and bridges."""
    said = refusal(lambda: DRIVER.admit(wanted, (other("10.8.0.0/24", id="d" * 64), theirs), HOST))
    bridges = [one.options.bridge_name or f"lwb{one.id[:12]}" for one in (wanted, theirs)]
    assert said == (
        f"cannot create network b0b1b2b3b4b5 ({bridges[0]}): conflicts with network cccccccccccc ({bridges[1]}): {text}"
    )


def test_it_is_a_conflict_and_not_a_mistake() -> None:
    """What was asked for is right by itself: it could be had if the other one were not there."""
    with pytest.raises(sdk.Conflict):
        DRIVER.admit(network(), (other("10.1.0.0/24"),), HOST)


@pytest.mark.parametrize(
    "theirs",
    [
        network(),  # itself, told again
        other("10.2.0.0/24", "fd00:2::/64"),
        other("10.1.0.0/24", gateway_mode_ipv4="isolated"),  # the host has no way there
    ],
)
def test_who_is_not_in_the_way_is_no_reason(theirs: sdk.Network[Options]) -> None:
    """Nothing is refused for the sake of others that it has nothing to do with."""
    DRIVER.admit(network(FOUR, SIX), (theirs,), HOST)
