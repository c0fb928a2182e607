"""Which addresses of a subnet nobody may hold, and how its ends are called. Tables and arithmetic only.

====================  ==============================================  ================================================
subnet                reserved                                        usable
====================  ==============================================  ================================================
IPv4 up to /30        network address and broadcast (RFC 1122)        the rest; a /30 has two
IPv4 /31              none (RFC 3021, point to point)                 both; the gateway takes one if one is asked for
IPv4 /32              none                                            one, for whoever asks first: the gateway if any
IPv6 up to /126       subnet-router anycast, all zero (RFC 4291)      the rest, the last address included
IPv6 /127             none (RFC 6164, point to point)                 both
IPv6 /128             none                                            one, as /32
====================  ==============================================  ================================================
"""

from collections.abc import Mapping

from attrs import frozen

from linkwright.model.address import Address, Prefix

#: version → offset (negative: from the end) → what that address is. Only where there are two host bits or more.
_RESERVED: dict[int, dict[int, str]] = {
    4: {0: "network address", -1: "broadcast address"},
    6: {0: "subnet-router anycast address"},
}


@frozen
class Span:
    """The offsets of a prefix within its subnet, first and last included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many addresses it holds."""
        return self.last - self.first + 1

    def __contains__(self, offset: int) -> bool:
        return self.first <= offset <= self.last


def reserved(subnet: Prefix) -> Mapping[int, str]:
    """The offsets in *subnet* that are never given to anybody, each with what it is."""
    if subnet.max_prefixlen - subnet.prefixlen < 2:  # noqa: PLR2004 - see the table above
        return {}
    return {offset % subnet.num_addresses: what for offset, what in _RESERVED[subnet.version].items()}


def offset_of(address: Address, subnet: Prefix) -> int:
    """How far *address* lies from the beginning of *subnet*."""
    return int(address) - int(subnet.network_address)


def address_at(offset: int, subnet: Prefix) -> Address:
    """The address *offset* from the beginning of *subnet*."""
    return subnet.network_address + offset


def span_of(inner: Prefix, subnet: Prefix) -> Span:
    """Where *inner* lies in *subnet*."""
    first = offset_of(inner.network_address, subnet)
    return Span(first, first + inner.num_addresses - 1)
