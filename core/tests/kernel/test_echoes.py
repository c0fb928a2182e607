"""Telling the echo of our own work from news, where the kernel does not say whose it is. Pure."""

from ipaddress import ip_address, ip_interface

import pytest
from attrs import evolve

from linkwright.kernel import echoes
from linkwright.kernel.echoes import Echoes
from linkwright.model.mac import Mac
from linkwright.plan.resources import Address, Bridge, BridgeVlan, FdbEntry, Link, Veth
from linkwright.plan.steps import Action, Step

ENTRY = FdbEntry("lwx0", Mac.parse("02:00:00:00:00:01"), ip_address("10.0.0.8"))
BRIDGE = Link("lwb0", Bridge(), mtu=1400)
FULL = evolve(BRIDGE, kind=Bridge(True), mac=Mac.parse("02:00:00:00:00:01"), master="", up=True)


def test_what_we_made_is_an_echo_as_long_as_it_is_as_wished() -> None:
    """What the kernel fills in does not matter; what was wished and is otherwise is news."""
    known = Echoes()
    known.expect([Step(Action.CREATE, BRIDGE), Step(Action.CREATE, ENTRY)])
    assert known.is_made(FULL)
    assert known.is_made(ENTRY)
    assert not known.is_made(evolve(FULL, mtu=1500))
    assert not known.is_made(evolve(ENTRY, remote=ip_address("10.0.0.9")))
    assert not known.is_made(Address("lwb0", ip_interface("10.0.0.1/24")))


def test_what_we_unmade_is_an_echo_once() -> None:
    """The second time it goes, it was somebody else."""
    known = Echoes()
    known.expect([Step(Action.DELETE, ENTRY)])
    assert [known.is_unmade(ENTRY.key) for _ in range(2)] == [True, False]
    known.expect([Step(Action.DELETE, ENTRY), Step(Action.CREATE, ENTRY)])
    assert not known.is_unmade(ENTRY.key)


def test_of_a_pair_both_ends_go_and_what_lies_on_them() -> None:
    """The other end is ours to delete too."""
    known = Echoes()
    known.expect([Step(Action.DELETE, Link("lwv0", Veth("lwv0p")))])
    assert known.is_leaving("lwv0")
    assert known.is_unmade(("link", "lwv0p"))
    assert not known.is_leaving("lwb0")


def test_what_was_not_done_after_all_is_news() -> None:
    """A plan that failed leaves nothing to expect."""
    known = Echoes()
    steps = [Step(Action.CREATE, BRIDGE), Step(Action.DELETE, ENTRY)]
    known.expect(steps)
    known.forget(steps)
    assert not known.is_made(FULL)
    assert not known.is_unmade(ENTRY.key)


def test_what_is_never_echoed_is_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleting what is not there has no echo; the oldest of those are dropped."""
    monkeypatch.setattr(echoes, "_REMEMBERED", 10)
    known = Echoes()
    entries = [FdbEntry("lwx0", Mac(number.to_bytes(6)), ip_address("10.0.0.8")) for number in range(1, 31)]
    for entry in entries:
        known.expect([Step(Action.DELETE, entry)])
    assert [known.is_unmade(entry.key) for entry in entries] == [False] * 20 + [True] * 10


def test_what_went_with_its_link_is_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """No step unmakes it; the oldest are dropped, and what was asked for again is not old."""
    monkeypatch.setattr(echoes, "_REMEMBERED", 10)
    known = Echoes()
    members = [BridgeVlan(f"lwh{number}", 1) for number in range(14)]
    for some in (members[:8], members[8:]):
        known.expect([Step(Action.CREATE, BRIDGE), *(Step(Action.CREATE, member) for member in some)])
    assert [member for member in members if known.is_made(member)] == members[5:]
    assert known.is_made(FULL)
