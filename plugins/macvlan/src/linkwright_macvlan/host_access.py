"""How the host reaches its own macvlan containers: a macvlan link of its own on their parent, and a route to each.

The kernel hands nothing from a parent to its children. The host's link, the **shim**, is a child like theirs, one for
each parent, and every endpoint that may be reached wishes for it alike: it is there from the first to the last. It has
an address of its own in each subnet, since a container answers on its LAN only whom it finds there.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_interface, ip_network

from linkwright import sdk
from linkwright_macvlan.options import Options
from linkwright_macvlan.parent import Parent

_Wish = sdk.Link | sdk.Sysctl | sdk.Address | sdk.Route

_NAMED = re.compile(r"host[0-9]*")


def claims(network: sdk.Network[Options]) -> tuple[sdk.Claim, ...]:
    """An address for the host in each subnet, but where the user has named one: ``--aux-address host=…``."""
    return tuple(
        sdk.AddressClaim(_claim(subnet), subnet, otherwise="name one that is free with --aux-address host=ADDRESS")
        for subnet in network.subnets
        if network.options.host_access and _named(subnet) is None
    )


def wishes(network: sdk.Network[Options], parent: Parent, endpoint: sdk.Endpoint) -> Iterator[_Wish]:
    """The shim, the host's address next to *endpoint*'s, and the way from there to it."""
    if not network.options.host_access:
        return
    shim = sdk.link_name("s", parent.name)
    yield sdk.Link(shim, sdk.Macvlan(parent.name, sdk.MacvlanMode.BRIDGE), shared=True)
    yield from _settings(shim, network, {address.version for address in endpoint.addresses})
    for address in endpoint.addresses:
        host = _host_address(network, address)
        yield sdk.Address(shim, ip_interface(host))
        yield sdk.Route(ip_network(address.ip), link=shim, source=host)


def _settings(shim: str, network: sdk.Network[Options], versions: set[int]) -> Iterator[sdk.Sysctl]:
    # The host's other addresses are its parent's to answer for: two answers to one ARP request confuse the LAN.
    yield sdk.Sysctl(f"net/ipv4/conf/{shim}/arp_ignore", "1", before_up=shim)
    if "ipv6" in network.host.features:
        # The host heeds its LAN's routers on the parent, if it does: not once more here.
        yield sdk.Sysctl(f"net/ipv6/conf/{shim}/accept_ra", "0", before_up=shim)
    if 6 in versions:  # noqa: PLR2004 - IPv6
        yield sdk.Sysctl(f"net/ipv6/conf/{shim}/disable_ipv6", "0", before_up=shim)


def _claim(subnet: sdk.Subnet) -> str:
    return f"host in {subnet.pool}"


def _named(subnet: sdk.Subnet) -> sdk.IPAddress | None:
    return next((address for name, address in subnet.auxiliary.items() if _NAMED.fullmatch(name)), None)


def _host_address(network: sdk.Network[Options], address: sdk.Interface) -> sdk.IPAddress:
    """The host's address in the subnet of *address*."""
    subnet = network.subnet_for(address)
    named = _named(subnet) if subnet is not None else None
    claimed = network.claims.get(_claim(subnet)) if subnet is not None else None
    if named is None and claimed is None:
        raise sdk.Refused(f"host_access: the host has no address of its own beside {address}; make the network anew")
    return named or ip_address(str(claimed))
