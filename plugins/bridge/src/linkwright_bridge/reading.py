"""How the values of this driver's options are read: what is no boolean, number, rate or size. ValueError in words."""

from collections.abc import Callable, Sequence
from enum import Enum
from ipaddress import ip_address
from itertools import pairwise

from linkwright import sdk

#: A range of VLANs, both ends in it.
VlanRange = tuple[int, int]


class GatewayMode(Enum):
    """How the outside and a network's containers reach each other, for one family; the words are Docker's."""

    NAT = "nat"
    ROUTED = "routed"
    NAT_UNPROTECTED = "nat-unprotected"
    ISOLATED = "isolated"

    @property
    def translates(self) -> bool:
        """Whether containers take an address of the host outside, and are reached by ports of the host."""
        return self in {GatewayMode.NAT, GatewayMode.NAT_UNPROTECTED}


def no_default_bridge(text: str) -> bool:
    """Read a truth value, and take no other than false."""
    if sdk.boolean(text):
        raise ValueError("the default bridge is docker0, which Docker's own driver makes; leave this out")
    return False


def host_address(*versions: int) -> Callable[[str], sdk.IPAddress]:
    """Return a reader of addresses that a host may have, of one of *versions*; unspecified ones are all of them."""

    def read_address(text: str) -> sdk.IPAddress:
        address = ip_address(text)
        if address.version not in versions or address.is_multicast or address.is_link_local:
            raise ValueError(f"write an {' or '.join(f'IPv{version}' for version in versions)} address of this host")
        return address

    return read_address


def source_address(version: int) -> Callable[[str], sdk.IPAddress]:
    """Return a reader of addresses of *version* that packets can come from."""
    read_address = host_address(version)

    def read_source(text: str) -> sdk.IPAddress:
        address = read_address(text)
        if address.is_unspecified or address.is_loopback:
            raise ValueError(f"nobody outside could answer to {address}")
        return address

    return read_source


def links(text: str) -> Sequence[str]:
    """Read names of links, separated by colons."""
    return tuple(dict.fromkeys(sdk.interface_name(name) for name in text.split(":"))) if text else ()


vlan = sdk.number(1, 4094)  # IEEE 802.1Q: 0 and 4095 are reserved


def trunk(text: str) -> Sequence[VlanRange]:
    """Read VLANs like ``101,200-210``; return ranges, lowest first."""
    ranges = tuple(sorted(_range(part) for part in text.split(",")))
    for (_, end), (start, _) in pairwise(ranges):
        if start <= end:
            raise ValueError(f"VLAN {start} is in it twice")
    return ranges


def _range(text: str) -> VlanRange:
    first, dash, last = text.strip().partition("-")
    start = vlan(first)
    end = vlan(last) if dash else start
    if end < start:
        raise ValueError(f"{text} begins behind its end")
    return start, end
