"""What a RequestPool asks for, checked and normalised. No state: whether it can be had is for ``pools``."""

from collections.abc import Mapping
from ipaddress import IPv4Interface, IPv6Interface

from attrs import frozen

from linkwright.errors import Refused
from linkwright.ipam import spaces
from linkwright.ipam.options import PoolOptions
from linkwright.ipam.spaces import within
from linkwright.model.address import Interface, Prefix

#: What was asked for where any pool of prefix length 0 would do, by IP version.
_EVERYTHING = {4: "0.0.0.0/0", 6: "::/0"}


@frozen
class PoolRequest:
    """A RequestPool that makes sense. ``subnet`` None: choose one of prefix length ``size``, None: as configured."""

    space: str
    version: int
    subnet: Prefix | None
    size: int | None
    range: Prefix | None
    options: PoolOptions
    listener: str

    @classmethod
    def of(
        cls,
        *,
        space: str,
        version: int,
        subnet: Prefix | Interface | None,
        size: int | None,
        subrange: Prefix | Interface | None,
        options: Mapping[str, str],
        listener: str,
    ) -> "PoolRequest":
        """Check and normalise: host bits are masked, ``0.0.0.0/N`` and ``::/N`` are requests for any pool of /N."""
        spaces.check(space)
        parsed = PoolOptions.parse(options)
        if parsed.space:
            space = spaces.named(parsed.space)
        wanted, inner = _masked(subnet), _masked(subrange)
        if wanted is not None and wanted.version != version:
            raise Refused(f"the subnet {wanted} was asked for as an IPv{version} pool; give one of that family")
        if wanted is None or is_automatic(wanted):
            if inner is not None:
                raise Refused(f"a range ({inner}) without a subnet cannot be placed; give the network a --subnet too")
            size = size if wanted is None else wanted.prefixlen
            if size == 0:
                raise Refused(
                    f"{_EVERYTHING[version]} is every address there is; leave --subnet out to have a pool chosen"
                )
            return cls(space, version, None, size, None, parsed, listener)
        _check_subnet(wanted)
        if inner is not None and not within(inner, wanted):
            raise Refused(f"the range {inner} does not lie in the subnet {wanted}; choose an --ip-range inside it")
        return cls(space, version, wanted, None, None if inner == wanted else inner, parsed, listener)


def is_automatic(subnet: Prefix | Interface | None) -> bool:
    """Whether a pool is to be chosen: no subnet, or one that begins with the address 0.0.0.0 or ::."""
    masked = _masked(subnet)
    return masked is None or int(masked.network_address) == 0


def _masked(prefix: Prefix | Interface | None) -> Prefix | None:
    return prefix.network if isinstance(prefix, IPv4Interface | IPv6Interface) else prefix


def _check_subnet(subnet: Prefix) -> None:
    for unusable, what in ((subnet.is_multicast, "multicast"), (subnet.is_loopback, "loopback")):
        if unusable:
            raise Refused(f"the subnet {subnet} holds {what} addresses, which no container can use; choose another")
