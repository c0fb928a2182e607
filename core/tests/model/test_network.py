"""Networks and endpoints as values: which subnet an address lies in, and what was known of the host."""

from ipaddress import ip_interface, ip_network

import pytest

from linkwright.model import Endpoint, HostFacts, LinkFact, Mac, Network, PortBinding, Protocol, Sandbox, Subnet

FIRST, SECOND = Subnet(ip_network("10.1.0.0/24")), Subnet(ip_network("10.2.0.0/24"))
SIXTH = Subnet(ip_network("fd00:1::/64"))
NETWORK: Network[None] = Network(id="n", driver="bridge", options=None, subnets=(FIRST, SIXTH, SECOND))


@pytest.mark.parametrize(
    ("address", "subnet"),
    [
        ("10.1.0.9/24", FIRST),
        ("10.2.0.9/24", SECOND),
        ("fd00:1::9/64", SIXTH),
        ("10.3.0.9/24", None),
        ("fd00:2::1/64", None),
    ],
)
def test_an_address_lies_in_the_subnet_that_holds_it(address: str, subnet: Subnet | None) -> None:
    """With several subnets of a family the endpoint's own decides its gateway."""
    assert subnet == NETWORK.subnet_for(ip_interface(address))


def test_no_address_lies_in_no_subnet() -> None:
    """An endpoint of one family has nothing in the other."""
    assert NETWORK.subnet_for(None) is None


def test_subnets_keep_the_order_the_user_gave_them() -> None:
    """The first of a family is the one that --subnet named first."""
    assert NETWORK.subnets_of(4) == (FIRST, SECOND)
    assert NETWORK.subnets_of(6) == (SIXTH,)


def test_other_options_leave_the_rest_of_a_network_alone() -> None:
    """The one way from stored text to a driver's class changes nothing else."""
    typed = NETWORK.with_options({"mtu": "1400"})
    assert typed.options == {"mtu": "1400"}
    assert typed.with_options(None) == NETWORK


def test_a_link_is_known_by_name_or_not_at_all() -> None:
    """A driver asks for the links it looks at; what the host lacked is None, not a guess."""
    facts = HostFacts(links=(LinkFact("eth0", mtu=9000),))
    assert facts.link("eth0") == LinkFact("eth0", mtu=9000)
    assert facts.link("eth1") is None


def test_an_endpoints_addresses_are_those_it_has_ipv4_first() -> None:
    """The order is the same in marks, gateways and messages."""
    four, six = ip_interface("10.1.0.9/24"), ip_interface("fd00:1::9/64")
    assert (four, six) == Endpoint(id="e", network="n", ipv6=six, ipv4=four).addresses  # type: ignore[arg-type]
    assert Endpoint(id="e", network="n").addresses == ()


def test_values_can_be_told_apart_and_kept_in_sets() -> None:
    """Values compare by what they hold; Docker saying the same again is recognised by that."""
    one = Endpoint(id="e", network="n", mac=Mac.derive("e"), sandbox=Sandbox("/run/docker/netns/1", "boot"))
    assert one == Endpoint(id="e", network="n", mac=Mac.derive("e"), sandbox=Sandbox("/run/docker/netns/1", "boot"))
    assert len({LinkFact("a"), LinkFact("a"), LinkFact("b")}) == 2


@pytest.mark.parametrize(
    ("binding", "text"),
    [
        (PortBinding(Protocol.TCP, 80), "80/tcp"),
        (PortBinding(Protocol.TCP, 80, ip_interface("127.0.0.1").ip), "127.0.0.1::80/tcp"),
        (PortBinding(Protocol.TCP, 80, ip_interface("::1").ip, 8080, 8080), "[::1]:8080:80/tcp"),
        (PortBinding(Protocol.UDP, 53, host_port=5353), "5353:53/udp"),
        (PortBinding(Protocol.SCTP, 9, host_port=8000, host_port_end=8010), "8000-8010:9/sctp"),
        (PortBinding(Protocol.TCP, 80, ip_interface("127.0.0.1").ip, 8080, 8080), "127.0.0.1:8080:80/tcp"),
    ],
)
def test_a_published_port_reads_as_it_is_typed(binding: PortBinding, text: str) -> None:
    """Messages name a port as ``docker run -p`` does."""
    assert text == str(binding)


@pytest.mark.parametrize("port", [0, 65536, -1])
def test_a_port_that_does_not_exist_cannot_be_published(port: int) -> None:
    """Valid from birth."""
    with pytest.raises(ValueError, match="port"):
        PortBinding(Protocol.TCP, port)
