"""What a driver answers: the resources that must be there while a network or an endpoint exists."""

from collections.abc import Iterable, Iterator
from typing import Self

from attrs import field, frozen

from linkwright.plan.resources import BridgeVlan, Key, Resource


def _flat(resources: Iterable[Resource | None]) -> tuple[Resource, ...]:
    return tuple(one for resource in resources if resource is not None for one in _each(resource))


def _each(resource: Resource) -> Iterable[Resource]:
    """What *resource* is short for: a range of VLANs has no key that the kernel would know it by."""
    return resource.each() if isinstance(resource, BridgeVlan) else (resource,)


@frozen
class Wishes:
    """An unordered set of resources; order is the planner's business. None items are dropped, for terse drivers."""

    resources: tuple[Resource, ...] = field(default=(), converter=_flat)

    @classmethod
    def of(cls, *resources: Resource | None) -> Self:
        """Wish for *resources*."""
        return cls(resources)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.resources)

    def by_key(self) -> dict[Key, Resource]:
        """The same by key. Two different wishes of one key are found by ``check``; here the later one stands."""
        return {resource.key: resource for resource in self.resources}
