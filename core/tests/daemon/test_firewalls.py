"""Our table and our rule in Docker's chain: kept together, and a rule that cannot be is no reason to do nothing."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
import structlog
import trio
from attrs import Factory, define, evolve

from linkwright.daemon.firewalls import Firewalls
from linkwright.daemon.metrics.facts import idle_kernel
from linkwright.errors import KernelError
from linkwright.kernel.docker_user import Found, Outcome
from linkwright.plan import Action, Element, Key, Step


@define
class Table:
    """A firewall table that has to be made, or not."""

    missing: bool = False
    told: Counter[str] = Factory(Counter)
    held: set[Element] = Factory(set)
    dumps: int = 0

    async def prepare(self) -> bool:
        """Make it."""
        made, self.missing = self.missing, False
        return made

    async def apply(self, steps: Sequence[Step]) -> None:
        """Hold what they make."""
        for step in steps:
            assert isinstance(step.resource, Element)
            (self.held.discard if step.action is Action.DELETE else self.held.add)(step.resource)

    async def elements(self) -> frozenset[Element]:
        """Read all."""
        self.dumps += 1
        return frozenset(self.held)

    async def elements_of(self, keys: Iterable[Key]) -> frozenset[Element]:
        """Read some."""
        wanted = set(keys)
        return frozenset(element for element in self.held if element.key in wanted)


@define
class Rule:
    """A rule that is found as told, or cannot be kept."""

    outcomes: list[Any]

    async def ensure(self) -> Outcome:
        """The next of them."""
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome  # type: ignore[no-any-return]


def firewalls(outcomes: Sequence[Any], *, missing: bool = False) -> Firewalls:
    """Both together."""
    return Firewalls(Table(missing), Rule(list(outcomes)))  # type: ignore[arg-type]


KEPT, ADDED, NONE = (Outcome(found, Found.NO_CHAIN) for found in (Found.PRESENT, Found.ADDED, Found.NO_CHAIN))


@pytest.mark.parametrize(
    ("outcome", "missing", "made"),
    [(KEPT, False, False), (ADDED, False, True), (NONE, False, False), (KEPT, True, True), (ADDED, True, True)],
)
async def test_whether_something_had_to_be_put_there_is_told(outcome: Outcome, missing: bool, made: bool) -> None:
    """Either of the two; that is drift, and counted."""
    assert await firewalls([outcome], missing=missing).prepare() is made


async def test_a_rule_that_cannot_be_kept_is_told_once_and_tried_again() -> None:
    """No iptables, or somebody holds its lock: everything else goes on, and status says why."""
    error = KernelError(16, step="iptables -I DOCKER-USER")
    kept = firewalls([error, error, KEPT, error])
    with structlog.testing.capture_logs() as lines:
        reasons = []
        for _ in range(4):
            assert await kept.prepare() is False
            reasons.append(kept.rule_error)
            await trio.lowlevel.checkpoint()

    assert reasons == [str(error), str(error), "", str(error)]
    assert [line["log_level"] for line in lines] == ["warning", "warning"]


@pytest.mark.parametrize("read_first", [True, False])
async def test_bridges_are_known_by_the_set_and_by_what_comes_and_goes(read_first: bool) -> None:
    """All elements are read once, for those of an earlier life; then those that steps named, as they are there."""
    table = Table(held={Element("bridges", ("old",)), Element("outward", ("old",)), Element("masquerade4", ("other",))})
    kept = Firewalls(table, Rule([]))  # type: ignore[arg-type] - it is asked nothing else
    if read_first:
        assert await kept.bridges() == {"old"}
    new = Element("bridges", ("new",))
    await kept.apply([Step(Action.CREATE, new), Step(Action.CREATE, Element("outward", ("new",)))])
    assert await kept.bridges() == {"old", "new"}
    table.held.discard(Element("bridges", ("old",)))  # by somebody else, until it is put back
    assert await kept.bridges() == {"new"}
    table.held.add(Element("bridges", ("old",)))
    assert await kept.bridges() == {"old", "new"}
    await kept.apply([Step(Action.DELETE, new)])
    assert await kept.bridges() == {"old"}
    assert table.dumps == 1


def test_what_the_firewall_was_told_counts_beside_what_rtnetlink_was() -> None:
    """One counter of events for both; what either lost is lost."""
    table = Table(told=Counter({"ruleset": 2, "overrun": 1}))
    both = Firewalls(table, Rule([]))  # type: ignore[arg-type] - it is asked nothing else
    kernel = evolve(idle_kernel(), events={"newlink": 3}, overruns=4)
    counted = both.counted(kernel)
    assert (counted.events, counted.overruns) == ({"newlink": 3, "ruleset": 2}, 5)
