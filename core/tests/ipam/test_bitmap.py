"""The allocator against a plain set, and what it costs."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkwright.ipam.bitmap import Allocator, Bitmap

#: Sizes around the borders of a word, of a level, and the widest there are.
SIZES = [1, 2, 8, 1024, 1025, 2048, 1 << 16, 1 << 20, 1 << 32, 1 << 64, 1 << 128]


@pytest.mark.parametrize("size", SIZES)
@settings(deadline=None)
@given(data=st.data())
def test_a_bitmap_is_a_set_that_finds_its_first_gap(size: int, data: st.DataObject) -> None:
    """Whatever is put in and taken out, it holds what a set would hold and names the lowest gap of any range."""
    border = st.sampled_from([0, 1, 2, 1022, 1023, 1024, 1025, size // 2, size - 2, size - 1])
    offsets = (border | st.integers(0, size - 1)).filter(lambda offset: 0 <= offset < size)
    bitmap, model = Bitmap(size), set[int]()
    for offset, put in data.draw(st.lists(st.tuples(offsets, st.booleans()), max_size=30)):
        expected = (offset in model) is not put
        assert expected == (bitmap.add(offset) if put else bitmap.discard(offset))
        if put:
            model.add(offset)
        else:
            model.discard(offset)
        assert put == (offset in bitmap)
    low, high = sorted((data.draw(offsets), data.draw(offsets)))
    gap = next((offset for offset in range(low, min(high, low + 100) + 1) if offset not in model), None)
    assert gap == bitmap.first_gap(low, high)
    assert len(model) == len(bitmap)


@pytest.mark.parametrize("size", [1024, 4096, 1 << 20])
def test_full_words_are_passed_over(size: int) -> None:
    """With all but the last two offsets taken the last but one is found, and none once they are taken too."""
    bitmap = Bitmap(size)
    for offset in range(size - 2):
        bitmap.add(offset)
    assert size - 2 == bitmap.first_gap(0, size - 1)
    bitmap.add(size - 2)
    bitmap.add(size - 1)
    assert bitmap.first_gap(0, size - 1) is None
    bitmap.discard(1)
    assert bitmap.first_gap(0, size - 1) == 1
    assert bitmap.first_gap(2, size - 1) is None
    bitmap.discard(size - 5)
    assert size - 5 == bitmap.first_gap(2, size - 1)


def test_i_16_a_freed_offset_returns_after_all_others() -> None:
    """Take one, give it back, and so on: each of a /24 comes once before the first comes again."""
    allocator = Allocator(256)
    seen = []
    for _ in range(257):
        offset = allocator.take_next(0, 255)
        assert offset is not None
        seen.append(offset)
        allocator.release(offset)
    assert [*range(256), 0] == seen


@settings(deadline=None)
@given(releases=st.permutations(range(20)))
def test_i_16_freed_offsets_return_in_the_order_of_their_release(releases: list[int]) -> None:
    """From a full range that is given back in any order, what has been free for longest comes first."""
    allocator = Allocator(20)
    for _ in range(20):
        allocator.take_next(0, 19)
    assert allocator.take_next(0, 19) is None
    for offset in releases:
        assert allocator.release(offset)
    assert releases == [allocator.take_next(0, 19) for _ in range(20)]


def test_what_rests_beyond_the_queue_waits_for_the_cursor() -> None:
    """With a queue of two, the oldest freed offset is a gap again, and still comes after those never used."""
    allocator = Allocator(8, resting=2)
    for offset in range(5):
        allocator.take(offset)
    for offset in (4, 3, 2):
        allocator.release(offset)
    allocator.move(0, 7, 5)
    assert [allocator.take_next(0, 7) for _ in range(7)] == [5, 6, 7, 4, 3, 2, None]


def test_a_resting_offset_of_another_range_is_not_given() -> None:
    """A range that is in use is full, whatever rests outside of it."""
    allocator = Allocator(8)
    for offset in range(8):
        allocator.take(offset)
    for offset in (1, 6):
        allocator.release(offset)
    assert allocator.take_next(4, 7) == 6
    assert allocator.take_next(4, 7) is None


@settings(deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["take", "release", "next", "first"]), st.integers(0, 15), st.integers(0, 15))
    ),
    resting=st.integers(0, 4),
)
def test_an_allocator_never_gives_an_offset_twice(steps: list[tuple[str, int, int]], resting: int) -> None:
    """Whatever is asked for, taken means taken: the model is the set of offsets in use."""
    allocator, model = Allocator(16, resting=resting), set[int]()
    for step, one, other in steps:
        low, high = min(one, other), max(one, other)
        if step == "take":
            assert (one not in model) == allocator.take(one)
            model.add(one)
        elif step == "release":
            assert (one in model) == allocator.release(one)
            model.discard(one)
        elif step == "first":
            free = [offset for offset in range(low, high + 1) if offset not in model]
            assert min(free, default=None) == allocator.first_free(low, high)
        else:
            found = allocator.take_next(low, high)
            assert (found is None) == all(offset in model for offset in range(low, high + 1))
            assert found is None or (low <= found <= high and found not in model)
            model |= set() if found is None else {found}
        assert len(model) == allocator.count
        assert [offset not in model for offset in range(16)] == [allocator.first_free(at, at) == at for at in range(16)]


class Words(dict[int, int]):
    """The words of a bitmap, counting how often one is looked at."""

    visits = 0

    def get(self, key: int, default: int = 0) -> int:  # type: ignore[override]
        """Look at one word."""
        Words.visits += 1
        return super().get(key, default)

    def __iter__(self) -> Iterator[int]:
        raise AssertionError("nothing may walk the words")


def _count(allocator: Allocator, size: int) -> int:
    """Word visits of one allocation and one release."""
    bitmap: Bitmap | None = allocator._bits
    while bitmap is not None:
        bitmap._words = Words(bitmap._words)
        bitmap = bitmap._full
    Words.visits = 0
    offset = allocator.take_next(0, size - 1)
    assert offset is not None
    allocator.release(offset)
    return Words.visits


@pytest.mark.parametrize("size", [1 << 16, 1 << 64])
def test_z_05_a_full_pool_costs_no_more_than_twice_an_empty_one(size: int) -> None:
    """With 60 000 offsets taken an allocation and a release look at twice as many words as in an empty /24 at most."""
    full = Allocator(size)
    for _ in range(60_000):
        full.take_next(0, size - 1)
    assert full.count == 60_000
    assert _count(full, size) <= 2 * _count(Allocator(256), 256)


def test_z_05_the_last_free_offset_is_found_as_fast() -> None:
    """In a /16 with one offset free, far from the cursor, no more words are looked at than there are levels twice."""
    full = Allocator(1 << 16)
    for offset in range(1 << 16):
        if offset != 40_000:
            full.take(offset)
    full.move(0, 65_535, 50_000)
    assert _count(full, 1 << 16) <= 4 * _count(Allocator(256), 256)


def test_a_wide_pool_takes_no_memory_for_what_is_not_used() -> None:
    """A /64 with three offsets in use, far apart, keeps three words."""
    bitmap = Bitmap(1 << 64)
    for offset in (1, 1 << 40, (1 << 64) - 1):
        bitmap.add(offset)
    assert len(bitmap._words) == 3
    for offset in (1, 1 << 40, (1 << 64) - 1):
        bitmap.discard(offset)
    assert not bitmap._words
