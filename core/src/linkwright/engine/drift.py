"""How the kernel differs from what one network wants, and what of that may be put right. Pure.

===============================================  ==================================================================
a bridge, vxlan or un-joined link deleted        made again
an attribute, address, route, entry changed      put back
an element of our firewall table, or the table   put back
a joined veth or macvlan deleted                 reported: the container's interface went with it
a link that Docker has (``lent``)                left as Docker has it: elsewhere, renamed, down, back again
a stranger's link under a name of ours           reported, and nothing is put on it
a fixed attribute changed                        reported ("pending"); the link's other attributes are put back
===============================================  ==================================================================
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from attrs import evolve, frozen

from linkwright.engine.strangers import stranger
from linkwright.plan import Key, Link, Plan, Resource, Snapshot, diff
from linkwright.plan.compare import changed, fixed


@frozen
class Difference:
    """Steps to take; joined links that are gone; and strangers' links in the way, in words."""

    plan: Plan
    lost: tuple[Link, ...] = ()
    strangers: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to do or to say."""
        return bool(self.plan or self.lost or self.strangers)


def difference(
    wanted: Mapping[Key, Resource],
    seen: Snapshot,
    handed_over: Callable[[Link], bool],
    found_before: Mapping[Key, Resource] = MappingProxyType({}),
) -> Difference:
    """Compare *wanted* with what was *seen* under its keys; *handed_over* tells the links of endpoints that joined.

    *found_before* is what borrowed things were: what nobody wishes otherwise any more goes back to that.
    """
    lost: list[Link] = []
    strangers: list[str] = []
    left_alone: set[Key] = set()
    for key, wish in wanted.items():
        found = seen.resources.get(key)
        if isinstance(wish, Link) and (wish.lent or found is None) and handed_over(wish):
            left_alone.add(key)
            lost += [] if wish.lent else [wish]
        elif found is not None and (text := stranger(wish, found, made=True)):
            left_alone.add(key)
            strangers.append(text)
    here = _without(wanted, left_alone)
    present = {key: seen.resources[key] for key in here if key in seen.resources}
    plan = diff(present, here, found_before)
    if plan.pending:
        settled = {step.resource.key: _as_it_is(present[step.resource.key], step.resource) for step in plan.pending}
        plan = evolve(diff(present, here | settled, found_before), pending=plan.pending)
    return Difference(plan, tuple(lost), tuple(strangers))


def _as_it_is(found: Resource, wish: Resource) -> Resource:
    """*wish*, content with what only a new object could change; with all, where another kind is in the place."""
    names = fixed(wish, changed(found, wish))
    if not isinstance(wish, Link) or not isinstance(found, Link) or "kind" in names:
        return found
    of_kind = {name.removeprefix("kind.") for name in names}
    return evolve(wish, kind=evolve(wish.kind, **{name: getattr(found.kind, name) for name in of_kind}))


def _without(wanted: Mapping[Key, Resource], left_alone: Iterable[Key]) -> dict[Key, Resource]:
    """*wanted* less *left_alone* and all that requires it, directly or not."""
    out = set(left_alone)
    while more := {key for key, wish in wanted.items() if key not in out and not out.isdisjoint(wish.requires)}:
        out |= more
    return {key: wish for key, wish in wanted.items() if key not in out}
