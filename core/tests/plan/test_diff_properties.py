"""Whatever is there and whatever is wished: what holds for every plan.

The judge is ``Host``, a kernel of a few lines that refuses what the real one refuses: a thing before what it lies on, a
second holder of what only one can hold, a setting of a link that is not there.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from linkwright.model import Mac
from linkwright.plan import (
    Action,
    Address,
    Bridge,
    BridgePort,
    BridgeVlan,
    Element,
    FdbEntry,
    Hairpin,
    Hold,
    Ifb,
    Key,
    Link,
    Macvlan,
    Neighbour,
    Redirect,
    Resource,
    Route,
    Shaper,
    Step,
    Sysctl,
    Veth,
    Vxlan,
    check,
    diff,
    undo,
)
from linkwright.plan.compare import changed

BRIDGES = ["lwb1", "lwb2", "lwb3"]
FALLS = (Address, Route, Neighbour, FdbEntry, Sysctl, BridgeVlan, Hairpin, Shaper, Redirect)

macs = st.sampled_from([Mac.derive(seed) for seed in "abc"])
mtus = st.sampled_from([None, 1400, 1500])
ups = st.sampled_from([None, True, False])
ports = st.builds(BridgePort, isolated=st.sampled_from([None, True, False]), learning=st.sampled_from([None, True]))
addresses = st.sampled_from([ip_address(text) for text in ("10.0.0.1", "10.0.0.2", "fd00::1")])


@st.composite
def hosts(draw: st.DrawFn) -> dict[Key, Resource]:
    """Draw a set of wishes that can all be had: everything that is required is there, and nothing is held twice."""
    bridges = draw(st.lists(st.sampled_from(BRIDGES), unique=True))
    masters = st.sampled_from([None, *bridges])
    found: list[Resource] = [Link(name, Bridge(), mtu=draw(mtus), mac=draw(macs), up=draw(ups)) for name in bridges]
    found += [
        Link(
            name,
            Veth(f"lwc{name}"),
            mtu=draw(mtus),
            master=(master := draw(masters)),
            port=draw(ports) if master else None,
        )
        for name in draw(st.lists(st.sampled_from(["lwh1", "lwh2"]), unique=True))
    ]
    # The link's name and its VNI vary apart, so that a VNI may pass from one link to another.
    for name, vni in zip(draw(st.permutations(["lwx1", "lwx2"])), draw(st.sets(st.integers(1, 2))), strict=False):
        found.append(Link(name, Vxlan(vni), master=draw(masters), mtu=draw(mtus)))
    found += [Link(f"lwm{parent}", Macvlan(parent), up=False) for parent in bridges if draw(st.booleans())]
    queues = draw(st.lists(st.sampled_from(["lwi1", "lwi2"]), unique=True))
    found += [Link(name, Ifb(), up=draw(ups)) for name in queues]
    links = st.sampled_from([resource.key[1] for resource in found] or ["lo"])
    if queues and bridges:
        found += draw(st.lists(st.builds(Redirect, st.sampled_from(bridges), st.sampled_from(queues))))
    if found:
        found += draw(st.lists(st.builds(Shaper, links, st.sampled_from([8_000_000, 16_000_000]), st.just(9000))))
        found += draw(st.lists(st.builds(BridgeVlan, links, st.integers(1, 2), st.just(value=False), st.booleans())))
        found += draw(st.lists(st.builds(Hairpin, links)))
        found += draw(st.lists(st.builds(Address, links, addresses.map(ip_interface))))
        found += draw(st.lists(st.builds(Neighbour, links, addresses, macs)))
        found += draw(st.lists(st.builds(FdbEntry, links, macs | st.just(Mac(bytes(6))), addresses)))
        found += draw(st.lists(st.builds(Route, st.just(ip_network("10.9.0.0/24")), links, addresses)))
        found += [
            Sysctl(f"net/ipv6/conf/{name}/accept_ra", draw(st.sampled_from("01")), before_up=name)
            for name in bridges
            if draw(st.booleans())
        ]
    found += draw(
        st.lists(st.builds(Element, st.just("m"), st.tuples(st.sampled_from("ab")), st.tuples(st.sampled_from("xy"))))
    )
    return {resource.key: resource for resource in found}


def filled(resources: dict[Key, Resource]) -> dict[Key, Resource]:
    """Return *resources* as the kernel reads them back: it has a value for everything."""
    found: dict[Key, Resource] = {}
    for key, resource in resources.items():
        if isinstance(resource, Link):
            port = resource.port or BridgePort()
            found[key] = evolve(
                resource,
                mtu=resource.mtu or 1500,
                mac=resource.mac or Mac.derive("z"),
                master=resource.master or "",
                up=bool(resource.up),
                port=evolve(port, isolated=bool(port.isolated), learning=bool(port.learning)),
            )
        else:
            found[key] = resource
    return found


class Host:
    """What the kernel has, by key, and the one way to change it."""

    def __init__(self, resources: Mapping[Key, Resource], orders: Mapping[str, set[Key]] | None = None) -> None:
        """Begin with *resources*; *orders* says which settings must stand before a link goes up."""
        self.resources = dict(resources)
        self.orders = orders or {}

    def do(self, steps: Iterable[Step]) -> None:
        """Do *steps*; an assertion fails where a kernel would refuse."""
        for step in steps:
            {Action.CREATE: self.create, Action.CHANGE: self.change, Action.DELETE: self.delete}[step.action](
                step.resource
            )

    def create(self, resource: Resource) -> None:
        """Something new: nothing of its key is there, and what it needs is."""
        assert resource.key not in self.resources
        assert set(resource.requires) <= set(self.resources)
        if isinstance(resource, Link) and resource.exclusive:
            assert resource.exclusive not in {
                held.exclusive for held in self.resources.values() if isinstance(held, Link)
            }
        self.put(resource)

    def change(self, resource: Resource) -> None:
        """Only what is wished changes. ``ip route replace`` makes what has just fallen with another link."""
        found = (
            self.resources.get(resource.key, resource) if isinstance(resource, Route) else self.resources[resource.key]
        )
        wished = {name: getattr(resource, name) for name in changed(found, resource) if "." not in name}
        self.put(evolve(found, **wished))

    def put(self, resource: Resource) -> None:
        """Keep it; a link that goes up finds its settings made."""
        if isinstance(resource, Link) and resource.up:
            before = self.resources.get(resource.key)
            if not (isinstance(before, Link) and before.up):
                assert self.orders.get(resource.name, set()) <= set(self.resources)
        self.resources[resource.key] = resource

    def delete(self, resource: Resource) -> None:
        """What lies on a link falls with it; a child does not outlive its parent unnoticed."""
        del self.resources[resource.key]
        for key, other in list(self.resources.items()):
            if resource.key in other.requires:
                assert not isinstance(other, Link) or isinstance(other.kind, (Bridge, Veth, Vxlan))
                if isinstance(other, FALLS):
                    del self.resources[key]


def orders(wanted: Mapping[Key, Resource]) -> dict[str, set[Key]]:
    """Which settings *wanted* has before which link is up."""
    found: dict[str, set[Key]] = {}
    for key, resource in wanted.items():
        if isinstance(resource, Sysctl) and resource.before_up:
            found.setdefault(resource.before_up, set()).add(key)
    return found


def agree(actual: Mapping[Key, Resource], wanted: Mapping[Key, Resource]) -> bool:
    """Whether everything wished is there as it is wished, and nothing else."""
    return actual.keys() == wanted.keys() and not any(changed(actual[key], wanted[key]) for key in wanted)


@given(hosts())
def test_what_is_drawn_can_be_wished(wanted: dict[Key, Resource]) -> None:
    """The other tests of this file speak about wishes that the linter lets pass."""
    macvlans_aside = [r for r in wanted.values() if not isinstance(r, Address)]
    assert check(wanted.values()) == check(macvlans_aside) == ()


@given(hosts(), hosts())
def test_the_steps_turn_what_is_there_into_what_is_wished(
    actual: dict[Key, Resource], wanted: dict[Key, Resource]
) -> None:
    """No step is refused on the way, and afterwards there is nothing left to do but what a live thing forbids."""
    actual = filled(actual)
    plan = diff(actual, wanted)
    host = Host(actual, orders(wanted))
    host.do(plan.steps)
    left = diff(host.resources, wanted)
    assert (left.steps, left.pending, left.problems) == ((), plan.pending, plan.problems)
    assert plan.pending or not plan.problems
    settings = {key for key, resource in actual.items() if isinstance(resource, Sysctl)}
    assert plan.pending or agree({k: v for k, v in host.resources.items() if k in wanted or k not in settings}, wanted)


@given(hosts())
def test_from_nothing_everything_is_made_and_nothing_is_pending(wanted: dict[Key, Resource]) -> None:
    """After a reboot one plan makes it all."""
    plan = diff({}, wanted)
    host = Host({}, orders(wanted))
    host.do(plan.steps)
    assert (plan.pending, plan.problems) == ((), ())
    assert agree(host.resources, wanted)


@given(hosts())
def test_what_is_as_wished_needs_nothing(wanted: dict[Key, Resource]) -> None:
    """Looking twice does nothing twice."""
    assert not diff(filled(wanted), wanted)


@given(hosts())
def test_when_the_last_wish_goes_nothing_of_ours_is_left(actual: dict[Key, Resource]) -> None:
    """Deleting needs no counters. Host-wide settings stay; a link's own go with it."""
    host = Host(filled(actual))
    host.do(diff(filled(actual), {}).steps)
    assert host.resources == {}


@given(hosts(), hosts(), st.data())
def test_undo_takes_back_what_was_done_wherever_it_stopped(
    actual: dict[Key, Resource], wanted: dict[Key, Resource], data: st.DataObject
) -> None:
    """After a failure at any step the host is as before, but for what fell with a link that nobody wished for."""
    actual = filled(actual)
    steps = diff(actual, wanted).steps
    done = steps[: data.draw(st.integers(0, len(steps)))]
    host = Host(actual)
    host.do(done)
    host.do(undo(done))
    fell = {
        key
        for step in done
        if step.action is Action.DELETE
        for key, resource in actual.items()
        if isinstance(resource, FALLS) and step.resource.key in resource.requires
    }
    assert {key: actual.get(key) for key in host.resources} == host.resources
    assert actual.keys() - host.resources.keys() <= fell


@given(hosts(), hosts())
def test_the_same_input_gives_the_same_plan(actual: dict[Key, Resource], wanted: dict[Key, Resource]) -> None:
    """No meaningful choice is left to chance."""
    assert diff(actual, wanted) == diff(dict(actual), dict(wanted))


@given(hosts(), hosts())
def test_a_borrowed_link_is_never_made_nor_removed(actual: dict[Key, Resource], wanted: dict[Key, Resource]) -> None:
    """What was there before us is there after us; its absence is said, not mended."""
    parent = Link("eth0", up=None, hold=Hold.BORROW)
    there, gone = {**actual, parent.key: evolve(parent, mtu=1500, up=True)}, {**wanted, parent.key: parent}
    assert not any(step.resource.key == parent.key for step in diff(there, gone).steps)
    assert not any(step.resource.key == parent.key for step in diff({**actual, parent.key: parent}, wanted).steps)
    assert parent in [problem.resource for problem in diff(actual, gone).problems]


@pytest.mark.parametrize("depth", [3, 50])
def test_a_chain_is_made_from_its_end_and_removed_from_its_head(depth: int) -> None:
    """Parents first however deep, children first on the way back; a ring does not hang the planner."""
    chain = [Link(f"lw{i}", Macvlan(f"lw{i + 1}") if i + 1 < depth else Bridge()) for i in range(depth)]
    wanted = {link.key: link for link in chain}
    made = [step.resource for step in diff({}, wanted).steps]
    assert list(reversed(chain)) == made
    assert [step.resource for step in diff(wanted, {}).steps] == chain
    ring = {link.key: link for link in (Link("lw1", Bridge(), master="lw2"), Link("lw2", Bridge(), master="lw1"))}
    assert len(diff({}, ring).steps) == 2
