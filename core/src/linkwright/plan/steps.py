"""A plan: what to do to the kernel, in order. Values and inverses only: ``diff`` makes them, ``kernel`` does them."""

import enum
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from attrs import field, frozen

from linkwright.plan.resources import Key, Resource


class Action(enum.Enum):
    """What a step does to its resource."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"


@frozen
class Step:
    """One thing to do. ``before`` is what was there: for a change, and for a delete that could be undone."""

    action: Action
    resource: Resource
    before: Resource | None = None

    def inverse(self) -> "Step":
        """Return the step that takes this one back."""
        match self.action:
            case Action.CREATE:
                return Step(Action.DELETE, self.resource, self.resource)
            case Action.DELETE:
                return Step(Action.CREATE, self.before or self.resource)
            case Action.CHANGE:
                return Step(Action.CHANGE, self.before or self.resource, self.resource)


def undo(done: Iterable[Step]) -> tuple[Step, ...]:
    """Return what takes *done* back, last first."""
    return tuple(step.inverse() for step in reversed(tuple(done)))


def _by_key(resources: Mapping[Key, Resource]) -> Mapping[Key, Resource]:
    return MappingProxyType(dict(resources))


@frozen
class Snapshot:
    """What the kernel has. ``ours`` are the keys with our mark, protocol or table; the rest is somebody else's."""

    resources: Mapping[Key, Resource] = field(factory=dict, converter=_by_key)
    ours: frozenset[Key] = frozenset()

    def owned(self) -> dict[Key, Resource]:
        """Only what is ours."""
        return {key: self.resources[key] for key in self.ours if key in self.resources}


@frozen
class KernelEvent:
    """Something changed under us that we did not do: the keys to look at again; no keys means everything."""

    name: str  # for the counter: "newlink", "dellink", "newaddr", …, "overrun", "ruleset"
    keys: frozenset[Key] = frozenset()
