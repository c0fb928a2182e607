"""What the battery cannot know: what is special about this driver."""

from ipaddress import ip_interface, ip_network

import pytest
from linkwright_ptp import Options, PointToPoint

from linkwright import sdk
from linkwright.testkit.asked import ask

SUBNET = sdk.Subnet(ip_network("10.1.0.0/24"), ip_interface("10.1.0.1/24"))
HOST = sdk.HostFacts(uplink=sdk.LinkFact("eth0", mtu=9000))
ENDPOINT = sdk.Endpoint("e0e1e2e3e4e5" + "0" * 52, "a" * 64, ipv4=ip_interface("10.1.0.9/24"))


def network(**options: str) -> sdk.Network[Options]:
    """A network on a host with jumbo frames."""
    return sdk.Network("a" * 64, "ptp", sdk.read(Options, options, driver="ptp"), (SUBNET,), host=HOST)


def test_a_container_is_a_wire_and_a_route() -> None:
    """As a person would type it, and in the README."""
    assert ask(PointToPoint(), network(), ENDPOINT).endpoint_text.splitlines() == [
        "nft add element inet linkwright bridges { lwhe0e1e2e3e4e5 }",
        "nft add element inet linkwright outward { lwhe0e1e2e3e4e5 }",
        "nft add element inet linkwright masquerade4 { lwhe0e1e2e3e4e5 }",
        "nft add element inet linkwright unprotected4 { lwhe0e1e2e3e4e5 }",
        "ip link add lwhe0e1e2e3e4e5 mtu 9000 up type veth peer name lwce0e1e2e3e4e5 mtu 9000",
        "sysctl -w net.ipv4.conf.lwhe0e1e2e3e4e5.proxy_arp=1",
        "ip addr add 10.1.0.1/32 dev lwhe0e1e2e3e4e5",
        "ip route add 10.1.0.9/32 dev lwhe0e1e2e3e4e5 src 10.1.0.1",
    ]


def test_shut_there_is_a_way_out_and_none_in() -> None:
    """Neither the element nor the answer to ARP."""
    shut = ask(PointToPoint(), network(open="false"), ENDPOINT).endpoint_text
    assert "masquerade4" in shut
    assert "unprotected4" not in shut
    assert "proxy_arp" not in shut


@pytest.mark.parametrize(("change", "advice"), [("internal", "leave out --internal"), ("ipv6", "leave out --ipv6")])
def test_what_it_cannot_do_it_refuses_with_a_way_out(change: str, advice: str) -> None:
    """Before anything is made."""
    wanted = sdk.Network("a" * 64, "ptp", Options(), (SUBNET,), **{change: True})
    with pytest.raises(sdk.Refused, match=advice):
        PointToPoint().network(wanted)
