"""Frames that tell everybody on a link, unasked, where an address is now. Pure: bytes, no socket.

ARP: the announcement of RFC 5227 section 3, a request for one's own address, which is what most hosts take notice of.
IPv6: the unsolicited neighbour advertisement of RFC 4861 section 7.2.6, to all nodes, overriding what they know.
"""

import struct
from ipaddress import IPv4Address, IPv6Address

from linkwright.model import Address, Mac

ETH_P_ARP, ETH_P_IPV6 = 0x0806, 0x86DD

_ETHERNET = struct.Struct("!6s6sH")
_BROADCAST = b"\xff" * 6
_UNKNOWN = bytes(6)
#: Hardware (Ethernet), protocol (IPv4), their lengths, operation; the sender's addresses, the target's (RFC 826).
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_REQUEST = 1

_ALL_NODES = IPv6Address("ff02::1")
_ALL_NODES_MAC = b"\x33\x33" + _ALL_NODES.packed[-4:]  # RFC 2464 section 7
#: Version and flow label, payload length, next header, hop limit, source, destination (RFC 8200 section 3).
_IPV6 = struct.Struct("!IHBB16s16s")
_ICMPV6 = 58
_HOP_LIMIT = 255  # or it is not believed (RFC 4861 section 7.1.2)
#: Type, code, checksum, flags, target; then an option: type, length in eights of octets, hardware address.
_ADVERTISEMENT = struct.Struct("!BBHI16sBB6s")
_NEIGHBOUR_ADVERTISEMENT = 136
_OVERRIDE = 0x20000000
_TARGET_LINK_LAYER_ADDRESS = 2


def announcement(mac: Mac, address: Address) -> tuple[int, bytes]:
    """Return the ethertype and the frame that says: *address* is at *mac*."""
    if isinstance(address, IPv4Address):
        return ETH_P_ARP, _ETHERNET.pack(_BROADCAST, mac.octets, ETH_P_ARP) + _arp(mac, address)
    return ETH_P_IPV6, _ETHERNET.pack(_ALL_NODES_MAC, mac.octets, ETH_P_IPV6) + _advertisement(mac, address)


def _arp(mac: Mac, address: IPv4Address) -> bytes:
    own = address.packed
    return _ARP.pack(1, 0x0800, 6, 4, _REQUEST, mac.octets, own, _UNKNOWN, own)


def _advertisement(mac: Mac, address: IPv6Address) -> bytes:
    own, to = address.packed, _ALL_NODES.packed
    length = _ADVERTISEMENT.size
    # Not a router's (R), nor an answer (S).
    said = (_OVERRIDE, own, _TARGET_LINK_LAYER_ADDRESS, 1, mac.octets)
    pseudo_header = own + to + struct.pack("!II", length, _ICMPV6)
    checksum = _checksum(pseudo_header + _ADVERTISEMENT.pack(_NEIGHBOUR_ADVERTISEMENT, 0, 0, *said))
    header = _IPV6.pack(6 << 28, length, _ICMPV6, _HOP_LIMIT, own, to)
    return header + _ADVERTISEMENT.pack(_NEIGHBOUR_ADVERTISEMENT, 0, checksum, *said)


def _checksum(data: bytes) -> int:
    """Return the Internet checksum of an even number of octets (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
