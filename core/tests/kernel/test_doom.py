"""Lazy removal of links: out of the way at once, gone a little later, and never anybody else's."""

from collections.abc import AsyncIterator, Callable
from contextlib import closing
from functools import partial

import pytest
import trio
from attrs import evolve

from linkwright.kernel.batch import HostIndexes
from linkwright.kernel.condemn import Condemned, condemn, doomed_name, is_doomed
from linkwright.kernel.doom import Doom
from linkwright.kernel.encode import encode
from linkwright.kernel.netns import run_inside
from linkwright.kernel.snapshot import Reader
from linkwright.kernel.transport import Rtnetlink
from linkwright.plan.mark import Mark
from linkwright.plan.resources import Bridge, Link, Veth, Vxlan
from linkwright.plan.steps import Action, Step
from linkwright.testkit.hosts import RealHost, link, real_host
from linkwright.testkit.namespaces import Namespace

pytestmark = pytest.mark.netns

MARK = Mark("default", "network1")
#: Seconds that no test waits for.
NEVER = 3600.0


@pytest.fixture
async def lazy(new_namespace: Callable[[], Namespace]) -> AsyncIterator[RealHost]:
    """A host whose kernel never sweeps before it ends."""
    async with real_host(new_namespace(), new_namespace(), linger=NEVER) as host:
        yield host


def names(namespace: Namespace) -> set[str]:
    """The links of a namespace, as ip(8) sees them."""
    lines = namespace.run("ip", "-oneline", "link", "show").splitlines()
    return {line.split(": ")[1].split("@")[0] for line in lines} - {"lo"}


def create(*links: Link) -> list[Step]:
    """The steps that make *links*."""
    return [Step(Action.CREATE, one) for one in links]


def delete(*links: Link) -> list[Step]:
    """The steps that delete *links*."""
    return [Step(Action.DELETE, one, one) for one in links]


async def test_a_deleted_link_is_away_before_it_is_gone(lazy: RealHost) -> None:
    """Its name, its peer's, its master and its VNI are free at once; what is left is down and under a random name."""
    bridge = Link("lwb0", Bridge(), mark=MARK)
    pair = Link("lwv0", Veth("lwv0p"), master="lwb0", mark=MARK)
    tunnel = Link("lwx0", Vxlan(77), mark=MARK)
    await lazy.kernel.apply(create(bridge, pair, tunnel))
    await lazy.kernel.apply(delete(pair, tunnel))
    left = names(lazy.namespace)
    assert {"lwb0"} == {name for name in left if not is_doomed(name)}
    assert len(left) == 4
    assert lazy.namespace.run("ip", "link", "show", "master", "lwb0") == ""
    assert "lwx" not in lazy.namespace.run("ip", "-brief", "link", "show", "up")
    assert {("link", "lo"), ("link", "lwb0")} == set((await lazy.kernel.snapshot()).resources)
    await lazy.kernel.apply(create(pair, Link("lwx1", Vxlan(77), mark=MARK)))
    assert lazy.kernel.statistics().doomed_waiting == 1  # the tunnel had to go for the other one's VNI


async def test_ending_sweeps(new_namespace: Callable[[], Namespace]) -> None:
    """A daemon that goes down in order leaves nothing condemned behind."""
    namespace = new_namespace()
    async with real_host(namespace, new_namespace(), linger=NEVER) as host:
        links = [Link(f"lwb{number}", Bridge(), mark=MARK) for number in range(3)]
        await host.kernel.apply(create(*links))
        await host.kernel.apply(delete(*links))
        assert len(names(namespace)) == 3
    assert set() == names(namespace)


async def test_many_deletions_are_one_sweep(new_namespace: Callable[[], Namespace]) -> None:
    """What is deleted within a moment is removed together."""
    async with real_host(new_namespace(), new_namespace(), linger=NEVER) as host:
        links = [Link(f"lwv{number}", Veth(f"lwp{number}"), mark=MARK) for number in range(40)]
        await host.kernel.apply(create(*links))
        for one in links:
            await host.kernel.apply(delete(one))
        assert host.kernel.statistics().doomed_waiting == 40
    statistics = host.kernel.statistics()
    assert (statistics.doomed_waiting, statistics.doomed_removed) == (0, 40)


async def test_what_a_crash_left_is_removed_at_the_next_start(new_namespace: Callable[[], Namespace]) -> None:
    """Known by name pattern and our mark together; one alone is not enough."""
    namespace = new_namespace()
    ours, theirs, unmarked = (doomed_name() for _ in range(3))
    for name, alias in ((ours, str(MARK)), (theirs, "linkwright:other:network1"), (unmarked, ""), ("lwb0", str(MARK))):
        namespace.run("ip", "link", "add", name, "type", "bridge")
        namespace.run("ip", "link", "set", name, "alias", alias)
    async with real_host(namespace, new_namespace()):
        assert {theirs, unmarked, "lwb0"} == names(namespace)


@pytest.mark.parametrize(
    ("alias", "name"),
    [("", "stranger"), ("linkwright:other:network1", doomed_name()), (str(MARK), "lwb9")],
    ids=["a stranger's", "another instance's", "one of ours that is not condemned"],
)
async def test_a_group_with_anything_else_in_it_is_never_deleted_whole(
    namespace: Namespace, alias: str, name: str
) -> None:
    """Whoever put a link into our group by chance keeps it; ours go one by one."""
    group = 4242
    namespace.run("ip", "link", "add", name, "group", str(group), "type", "bridge")
    namespace.run("ip", "link", "set", name, "alias", alias)
    doom = Doom("default", netns=namespace.path, linger=0, draw=lambda: group)
    await trio.to_thread.run_sync(doom.open)
    doom.add(await run_inside(namespace.path, partial(_condemned, 3)))
    assert await trio.to_thread.run_sync(doom.wait_empty, 10)
    assert await trio.to_thread.run_sync(doom.close, 10)
    assert {name} == names(namespace)
    assert (doom.statistics().removed, doom.statistics().failures) == (3, 0)


async def test_what_goes_by_itself_while_it_waits_is_no_failure(lazy: RealHost) -> None:
    """A pair whose other end was removed with its sandbox has gone already."""
    pair = Link("lwv0", Veth("lwv0p"), mark=MARK)
    await lazy.kernel.apply(create(pair))
    await lazy.kernel.apply(delete(pair))
    lazy.namespace.run("ip", "link", "del", min(names(lazy.namespace)))  # and with it the other end
    assert set() == names(lazy.namespace)
    bridge = Link("lwb0", Bridge(), mark=MARK)
    await lazy.kernel.apply(create(bridge))
    await lazy.kernel.apply(delete(bridge))
    assert lazy.kernel.statistics().doomed_waiting == 2
    assert await link(lazy, "lwb0") is None


async def test_what_is_cleared_before_it_is_swept_ends_no_sweeping(namespace: Namespace) -> None:
    """The only one that waits goes for its VNI's next holder: the thread goes on, and removes what comes later."""
    doom = Doom("default", netns=namespace.path, linger=0.005)
    await trio.to_thread.run_sync(doom.open)
    (one,) = await run_inside(namespace.path, partial(_condemned, 1))
    namespace.run("ip", "link", "del", one.name)  # to be cleared faster than the thread lingers
    for _ in range(3):
        await run_inside(namespace.path, partial(_add_and_clear, doom, evolve(one, link=Link("lwx0", Vxlan(77)))))
    doom.add(await run_inside(namespace.path, partial(_condemned, 2)))
    assert await trio.to_thread.run_sync(doom.wait_empty, 10)
    assert await trio.to_thread.run_sync(doom.close, 10)
    assert set() == names(namespace)


async def test_an_unmarked_link_is_deleted_at_once(lazy: RealHost) -> None:
    """Nothing that could not be found again after a crash is left for later."""
    bare = Link("lwb0", Bridge())
    await lazy.kernel.apply(create(bare))
    await lazy.kernel.apply(delete(bare))
    assert set() == names(lazy.namespace)


def _add_and_clear(doom: Doom, one: Condemned) -> None:
    """Hand over *one*, and want at once what it holds; in the namespace's thread."""
    assert one.exclusive is not None
    with closing(Rtnetlink()) as netlink:
        doom.add([one])
        doom.clear(netlink, one.exclusive)


def _condemned(count: int) -> list[Condemned]:
    """Make *count* bridges of ours and condemn them; in the namespace's thread."""
    netlink = Rtnetlink()
    try:
        reader = Reader(netlink, "default")
        condemned = []
        for number in range(count):
            one = Link(f"lwb{number}", Bridge(), mark=MARK)
            assert netlink.execute(encode(Step(Action.CREATE, one), HostIndexes())) == {}
            row = reader.link(one.name)
            assert row is not None
            found = condemn(netlink, row, reader.value(row), None)
            assert found is not None
            condemned.append(found)
        return condemned
    finally:
        netlink.close()
