"""What drivers that stand on a bridge have in common: the pair, its limits, the gateways, the way to the outside. Pure.

What may live here: wishes that two drivers of this kind would write alike. The names of the firewall's sets are facts
of the fixed table (``kernel.ruleset``), so they are written here once and not in each driver.
"""

from collections.abc import Container
from typing import Any

from linkwright.errors import Refused
from linkwright.model import Address, Endpoint, Network
from linkwright.plan import BridgePort, Element, Hold, Ifb, Link, Redirect, Shaper, Sysctl, Veth
from linkwright.sdk.names import link_name

#: What a frame has beside its payload: two hardware addresses, a type, one tag (IEEE 802.3, 802.1Q).
_FRAME = 14 + 4

#: A burst in bytes that suits a rate: the largest packet that the kernel hands over in one piece (64 KiB, GSO) and its
#: headers, so that it need not cut it; and 10 ms of the rate, the coarsest tick of a kernel (CONFIG_HZ=100).
_LEAST_BURST, _BURSTS_PER_SECOND = 68 * 1024, 100

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
    network: Network[Any],
    bridge: str,
    *,
    outward: bool,
    siblings: bool = True,
    masquerade: Container[int] = (4, 6),
) -> tuple[Element | Sysctl, ...]:
    """Return what the firewall and the kernel's settings have to know of *bridge*.

    *outward* lets its containers reach the outside, with the host's address in the families of *masquerade*; *siblings*
    lets them reach each other.
    """
    versions = sorted({subnet.version for subnet in network.subnets})
    rules: list[Element | Sysctl] = [Element("bridges", (bridge,))]
    if siblings:
        rules.append(Element("siblings", (bridge, bridge)))
    if outward:
        rules.append(Element("outward", (bridge,)))
        rules += [Element(f"masquerade{version}", (bridge,)) for version in versions if version in masquerade]
        rules += [Sysctl(_FORWARDING[version], "1", hold=Hold.BORROW) for version in versions]
    if "ipv6" in network.host.features:
        # A container must not tell the host its routes: router advertisements are for hosts' uplinks (RFC 4861).
        rules.append(Sysctl(f"net/ipv6/conf/{bridge}/accept_ra", "0", before_up=bridge))
    if 6 in versions:  # noqa: PLR2004
        rules.append(Sysctl(f"net/ipv6/conf/{bridge}/disable_ipv6", "0", before_up=bridge))
    return tuple(rules)


def rate_limits(
    endpoint: Endpoint, host_end: Link, *, inward: int | None, outward: int | None, burst: int | None = None
) -> tuple[Link | Shaper | Redirect, ...]:
    """Return what limits an endpoint to *inward* bits per second to the container and *outward* from it; 0 is none.

    *host_end* is its ``veth``. *burst* bytes may pass at once; without it, what suits the rate. Refused if it does not.
    The kernel queues what leaves a link: what the container sends leaves by a link of its own (ifb) first.
    """
    ifb = link_name("i", endpoint.id)
    wishes: list[Link | Shaper | Redirect] = []
    if inward:
        wishes.append(_shaper(host_end.name, inward, burst, host_end.mtu))
    if outward:
        wishes.append(Link(ifb, Ifb(), mtu=host_end.mtu))
        wishes += [_shaper(ifb, outward, burst, host_end.mtu), Redirect(host_end.name, ifb)]
    return tuple(wishes)


def _shaper(link: str, rate: int, burst: int | None, mtu: int | None) -> Shaper:
    least = (mtu or 0) + _FRAME
    if burst is not None and burst < least:
        raise Refused(f"a burst of {burst} bytes lets no frame of {least} bytes pass; take more, or a smaller MTU")
    try:
        return Shaper(link, rate, burst or max(_LEAST_BURST, least, rate // 8 // _BURSTS_PER_SECOND))
    except ValueError as error:
        raise Refused(f"{error}; take a smaller burst") from None
