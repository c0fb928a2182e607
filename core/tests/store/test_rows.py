"""Checksums, and taking back what came too late."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linkwright.errors import Refused
from linkwright.store.rows import FACT, Write, after, remembering, sum_of, undo

#: Drawing records is slow on a busy machine, and that is no failure.
CALM = settings(suppress_health_check=[HealthCheck.too_slow])
WRITES = st.lists(
    st.builds(Write, st.just("k"), st.sampled_from("abc"), st.none() | st.sampled_from("123")), max_size=4
)


@CALM
@given(
    rows=st.dictionaries(st.tuples(st.just("k"), st.sampled_from("abc")), st.sampled_from("123")),
    group=st.lists(st.tuples(WRITES, st.booleans())),
)
def test_undo_leaves_what_the_others_wrote(rows: dict[Any, str], group: list[tuple[list[Write], bool]]) -> None:
    """After a group and its undo everything is as if the late members had never been in the group."""
    names = {write.name for writes, _ in group for write in writes}
    before = {name: rows.get(name) for name in names}
    done = after(rows, [write for writes, _ in group for write in writes])
    expected = after(rows, [write for writes, late in group if not late for write in writes])
    assert expected == after(done, undo(before, group))


def test_undo_of_nothing_late_is_nothing() -> None:
    """When all came in time there is nothing to write."""
    assert undo({("k", "a"): None}, [([Write("k", "a", "1")], False)]) == ()


@CALM
@given(text=st.binary(min_size=1), position=st.integers(min_value=0), flip=st.integers(1, 255))
def test_sum_finds_a_damaged_byte(text: bytes, position: int, flip: int) -> None:
    """Any one byte changed in any way is another checksum."""
    position %= len(text)
    changed = bytearray(text)
    changed[position] ^= flip
    assert sum_of(b"k", b"a", text) != sum_of(b"k", b"a", bytes(changed))


def test_sum_covers_the_name() -> None:
    """A text that ends up under another name is found as well."""
    assert len({sum_of(b"k", b"a", b"1"), sum_of(b"k", b"b", b"1"), sum_of(b"l", b"a", b"1")}) == 3


def test_remembering_refuses_the_stores_own_names() -> None:
    """Other names become facts."""
    assert [Write(FACT, "boot", "1")] == remembering({"boot": "1"})
    with pytest.raises(Refused, match="the store keeps orderly, recovery itself"):
        remembering({"recovery": "", "orderly": "", "boot": "1"})
