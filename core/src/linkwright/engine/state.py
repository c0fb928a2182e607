"""The memory of what Docker asked for, always equal to what the store has. No kernel, no drivers."""

from collections.abc import Iterable
from typing import Any

from linkwright.errors import NotFound
from linkwright.model import Endpoint, FoundBefore, Interface, Network, StoredNetwork
from linkwright.model.change import Change, Commit, Drop, Put, Record, key_of


class State:
    """Networks and endpoints by id, and what was found before. Changed by ``commit``, after the store has taken it.

    ``lost`` are networks that the marks on links tell of and the store does not.
    """

    def __init__(self, commit: Commit) -> None:
        """Write through *commit*."""
        self._commit = commit
        self.networks: dict[str, StoredNetwork] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.found: dict[str, FoundBefore] = {}
        self.lost: set[str] = set()
        self._of_network: dict[str, dict[str, None]] = {}
        self._holders: dict[tuple[str, Interface], str] = {}

    def load(self, records: Iterable[Record]) -> None:
        """Take what the store had at the start, the oldest first."""
        for record in sorted(records, key=lambda record: getattr(record, "created", 0.0)):
            self._note(Put(record))

    async def commit(self, *changes: Change) -> None:
        """Make *changes* durable, then remember them. Unavailable if the disk does not take them."""
        await self._commit(changes)
        for change in changes:
            self._note(change)

    def network(self, id: str) -> StoredNetwork:  # noqa: A002 - the domain's word
        """The network called *id*; NotFound."""
        try:
            return self.networks[id]
        except KeyError:
            raise NotFound(f"network {id[:12]} is not known here; was it made while linkwright was away?") from None

    def endpoint(self, network: str, id: str) -> Endpoint:  # noqa: A002
        """The endpoint called *id*, which has to be one of *network*; NotFound."""
        endpoint = self.endpoints.get(id)
        if endpoint is None or endpoint.network != network:
            raise NotFound(f"endpoint {id[:12]} of network {network[:12]} is not known here")
        return endpoint

    def endpoints_of(self, network: str) -> tuple[Endpoint, ...]:
        """The endpoints of *network*, oldest first."""
        return tuple(self.endpoints[name] for name in self._of_network.get(network, ()))

    def holders_of(self, network: str, addresses: Iterable[Interface]) -> tuple[Endpoint, ...]:
        """The endpoints of *network* that have one of *addresses*."""
        ids = {self._holders.get((network, address)) for address in addresses}
        return tuple(self.endpoints[name] for name in sorted(name for name in ids if name))

    def _note(self, change: Change) -> None:
        record: Any = change.record
        if isinstance(record, Network):
            table: dict[str, Any] = self.networks
        elif isinstance(record, FoundBefore):
            table = self.found
        elif isinstance(record, Endpoint):
            table = self.endpoints
            self._note_endpoint(record, gone=isinstance(change, Drop))
        else:
            return
        if isinstance(change, Put):
            table[key_of(record)] = record
        else:
            table.pop(key_of(record), None)

    def _note_endpoint(self, endpoint: Endpoint, *, gone: bool) -> None:
        ids = self._of_network.setdefault(endpoint.network, {})
        if gone:
            ids.pop(endpoint.id, None)
        else:
            ids.setdefault(endpoint.id)
        if not ids:
            del self._of_network[endpoint.network]
        for address in endpoint.addresses:
            holder = (endpoint.network, address)
            if not gone:
                self._holders[holder] = endpoint.id
            elif self._holders.get(holder) == endpoint.id:
                del self._holders[holder]
