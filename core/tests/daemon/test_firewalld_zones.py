"""Conversations with a firewalld in memory: it reloads, restarts, refuses, hangs and goes; nothing is lost by it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from socket import AF_UNIX, socket
from typing import Any

import pytest
import structlog
import trio
from attrs import Factory, define

from linkwright.daemon.firewalld.asked import Declined, Firewalld, Gone
from linkwright.daemon.firewalld.membership import ZONE, Standing
from linkwright.daemon.firewalld.zones import Zones, is_here
from linkwright.engine.observation import Drift, Observation
from linkwright.errors import Unavailable
from linkwright.sdk.names import link_name
from linkwright.testkit.namespaces import made

ONE, TWO = link_name("b", "1" * 64), link_name("b", "2" * 64)


@define
class Host:
    """A host with a bus, and a firewalld on it; what it does wrong is set by the test."""

    bridges: set[str] = Factory(set)
    here: set[str] = Factory(set)  # links
    zones: dict[str, set[str]] = Factory(dict)
    bus: bool = True
    runs: bool = True
    wrong: dict[str, Exception] = Factory(dict)  # by link
    hangs: bool = False
    nonsense: list[Exception] = Factory(list)  # what the library makes of what the bus says, once each
    asked: int = 0
    told: list[Observation] = Factory(list)
    signals: trio.MemorySendChannel[Any] | None = None

    async def talk(self, serve: Callable[[Firewalld], Awaitable[None]], told: trio.MemorySendChannel[Any]) -> None:
        """A ``Talk``."""
        if self.nonsense:
            raise ExceptionGroup("of a nursery", [self.nonsense.pop()])
        if self.bus:
            self.signals = told
            await serve(_InMemory(self))

    async def named(self) -> set[str]:
        """The bridges that there have to be."""
        return set(self.bridges)

    def signal(self) -> None:
        """Say, as firewalld, that something of it has changed."""
        assert self.signals is not None
        self.signals.send_nowait(None)

    def restart(self) -> None:
        """What was said at run time only is gone."""
        self.zones.clear()
        self.signal()


@define
class _InMemory:
    """Its firewalld."""

    host: Host

    async def runs(self) -> bool:
        self.host.asked += 1
        await trio.lowlevel.checkpoint()
        return self.host.runs

    async def zones(self) -> dict[str, set[str]]:
        if self.host.hangs:
            await trio.sleep(15)
            raise Unavailable("firewalld did not answer getActiveZones within 15 s")
        return {zone: set(links) for zone, links in self.host.zones.items()}

    async def add(self, zone: str, link: str) -> None:
        if link in self.host.wrong:
            raise self.host.wrong[link]
        self.host.zones.setdefault(zone, set()).add(link)

    async def remove(self, zone: str, link: str) -> None:
        self.host.zones[zone].remove(link)


@asynccontextmanager
async def running(host: Host) -> AsyncIterator[Zones]:
    """The task at work, which has looked once."""
    zones = Zones(host.named, host.told.append, talk=host.talk, exists=host.here.__contains__)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(zones.run)
        await trio.testing.wait_all_tasks_blocked()
        yield zones
        nursery.cancel_scope.cancel()


async def settled(zones: Zones) -> None:
    """What was asked for is done."""
    zones.look_again()
    await trio.testing.wait_all_tasks_blocked()


async def test_a_network_comes_and_goes(autojump_clock: trio.testing.MockClock) -> None:
    """Its bridge is a member while there is one, and neither is drift."""
    host = Host()
    async with running(host) as zones:
        host.bridges.add(ONE)
        await settled(zones)
        assert host.zones == {ZONE: {ONE}}
        assert zones.standing == Standing(runs=True)
        host.bridges.clear()
        await settled(zones)
        assert host.zones == {ZONE: set()}
    assert host.told == []


async def test_after_a_reload_members_are_put_back_and_that_is_counted(autojump_clock: trio.testing.MockClock) -> None:
    """The signal alone is enough; each bridge is one difference that was put right."""
    host = Host(bridges={ONE, TWO})
    async with running(host):
        host.restart()
        await trio.testing.wait_all_tasks_blocked()
        assert host.zones == {ZONE: {ONE, TWO}}
    assert [(one.kind, one.repaired) for one in host.told if isinstance(one, Drift)] == [("zone", True)] * 2


async def test_what_was_found_there_counts_as_put_there(autojump_clock: trio.testing.MockClock) -> None:
    """After a restart of ours a reload is drift as before it, and a network that goes takes its bridge out."""
    host = Host(bridges={ONE, TWO}, here={ONE, TWO}, zones={ZONE: {ONE, TWO}})
    async with running(host) as zones:
        host.zones[ZONE].remove(ONE)
        await settled(zones)
        host.bridges.remove(TWO)
        await settled(zones)
        assert host.zones == {ZONE: {ONE}}
    assert [one.kind for one in host.told if isinstance(one, Drift)] == ["zone"]


async def test_what_a_crash_left_is_taken_out_and_counted(autojump_clock: trio.testing.MockClock) -> None:
    """Only a name that nobody else gives, of a link that is not there."""
    host = Host(bridges={ONE}, here={ONE}, zones={ZONE: {TWO, "eth1", ONE}})
    async with running(host):
        assert host.zones == {ZONE: {ONE, "eth1"}}
    assert [(one.kind, one.repaired) for one in host.told if isinstance(one, Drift)] == [("leftover", True)]


async def test_a_zone_that_somebody_chose_is_left_and_told(autojump_clock: trio.testing.MockClock) -> None:
    """The doctor says which."""
    host = Host(bridges={ONE}, zones={"dmz": {ONE}})
    async with running(host) as zones:
        assert host.zones == {"dmz": {ONE}}
        assert zones.standing == Standing(runs=True, chosen={ONE: "dmz"})


@pytest.mark.parametrize("bus", [True, False])
async def test_without_firewalld_nothing_happens(autojump_clock: trio.testing.MockClock, bus: bool) -> None:
    """No line in the log, no difference, no task that spins; and as soon as there is one, it is told."""
    host = Host(bridges={ONE}, bus=bus, runs=False)
    with structlog.testing.capture_logs() as lines:
        async with running(host) as zones:
            await settled(zones)
            await trio.sleep(3600)
            assert (zones.standing, host.zones) == (Standing(), {})
            assert host.asked <= 2
            host.bus = host.runs = True
            await settled(zones)
            assert host.zones == {ZONE: {ONE}}
    assert (lines, host.told) == ([], [])


async def test_a_refusal_is_told_once_and_tried_again_ever_more_seldom(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """One bridge that is refused keeps no other out, and standing says why until it has gone well."""
    host = Host(bridges={ONE, TWO}, wrong={ONE: Declined("firewalld refused addInterface: not authorised")})
    with structlog.testing.capture_logs() as lines:
        async with running(host) as zones:
            await trio.sleep(3600)
            assert host.zones == {ZONE: {TWO}}
            assert zones.standing.error == "firewalld refused addInterface: not authorised"
            assert host.asked < 130
            host.wrong.clear()
            await trio.sleep(31)
            assert host.zones == {ZONE: {ONE, TWO}}
            assert zones.standing == Standing(runs=True)
    assert [line["log_level"] for line in lines] == ["warning"]


async def test_a_firewalld_that_hangs_holds_up_nobody(autojump_clock: trio.testing.MockClock) -> None:
    """Who asks for a look goes on at once; it is told in words, and done when it answers again."""
    host = Host(bridges={ONE}, hangs=True)
    async with running(host) as zones:
        before = trio.current_time()
        zones.look_again()
        zones.look_again()
        assert trio.current_time() == before
        await trio.sleep(20)
        assert "did not answer" in zones.standing.error
        host.hangs = False
        await trio.sleep(60)
        assert host.zones == {ZONE: {ONE}}


async def test_a_firewalld_that_goes_while_it_is_asked_is_no_failure(autojump_clock: trio.testing.MockClock) -> None:
    """It is stopped: as if it had never been there, until it says that it is back."""
    host = Host(bridges={ONE}, wrong={ONE: Gone("gone")})
    with structlog.testing.capture_logs() as lines:
        async with running(host) as zones:
            assert zones.standing == Standing()
            host.wrong.clear()
            host.signal()
            await trio.testing.wait_all_tasks_blocked()
            assert host.zones == {ZONE: {ONE}}
    assert lines == []


async def test_nonsense_on_the_bus_ends_the_talk_and_nothing_else() -> None:
    """It is told as what is wrong, and at the next look there is another try."""
    host = Host(bridges={"lwb000000000001"}, nonsense=[ValueError("not enough bytes")])
    async with running(host) as zones:
        assert "not enough bytes" in zones.standing.error
        await settled(zones)
        assert (zones.standing.error, host.zones) == ("", {ZONE: {"lwb000000000001"}})


def test_a_bus_is_this_hosts_only_if_it_was_made_in_its_network(tmp_path: Path) -> None:
    """A socket that nobody has, and a file, are none."""
    path = tmp_path / "bus"
    assert not is_here(path)
    path.touch()
    assert not is_here(path)
    path.unlink()
    with socket(AF_UNIX) as bound:
        bound.bind(str(path))
        bound.listen()
        assert is_here(path)
        (tmp_path / "link").mkdir()
        (tmp_path / "link" / "bus").symlink_to(path)
        assert is_here(tmp_path / "link" / "bus")


@pytest.mark.netns
def test_a_bus_of_another_network_namespace_is_another_hosts(tmp_path: Path) -> None:
    """What a test, the demo or a container sees of its machine's bus must not be told of their bridges."""
    path = tmp_path / "bus"
    with socket(AF_UNIX) as bound, made() as space:
        bound.bind(str(path))
        bound.listen()
        there = space.run("cat", "/proc/self/net/unix")
        (tmp_path / "unix").write_text(there)
        assert is_here(path)
        assert not is_here(path, tmp_path / "unix")
