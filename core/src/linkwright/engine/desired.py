"""What we want the kernel to have, by who wants it. Pure bookkeeping; no counters, no kernel, no driver.

Each network and each endpoint is a *scope* with its wishes. A key may be wished for by several scopes (a sub-interface
that two networks share); it is wanted as long as one of them does. ``propose`` says what would change, and nothing
changes until ``settle``: in between the kernel is asked.
"""

from collections.abc import Iterable, Mapping

from attrs import field, frozen

from linkwright.errors import Conflict
from linkwright.plan import Key, Resource


@frozen(order=True)
class Scope:
    """Who wishes: a network, or an endpoint of it."""

    network: str
    endpoint: str = ""

    def __str__(self) -> str:
        return f"endpoint {self.endpoint[:12]}" if self.endpoint else f"network {self.network[:12]}"


@frozen
class Transition:
    """What *scope* is to wish from now on, and what that means for the kernel: the affected keys before and after."""

    scope: Scope
    wishes: Mapping[Key, Resource]
    before: Mapping[Key, Resource] = field(factory=dict)
    after: Mapping[Key, Resource] = field(factory=dict)


class Desired:
    """All wishes that stand."""

    def __init__(self) -> None:
        """Start with none."""
        self._by_scope: dict[Scope, Mapping[Key, Resource]] = {}
        self._holders: dict[Key, dict[Scope, Resource]] = {}
        self._of_network: dict[str, set[Scope]] = {}

    def propose(self, scope: Scope, wishes: Mapping[Key, Resource]) -> Transition:
        """Say what follows if *scope* wishes for *wishes* from now on (nothing: it is gone).

        Raises Conflict if another scope wishes for one of the keys otherwise.
        """
        old = self._by_scope.get(scope, {})
        before: dict[Key, Resource] = {}
        after: dict[Key, Resource] = {}
        for key in {**old, **wishes}:
            others = {who: what for who, what in self._holders.get(key, {}).items() if who != scope}
            other = next(iter(others.items()), None)
            if key in old or other:
                before[key] = old[key] if key in old else other[1]  # type: ignore[index]
            if key in wishes:
                if other and other[1] != wishes[key]:
                    raise Conflict(f"{' '.join(key)} is held by {other[0]}, which wants it otherwise")
                after[key] = wishes[key]
            elif other:
                after[key] = other[1]
        return Transition(scope, dict(wishes), before, after)

    def settle(self, transition: Transition) -> None:
        """Let *transition* stand: the kernel has it."""
        scope = transition.scope
        for key in self._by_scope.pop(scope, {}):
            holders = self._holders[key]
            del holders[scope]
            if not holders:
                del self._holders[key]
        self._of_network.get(scope.network, set()).discard(scope)
        if transition.wishes:
            self._by_scope[scope] = transition.wishes
            self._of_network.setdefault(scope.network, set()).add(scope)
            for key, resource in transition.wishes.items():
                self._holders.setdefault(key, {})[scope] = resource
        elif not self._of_network.get(scope.network, {scope}):
            del self._of_network[scope.network]

    def of(self, scope: Scope) -> Mapping[Key, Resource]:
        """What *scope* wishes."""
        return self._by_scope.get(scope, {})

    def of_network(self, network: str) -> dict[Key, Resource]:
        """What the network and all its endpoints wish."""
        return {
            key: resource
            for scope in self._of_network.get(network, ())
            for key, resource in self._by_scope[scope].items()
        }

    def scopes(self, network: str) -> frozenset[Scope]:
        """Every scope of *network* that wishes for something."""
        return frozenset(self._of_network.get(network, ()))

    def holder(self, key: Key) -> Scope | None:
        """One scope that wishes for *key*."""
        return next(iter(self._holders.get(key, {})), None)

    def networks_of(self, keys: Iterable[Key]) -> frozenset[str]:
        """The networks that have a wish for one of *keys*."""
        return frozenset(scope.network for key in keys for scope in self._holders.get(key, {}))

    def all(self) -> dict[Key, Resource]:
        """Everything that is wanted."""
        return {key: next(iter(holders.values())) for key, holders in self._holders.items()}
