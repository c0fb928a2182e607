"""What RequestPool and RequestAddress ask for. No state: whether it can be had is for ``pools`` and ``addresses``."""

from collections.abc import Mapping

from attrs import evolve, field, frozen

from linkwright.errors import Refused
from linkwright.ipam import spaces
from linkwright.ipam.options import PoolOptions
from linkwright.ipam.spaces import within
from linkwright.model.address import Address, LeaseKind, Prefix

#: What was asked for where any pool of prefix length 0 would do, by IP version.
_EVERYTHING = {4: "0.0.0.0/0", 6: "::/0"}


@frozen
class PoolRequest:
    """A pool that is wanted, as it was asked for: what makes no sense is refused by :meth:`checked`, in the ledger."""

    space: str
    version: int  # 4 or 6
    subnet: Prefix | None = None  # None: choose one
    size: int | None = None  # its prefix length where it is to be chosen; None: as configured
    range: Prefix | None = None
    options: Mapping[str, str] = field(factory=dict)  # the pairs of --ipam-opt
    listener: str = ""  # the socket it came by

    @property
    def automatic(self) -> bool:
        """Whether a pool is to be chosen: no subnet, or one that begins with the address 0.0.0.0 or ::."""
        return self.subnet is None or int(self.subnet.network_address) == 0

    def checked(self) -> "PoolRequest":
        """Normalise: in the space of its options, known options alone, ``0.0.0.0/N`` and ``::/N`` as any pool of /N.

        Refused says what makes no sense.
        """
        spaces.check(self.space)
        options, subnet, inner = PoolOptions.parse(self.options), self.subnet, self.range
        space = spaces.named(options.space) if options.space else self.space
        if subnet is not None and subnet.version != self.version:
            raise Refused(f"the subnet {subnet} was asked for as an IPv{self.version} pool; give one of that family")
        if subnet is None or self.automatic:
            if inner is not None:
                raise Refused(f"a range ({inner}) without a subnet cannot be placed; give the network a --subnet too")
            size = self.size if subnet is None else subnet.prefixlen
            if size == 0:
                raise Refused(
                    f"{_EVERYTHING[self.version]} is every address there is; leave --subnet out to have a pool chosen"
                )
            return evolve(self, space=space, subnet=None, size=size, options=options.given)
        _check_subnet(subnet)
        if inner is not None and not within(inner, subnet):
            raise Refused(f"the range {inner} does not lie in the subnet {subnet}; choose an --ip-range inside it")
        return evolve(self, space=space, range=None if inner == subnet else inner, options=options.given)


@frozen
class AddressRequest:
    """An address that is wanted of the pool with the id *pool*: what for, and by whom, as far as is known."""

    pool: str
    address: Address | None = None  # None: choose one
    kind: LeaseKind = LeaseKind.ENDPOINT
    owner: str = ""
    mac: str = ""
    listener: str = ""  # counts only where nothing but its id is known of the pool


def _check_subnet(subnet: Prefix) -> None:
    for unusable, what in ((subnet.is_multicast, "multicast"), (subnet.is_loopback, "loopback")):
        if unusable:
            raise Refused(f"the subnet {subnet} holds {what} addresses, which no container can use; choose another")
