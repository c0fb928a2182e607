"""The ipvlan driver: like macvlan, but that all containers of a parent share its hardware address.

What it imitates of Docker's own driver is in moby's ``daemon/libnetwork/drivers/ipvlan``.
"""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import ClassVar

from linkwright import sdk
from linkwright_macvlan.options import IpvlanOptions
from linkwright_macvlan.parent import Parent
from linkwright_macvlan.standing import StandsOnParent

_EVERYWHERE = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}


class Ipvlan(StandsOnParent[IpvlanOptions]):
    """Networks whose containers stand on a link of the host behind its one hardware address."""

    name: ClassVar[str] = "ipvlan"
    options: ClassVar[type[IpvlanOptions]] = IpvlanOptions
    capabilities: ClassVar[sdk.Capabilities] = sdk.Capabilities(
        connectivity="global", takes_mac=False, beside=frozenset({"macvlan"})
    )

    def endpoint(self, network: sdk.Network[IpvlanOptions], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """One link on the parent, made down and without an address of its own to be known by."""
        options = network.options
        kind = sdk.Ipvlan(Parent.of(network).name, options.mode, options.flag)
        return sdk.Wishes.of(sdk.Link(_link_name(endpoint), kind, mtu=options.mtu, up=False, lent=True))

    def join(self, network: sdk.Network[IpvlanOptions], endpoint: sdk.Endpoint) -> sdk.Join:
        """In mode l2 as macvlan has it; at layer 3 the host's own routes decide, so all is on-link, and nobody asks."""
        if network.options.mode is not sdk.IpvlanMode.L2:
            return sdk.Join(_link_name(endpoint), routes=tuple(_on_link(network, endpoint)))
        gateways = sdk.gateways(network, endpoint) if network.options.parent else ()
        return sdk.Join(_link_name(endpoint), gateways, announce=True)


def _on_link(network: sdk.Network[IpvlanOptions], endpoint: sdk.Endpoint) -> Iterator[sdk.StaticRoute]:
    """To everywhere; where the network leads nowhere, to its other subnets."""
    outward = not network.internal and bool(network.options.parent)
    for address in endpoint.addresses:
        if outward and network.options.gateway:
            yield sdk.StaticRoute(_EVERYWHERE[address.version])
        else:
            others = (subnet.pool for subnet in network.subnets_of(address.version) if address.ip not in subnet.pool)
            yield from (sdk.StaticRoute(pool) for pool in others)


def _link_name(endpoint: sdk.Endpoint) -> str:
    return sdk.link_name("i", endpoint.id)
