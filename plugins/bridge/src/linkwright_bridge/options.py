"""The options of the bridge driver, under the labels that Docker's own bridge uses where it has them.

What contradicts itself is refused here, whatever network it is for; what a network cannot have is ``admission``.
"""

from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from linkwright import sdk
from linkwright_bridge import reading
from linkwright_bridge.reading import GatewayMode, VlanRange


@frozen
class Options(sdk.CommonOptions):
    """``-o`` of ``docker network create -d lw-bridge``."""

    bridge_name: str = sdk.option(
        "com.docker.network.bridge.name",
        parse=sdk.interface_name,
        default="",
        help="name of the bridge, which begins with lw if linkwright makes it; without it, lwb and digits of the id",
    )
    adopt: bool = sdk.option(
        "adopt",
        parse=sdk.boolean,
        default=False,
        help="take the bridge of that name, which somebody else made, as it is, and leave it so",
    )
    mode4: GatewayMode = sdk.option(
        "com.docker.network.bridge.gateway_mode_ipv4",
        parse=sdk.choice(GatewayMode),
        default=GatewayMode.NAT,
        help="nat; routed: containers' own addresses outside, published ports open there; nat-unprotected: as nat, and "
        "all ports open to who routes to them; isolated: not even the host has an address (needs --internal)",
    )
    mode6: GatewayMode = sdk.option(
        "com.docker.network.bridge.gateway_mode_ipv6",
        parse=sdk.choice(GatewayMode),
        default=GatewayMode.NAT,
        help="the same for IPv6",
    )
    masquerade: bool = sdk.option(
        "com.docker.network.bridge.enable_ip_masquerade",
        parse=sdk.boolean,
        default=True,
        help="give traffic to the outside the host's address",
    )
    host_ipv4: sdk.IPAddress | None = sdk.option(
        "com.docker.network.host_ipv4",
        parse=reading.source_address(4),
        default=None,
        help="the address for that; without it, the one of the link that a packet leaves by",
    )
    host_ipv6: sdk.IPAddress | None = sdk.option(
        "com.docker.network.host_ipv6",
        parse=reading.source_address(6),
        default=None,
        help="the same for IPv6",
    )
    host_binding: sdk.IPAddress | None = sdk.option(
        "com.docker.network.bridge.host_binding_ipv4",
        parse=reading.host_address(4, 6),
        default=None,
        help="the host's address, of either family, for ports published without one; without it, all of both families",
    )
    trusted: Sequence[str] = sdk.option(
        "com.docker.network.bridge.trusted_host_interfaces",
        parse=reading.links,
        default=(),
        help="links of the host, separated by colons, from where containers are reached by their own addresses",
    )
    icc: bool = sdk.option(
        "com.docker.network.bridge.enable_icc",
        parse=sdk.boolean,
        default=True,
        help="let containers of this network talk to each other",
    )
    port_isolation: bool | None = sdk.option(
        "port_isolation",
        parse=sdk.boolean,
        default=None,
        help="keep the bridge's ports apart, whatever the firewall permits; without it, where enable_icc is false",
    )
    inhibit_ipv4: bool = sdk.option(
        "com.docker.network.bridge.inhibit_ipv4",
        parse=sdk.boolean,
        default=False,
        help="put no IPv4 address on the bridge: somebody else is the gateway",
    )
    default_bridge: bool = sdk.option(
        "com.docker.network.bridge.default_bridge",
        parse=reading.no_default_bridge,
        default=False,
        help="refused: that is Docker's own docker0",
    )
    ipv4: bool | None = sdk.option(
        "com.docker.network.enable_ipv4",
        parse=sdk.boolean,
        default=None,
        help="what --ipv4 says; engines from 28 on understand it, with others it has to agree with what Docker gives",
    )
    ipv6: bool | None = sdk.option(
        "com.docker.network.enable_ipv6",
        parse=sdk.boolean,
        default=None,
        help="what --ipv6 says, likewise",
    )
    spoof_check: bool = sdk.option(
        "spoof_check",
        parse=sdk.boolean,
        default=False,
        help="drop what a container sends with a hardware or IP address that is not its own",
    )
    rate: int | None = sdk.option(
        "rate",
        parse=sdk.rate,
        default=None,
        help="limit of each container's traffic, to it and from it, as tc(8) writes rates: 512kbit, 10mbit, 1gbit",
    )
    rate_in: int | None = sdk.option(
        "rate_in", parse=sdk.rate, default=None, help="the limit of what goes to the container; before rate"
    )
    rate_out: int | None = sdk.option(
        "rate_out", parse=sdk.rate, default=None, help="the limit of what comes from the container; before rate"
    )
    burst: int | None = sdk.option(
        "burst",
        parse=sdk.size,
        default=None,
        help="what may pass at once above a limit, like 64kb; without it, 10 ms of the rate and at least 68kb",
    )
    hairpin: bool | None = sdk.option(
        "hairpin",
        parse=sdk.boolean,
        default=None,
        help="let bridge ports send back where a frame came from; without it, those of containers that publish ports, "
        "where bridged frames pass the firewall (br_netfilter) and they could not reach those ports themselves",
    )
    multicast_snooping: bool | None = sdk.option(
        "multicast_snooping",
        parse=sdk.boolean,
        default=None,
        help="send multicast only where it was joined (IGMP and MLD snooping); without it, as the kernel does: true",
    )
    vlan_filtering: bool = sdk.option(
        "vlan_filtering",
        parse=sdk.boolean,
        default=False,
        help="keep VLANs apart on the bridge, so that endpoints can name theirs",
    )

    def __attrs_post_init__(self) -> None:
        """Raise ValueError for what contradicts itself."""
        for words, is_so in _CONTRADICTIONS.items():
            if is_so(self):
                raise ValueError(words)

    def mode(self, version: int) -> GatewayMode:
        """The gateway mode of a family."""
        return self.mode4 if version == 4 else self.mode6  # noqa: PLR2004 - IPv4

    def source(self, version: int) -> sdk.IPAddress | None:
        """The address that stands instead of masquerade."""
        return self.host_ipv4 if version == 4 else self.host_ipv6  # noqa: PLR2004 - IPv4

    @property
    def isolates_ports(self) -> bool:
        """Whether the bridge passes nothing from one container to another."""
        return not self.icc if self.port_isolation is None else self.port_isolation


def _unused_source(options: Options) -> bool:
    versions = [version for version in (4, 6) if options.source(version) is not None]
    return any(not (options.masquerade and options.mode(version).translates) for version in versions)


#: What is refused → whether it is so.
_CONTRADICTIONS: Mapping[str, Callable[[Options], bool]] = {
    "adopt takes the bridge that com.docker.network.bridge.name says; name it": (
        lambda options: options.adopt and not options.bridge_name
    ),
    "an adopted bridge is left as it is; leave multicast_snooping out, and set it with `ip link set … type bridge`": (
        lambda options: options.adopt and options.multicast_snooping is not None
    ),
    "the VLANs of an adopted bridge are its owner's; leave vlan_filtering out, or let linkwright make the bridge": (
        lambda options: options.adopt and options.vlan_filtering
    ),
    "host_ipv4 and host_ipv6 are for masquerade, which enable_ip_masquerade or gateway_mode switches off for that "
    "family; leave one of the two out": _unused_source,
    "enable_icc=false keeps containers apart by isolating their ports; leave port_isolation out": (
        lambda options: not options.icc and options.port_isolation is False
    ),
    "burst is for a limit, and there is none; add rate, rate_in or rate_out": (
        lambda options: options.burst is not None and not (options.rate or options.rate_in or options.rate_out)
    ),
}


@frozen
class EndpointOptions(sdk.EndpointOptions):
    """``--driver-opt`` of ``docker network connect``, and ``--network name=…,driver-opt=…`` of ``docker run``."""

    rate: int | None = sdk.option(
        "rate", parse=sdk.rate, default=None, help="this container's limit both ways, before the network's; 0 for none"
    )
    rate_in: int | None = sdk.option(
        "rate_in", parse=sdk.rate, default=None, help="the limit of what goes to the container; before rate"
    )
    rate_out: int | None = sdk.option(
        "rate_out", parse=sdk.rate, default=None, help="the limit of what comes from the container; before rate"
    )
    burst: int | None = sdk.option(
        "burst", parse=sdk.size, default=None, help="what may pass at once above this container's limits"
    )
    vlan: int | None = sdk.option(
        "vlan",
        parse=reading.vlan,
        default=None,
        help="the VLAN of what the container sends and gets untagged; without it, the bridge's default",
    )
    trunk: Sequence[VlanRange] = sdk.option(
        "trunk",
        parse=reading.trunk,
        default=(),
        help="the VLANs that the container sends and gets tagged, like 101,200-210; without vlan, nothing untagged",
    )

    def __attrs_post_init__(self) -> None:
        """Raise ValueError for what contradicts itself."""
        if self.vlan is not None and any(first <= self.vlan <= last for first, last in self.trunk):
            raise ValueError(f"VLAN {self.vlan} cannot be untagged (vlan) and tagged (trunk) at once")
