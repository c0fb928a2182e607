"""What we want the kernel to have, by who wants it. Pure bookkeeping; no counters, no kernel, no driver.

Each network and each endpoint is a *scope* with its wishes. A key may be wished for by several scopes (an element that
two networks share); it is wanted as long as one of them does. ``propose`` says what would change. ``begin`` says the
same and notes it as under way; nothing stands until ``settle``, and ``abandon`` forgets it: in between the kernel is
asked, and others are told what is coming and what is leaving, so that no two of them work against each other.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from attrs import field, frozen

from linkwright.errors import Conflict
from linkwright.model import Endpoint
from linkwright.plan import Address, Key, Resource


@frozen(order=True, cache_hash=True)
class Scope:
    """Who wishes: a network, an endpoint of it, or that endpoint as the way outside (``outside``, see ``publishing``).

    The host itself (``others``) is a scope without a network.
    """

    network: str
    endpoint: str = ""
    outside: bool = False

    @classmethod
    def of(cls, endpoint: Endpoint) -> "Scope":
        """The scope of what *endpoint* has whether it is the way outside or not."""
        return cls(endpoint.network, endpoint.id)

    def __str__(self) -> str:
        if not self.network:
            return "the host"
        return f"endpoint {self.endpoint[:12]}" if self.endpoint else f"network {self.network[:12]}"


@frozen
class Transition:
    """What *scope* is to wish from now on, and what that means for the kernel: the affected keys before and after."""

    scope: Scope
    wishes: Mapping[Key, Resource]
    before: Mapping[Key, Resource] = field(factory=dict)
    after: Mapping[Key, Resource] = field(factory=dict)


class Desired:
    """All wishes that stand, and those under way."""

    def __init__(self) -> None:
        """Start with none."""
        self._by_scope: dict[Scope, Mapping[Key, Resource]] = {}
        self._holders: dict[Key, dict[Scope, Resource]] = {}
        self._of_network: dict[str, set[Scope]] = {}
        self._addresses: dict[Scope, tuple[Address, ...]] = {}  # of networks
        self._begun: dict[Scope, Transition] = {}

    # --- transitions ---------------------------------------------------------------------------------------------

    def propose(self, scope: Scope, wishes: Mapping[Key, Resource]) -> Transition:
        """Say what follows if *scope* wishes for *wishes* from now on (nothing: it is gone).

        What another scope is letting go of counts as gone, and what another is getting is not taken away from it.
        Raises Conflict if another scope wishes for one of the keys otherwise.
        """
        old = self._by_scope.get(scope, {})
        before: dict[Key, Resource] = {}
        after: dict[Key, Resource] = {}
        for key in {**old, **wishes}:
            holder = self._holding(key, scope)
            if key in old:
                before[key] = old[key]
            elif holder is not None:
                before[key] = self._by_scope[holder][key]
            other = holder or self._getting(key, scope)
            what = None if other is None else self._coming(other)[key]
            if key in wishes:
                if what is not None and what != wishes[key]:
                    raise Conflict(f"{' '.join(key)} is held by {other}, which wants it otherwise")
                after[key] = wishes[key]
            elif what is not None:
                after[key] = what
        return Transition(scope, dict(wishes), before, after)

    def begin(self, scope: Scope, wishes: Mapping[Key, Resource]) -> Transition:
        """Propose, and note that it is under way until it is settled or abandoned."""
        transition = self._begun[scope] = self.propose(scope, wishes)
        return transition

    def settle(self, transition: Transition) -> None:
        """Let *transition* stand: the kernel has it."""
        scope = transition.scope
        self.abandon(transition)
        for key in self._by_scope.pop(scope, {}):
            holders = self._holders[key]
            del holders[scope]
            if not holders:
                del self._holders[key]
        self._of_network.get(scope.network, set()).discard(scope)
        self._addresses.pop(scope, None)
        if transition.wishes:
            self._by_scope[scope] = transition.wishes
            if not scope.endpoint:
                self._addresses[scope] = _addresses(transition.wishes)
            self._of_network.setdefault(scope.network, set()).add(scope)
            for key, resource in transition.wishes.items():
                self._holders.setdefault(key, {})[scope] = resource
        elif not self._of_network.get(scope.network, {scope}):
            del self._of_network[scope.network]

    def abandon(self, transition: Transition) -> None:
        """Forget that *transition* is under way: the kernel has it not, or no more."""
        if self._begun.get(transition.scope) is transition:
            del self._begun[transition.scope]

    def _coming(self, scope: Scope) -> Mapping[Key, Resource]:
        """What *scope* will wish once what is under way stands."""
        begun = self._begun.get(scope)
        return self.of(scope) if begun is None else begun.wishes

    # Of all who hold a key or are just getting it one is enough: they agree, or the last would have been refused. There
    # may be as many as networks (each wants the host to forward).

    def _holding(self, key: Key, asking: Scope) -> Scope | None:
        """Who holds *key* beside *asking*, and is not about to let go of it."""
        holders = (scope for scope in self._holders.get(key, ()) if scope != asking and key in self._coming(scope))
        return next(holders, None)

    def _getting(self, key: Key, asking: Scope) -> Scope | None:
        """Who beside *asking* is just getting *key*."""
        begun = self._begun.items()
        return next((scope for scope, one in begun if scope != asking and key in one.wishes), None)

    # --- what is wanted ------------------------------------------------------------------------------------------

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

    def wish(self, key: Key) -> Resource | None:
        """What is wished for, or is just coming, under *key*."""
        coming = (transition.wishes[key] for transition in self._begun.values() if key in transition.wishes)
        return next(iter(self._holders.get(key, {}).values()), None) or next(coming, None)

    def addresses(self) -> Iterator[tuple[Scope, Address]]:
        """The addresses of the host that networks wish for, or are just getting, and whose they are."""
        coming = ((scope, _addresses(one.wishes)) for scope, one in self._begun.items() if not scope.endpoint)
        for scope, addresses in chain(self._addresses.items(), coming):
            yield from ((scope, address) for address in addresses)

    def unwanted(self, found: Mapping[Key, Resource]) -> dict[Key, Resource]:
        """Those of *found* that nobody wishes for and nobody is just getting."""
        coming = {key for transition in self._begun.values() for key in transition.wishes}
        return {key: value for key, value in found.items() if key not in self._holders and key not in coming}

    def networks_of(self, keys: Iterable[Key]) -> frozenset[str]:
        """The networks that have a wish for one of *keys*."""
        return frozenset(scope.network for key in keys for scope in self._holders.get(key, {}))

    def all(self) -> dict[Key, Resource]:
        """Everything that is wanted."""
        return {key: next(iter(holders.values())) for key, holders in self._holders.items()}


def _addresses(wishes: Mapping[Key, Resource]) -> tuple[Address, ...]:
    return tuple(wish for wish in wishes.values() if isinstance(wish, Address))
