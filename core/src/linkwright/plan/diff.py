"""The planner: from what is and what is wished to an ordered list of steps.

Rule 1: pure, and no meaningful choice is left to whoever does the steps.
Rule 2: the order is a table (``RANK``), with these reasons:

- elements that deny or classify come before a link that they judge, and go after it; those that lead new connections
  into a container come when all else stands, and go first;
- a link is made before what lies on it; a master or parent before its ports and children;
- which VLANs a port is a member of, and how fast it is, before there is an address that anybody could send to;
- a sysctl that must precede "up" makes its link be made down and set up afterwards;
- addresses before routes, since a next hop must be reachable; addresses before "up" costs nothing;
- make before unmake, so that there is never a moment without, except where only one can exist (``exclusive``).

Rule 3: no step is planned that has to fail: what lies on a link that cannot be had waits until it can.
Rule 4: of two ends of a pair that are both wished, the one of the lesser name is made, and the other changed then.
Rule 5: what is borrowed is never deleted. Its unmaking is a change, back to what it was when it was found.
"""

from collections.abc import Container, Iterable, Iterator, Mapping

from attrs import evolve, field, frozen

from linkwright.plan.borrow import overlaid
from linkwright.plan.compare import changed, fixed
from linkwright.plan.resources import (
    Address,
    BridgeVlan,
    Element,
    FdbEntry,
    Hairpin,
    Hold,
    Key,
    Link,
    Neighbour,
    Redirect,
    Resource,
    Route,
    Shaper,
    Sysctl,
    Veth,
)
from linkwright.plan.sets import DESTINATIONS
from linkwright.plan.steps import Action, Step

#: In which order kinds are made; they are unmade in the opposite one. "Up" of a link that was made down is UP.
RANK: dict[type, int] = {
    Element: 0,  # those of the sets in DESTINATIONS: _LAST
    Link: 1,
    BridgeVlan: 2,
    Hairpin: 2,
    Shaper: 2,
    Redirect: 2,
    Sysctl: 3,
    Address: 4,
    Route: 6,
    Neighbour: 7,
    FdbEntry: 7,
}
_UP, _LAST = 5, 8

#: What the kernel removes by itself together with the link it lies on.
_FALLS_WITH_LINK = (Address, Route, Neighbour, FdbEntry, BridgeVlan, Hairpin, Shaper, Redirect)


@frozen
class Problem:
    """A wish that no step can fulfil: what it is and why, in words for the person who asked."""

    resource: Resource
    text: str


@frozen
class Plan:
    """Steps to take in order; ``pending`` are changes that would need a new object; ``problems`` cannot be done."""

    steps: tuple[Step, ...] = ()
    pending: tuple[Step, ...] = ()
    problems: tuple[Problem, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.steps or self.pending or self.problems)


@frozen
class _Draft:
    makes: list[Step] = field(factory=list)
    unmakes: list[Step] = field(factory=list)
    pending: list[Step] = field(factory=list)
    problems: list[Problem] = field(factory=list)


def diff(
    actual: Mapping[Key, Resource], wanted: Mapping[Key, Resource], found_before: Mapping[Key, Resource] | None = None
) -> Plan:
    """Return what turns *actual* into *wanted*.

    Everything in *actual* that *wanted* lacks is removed, so hand in only what is ours or wished for. A fixed attribute
    that differs goes to ``pending``: whether a live thing may be replaced is not the planner's to decide.
    *found_before* is what borrowed links and settings of the host were before we changed them (``borrow.as_found``):
    what *wanted* no longer says of them goes back to that.
    """
    draft = _Draft()
    before = found_before or {}
    staying = [link for key, link in actual.items() if key in wanted and isinstance(link, Link)]
    held = {link.exclusive: link for link in staying if link.exclusive}
    for key, wish in wanted.items():
        resource = overlaid(before.get(key), wish)
        found = actual.get(key)
        if found is None:
            _make(draft, resource, held, actual, wanted)
        else:
            _change(draft, found, resource)
    for key, resource in actual.items():
        if key not in wanted:
            _unmake(draft, resource, before.get(key))
    return Plan(_ordered(draft, wanted), tuple(draft.pending), tuple(draft.problems))


def _make(
    draft: _Draft,
    resource: Resource,
    held: Mapping[Key, Link],
    actual: Mapping[Key, Resource],
    wanted: Mapping[Key, Resource],
) -> None:
    exclusive = resource.exclusive if isinstance(resource, Link) else None
    if exclusive is not None and exclusive in held:
        text = f"{' '.join(exclusive)} is held by link {held[exclusive].name!r}, which is in use"
        draft.problems.append(Problem(resource, text))
    elif (other := _other_end(resource)) in actual:
        text = f"the other end of {other[1]!r} was moved or renamed; `ip link del {other[1]}`, and both are made again"
        draft.problems.append(Problem(resource, text))
    elif isinstance(resource, Link) and _comes_with_other(resource, wanted):
        made = Link(resource.name, resource.kind, mtu=getattr(wanted[other], "mtu", None), up=False)
        draft.makes.append(Step(Action.CHANGE, resource, made))
    elif isinstance(resource, Link) and resource.hold is Hold.BORROW:
        draft.problems.append(Problem(resource, f"there is no link {resource.name!r} on this host"))
    elif isinstance(resource, Sysctl) and resource.hold is Hold.BORROW:
        draft.problems.append(_sysctl_problem(resource, "not there"))
    else:
        draft.makes.append(Step(Action.CREATE, resource))


def _other_end(resource: Resource) -> Key:
    """The key of a pair's other end; of anything else that is none."""
    return ("link", resource.kind.peer) if isinstance(resource, Link) and isinstance(resource.kind, Veth) else ()


def _comes_with_other(resource: Resource, those: Container[Key]) -> bool:
    """Whether it is the end of a pair that is made, or goes, with the other, which is one of *those*."""
    other = _other_end(resource)
    return other in those and other < resource.key


def _change(draft: _Draft, found: Resource, resource: Resource) -> None:
    names = changed(found, resource)
    if not names:
        return
    if isinstance(resource, Sysctl) and isinstance(found, Sysctl) and resource.hold is Hold.BORROW:
        draft.problems.append(_sysctl_problem(resource, found.value))
    elif fixed(resource, names):
        draft.pending.append(Step(Action.CHANGE, resource, found))
    else:
        draft.makes.append(Step(Action.CHANGE, resource, found))


def _unmake(draft: _Draft, resource: Resource, found_before: Resource | None) -> None:
    match resource, found_before:
        case Sysctl(hold=Hold.BORROW), _:
            return
        case Sysctl(), _:  # a setting has no "absent": without a value to go back to it is left as it is
            otherwise = found_before.value if isinstance(found_before, Sysctl) else resource.otherwise
            if otherwise is None:
                return
            resource = evolve(resource, otherwise=otherwise)
        case Link(hold=Hold.BORROW), None:
            return
        case Link(), Link() if changed(resource, found_before):
            draft.unmakes.append(Step(Action.CHANGE, found_before, resource))
            return
        case Link(), Link():
            return
    draft.unmakes.append(Step(Action.DELETE, resource, resource))


def _sysctl_problem(resource: Sysctl, value: str) -> Problem:
    name = resource.path.replace("/", ".")
    return Problem(resource, f"the host's {name} is {value}, and it has to be {resource.value}")


def _ordered(draft: _Draft, wanted: Mapping[Key, Resource]) -> tuple[Step, ...]:
    down_first = {
        resource.before_up for resource in wanted.values() if isinstance(resource, Sysctl) and resource.before_up
    }
    blocked = {problem.resource.key for problem in draft.problems}
    makes = sorted(_possible(_parents_first(draft.makes), blocked), key=_rank)
    steps: list[tuple[int, Step]] = []
    for step in makes:
        link = step.resource
        if isinstance(link, Link) and link.up and link.name in down_first:
            steps += _up_later(step, link)
        else:
            steps.append((_rank(step), step))
    ordered_makes = [step for _, step in sorted(steps, key=lambda pair: pair[0])]
    gone = {step.resource.key for step in draft.unmakes if step.action is Action.DELETE}
    unmakes = [step for step in draft.unmakes if not _falls(step.resource, gone)]
    children_first = _parents_first(unmakes)[::-1]
    ordered_unmakes = sorted(children_first, key=lambda step: -_rank(step))
    claimed = {_exclusive(step) for step in ordered_makes if step.action is Action.CREATE} - {None}
    first = [step for step in ordered_unmakes if _exclusive(step) in claimed]
    last = [step for step in ordered_unmakes if _exclusive(step) not in claimed]
    return (*first, *ordered_makes, *last)


def _up_later(step: Step, link: Link) -> list[tuple[int, Step]]:
    """Make or change *link* without setting it up, and set it up when its sysctls stand."""
    was_up = isinstance(step.before, Link) and step.before.up
    if was_up:
        return [(_rank(step), step)]
    down = evolve(link, up=False)
    first = evolve(step, resource=down)
    needless = step.action is Action.CHANGE and step.before is not None and not changed(step.before, down)
    if needless:
        return [(_UP, step)]
    return [(_rank(step), first), (_UP, Step(Action.CHANGE, link, down))]


def _rank(step: Step) -> int:
    resource = step.resource
    if isinstance(resource, Element) and resource.set in DESTINATIONS:
        return _LAST
    return RANK[type(resource)]


def _exclusive(step: Step) -> Key | None:
    return step.resource.exclusive if isinstance(step.resource, Link) else None


def _falls(resource: Resource, gone: set[Key]) -> bool:
    match resource:
        case Sysctl(of_link=str() as name):
            return ("link", name) in gone
        case Redirect(link=name):  # it stays when only the link goes that it leads to
            return ("link", name) in gone
    if _comes_with_other(resource, gone):
        return True
    return isinstance(resource, _FALLS_WITH_LINK) and any(key in gone for key in resource.requires)


def _requires(step: Step) -> tuple[Key, ...]:
    """What comes before it: an end of a pair is changed when the pair has been made."""
    other = _other_end(step.resource)
    return (*step.resource.requires, *([other] if other and step.action is Action.CHANGE else []))


def _possible(parents_first: Iterable[Step], blocked: set[Key]) -> Iterator[Step]:
    """Leave out what requires something that cannot be had, and what requires that."""
    for step in parents_first:
        if blocked.isdisjoint(_requires(step)):
            yield step
        else:
            blocked = blocked | {step.resource.key}


def _parents_first(steps: Iterable[Step]) -> list[Step]:
    """Sort so that what a resource requires comes before it (depth first; a cycle is cut, not followed)."""
    by_key = {step.resource.key: step for step in steps}
    ordered: dict[Key, Step] = {}

    def visit(key: Key, above: tuple[Key, ...] = ()) -> None:
        if key in ordered or key not in by_key or key in above:
            return
        for required in _requires(by_key[key]):
            visit(required, (*above, key))
        ordered[key] = by_key[key]

    for key in by_key:
        visit(key)
    return list(ordered.values())
