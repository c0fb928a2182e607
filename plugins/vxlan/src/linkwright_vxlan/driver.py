"""The vxlan driver: pure functions from what Docker asked for to what the host must have.

No control plane: each host is told the others' addresses. What a bridge does not know it floods, and the vxlan link
sends that to every peer (head-end replication, RFC 7348 section 4.2 without multicast); addresses are learnt.

The gateway is the same on every host: one address, one hardware address, and each host answers for it alone. So a
container can be moved and keeps its gateway, and no host carries another's traffic to the outside. The vxlan port
suppresses ARP and ND for addresses of the bridge itself (br_do_proxy_suppress_arp in net/bridge/br_arp_nd_proxy.c),
or each host would hear the others answer.
"""

from typing import Any, ClassVar

from linkwright import sdk
from linkwright_vxlan.options import Options
from linkwright_vxlan.underlay import Underlay

#: The forwarding entry for whatever has none.
_ALL_ZERO = sdk.Mac(bytes(6))


class Vxlan(sdk.Driver[Options]):
    """Networks that are one layer 2 segment on several hosts."""

    name: ClassVar[str] = "vxlan"
    options: ClassVar[type[Options]] = Options
    capabilities: ClassVar[sdk.Capabilities] = sdk.Capabilities(connectivity="global")

    def skip_gateway(self, options: Options, *, internal: bool) -> tuple[bool, bool]:  # noqa: ARG002 - the core's
        """An internal segment has no gateway on any host."""
        return internal, internal

    def admit(
        self,
        network: sdk.Network[Any],
        others: tuple[sdk.Network[Any], ...],
        host: sdk.HostFacts,  # noqa: ARG002
    ) -> None:
        """One VNI and port can exist once on a host."""
        for other in others:
            if other.id != network.id and _segment(other.options) == _segment(network.options):
                vni, port = _segment(network.options)
                raise sdk.Conflict(
                    f"VNI {vni} on port {port} is network {other.id[:12]}'s on this host; take another VNI, or another "
                    "port on all hosts of the segment"
                )

    def network(self, network: sdk.Network[Options]) -> sdk.Wishes:
        """A bridge with the gateway addresses, a vxlan link as its port, and an entry for each peer."""
        options = network.options
        if options.vni is None:
            raise sdk.Refused("a vxlan network needs its segment's number, equal on all its hosts; add -o vni=NUMBER")
        underlay = Underlay.of(network)
        bridge, vtep, gateways = _bridge(network), sdk.link_name("v", network.id), _gateways(network)
        return sdk.Wishes(
            (
                sdk.Link(bridge, sdk.Bridge(), mtu=underlay.mtu, mac=_bridge_mac(network)),
                sdk.Link(
                    vtep,
                    sdk.Vxlan(options.vni, options.port, local=underlay.local, learning=True),
                    mtu=underlay.mtu,
                    mac=sdk.Mac.derive(network.id, "vxlan"),
                    master=bridge,
                    port=sdk.BridgePort(neighbour_suppress=bool(gateways)),
                ),
                *(sdk.FdbEntry(vtep, _ALL_ZERO, peer) for peer in underlay.peers),
                *(sdk.Address(bridge, gateway) for gateway in gateways),
                *sdk.bridge_rules(network, bridge, outward=bool(gateways)),
            )
        )

    def endpoint(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """One veth pair: the host's end a port of the bridge, the other for the sandbox."""
        return sdk.Wishes.of(sdk.veth(endpoint, bridge=_bridge(network), mtu=Underlay.of(network).mtu))

    def join(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Join:
        """The container's end of the pair; the gateway is the bridge of whatever host the container is on."""
        return sdk.Join(sdk.sandbox_end(endpoint), sdk.gateways(network, endpoint))


def _segment(options: Options) -> tuple[int | None, int]:
    return options.vni, options.port


def _bridge(network: sdk.Network[Options]) -> str:
    return sdk.link_name("b", network.id)


def _gateways(network: sdk.Network[Options]) -> tuple[sdk.Interface, ...]:
    if network.internal:
        return ()
    return tuple(subnet.gateway for subnet in network.subnets if subnet.gateway is not None)


def _bridge_mac(network: sdk.Network[Options]) -> sdk.Mac:
    """Equal on all hosts that have the same gateway; a host with another gateway has another hardware address."""
    gateways = _gateways(network)
    seed = (str(network.options.vni), *map(str, gateways)) if gateways else (network.id,)
    return sdk.Mac.derive("vxlan gateway", *seed)
