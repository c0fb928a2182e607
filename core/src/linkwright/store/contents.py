"""All records at once, as one frozen value in a fixed order. No text, no storage."""

from collections.abc import Iterable, Iterator

from attrs import frozen

from linkwright.model.address import Lease, Pool
from linkwright.model.change import Record, key_of
from linkwright.model.endpoint import Endpoint
from linkwright.model.found import FoundBefore
from linkwright.model.network import Network, StoredNetwork


@frozen
class Contents:
    """What a store holds. Each tuple is ordered by key, so equal contents are equal values."""

    networks: tuple[StoredNetwork, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    pools: tuple[Pool, ...] = ()
    leases: tuple[Lease, ...] = ()
    found: tuple[FoundBefore, ...] = ()

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Contents":
        """*records* sorted into their kinds and by their keys, whatever order they come in."""
        ordered = sorted(records, key=key_of)
        return cls(
            networks=tuple(record for record in ordered if isinstance(record, Network)),
            endpoints=tuple(record for record in ordered if isinstance(record, Endpoint)),
            pools=tuple(record for record in ordered if isinstance(record, Pool)),
            leases=tuple(record for record in ordered if isinstance(record, Lease)),
            found=tuple(record for record in ordered if isinstance(record, FoundBefore)),
        )

    def __iter__(self) -> Iterator[Record]:
        yield from self.networks
        yield from self.endpoints
        yield from self.pools
        yield from self.leases
        yield from self.found

    def __len__(self) -> int:
        return sum(1 for _ in self)
