"""The bridge driver: pure functions from what Docker asked for to what the host must have.

What it imitates of Docker's own bridge is in moby's ``daemon/libnetwork/drivers/bridge``.
"""

from collections.abc import Iterator
from typing import ClassVar

from linkwright import sdk
from linkwright_bridge.options import Options

#: A port of a bridge is 1500 unless somebody knows better (RFC 894).
_ETHERNET_MTU = 1500


class Bridge(sdk.Driver[Options]):
    """Networks that stand on a bridge of their own."""

    name: ClassVar[str] = "bridge"
    options: ClassVar[type[Options]] = Options

    def network(self, network: sdk.Network[Options]) -> sdk.Wishes:
        """One bridge with the gateway addresses, known to the firewall, and routing if the network leads anywhere."""
        _admit_subnets(network)
        name, options = _bridge_name(network), network.options
        link = sdk.Link(name, sdk.Bridge(), mtu=_mtu(network), mac=sdk.Mac.derive(network.id, "bridge"))
        rules = sdk.bridge_rules(
            network, name, outward=not network.internal, siblings=options.icc, masquerade=options.masquerade
        )
        return sdk.Wishes((link, *_addresses(network, name), *rules))

    def endpoint(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """One veth pair: the host's end a port of the bridge, the other for the sandbox."""
        port = None if network.options.icc else sdk.BridgePort(isolated=True)
        return sdk.Wishes.of(sdk.veth(endpoint, bridge=_bridge_name(network), mtu=_mtu(network), port=port))

    def join(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Join:
        """The container's end of the pair; the gateway is the bridge, or the auxiliary address named for it."""
        return sdk.Join(sdk.sandbox_end(endpoint), sdk.gateways(network, endpoint))


def _admit_subnets(network: sdk.Network[Options]) -> None:
    if not network.subnets or any(subnet.pool.prefixlen == 0 for subnet in network.subnets):
        raise sdk.Refused(
            "a bridge network needs addresses, and the null IPAM gives none; leave out --ipam-driver null, "
            "or use --ipam-driver lw-ipam"
        )
    if not _bridge_name(network).startswith("lw"):
        raise sdk.Refused(
            f"{network.options.bridge_name!r} cannot be the name of a bridge that linkwright makes: those begin with "
            "lw, so that it can be seen whose they are"
        )


def _bridge_name(network: sdk.Network[Options]) -> str:
    return network.options.bridge_name or sdk.link_name("b", network.id)


def _mtu(network: sdk.Network[Options]) -> int:
    uplink = network.host.uplink
    return network.options.mtu or (uplink.mtu if uplink else _ETHERNET_MTU)


def _addresses(network: sdk.Network[Options], name: str) -> Iterator[sdk.Address]:
    for subnet in network.subnets:
        if subnet.gateway is not None and not (network.options.inhibit_ipv4 and subnet.version == 4):  # noqa: PLR2004
            yield sdk.Address(name, subnet.gateway)
