"""The macvlan driver: pure functions from what Docker asked for to what the host must have.

What it imitates of Docker's own driver is in moby's ``daemon/libnetwork/drivers/macvlan``. The network itself makes
nothing: its parent is borrowed, and each endpoint is one link on it.
"""

from typing import ClassVar

from linkwright import sdk
from linkwright_macvlan.options import Options

#: Links on which the kernel would make a macvlan of the one below instead (macvlan_common_newlink).
_NOT_A_PARENT = {"macvlan", "macvtap"}


class Macvlan(sdk.Driver[Options]):
    """Networks whose containers stand on the LAN of a link of the host."""

    name: ClassVar[str] = "macvlan"
    options: ClassVar[type[Options]] = Options
    capabilities: ClassVar[sdk.Capabilities] = sdk.Capabilities(connectivity="global")

    def looks_at(self, options: Options) -> tuple[str, ...]:
        """The parent: whether it is there, and its MTU."""
        return (options.parent,) if options.parent else ()

    def skip_gateway(self, options: Options, *, internal: bool) -> tuple[bool, bool]:  # noqa: ARG002 - alike for all
        """Never one by itself: the gateway is a router on the LAN, which only the user can name (--gateway)."""
        return True, True

    def network(self, network: sdk.Network[Options]) -> sdk.Wishes:
        """The parent, borrowed: it has to be there, and nothing of it is changed, not even whether it is up."""
        parent = _parent(network)
        _admit_mtu(network.options, parent)
        return sdk.Wishes.of(sdk.Link(parent.name, up=None, hold=sdk.Hold.BORROW))

    def endpoint(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """One link on the parent. It is made down: up, it would take addresses from the LAN's routers for the host.

        Without the option its MTU is the parent's, then and later: the kernel lowers it with the parent's.
        """
        options = network.options
        kind = sdk.Macvlan(options.parent, options.mode)
        return sdk.Wishes.of(
            sdk.Link(_link_name(endpoint), kind, mtu=options.mtu, mac=endpoint.mac, up=False, lent=True)
        )

    def join(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Join:
        """The link itself; the gateway is the router of the address's own subnet, where the user named one."""
        return sdk.Join(_link_name(endpoint), sdk.gateways(network, endpoint))


def _link_name(endpoint: sdk.Endpoint) -> str:
    return sdk.link_name("m", endpoint.id)


def _parent(network: sdk.Network[Options]) -> sdk.LinkFact:
    name = network.options.parent
    if not name:
        raise sdk.Refused(
            "a macvlan network needs the link of the host that it stands on, and none was named; add -o parent=LINK "
            "(`ip link` lists them), or use the bridge driver with --internal for a network without the LAN"
        )
    if name == "lo":
        raise sdk.Refused("lo cannot be the parent of a macvlan network: there is no LAN behind it; name another link")
    if name.startswith("lw"):
        raise sdk.Refused(f"{name} is a link of linkwright's own and comes and goes with its network; name another one")
    parent = network.host.link(name)
    if parent is None:
        raise sdk.Refused(
            f"parent {name!r} is no link of this host, and this driver makes none, nor VLAN sub-interfaces; "
            "see `ip link`"
        )
    if parent.kind in _NOT_A_PARENT:
        raise sdk.Refused(f"parent {name!r} is a {parent.kind} itself; name the link that it stands on")
    return parent


def _admit_mtu(options: Options, parent: sdk.LinkFact) -> None:
    if options.mtu is not None and options.mtu > parent.mtu:
        raise sdk.Refused(
            f"MTU {options.mtu} is more than the {parent.mtu} of parent {parent.name}; "
            "take a smaller one, or raise the parent's first"
        )
