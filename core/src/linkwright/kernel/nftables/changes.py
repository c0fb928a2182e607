"""Steps of a plan as changes to our tables: a request each, and how a person would write it. Pure.

Which table an element belongs to, its set says: names of sets are unique over all tables.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen

from linkwright.kernel.nftables import messages
from linkwright.kernel.nftables.nfnetlink import Request
from linkwright.kernel.nftables.table import Table, element_text, home_of
from linkwright.plan.resources import Element
from linkwright.plan.steps import Action, Step


@frozen
class Change:
    """One element to add to or to delete from *table*."""

    table: Table
    element: Element
    deletes: bool
    request: Request

    @property
    def text(self) -> str:
        """How a person would write it. Made when asked for: it costs what the request does."""
        verb, written = "delete" if self.deletes else "add", element_text(self.table, self.element)
        return f"{verb} element {self.table.label} {self.element.set} {{ {written} }}"


def changes_of(homes: Mapping[str, Table], steps: Sequence[Step]) -> list[Change]:
    """What *steps* are made of. ValueError for one that is none of ours, or whose value no set of ours can hold."""
    return [change for step in steps for change in _changes(homes, step)]


def _changes(homes: Mapping[str, Table], step: Step) -> list[Change]:
    """What *step* is made of: a change of data is a deletion and an addition, in that order."""
    element, before = step.resource, step.before or step.resource
    if not isinstance(element, Element) or not isinstance(before, Element):
        raise ValueError(f"the firewall does steps on elements, not {step}")  # noqa: TRY004 - the value's kind is wrong
    try:
        adds = [] if step.action is Action.DELETE else [_change(homes, element, deletes=False)]
        deletes = [] if step.action is Action.CREATE else [_change(homes, before, deletes=True)]
    except (LookupError, ValueError) as error:
        raise ValueError(f"cannot {step.action.value} {element}: {error}") from error
    return deletes + adds


def _change(homes: Mapping[str, Table], element: Element, *, deletes: bool) -> Change:
    table = home_of(homes, element.set)
    request = (messages.delete_element if deletes else messages.new_element)(table, element)
    return Change(table, element, deletes, request)
