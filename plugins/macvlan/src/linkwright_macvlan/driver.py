"""The macvlan driver: pure functions from what Docker asked for to what the host must have.

What it imitates of Docker's own driver is in moby's ``daemon/libnetwork/drivers/macvlan``. A network is its parent, and
each endpoint is one link on it.
"""

from typing import Any, ClassVar

from linkwright import sdk
from linkwright_macvlan import beside, host_access
from linkwright_macvlan.options import Options
from linkwright_macvlan.parent import Parent, admit_mtu, looks_at, require


class Macvlan(sdk.Driver[Options]):
    """Networks whose containers stand on the LAN of a link of the host, each with a hardware address of its own."""

    name: ClassVar[str] = "macvlan"
    options: ClassVar[type[Options]] = Options
    capabilities: ClassVar[sdk.Capabilities] = sdk.Capabilities(connectivity="global", beside=frozenset({"ipvlan"}))

    def looks_at(self, options: Options) -> tuple[str, ...]:
        """The parent: whether it is there, and its MTU."""
        return looks_at(options)

    def skip_gateway(self, options: Options, *, internal: bool) -> tuple[bool, bool]:  # noqa: ARG002 - alike for all
        """Never one by itself: the gateway is a router on the LAN, which only the user can name (--gateway)."""
        return True, True

    def admit(
        self,
        network: sdk.Network[Any],
        others: tuple[sdk.Network[Any], ...],
        host: sdk.HostFacts,  # noqa: ARG002 - what it tells is in the network too
    ) -> None:
        """Passthru has its parent alone; a parent of ipvlan links carries no macvlan."""
        beside.admit(network, others)

    def claims(self, network: sdk.Network[Any], endpoint: sdk.Endpoint | None) -> tuple[sdk.Claim, ...]:
        """Addresses for the host, where it is to reach its containers."""
        return host_access.claims(network) if endpoint is None else ()

    def network(self, network: sdk.Network[Options]) -> sdk.Wishes:
        """The parent: borrowed, where somebody else has made it."""
        require(network, "macvlan")
        parent = Parent.of(network)
        admit_mtu(network, parent)
        return sdk.Wishes(parent.wishes)

    def endpoint(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """One link on the parent. It is made down: up, it would take addresses from the LAN's routers for the host.

        Without the option its MTU is the parent's, then and later: the kernel lowers it with the parent's.
        """
        options, parent = network.options, Parent.of(network)
        kind = sdk.Macvlan(parent.name, options.mode, options.bc_queue_len)
        link = sdk.Link(_link_name(endpoint), kind, mtu=options.mtu, mac=endpoint.mac, up=False, lent=True)
        return sdk.Wishes((link, *host_access.wishes(network, parent, endpoint)))

    def join(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Join:
        """The link itself; the gateway is the router of the address's own subnet, where the user named one."""
        gateways = sdk.gateways(network, endpoint) if network.options.parent else ()
        return sdk.Join(_link_name(endpoint), gateways, announce=True)


def _link_name(endpoint: sdk.Endpoint) -> str:
    return sdk.link_name("m", endpoint.id)
