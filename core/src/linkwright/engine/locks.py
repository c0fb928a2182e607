"""One lock for each network, as long as somebody holds it or waits for it. No policy: who takes which is elsewhere.

Ids come from outside, so a lock must not outlive its use: calls about networks that nobody knows would fill memory.
And it must not be forgotten while somebody waits for it, or two callers would be inside together.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from attrs import define, field


@define
class _Entry:
    lock: trio.Lock = field(factory=trio.Lock)
    users: int = 0


class Locks:
    """Locks by name."""

    def __init__(self) -> None:
        """None yet."""
        self._entries: dict[str, _Entry] = {}

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """Hold the lock called *name*; first come, first served."""
        entry = self._entries.setdefault(name, _Entry())
        entry.users += 1
        try:
            async with entry.lock:
                yield
        finally:
            entry.users -= 1
            if not entry.users:
                del self._entries[name]

    def __len__(self) -> int:
        return len(self._entries)
