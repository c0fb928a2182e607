"""The trouble that the in-memory store makes on request; its promises are in ``test_store``."""

import pytest
import trio
from trio.testing import MockClock

from linkwright.errors import Unavailable
from linkwright.model import Endpoint
from linkwright.model.change import Put
from linkwright.store import Contents, MemoryStore


def put(name: str) -> list[Put]:
    """One endpoint."""
    return [Put(Endpoint(name, "n"))]


async def test_r_09_the_calls_named_fail_and_change_nothing() -> None:
    """The second commit finds the disk full: it says so, none of it is there, and the third works."""
    store = MemoryStore(fail_on={2})
    await store.commit(put("a"))
    with pytest.raises(Unavailable, match=r"the disk is full; nothing was written; try again"):
        await store.commit([*put("b"), *put("c")])
    assert "the disk is full" in store.statistics().failing
    await store.commit(put("d"))
    assert [endpoint.id for endpoint in (await store.load()).endpoints] == ["a", "d"]
    assert (store.statistics().commits, store.statistics().failures) == (2, 1)
    assert (store.statistics().failing, "the disk is full" in store.statistics().last_failure) == ("", True)


async def test_failures_can_be_ordered_later() -> None:
    """``fail_next`` counts from the next call, whatever was before."""
    store = MemoryStore()
    await store.commit(put("a"))
    store.fail_next(count=2)
    for name in ("b", "c"):
        with pytest.raises(Unavailable):
            await store.commit(put(name))
    await store.commit(put("d"))
    assert [endpoint.id for endpoint in (await store.load()).endpoints] == ["a", "d"]


async def test_slow_commits_take_their_time_one_after_the_other(autojump_clock: MockClock) -> None:
    """Two callers at once on a disk of three seconds: the second returns after six."""
    store = MemoryStore(delay=3)
    began, ends = trio.current_time(), []

    async def one(name: str) -> None:
        await store.commit(put(name))
        ends.append(trio.current_time() - began)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one, "a")
        nursery.start_soon(one, "b")
    assert ends == [3, 6]


async def test_slower_than_the_patience_is_unavailable(autojump_clock: MockClock) -> None:
    """A disk that does not answer in time has written nothing."""
    store = MemoryStore(delay=11, patience=10)
    with pytest.raises(Unavailable, match="not reached within 10 s"):
        await store.commit(put("a"))
    assert (Contents(), 1) == (await store.load(), store.statistics().withdrawn)


async def test_cancelled_while_slow_is_withdrawn(autojump_clock: MockClock) -> None:
    """A caller that goes away while it waits leaves nothing, and holds up nobody."""
    store = MemoryStore(delay=3)
    with trio.move_on_after(1):
        await store.commit(put("a"))
    await store.commit(put("b"))
    assert [endpoint.id for endpoint in (await store.load()).endpoints] == ["b"]
    assert (store.statistics().withdrawn, store.statistics().queue) == (1, 0)


async def test_it_starts_with_what_it_is_given(sample: Contents) -> None:
    """A restart of the daemon is a new store with the old contents and facts."""
    store = MemoryStore(sample, facts={"boot": "1"})
    again = MemoryStore(await store.load(), facts=store.facts())
    assert (sample, {"boot": "1"}) == (await again.load(), again.facts())
