"""Where a segment meets the hosts' own network: this host's address, the others', and what is left of the MTU.

Pure: from options and facts about the host to values. No wishes here, those are ``driver``.
"""

from attrs import frozen

from linkwright import sdk
from linkwright_vxlan.options import Options

#: What the encapsulation takes of the underlay's MTU, by IP version: the inner Ethernet header (14 bytes), VXLAN (8),
#: UDP (8) and IP (20 or 40). RFC 7348, section 5.
OVERHEAD = {4: 50, 6: 70}

#: An underlay of which nothing is known is Ethernet (RFC 894).
_ETHERNET_MTU = 1500


@frozen
class Underlay:
    """This host's VTEP address, the peers' without it, and the MTU of everything on the segment, in bytes."""

    local: sdk.IPAddress
    peers: tuple[sdk.IPAddress, ...]
    mtu: int

    @classmethod
    def of(cls, network: sdk.Network[Options]) -> "Underlay":
        """Work it out, or raise Refused."""
        options, own = network.options, tuple(interface.ip for interface in network.host.addresses)
        local = options.local or _uplink_address(options, own)
        if any(peer.version != local.version for peer in options.peers):
            raise sdk.Refused(f"local address {local} and the peers are of different IP versions; take one for all")
        peers = tuple(peer for peer in options.peers if peer != local and peer not in own)
        return cls(local, peers, _mtu(network, local, by_uplink=local in own))


def _uplink_address(options: Options, own: tuple[sdk.IPAddress, ...]) -> sdk.IPAddress:
    """The uplink's address that the list of peers names, or else its first of their IP version."""
    version = options.peers[0].version if options.peers else None
    usable = [address for address in own if not address.is_link_local and address.version == (version or 4)]
    if not usable and version is None:
        usable = [address for address in own if not address.is_link_local]
    named = [address for address in usable if address in options.peers]
    if not usable:
        family = f"IPv{version} " if version else ""
        raise sdk.Refused(
            f"this host's uplink has no {family}address for a vxlan network; add -o local=ADDRESS, one of this host's "
            "that the peers reach"
        )
    return (named or usable)[0]


def _mtu(network: sdk.Network[Options], local: sdk.IPAddress, *, by_uplink: bool) -> int:
    uplink = network.host.uplink
    carried = uplink.mtu if uplink else _ETHERNET_MTU
    most = carried - OVERHEAD[local.version]
    wished = network.options.mtu
    # Of a link that is not the uplink nothing is known here: what the user says about it is right.
    if wished is not None and wished > most and by_uplink:
        raise sdk.Refused(
            f"MTU {wished} does not fit: the uplink carries {carried} bytes, and vxlan over IPv{local.version} leaves "
            f"{most}; take that or less, or leave the option out"
        )
    return wished or most
