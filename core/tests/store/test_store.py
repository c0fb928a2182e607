"""The promises that every store keeps: each test runs against the one on disk and the one in memory."""

from collections.abc import Awaitable, Callable
from ipaddress import ip_address

import pytest
import trio
from attrs import evolve

from linkwright.errors import Refused, Stopping
from linkwright.model import Endpoint, EndpointState, Lease, Network
from linkwright.model.change import Commit, Drop, Put
from linkwright.store import Contents, Statistics, Store

Restart = Callable[[], Awaitable[Store]]


async def test_new_store_is_empty(store: Store) -> None:
    """A state directory that was not there is a store without records and facts."""
    assert Contents() == await store.load()
    assert store.facts() == {}


async def test_commit_is_what_the_model_asks_for(store: Store) -> None:
    """``store.commit`` fits the port that the engine and the IPAM actor are handed."""
    commit: Commit = store.commit
    await commit([Put(Endpoint("e", "n"))])
    assert (Endpoint("e", "n"),) == (await store.load()).endpoints


async def test_every_kind_survives_a_restart(restart: Restart, sample: Contents) -> None:
    """What was put comes back equal, each kind in order of its keys, in the next process."""
    await (await restart()).commit([Put(record) for record in reversed([*sample])])
    assert sample == await (await restart()).load()


async def test_put_replaces_the_record_of_the_same_key(restart: Restart) -> None:
    """The last put of a key wins, within one commit too."""
    store = await restart()
    await store.commit([Put(Endpoint("e", "n")), Put(Lease("p", ip_address("10.0.0.1"), owner="a"))])
    joined = Endpoint("e", "n", state=EndpointState.JOINED)
    await store.commit(
        [Put(Endpoint("e", "n", name="web")), Put(joined), Put(Lease("p", ip_address("10.0.0.1"), owner="b"))]
    )
    expected = Contents.of([joined, Lease("p", ip_address("10.0.0.1"), owner="b")])
    assert expected == await (await restart()).load()


async def test_equal_keys_of_two_kinds_are_two_records(store: Store) -> None:
    """A network and an endpoint with one id do not replace each other."""
    await store.commit([Put(Network("x", "bridge", {})), Put(Endpoint("x", "x"))])
    await store.commit([Drop(Endpoint("x", "x"))])
    assert Contents(networks=(Network("x", "bridge", {}),)) == await store.load()


async def test_drop_forgets_and_dropping_nothing_is_no_error(restart: Restart) -> None:
    """A dropped record is gone after a restart; one that never was may be dropped."""
    store = await restart()
    await store.commit([Put(Endpoint("a", "n")), Put(Endpoint("b", "n"))])
    await store.commit([Drop(Endpoint("a", "n")), Drop(Endpoint("never", "n"))])
    assert (Endpoint("b", "n"),) == (await (await restart()).load()).endpoints


async def test_an_empty_commit_returns(store: Store) -> None:
    """Nothing to write is written at once."""
    await store.commit([])
    assert Contents() == await store.load()


async def test_all_or_none_when_one_record_cannot_be_stored(store: Store) -> None:
    """One record that the store cannot carry refuses the whole commit, by name."""
    with pytest.raises(Refused, match=r"endpoint e cannot be stored"):
        await store.commit([Put(Endpoint("good", "n")), Put(Endpoint("e", "n", created=float("inf")))])
    with pytest.raises(Refused, match=r"the id 'a\\nb'"):
        await store.commit([Put(Endpoint("good", "n")), Put(Endpoint("a\nb", "n"))])
    assert Contents() == await store.load()


async def test_what_is_stored_is_not_shared_with_the_caller(store: Store) -> None:
    """Changing a dict that a record was made from changes nothing in the store."""
    options = {"a": "1"}
    await store.commit([Put(Network("n", "bridge", options))])
    options["a"] = "2"
    assert (await store.load()).networks[0].options == {"a": "1"}


async def test_facts_survive_a_restart_and_are_no_records(restart: Restart) -> None:
    """Instance, boot id and build are remembered beside the records, the newest value of each."""
    store = await restart()
    await store.remember({"instance": "main", "boot": "1"})
    await store.remember({"boot": "2"})
    store = await restart()
    assert store.facts() == {"instance": "main", "boot": "2"}
    assert Contents() == await store.load()


async def test_names_of_the_stores_own_facts_are_refused(store: Store) -> None:
    """Nobody overwrites what the store notes about itself."""
    with pytest.raises(Refused, match="revision"):
        await store.remember({"revision": "7", "boot": "1"})
    assert store.facts() == {}


async def test_adopt_is_an_ordinary_commit(restart: Restart) -> None:
    """Records found in the kernel's marks are put like any other."""
    store = await restart()
    await store.adopt([Endpoint("found", "n")])
    assert (Endpoint("found", "n"),) == (await (await restart()).load()).endpoints


async def test_cancelled_or_returned_tells_what_happened(store: Store) -> None:
    """A cancelled commit either returns and is there, or is cancelled and never happened: never in between."""
    returned = []
    for number in range(20):
        with trio.CancelScope() as scope:
            scope.cancel()
            endpoint = Endpoint(f"e{number:02}", "n")
            await store.commit([Put(endpoint), Put(Endpoint(f"f{number:02}", "n"))])
            returned += [endpoint, Endpoint(f"f{number:02}", "n")]
    assert Contents.of(returned) == await store.load()
    assert store.statistics().withdrawn + store.statistics().commits == 20


async def test_statistics_count_commits_changes_and_bytes(store: Store) -> None:
    """What was done can be read without asking the disk."""
    assert Statistics() == evolve(store.statistics(), copies=0)
    await store.commit([Put(Endpoint("e", "n")), Put(Endpoint("f", "n"))])
    await store.commit([Drop(Endpoint("e", "n"))])
    seen = store.statistics()
    assert (
        seen.commits,
        seen.transactions,
        seen.changes,
        seen.largest_group,
        seen.failures,
        seen.queue,
    ) == (2, 2, 3, 1, 0, 0)
    assert seen.bytes > 100


async def test_concurrent_commits_all_arrive(restart: Restart) -> None:
    """A hundred callers at once: each is answered, and each record is there."""
    store = await restart()
    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(store.commit, [Put(Endpoint(f"e{number:03}", "n"))])
    assert store.statistics().commits == 100
    assert tuple(Endpoint(f"e{number:03}", "n") for number in range(100)) == (await (await restart()).load()).endpoints


async def test_a_closed_store_takes_no_more(store: Store) -> None:
    """After the end a commit is told that the daemon is going down; closing again is no error."""
    await store.commit([Put(Endpoint("e", "n"))])
    await store.aclose()
    await store.aclose()
    with pytest.raises(Stopping, match="closed"):
        await store.commit([Put(Endpoint("f", "n"))])


async def test_context_closes(restart: Restart) -> None:
    """``async with`` closes at its end."""
    async with await restart() as store:
        await store.commit([Put(Endpoint("e", "n"))])
    with pytest.raises(Stopping):
        await store.commit([])


async def test_r_10_times_are_data(restart: Restart) -> None:
    """Records from the year 1970 and from a clock far ahead stay as they are: the store drops nothing by time."""
    leases = tuple(Lease("p", ip_address(number), since=since) for number, since in enumerate((0.0, 86400.5, 4e9)))
    await (await restart()).commit([Put(lease) for lease in leases])
    assert leases == (await (await restart()).load()).leases
