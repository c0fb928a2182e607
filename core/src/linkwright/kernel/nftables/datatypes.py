"""The data types of nft(8) as a table: text to bytes and back, alone and in concatenations. Pure.

The kernel stores a type's number without looking at it; nft(8) prints by it, so a wrong one makes ``nft list`` lie.
Parts of a concatenation lie in registers of four bytes, each padded with zeros.
Source: nftables, include/datatype.h (numbers, lengths, byte order); linux/netfilter/nf_tables.h (registers).
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Literal

from attrs import frozen

from linkwright.errors import Refused
from linkwright.model import Mac

Parts = tuple[str, ...]

_BITS = 6  # TYPE_BITS: a concatenation's number is those of its parts, six bits each
_HOST, _BIG = 1, 2  # enum byteorder; it is told to nft(8) in a set's user data
_INTERFACE = 16  # IFNAMSIZ


@frozen
class DataType:
    """A type: its number, length in bytes, byte order, and how text becomes bytes and bytes text."""

    number: int
    length: int
    byteorder: int
    encode: Callable[[str], bytes]
    decode: Callable[[bytes], str]
    quoted: bool = False  # whether nft(8) prints it in quotes


def _named(
    names: Mapping[str, int], length: int, order: Literal["big", "little"] = "big"
) -> tuple[Callable[[str], bytes], Callable[[bytes], str]]:
    """Code a number of *length* bytes that nft(8) prints by name where it has one."""
    by_number = {number: name for name, number in names.items()}

    def encode(part: str) -> bytes:
        return (names[part] if part in names else int(part)).to_bytes(length, order)

    def decode(data: bytes) -> str:
        number = int.from_bytes(data, order)
        return by_number.get(number, str(number))

    return encode, decode


def _string(part: str) -> bytes:
    data = part.encode()
    if not 0 < len(data) < _INTERFACE:
        raise ValueError(f"it has not 1 to {_INTERFACE - 1} bytes")
    if part == "*":
        raise ValueError("to nft(8) that is whatever is not named")
    return data.ljust(_INTERFACE, b"\0")


def _to_string(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode(errors="replace")


#: Protocol numbers (IANA) that nft(8) prints by their name in /etc/protocols.
_PROTOCOLS = MappingProxyType({"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "sctp": 132, "udplite": 136})

TYPES: Mapping[str, DataType] = MappingProxyType(
    {
        "nf_proto": DataType(2, 1, _HOST, *_named({"ipv4": 2, "ipv6": 10}, 1)),
        "ipv4_addr": DataType(7, 4, _BIG, lambda part: IPv4Address(part).packed, lambda data: str(IPv4Address(data))),
        "ipv6_addr": DataType(8, 16, _BIG, lambda part: IPv6Address(part).packed, lambda data: str(IPv6Address(data))),
        "ether_addr": DataType(9, 6, _BIG, lambda part: Mac.parse(part).octets, lambda data: str(Mac(data))),
        "inet_proto": DataType(12, 1, _BIG, *_named(_PROTOCOLS, 1)),
        "inet_service": DataType(13, 2, _BIG, *_named({}, 2)),
        "ifname": DataType(41, _INTERFACE, _HOST, _string, _to_string, quoted=True),
        # What follows is compared in rules and no set is made of it. Names are those that our rules use.
        "integer": DataType(4, 1, _BIG, *_named({}, 1)),  # as long as what it is compared with; here always an octet
        "ether_type": DataType(10, 2, _BIG, *_named({"ip": 0x0800, "arp": 0x0806, "ip6": 0x86DD}, 2)),
        "icmp_type": DataType(14, 1, _BIG, *_named({"echo-request": 8}, 1)),
        "icmpv6_type": DataType(29, 1, _BIG, *_named({"echo-request": 128}, 1)),
        "iface_index": DataType(20, 4, _HOST, *_named({}, 4, sys.byteorder)),
        "fib_addrtype": DataType(38, 4, _HOST, *_named({"local": 2}, 4, sys.byteorder)),
    }
)


def number_of(names: Sequence[str]) -> int:
    """The number of a type, or of the concatenation of several."""
    number = 0
    for name in names:
        number = number << _BITS | TYPES[name].number
    return number


def length_of(names: Sequence[str]) -> int:
    """The length in bytes of a value; of a concatenation with the padding of its parts."""
    lengths = [TYPES[name].length for name in names]
    return lengths[0] if len(lengths) == 1 else sum(map(_padded, lengths))


def encode(names: Sequence[str], parts: Parts) -> bytes:
    """Turn *parts* (one text for each type in *names*) into a value; ValueError for what cannot be one."""
    _same_number(names, parts)
    return _joined([_encode_part(name, part) for name, part in zip(names, parts, strict=True)])


def decode(names: Sequence[str], data: bytes) -> Parts:
    """Turn a value back into its parts."""
    return tuple(TYPES[name].decode(piece) for name, piece in _split(names, data))


def printed(names: Sequence[str], parts: Parts) -> str:
    """Write *parts* as nft(8) prints them."""
    quoted = (f'"{part}"' if TYPES[name].quoted else part for name, part in zip(names, parts, strict=True))
    return " . ".join(quoted)


def _padded(length: int) -> int:
    return length + -length % 4


def _joined(pieces: list[bytes]) -> bytes:
    return pieces[0] if len(pieces) == 1 else b"".join(piece.ljust(_padded(len(piece)), b"\0") for piece in pieces)


def _split(names: Sequence[str], data: bytes) -> list[tuple[str, bytes]]:
    pieces, position = [], 0
    for name in names:
        length = TYPES[name].length
        pieces.append((name, data[position : position + length]))
        position += _padded(length)
    return pieces


def _same_number(names: Sequence[str], parts: Parts) -> None:
    if len(names) != len(parts):
        raise ValueError(f"{' . '.join(parts)!r} has {len(parts)} parts, the type {' . '.join(names)} has {len(names)}")


def _encode_part(name: str, part: str) -> bytes:
    kind = TYPES[name]
    try:
        data = kind.encode(part)
    except (ValueError, OverflowError, Refused) as error:
        raise ValueError(f"{part!r} is no {name}: {error}") from error
    # A second spelling of one value would look like drift for ever: what is read back would never equal the wish.
    if (usual := kind.decode(data)) != part:
        raise ValueError(f"{part!r} is written {usual!r} as an {name}")
    return data
