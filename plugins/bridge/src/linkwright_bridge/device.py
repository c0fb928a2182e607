"""The bridge itself: its name, its MTU, the link and the addresses on it, and what the kernel has to know of it.

A bridge of our own has an address that does not change with its ports, is deaf to routers, and is the gateway. An
adopted one is somebody else's: nothing is put on it, and of its settings one is borrowed for ``publishing``.
"""

from collections.abc import Iterator
from typing import Final

from linkwright import sdk
from linkwright_bridge.options import Options
from linkwright_bridge.reading import GatewayMode

#: A port of a bridge is 1500 unless somebody knows better (RFC 894).
_ETHERNET_MTU = 1500

#: The VLAN of a bridge that keeps VLANs apart, and of containers that name none: the kernel's own default.
DEFAULT_VLAN: Final = 1


def name(network: sdk.Network[Options]) -> str:
    """How the bridge is called."""
    return network.options.bridge_name or sdk.link_name("b", network.id)


def mtu(network: sdk.Network[Options]) -> int:
    """The MTU of the bridge and of both ends of each pair, in bytes.

    An adopted bridge's is its own: it follows that of its ports unless somebody set it by hand (br_mtu_auto_adjust).
    """
    adopted = network.host.link(name(network)) if network.options.adopt else None
    if adopted is not None:
        return adopted.mtu
    uplink = network.host.uplink
    return network.options.mtu or (uplink.mtu if uplink else _ETHERNET_MTU)


def link(network: sdk.Network[Options]) -> sdk.Link:
    """The bridge as a link."""
    options = network.options
    if options.adopt:
        return sdk.Link(name(network), sdk.Bridge(), up=None, hold=sdk.Hold.BORROW)
    # Ports are members of what they are told and no more: the kernel would put each into its default VLAN as well.
    filtering, pvid = (True, 0) if options.vlan_filtering else (None, None)
    kind = sdk.Bridge(options.multicast_snooping, vlan_filtering=filtering, default_pvid=pvid)
    return sdk.Link(name(network), kind, mtu=mtu(network), mac=sdk.Mac.derive(network.id, "bridge"))


def addresses(network: sdk.Network[Options]) -> Iterator[sdk.Address]:
    """The gateway addresses, where the bridge is the gateway."""
    for subnet in network.subnets:
        if subnet.gateway is not None and is_gateway(network, subnet.version):
            yield sdk.Address(name(network), subnet.gateway)


def vlans(network: sdk.Network[Options]) -> Iterator[sdk.BridgeVlan]:
    """The VLAN that the host is in, where the bridge keeps them apart."""
    if network.options.vlan_filtering:
        yield sdk.BridgeVlan(name(network), DEFAULT_VLAN, pvid=True, untagged=True, on_bridge=True)


def is_gateway(network: sdk.Network[Options], version: int) -> bool:
    """Whether the gateway of that family is the bridge, and nobody else."""
    options = network.options
    inhibited = options.inhibit_ipv4 and version == 4  # noqa: PLR2004 - IPv4
    return not (options.adopt or inhibited or options.mode(version) is GatewayMode.ISOLATED)
