"""Which addresses of a subnet are taken: sets of small integers, and the choice of the next one.

Rule 1: offsets only. Nothing here knows what an address is, who holds it, or why.
Rule 2: no operation may walk the subnet. A /64 and a full /16 cost what an empty /24 costs.

How: bits are kept in words of 1 024, in a dict, so that an untouched region takes no memory. The words that are
full form a set of small integers themselves and are kept in another bitmap one level up, so the next gap is found
by looking at one word per level. A /16 has two levels, a /64 seven.
"""

from collections import OrderedDict

#: 1 024-bit words: the fastest of the sizes measured, and a million addresses fit two levels.
_SHIFT = 10
_MASK = (1 << _SHIFT) - 1
_FULL = (1 << (1 << _SHIFT)) - 1

#: How many freed addresses rest before the oldest may be given again. A /20 has fewer, so there an address
#: returns only when all others are in use; wider pools rest at least this many releases. Bounds the memory.
RESTING = 4096


class Bitmap:
    """A set of integers from 0 up to (not including) *size*."""

    __slots__ = ("_count", "_full", "_words")

    def __init__(self, size: int) -> None:
        self._count = 0
        self._words: dict[int, int] = {}
        self._full = Bitmap((size + _MASK) >> _SHIFT) if size > 1 << _SHIFT else None

    def __len__(self) -> int:
        return self._count

    def __contains__(self, offset: int) -> bool:
        return bool(self._words.get(offset >> _SHIFT, 0) >> (offset & _MASK) & 1)

    def add(self, offset: int) -> bool:
        """Put *offset* in; False if it was in already."""
        index, bit = offset >> _SHIFT, 1 << (offset & _MASK)
        word = self._words.get(index, 0)
        if word & bit:
            return False
        self._words[index] = word = word | bit
        self._count += 1
        if word == _FULL and self._full is not None:
            self._full.add(index)
        return True

    def discard(self, offset: int) -> bool:
        """Take *offset* out; False if it was not in."""
        index, bit = offset >> _SHIFT, 1 << (offset & _MASK)
        word = self._words.get(index, 0)
        if not word & bit:
            return False
        if word == _FULL and self._full is not None:
            self._full.discard(index)
        if word == bit:
            del self._words[index]
        else:
            self._words[index] = word ^ bit
        self._count -= 1
        return True

    def first_gap(self, low: int, high: int) -> int | None:
        """The lowest offset from *low* to *high*, both included, that is not in; None if all are."""
        if low > high:
            return None
        index, gap = low >> _SHIFT, self._gap_in(low >> _SHIFT, low & _MASK)
        if gap is None and self._full is not None:
            following = self._full.first_gap(index + 1, high >> _SHIFT)
            if following is not None:
                index, gap = following, self._gap_in(following, 0)
        if gap is None:
            return None
        found = index << _SHIFT | gap
        return found if found <= high else None

    def _gap_in(self, index: int, start: int) -> int | None:
        free = ~self._words.get(index, 0) & (_FULL >> start << start)
        return (free & -free).bit_length() - 1 if free else None


class Allocator:
    """Gives out offsets below *size* so that one given back rests as long as possible.

    Next-fit: a cursor per range moves up and wraps around. Offsets given back do not become gaps at once but rest in
    a queue of at most *resting*; they are taken from it, oldest first, when there is no gap left.
    """

    def __init__(self, size: int, *, resting: int = RESTING) -> None:
        self._bits = Bitmap(size)  # in use, or resting
        self._limit = resting
        self._resting: OrderedDict[int, None] = OrderedDict()
        self._cursors: dict[tuple[int, int], int] = {}

    @property
    def count(self) -> int:
        """How many offsets are in use."""
        return len(self._bits) - len(self._resting)

    def take(self, offset: int) -> bool:
        """Take exactly *offset*; False if it is in use."""
        if offset in self._resting:
            del self._resting[offset]
            return True
        return self._bits.add(offset)

    def next_free(self, low: int, high: int) -> int | None:
        """The offset from *low* to *high* that has been free for longest, as far as is known; None if all are in use.

        It is not taken, and the cursor does not move: see :meth:`take_next`.
        """
        cursor = self._cursors.get((low, high), low)
        found = self._bits.first_gap(cursor, high)
        if found is None:
            found = self._bits.first_gap(low, cursor - 1)
        if found is None:
            found = next((offset for offset in self._resting if low <= offset <= high), None)
        return found

    def first_free(self, low: int, high: int) -> int | None:
        """The lowest free offset from *low* to *high*, rested or not; None if all are in use."""
        gap = self._bits.first_gap(low, high)
        rested = min((offset for offset in self._resting if low <= offset <= high), default=None)
        return min((offset for offset in (gap, rested) if offset is not None), default=None)

    def take_next(self, low: int, high: int) -> int | None:
        """Take what :meth:`next_free` names, and move the cursor of this range past it."""
        found = self.next_free(low, high)
        if found is not None:
            self.take(found)
            self.move(low, high, found + 1)
        return found

    def move(self, low: int, high: int, cursor: int) -> None:
        """Let the next search in this range begin at *cursor*."""
        self._cursors[low, high] = cursor if low <= cursor <= high else low

    def release(self, offset: int) -> bool:
        """Give *offset* back; False if it was not in use."""
        if offset not in self._bits or offset in self._resting:
            return False
        self._resting[offset] = None
        if len(self._resting) > self._limit:
            oldest, _ = self._resting.popitem(last=False)
            self._bits.discard(oldest)
        return True
