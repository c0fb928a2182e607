"""Prefixes in order, so that "does this overlap any of those" is one binary search. Arithmetic only."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from operator import itemgetter
from typing import Self

from linkwright.model.address import Prefix

_first = itemgetter(0)


def bounds(prefix: Prefix) -> tuple[int, int]:
    """The first and the last address of *prefix*, as integers."""
    first = int(prefix.network_address)
    return first, first + prefix.num_addresses - 1


class Disjoint:
    """Prefixes of one family that do not overlap each other."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int, Prefix]] = []

    def add(self, prefix: Prefix) -> None:
        """Put *prefix* in; the caller has made sure that it overlaps none."""
        insort(self._spans, (*bounds(prefix), prefix), key=_first)

    def remove(self, prefix: Prefix) -> None:
        """Take *prefix* out, which was put in before."""
        del self._spans[bisect_left(self._spans, bounds(prefix)[0], key=_first)]

    def overlapping(self, prefix: Prefix) -> Prefix | None:
        """One that overlaps *prefix*, the highest of them; None if none does."""
        first, last = bounds(prefix)
        index = bisect_right(self._spans, last, key=_first) - 1
        return self._spans[index][2] if index >= 0 and self._spans[index][1] >= first else None


class Blocked:
    """What a set of prefixes of one family covers, whether they overlap each other or not."""

    def __init__(self, spans: list[tuple[int, int]]) -> None:
        self._spans = spans

    @classmethod
    def by(cls, prefixes: Iterable[Prefix]) -> Self:
        """Merge *prefixes* into spans that do not touch each other's addresses."""
        merged: list[tuple[int, int]] = []
        for first, last in sorted(bounds(prefix) for prefix in prefixes):
            if merged and first <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
            else:
                merged.append((first, last))
        return cls(merged)

    def end_of(self, first: int, last: int) -> int | None:
        """The last address of the span that covers some of *first* to *last*; None if all of them are clear."""
        index = bisect_right(self._spans, last, key=_first) - 1
        return self._spans[index][1] if index >= 0 and self._spans[index][1] >= first else None
