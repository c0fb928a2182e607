"""A container's own address from elsewhere: who reaches it without a published port, in each gateway mode."""

import pytest
from core.tests.kernel.laboratory import Laboratory, address, creates, deletes

from linkwright.kernel.nftables.firewall import Firewall
from linkwright.plan.resources import Element

pytestmark = pytest.mark.netns

BOTH = pytest.mark.parametrize("version", [4, 6])
EACH = pytest.mark.parametrize("protocol", ["udp", "tcp", "sctp", "echo"])

#: From elsewhere to a container of lw0: another machine, and another network of ours.
FROM = ("outside", "other")


def routed(version: int, *opened: str) -> list[Element]:
    """What mode routed makes of lw0, with port 80 of container a open for the protocols *opened*."""
    ports = (Element(f"open{version}", (address("a", version), protocol, "80")) for protocol in opened)
    return [Element(f"routed{version}", ("lw0",)), *ports]


@EACH
@BOTH
async def test_nobody_reaches_a_container_of_a_nat_network_directly(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str
) -> None:
    """Rows 4 to 6 and 9: not its published port either, which is published at the host's addresses only."""
    if protocol != "echo":
        port = Element(f"wildcard{version}", (protocol, "8080"), (address("a", version), "80"))
        await firewall.apply(creates(port))
    for sender in FROM:
        assert laboratory.is_dropped(sender, "a", version, protocol=protocol, port=80)


@EACH
@BOTH
async def test_everybody_reaches_an_unprotected_network(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str
) -> None:
    """Rows 4 to 6 and 9 of mode nat-unprotected: every port, in this family; not from Docker's bridge."""
    await firewall.apply(creates(Element(f"unprotected{version}", ("lw0",))))
    for sender in FROM:
        seen = laboratory.arrives(sender, "a", version, protocol=protocol, port=81)
        assert seen == address("a" if protocol == "echo" else sender, version)
        assert laboratory.is_dropped(sender, "a", 10 - version, protocol=protocol, port=81)
    assert laboratory.is_dropped("docker", "a", version, protocol=protocol, port=81)
    assert laboratory.is_dropped("outside", "other", version, protocol=protocol, port=81)


@pytest.mark.parametrize("protocol", ["udp", "tcp", "sctp"])
@BOTH
async def test_a_routed_network_is_reached_at_its_open_ports(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str
) -> None:
    """Rows 4, 5 and 9 of mode routed: the published port of that container and protocol, and no other."""
    await firewall.apply(creates(*routed(version, protocol)))
    await firewall.apply(deletes(Element(f"masquerade{version}", ("lw0",))))
    for sender in FROM:
        assert laboratory.arrives(sender, "a", version, protocol=protocol, port=80) == address(sender, version)
        assert laboratory.is_dropped(sender, "a", version, protocol=protocol, port=81)
        assert laboratory.is_dropped(sender, "b", version, protocol=protocol, port=80)
        for another in {"udp", "tcp", "sctp"} - {protocol}:
            assert laboratory.is_dropped(sender, "a", version, protocol=another, port=80)
    assert laboratory.is_dropped("docker", "a", version, protocol=protocol, port=80)
    assert laboratory.is_dropped("internal", "a", version, protocol=protocol, port=80)
    assert laboratory.arrives("a", "outside", version, protocol=protocol) == address("a", version)


@BOTH
async def test_a_routed_network_answers_to_echo_requests(
    laboratory: Laboratory, firewall: Firewall, version: int
) -> None:
    """Rows 6 and 9 of mode routed: it can be pinged, in this family, and by nobody who is kept away otherwise."""
    await firewall.apply(creates(*routed(version)))
    for sender in FROM:
        assert laboratory.arrives(sender, "a", version, protocol="echo") == address("a", version)
        assert laboratory.is_dropped(sender, "a", 10 - version, protocol="echo")
        assert laboratory.is_dropped(sender, "a", version, protocol="udp")
    assert laboratory.is_dropped("docker", "a", version, protocol="echo")
    assert laboratory.is_dropped("internal", "a", version, protocol="echo")
    assert laboratory.is_dropped("outside", "other", version, protocol="echo")


@EACH
@BOTH
async def test_who_is_on_a_trusted_link_reaches_containers(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str
) -> None:
    """A pair of link and bridge: everybody on that link, that bridge's containers only, every port."""
    await firewall.apply(creates(Element("trusted", ("up0", "lw0"))))
    seen = laboratory.arrives("outside", "a", version, protocol=protocol, port=81)
    assert seen == address("a" if protocol == "echo" else "outside", version)
    for pair in (("beyond", "a"), ("outside", "other"), ("other", "a")):
        assert laboratory.is_dropped(*pair, version, protocol=protocol, port=81)
