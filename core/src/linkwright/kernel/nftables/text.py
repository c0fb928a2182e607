"""Tables as nft(8) writes them: exactly what ``nft list table`` prints when no packet has come by yet. Pure."""

from collections.abc import Iterable

from linkwright.kernel.nftables.numbers import BRIDGE_PRIORITIES, PRIORITIES, PRIORITY_HOOKS, Family
from linkwright.kernel.nftables.statements import rule_text
from linkwright.kernel.nftables.table import Chain, Hook, Set, Table, element_text
from linkwright.plan.resources import Element

_NAMED_WITHIN = 10  # a priority is written by name when one is that near


def render(tables: Iterable[Table], elements: Iterable[Element] = ()) -> str:
    """Write *tables*, one behind the other, with those of *elements* that belong to them.

    Only the order of elements within a set is ours, by text: nft(8) has one of its own that changed over time.
    """
    held: dict[str, list[Element]] = {}
    for element in elements:
        held.setdefault(element.set, []).append(element)
    return "".join(_table_text(table, held) for table in tables)


def priority_text(hook: Hook, family: Family) -> str:
    """The priority of a chain: by the nearest name, if there is one near that is known at that hook."""
    for name, number in (BRIDGE_PRIORITIES if family is Family.BRIDGE else PRIORITIES).items():
        offset = hook.priority - number
        if abs(offset) <= _NAMED_WITHIN and PRIORITY_HOOKS.get(name, hook.point) == hook.point:
            return f"{name} {'-' if offset < 0 else '+'} {abs(offset)}" if offset else name
    return str(hook.priority)


def _table_text(table: Table, held: dict[str, list[Element]]) -> str:
    blocks = [f"\tcounter {name} {{\n\t\tpackets 0 bytes 0\n\t}}\n" for name in table.counters]
    blocks += [_set_text(table, one, held.get(one.name, [])) for one in table.sets]
    blocks += [_chain_text(table, chain) for chain in table.chains]
    comment = f'\tcomment "{table.comment}"\n' if table.comment else ""
    return f"table {table.label} {{\n{comment}" + "\n".join(blocks) + "}\n"


def _set_text(table: Table, one: Set, elements: list[Element]) -> str:
    lines = [f"\t{'map' if one.data else 'set'} {one.name} {{", f"\t\ttype {one.type_text}"]
    if elements:
        texts = (element_text(table, element) for element in sorted(elements, key=lambda element: element.parts))
        lines.append("\t\telements = { " + ",\n\t\t\t     ".join(texts) + " }")
    return "\n".join([*lines, "\t}", ""])


def _chain_text(table: Table, chain: Chain) -> str:
    lines = [f"\tchain {chain.name} {{"]
    if chain.hook is not None:
        hook = chain.hook
        place = f"type {hook.type} hook {hook.point} priority {priority_text(hook, table.family)}"
        lines.append(f"\t\t{place}; policy {hook.policy};")
    lines += [f"\t\t{rule_text(rule)}" for rule in chain.rules]
    return "\n".join([*lines, "\t}", ""])
