"""What of the host we may change without owning it: kept durably as it was found, put back when nobody borrows it.

Rule 1: it is known on disk what was there before the kernel is asked to change it; a crash in between loses nothing.
Rule 2: one record for each thing of the host, whoever borrows it: two networks may share a parent link, and it is put
back with the last of them.
Rule 3: a record holds for one boot. Another boot makes the host anew by its own configuration, and so does whoever
makes a link again that had gone: what is found then is what counts.

Settings (sysctl) of a borrowed link are borrowed with it. Those of our own links go with the link.
"""

from collections.abc import Callable, Iterable, Mapping

import trio

from linkwright.engine.desired import Desired
from linkwright.engine.observation import Drift, Observer
from linkwright.engine.ports import Kernel
from linkwright.engine.state import State
from linkwright.errors import LinkwrightError
from linkwright.model import FoundBefore
from linkwright.model.change import Change, Drop, Put
from linkwright.plan import (
    PREFIX,
    Hold,
    Key,
    Link,
    Resource,
    Snapshot,
    Sysctl,
    as_found,
    diff,
    found_attributes,
    found_resource,
)


class Borrowing:
    """Looks before anything borrowed is changed, and puts back what nobody borrows any more."""

    def __init__(
        self,
        *,
        state: State,
        desired: Desired,
        kernel: Kernel,
        observer: Observer,
        frozen: Callable[[], Iterable[str]],
    ) -> None:
        """Take the parts. *frozen* gives the networks of which it is not known what they borrow."""
        self._state = state
        self._desired = desired
        self._kernel = kernel
        self._observer = observer
        self._frozen = frozen
        self._lock = trio.Lock()

    @property
    def found(self) -> Mapping[Key, Resource]:
        """What was found under this boot, by key."""
        boot = self._kernel.boot_id()
        kept = (_kept(record) for record in self._state.found.values() if record.boot == boot)
        return {resource.key: resource for resource in kept if resource is not None}

    async def look(self, wanted: Mapping[Key, Resource]) -> Snapshot:
        """Read what there is under the keys of *wanted*, which is then fulfilled, having made durable what is borrowed.

        Whoever wants it has said so before (``Desired.begin``), or it may be put back meanwhile.
        """
        borrowed = {key: wish for key, wish in wanted.items() if _is_borrowed(wish)}
        if not borrowed:
            return await self._kernel.observe(wanted)
        async with self._lock:
            seen = await self._kernel.observe(wanted)
            known = self.found
            changes = [
                change
                for key, wish in borrowed.items()
                if (change := self._to_note(wish, seen.resources.get(key), known.get(key))) is not None
            ]
            if changes:
                await self._state.commit(*changes)
            return seen

    async def put_back(self) -> None:
        """Put back what nobody borrows any more, and forget what it was. What fails is told, and tried again later."""
        if not self._state.found or any(self._frozen()):
            return
        for name in tuple(self._state.found):
            async with self._lock:
                record = self._state.found.get(name)
                kept = None if record is None else _kept(record)
                if record is None or kept is None or not self._nobodys(kept):
                    continue
                try:
                    if record.boot != self._kernel.boot_id() or await self._restored(kept):
                        await self._state.commit(Drop(record))
                except LinkwrightError as error:
                    text = f"{name} could not be made again as it was found: {error}"
                    self._observer(Drift(kept.key[0], repaired=False, text=text))

    async def _restored(self, kept: Resource) -> bool:
        """Make it as it was, if it is there: what has gone and comes back is another. False if it is wanted again."""
        seen = (await self._kernel.observe([kept.key])).resources
        if not self._nobodys(kept):
            return False
        if seen:
            await self._kernel.apply(diff(seen, {}, {kept.key: kept}).steps)
        return True

    def _nobodys(self, kept: Resource) -> bool:
        return kept.key in self._desired.unwanted({kept.key: kept})

    def _to_note(self, wish: Resource, found: Resource | None, known: Resource | None) -> Change | None:
        """What has to be on disk before *wish* is fulfilled."""
        if found is None:
            return Drop(self._record(known)) if known is not None else None
        kept = as_found(wish, found, known)
        return Put(self._record(kept)) if kept is not None and kept != known else None

    def _record(self, kept: Resource) -> FoundBefore:
        return FoundBefore(" ".join(kept.key), self._kernel.boot_id(), found_attributes(kept))


def _kept(record: FoundBefore) -> Resource | None:
    """What *record* says; None for what a newer linkwright wrote, and could put back."""
    try:
        return found_resource(tuple(record.key.split(" ")), record.attributes)
    except (ValueError, KeyError):
        return None


def _is_borrowed(wish: Resource) -> bool:
    """Whether *wish* is about what is the host's: a link that is borrowed, or a setting of one that is not ours."""
    if isinstance(wish, Sysctl):
        return wish.hold is Hold.OWN and wish.of_link is not None and not wish.of_link.startswith(PREFIX)
    return isinstance(wish, Link) and wish.hold is Hold.BORROW
