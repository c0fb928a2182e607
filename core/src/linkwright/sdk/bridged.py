"""What drivers that stand on a bridge have in common: the pair, the gateways, the way to the outside. Pure.

What may live here: wishes that two drivers of this kind would write alike. The names of the firewall's sets are facts
of the fixed table (``kernel.ruleset``), so they are written here once and not in each driver.
"""

from typing import Any

from linkwright.model import Address, Endpoint, Network
from linkwright.plan import BridgePort, Element, Hold, Link, Resource, Sysctl, Veth
from linkwright.sdk.names import link_name

#: What has to be on where a network leads to the outside. Who switches it on is the operator's decision.
_FORWARDING = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}


def sandbox_end(endpoint: Endpoint) -> str:
    """Return the name of the container's end of the pair: what ``Join`` hands over."""
    return link_name("c", endpoint.id)


def veth(endpoint: Endpoint, *, bridge: str, mtu: int, port: BridgePort | None = None) -> Link:
    """Return the wish for a pair: the host's end a port of *bridge*, the other for the sandbox."""
    pair = Veth(peer=sandbox_end(endpoint), peer_mac=endpoint.mac)
    return Link(link_name("h", endpoint.id), pair, mtu=mtu, master=bridge, port=port)


def gateways(network: Network[Any], endpoint: Endpoint) -> tuple[Address, ...]:
    """Return the gateways of *endpoint*, at most one a family; none where the network leads nowhere (--internal).

    An auxiliary address named ``DefaultGatewayIPv4`` or ``DefaultGatewayIPv6`` stands before the subnet's gateway, as
    Docker's own bridge has it.
    """
    found: list[Address] = []
    for address in () if network.internal else endpoint.addresses:
        subnet = network.subnet_for(address)
        named = subnet.auxiliary.get(f"DefaultGatewayIPv{subnet.version}") if subnet else None
        if named is not None:
            found.append(named)
        elif subnet is not None and subnet.gateway is not None:
            found.append(subnet.gateway.ip)
    return tuple(found)


def bridge_rules(
    network: Network[Any], bridge: str, *, outward: bool, siblings: bool = True, masquerade: bool = True
) -> tuple[Resource, ...]:
    """Return what the firewall and the kernel's settings have to know of *bridge*.

    *outward* lets its containers reach the outside, with the host's address if *masquerade*; *siblings* lets them reach
    each other.
    """
    versions = sorted({subnet.version for subnet in network.subnets})
    rules: list[Resource] = [Element("bridges", (bridge,))]
    if siblings:
        rules.append(Element("siblings", (bridge, bridge)))
    if outward:
        rules.append(Element("outward", (bridge,)))
        rules += [Element(f"masquerade{version}", (bridge,)) for version in versions if masquerade]
        rules += [Sysctl(_FORWARDING[version], "1", hold=Hold.BORROW) for version in versions]
    if "ipv6" in network.host.features:
        # A container must not tell the host its routes: router advertisements are for hosts' uplinks (RFC 4861).
        rules.append(Sysctl(f"net/ipv6/conf/{bridge}/accept_ra", "0", before_up=bridge))
    if 6 in versions:  # noqa: PLR2004
        rules.append(Sysctl(f"net/ipv6/conf/{bridge}/disable_ipv6", "0", before_up=bridge))
    return tuple(rules)
