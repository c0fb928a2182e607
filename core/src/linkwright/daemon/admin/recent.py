"""What was repaired, reported and collected lately: an observer that remembers. It decides nothing.

What cannot be repaired is seen again at each look; it is kept once, with how often and when.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from attrs import evolve, frozen

from linkwright.engine.observation import Collected, Drift, DriverOverrun, Observation

Remarkable = Drift | Collected | DriverOverrun

#: How many different things are remembered: two screens full. The log has the others.
MOST: Final = 50


@frozen
class Memory:
    """Something that happened, possibly often. Times are in seconds since the Unix epoch."""

    what: Remarkable
    first: float
    last: float
    times: int = 1


class Recent:
    """Listens to the engine and keeps the newest *most* things that an operator may want to know."""

    def __init__(self, clock: Callable[[], float], *, most: int = MOST) -> None:
        """Remember nothing yet. *clock* gives Unix time."""
        self._clock = clock
        self._most = most
        self._memories: dict[Remarkable, Memory] = {}  # the newest last
        self._listening: list[list[Remarkable]] = []

    def __call__(self, observation: Observation, /) -> None:
        """Take note; an ``engine.observation.Observer``."""
        if not isinstance(observation, Remarkable):
            return
        now = self._clock()
        known = self._memories.pop(observation, None)
        self._memories[observation] = (
            evolve(known, last=now, times=known.times + 1) if known else Memory(observation, now, now)
        )
        while len(self._memories) > self._most:
            del self._memories[next(iter(self._memories))]
        for heard in self._listening:
            heard.append(observation)

    def memories(self) -> tuple[Memory, ...]:
        """What is remembered, the newest first."""
        return tuple(reversed(self._memories.values()))

    @contextmanager
    def listening(self) -> Iterator[list[Remarkable]]:
        """Give a list that grows by all that happens meanwhile, repeats included."""
        heard: list[Remarkable] = []
        self._listening.append(heard)
        try:
            yield heard
        finally:
            self._listening = [other for other in self._listening if other is not heard]
