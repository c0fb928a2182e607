"""The macvlan driver: pure functions from what Docker asked for to what the host must have.

What it imitates of Docker's own driver is in moby's ``daemon/libnetwork/drivers/macvlan``. A network is its parent, and
each endpoint is one link on it.
"""

from typing import Any, ClassVar

from linkwright import sdk
from linkwright_macvlan import host_access
from linkwright_macvlan.options import Options
from linkwright_macvlan.parent import Parent
from linkwright_macvlan.standing import StandsOnParent


class Macvlan(StandsOnParent[Options]):
    """Networks whose containers stand on the LAN of a link of the host, each with a hardware address of its own."""

    name: ClassVar[str] = "macvlan"
    options: ClassVar[type[Options]] = Options
    capabilities: ClassVar[sdk.Capabilities] = sdk.Capabilities(connectivity="global", beside=frozenset({"ipvlan"}))

    def claims(self, network: sdk.Network[Any]) -> tuple[sdk.Claim, ...]:
        """Addresses for the host, where it is to reach its containers."""
        return host_access.claims(network)

    def endpoint(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """One link on the parent. It is made down: up, it would take addresses from the LAN's routers for the host.

        Without the option its MTU is the parent's, then and later: the kernel lowers it with the parent's.
        """
        options, parent = network.options, Parent.of(network)
        kind = sdk.Macvlan(parent.name, options.mode, options.bc_queue_len, options.sources)
        link = sdk.Link(_link_name(endpoint), kind, mtu=options.mtu, mac=endpoint.mac, up=False, lent=True)
        return sdk.Wishes((link, *host_access.wishes(network, parent, endpoint)))

    def join(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Join:
        """The link itself; the gateway is the router of the address's own subnet, where the user named one."""
        gateways = sdk.gateways(network, endpoint) if network.options.parent else ()
        return sdk.Join(_link_name(endpoint), gateways, announce=True)


def _link_name(endpoint: sdk.Endpoint) -> str:
    return sdk.link_name("m", endpoint.id)
