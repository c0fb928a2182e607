"""What the levels have in common: which driver, which examples, and what has to be right before a later level."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from linkwright import sdk
from linkwright.engine.registry import Origin, Registered, register
from linkwright.errors import DriverFault
from linkwright.testkit import example as examples_of
from linkwright.testkit import promises
from linkwright.testkit.battery.opting_out import Battery
from linkwright.testkit.example import Example, Pairs
from linkwright.testkit.promises import Question


class Level(Battery):
    """A driver under test.

    ``driver`` is its class. ``examples`` are networks to try: ``-o`` pairs, or an ``Example`` that says more.
    ``readme`` is the path of its README; without it, the nearest one above the test file beside a ``pyproject.toml``.
    ``tries`` is how many networks Hypothesis draws for the level wishes.
    """

    driver: ClassVar[type[sdk.Driver[Any]]]
    examples: ClassVar[Sequence[Example | Pairs]] = ({},)
    readme: ClassVar[Path | None] = None
    tries: ClassVar[int] = 60

    _wrong: ClassVar[dict[tuple[type, str], str | None]] = {}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each case that takes an ``example`` with each."""
        super().pytest_generate_tests(metafunc)
        if "example" in metafunc.fixturenames:
            metafunc.parametrize("example", self.wanted(), ids=str)

    @classmethod
    def wanted(cls) -> list[Example]:
        """The examples."""
        return [Example.of(one) for one in cls.examples]

    # --- for the levels ---

    @classmethod
    def registered(cls) -> Registered:
        """The driver as the daemon has it; DriverFault if it would not load it."""
        return register(cls.driver.name, cls.driver, Origin("the package under test", "0"))

    @classmethod
    def question(cls, one: Example) -> Question:
        """What is asked about *one* before anything is talked about. Refused if it cannot be had."""
        made = cls.driver()
        network = examples_of.network(made, one, "a" * 64)
        beside = examples_of.network(made, one, "b" * 64)
        endpoints = (
            examples_of.endpoint(made, network, one, "cd"[at] * 64, at) for at in range(min(one.containers, 2))
        )
        return Question(cls.driver, network, tuple(endpoints), beside)

    @classmethod
    def wait_for_right_answers(cls, one: Example) -> None:
        """Pass over a case of a later level whose ground is not there, so that one mistake is one red case."""
        key = (cls, repr(one))  # what it is called does not tell all of it
        if key not in cls._wrong:
            cls._wrong[key] = cls._first_wrong(one)
        if text := cls._wrong[key]:
            pytest.skip(f"the driver's answers are not right yet: {text}")

    @classmethod
    def _first_wrong(cls, one: Example) -> str | None:
        try:
            cls.registered()
            return promises.broken(cls.question(one))
        except DriverFault as fault:
            return f"contract: {fault}"
        except Exception as error:  # noqa: BLE001 - test_wishes_answers says it properly
            return f"answers: {error}"
