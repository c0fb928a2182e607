"""What is told of changes in nf_tables: others' are, ours are not, and losing some is told too."""

from collections.abc import AsyncIterator, Callable

import pytest
import trio

from linkwright.kernel.nftables.firewall import Firewall
from linkwright.kernel.ruleset import ruleset
from linkwright.plan.resources import Element
from linkwright.plan.steps import Action, KernelEvent, Step
from linkwright.testkit.namespaces import Namespace

pytestmark = pytest.mark.netns

RULESET, DOCKER_USER = KernelEvent("ruleset"), KernelEvent("docker-user")


@pytest.fixture
async def firewall(namespace: Namespace) -> AsyncIterator[Firewall]:
    """A firewall in a namespace of the test's own, with its table."""
    async with Firewall(ruleset(), netns=namespace.path) as opened:
        await opened.prepare()
        yield opened


@pytest.fixture
async def events(firewall: Firewall, nursery: trio.Nursery) -> trio.MemoryReceiveChannel[KernelEvent]:
    """What the running watch tells."""
    sender, receiver = trio.open_memory_channel[KernelEvent](0)
    await nursery.start(lambda task_status: firewall.run(events=sender, task_status=task_status))
    return receiver


async def told(namespace: Namespace, events: trio.MemoryReceiveChannel[KernelEvent]) -> list[KernelEvent]:
    """All events until now: one more change, which is certain to be told, ends the list."""
    namespace.run("nft", "add table ip filter; add chain ip filter DOCKER-USER; flush chain ip filter DOCKER-USER")
    namespace.run("nft", "add rule ip filter DOCKER-USER accept")
    found = []
    with trio.fail_after(5):
        while (event := await events.receive()) != DOCKER_USER:
            found.append(event)
    return found


@pytest.mark.parametrize(
    "command",
    [
        "flush ruleset",
        "delete table inet linkwright",
        "add element inet linkwright bridges { docker0 }",
        "add element inet linkwright bridges { * }",
        "delete element inet linkwright bridges { lw0 }",
        "flush set inet linkwright bridges",
        "insert rule inet linkwright forward accept",
        "flush chain inet linkwright forward",
        "add chain inet linkwright theirs",
        "flush chain inet linkwright output; delete chain inet linkwright output",
        "add set inet linkwright theirs { type ifname; }",
        "delete table bridge linkwright",
        "add rule bridge linkwright check accept",
        "add counter bridge linkwright theirs",
    ],
)
async def test_b_23_each_transaction_of_others_on_our_table_is_one_event(
    namespace: Namespace, firewall: Firewall, events: trio.MemoryReceiveChannel[KernelEvent], command: str
) -> None:
    """Flushed, deleted or changed: one event, and preparing puts right what is wrong."""
    await firewall.apply([Step(Action.CREATE, Element("bridges", ("lw0",)))])
    namespace.run("nft", command)
    assert await told(namespace, events) == [RULESET]
    assert (firewall.told["ruleset"], firewall.told["docker-user"] > 0) == (1, True)  # for the counters of events
    await firewall.prepare()
    assert await firewall.prepare() is False


async def test_b_23_after_a_flush_the_table_comes_back(
    namespace: Namespace, firewall: Firewall, events: trio.MemoryReceiveChannel[KernelEvent]
) -> None:
    """What the daemon does on the event: the table is missing, is made, and making it is no event."""
    await firewall.apply([Step(Action.CREATE, Element("bridges", ("lw0",)))])
    namespace.run("nft", "flush", "ruleset")
    with trio.fail_after(5):
        assert await events.receive() == RULESET
    assert await firewall.prepare() is True
    assert await told(namespace, events) == []


async def test_what_we_do_ourselves_is_not_told(
    namespace: Namespace, firewall: Firewall, events: trio.MemoryReceiveChannel[KernelEvent]
) -> None:
    """Our own elements, and our own replacing of the table, are no news."""
    await firewall.apply([Step(Action.CREATE, Element("bridges", ("lw0",)))])
    await firewall.remove()
    await firewall.prepare()
    assert await told(namespace, events) == []


async def test_other_tables_are_not_told(
    namespace: Namespace, firewall: Firewall, events: trio.MemoryReceiveChannel[KernelEvent]
) -> None:
    """Docker and others change their own tables all the time; that wakes nobody."""
    namespace.run("nft", "add table ip linkwright; add chain ip linkwright DOCKER-USER")
    namespace.run("nft", "add table inet linkwright_b; add chain inet linkwright_b forward")
    namespace.run("nft", "add table bridge linkwright_b; add table bridge theirs")
    namespace.run("nft", "add table ip filter; add chain ip filter DOCKER; add rule ip filter DOCKER drop")
    namespace.run("nft", "flush chain ip filter DOCKER; delete table ip linkwright")
    assert await told(namespace, events) == []


@pytest.mark.parametrize("family", ["ip", "ip6"])
async def test_docker_user_made_and_changed_is_told(
    namespace: Namespace, events: trio.MemoryReceiveChannel[KernelEvent], family: str
) -> None:
    """Docker makes its chain, somebody flushes it, firewalld removes it: each is one event, in both families."""
    for command in (
        f"add table {family} filter; add chain {family} filter DOCKER-USER",
        f"add rule {family} filter DOCKER-USER return",
        f"flush chain {family} filter DOCKER-USER",
        f"delete chain {family} filter DOCKER-USER",
    ):
        namespace.run("nft", command)
        with trio.fail_after(5):
            assert await events.receive() == DOCKER_USER


async def test_losing_events_is_told(
    namespace: Namespace, firewall: Firewall, events: trio.MemoryReceiveChannel[KernelEvent]
) -> None:
    """When more happens than the buffer holds while nobody reads, the watch says so, and goes on watching."""
    many = ", ".join(f'"n{n}"' for n in range(30_000))
    namespace.run("nft", "-f", "-", stdin=f"add element inet linkwright bridges {{ {many} }}\n" * 2)
    for _ in range(6):
        namespace.run("nft", "flush", "set", "inet", "linkwright", "bridges")
        namespace.run("nft", "-f", "-", stdin=f"add element inet linkwright bridges {{ {many} }}\n")
    seen = set()
    with trio.fail_after(20):
        while KernelEvent("overrun") not in seen:
            seen.add(await events.receive())
    namespace.run("nft", "add table ip filter; add chain ip filter DOCKER-USER")
    with trio.fail_after(20):
        while await events.receive() != DOCKER_USER:
            pass


async def test_the_watch_listens_in_its_own_namespace_only(
    namespace: Namespace,
    events: trio.MemoryReceiveChannel[KernelEvent],
    new_namespace: Callable[[], Namespace],
) -> None:
    """Another namespace's table of the same name is somebody else's business."""
    new_namespace().run("nft", "add", "table", "inet", "linkwright")
    assert await told(namespace, events) == []
