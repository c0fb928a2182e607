"""The driver: pure functions from what Docker asked for to what the host must have.

The host has a route to each container and answers ARP for everybody else (proxy_arp of ip-sysctl.rst), so that a
container which takes its siblings for neighbours on one wire reaches them all the same: by way of the host.
"""

from ipaddress import ip_interface, ip_network
from typing import ClassVar

from linkwright import sdk
from linkwright_ptp.options import Options


class PointToPoint(sdk.Driver[Options]):
    """Networks without a bridge: nothing is shared but the subnet."""

    name: ClassVar[str] = "ptp"
    options: ClassVar[type[Options]] = Options

    def network(self, network: sdk.Network[Options]) -> sdk.Wishes:
        """Only that the host forwards: everything else is an endpoint's."""
        if network.internal:
            raise sdk.Refused("a ptp network leads outside, that is all it does; leave out --internal")
        if network.ipv6:
            raise sdk.Refused("a ptp network is IPv4 only: nobody would answer neighbour discovery; leave out --ipv6")
        return sdk.Wishes.of(sdk.Sysctl("net/ipv4/ip_forward", "1", hold=sdk.Hold.BORROW))

    def endpoint(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """A pair that is on no bridge, the gateway's address at its end, and the way to the container."""
        if endpoint.ipv4 is None:
            raise sdk.Refused("a ptp network gives each container an IPv4 address; choose an IPAM driver that has some")
        wire, subnet = _wire(endpoint), network.subnet_for(endpoint.ipv4)
        gateway = subnet.gateway.ip if subnet is not None and subnet.gateway is not None else None
        return sdk.Wishes(
            (
                sdk.Link(wire, sdk.Veth(sdk.sandbox_end(endpoint), endpoint.mac), mtu=_mtu(network)),
                sdk.Address(wire, ip_interface(gateway)) if gateway is not None else None,
                sdk.Route(ip_network(endpoint.ipv4.ip), link=wire, source=gateway),
                *sdk.bridge_rules(network, wire, outward=True, siblings=False),
                *(_opened(wire) if network.options.open else ()),
            )
        )

    def join(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Join:
        """The other end of the wire; the gateway is at this one."""
        return sdk.Join(sdk.sandbox_end(endpoint), sdk.gateways(network, endpoint))


def _wire(endpoint: sdk.Endpoint) -> str:
    return sdk.link_name("h", endpoint.id)


def _mtu(network: sdk.Network[Options]) -> int:
    uplink = network.host.uplink
    return network.options.mtu or (uplink.mtu if uplink is not None else 1500)


def _opened(wire: str) -> tuple[sdk.Element, sdk.Sysctl]:
    """What lets packets come to *wire* from other wires, and from who routes to it."""
    return sdk.Element("unprotected4", (wire,)), sdk.Sysctl(f"net/ipv4/conf/{wire}/proxy_arp", "1")
