"""What of a table is in the kernel, and whether that is what should be. Reads only.

Runs in the worker's thread: each function takes the transport and blocks for the few calls it makes.
"""

import errno
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from linkwright.kernel.nftables import messages
from linkwright.kernel.nftables.expressions import Expression
from linkwright.kernel.nftables.nfnetlink import Request
from linkwright.kernel.nftables.numbers import Kind
from linkwright.kernel.nftables.statements import rule_expressions
from linkwright.kernel.nftables.table import Set, Table, home_of
from linkwright.kernel.nftables.transport import Transport
from linkwright.plan.resources import Element, Key

#: No such element, set or table; or a set of that name which takes no such key, so that it is none of ours.
_ABSENT = frozenset({errno.ENOENT, errno.EINVAL})


def is_right(transport: Transport, table: Table) -> bool:
    """Whether *table* is there with its comment, counters, sets, chains and rules, and no others.

    Elements and what counters have counted are not looked at. A dozen messages, whatever the number of elements.
    """
    found = transport.get(messages.of_table(Kind.GETTABLE, table))
    return (
        found is not None
        and messages.read_table(found) == (table.comment, 0)
        and _objects(transport, table).keys() == set(table.counters) == counted(transport, table).keys()
        and _sets(transport, table) == {one.name: messages.set_facts(one) for one in table.sets}
        and _chains(transport, table)
        == {chain.name: messages.hook_facts(chain.hook) if chain.hook else None for chain in table.chains}
        and _rules(transport, table)
        == {chain.name: [rule_expressions(rule) for rule in chain.rules] for chain in table.chains if chain.rules}
    )


def elements(transport: Transport, table: Table) -> Iterator[Element]:
    """All elements in those sets of *table* that are there as they should be."""
    there = _sets(transport, table)
    for one in table.sets:
        if there.get(one.name) == messages.set_facts(one):
            for reply in transport.dump(messages.elements_of(table, one)):
                yield from messages.read_elements(reply, one)


def elements_under(transport: Transport, homes: Mapping[str, Table], keys: Iterable[Key]) -> Iterator[Element]:
    """Those elements that are there under *keys*, at a cost that does not depend on what else is there."""
    asked = list(_questions(homes, keys))
    answers = transport.get_each([request for _, request in asked], absent=_ABSENT)
    for (one, _), reply in zip(asked, answers, strict=True):
        if reply is not None:
            yield from messages.read_elements(reply, one)


def _questions(homes: Mapping[str, Table], keys: Iterable[Key]) -> Iterator[tuple[Set, Request]]:
    for kind, name, *parts in keys:
        # What no set of ours can hold is not there.
        with suppress(LookupError, ValueError):
            if kind == "element":
                table = home_of(homes, name)
                yield table.set(name), messages.get_element(table, Element(name, tuple(parts)))


def counted(transport: Transport, table: Table) -> dict[str, int]:
    """How many packets each counter of *table* has counted; none if it is not there."""
    return {name: packets for name, packets in _objects(transport, table).items() if packets is not None}


def _objects(transport: Transport, table: Table) -> dict[str, int | None]:
    found = transport.dump(messages.of_table(Kind.GETOBJ, table))
    return dict(messages.read_counter(reply) for reply in found)


def _sets(transport: Transport, table: Table) -> dict[str, dict[int, int]]:
    found = transport.dump(messages.of_table(Kind.GETSET, table))
    return dict(messages.read_set_facts(reply) for reply in found)


def _chains(transport: Transport, table: Table) -> dict[str, tuple[int, int, str, int] | None]:
    # The kernel lists the chains of all tables of the family, whatever the request names.
    found = (messages.read_chain(reply) for reply in transport.dump(messages.of_table(Kind.GETCHAIN, table)))
    return {name: hook for owner, name, hook in found if owner == table.name}


def _rules(transport: Transport, table: Table) -> dict[str, list[tuple[Expression, ...]]]:
    rules: dict[str, list[tuple[Expression, ...]]] = {}
    for reply in transport.dump(messages.of_table(Kind.GETRULE, table)):
        chain, said = messages.read_rule(reply)
        rules.setdefault(chain, []).append(said)
    return rules
