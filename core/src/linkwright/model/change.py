"""What a transaction on the durable state is made of: records put and records dropped. No storage here."""

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

from linkwright.model.address import Lease, Pool
from linkwright.model.endpoint import Endpoint
from linkwright.model.found import FoundBefore
from linkwright.model.network import StoredNetwork

Record = StoredNetwork | Endpoint | Pool | Lease | FoundBefore


def key_of(record: Record) -> str:
    """Return what names *record* among its kind; putting a record replaces the one with the same key."""
    match record:
        case Lease(pool=pool, address=address):
            return f"{pool} {address}"
        case FoundBefore(key=key):
            return key
    return record.id


@frozen
class Put:
    """Store *record*, new or instead of the one with the same key.

    Not *flushed* is what the host's own end makes void: it has to outlive us, and may be lost with the power.
    """

    record: Record
    flushed: bool = True


@frozen
class Drop:
    """Forget *record*. Dropping what is not there is no error."""

    record: Record


Change = Put | Drop


class Commit(Protocol):
    """How a layer that may not know the store writes to it."""

    async def __call__(self, changes: Sequence[Change], /) -> None:
        """Make *changes* durable, all or none, before returning; those to be *flushed* also against loss of power.

        Raises Unavailable when the disk does not take them; then none of them happened.
        """
