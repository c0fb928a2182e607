"""What the levels have in common: which driver, which examples, and how a case is opted out of.

A standard case may be overridden in one way only: marked ``xfail`` with a reason. Whatever the overriding method holds,
the standard case is what runs, so that the mark goes when the reason has gone. Anything else is refused when the class
is made, or when pytest collects it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any, ClassVar, Final

import pytest

from linkwright import sdk
from linkwright.engine.registry import Origin, Registered, register
from linkwright.errors import DriverFault
from linkwright.testkit import example as examples_of
from linkwright.testkit import promises
from linkwright.testkit.example import Example, Pairs
from linkwright.testkit.promises import Question

#: What the plugin is called by; without it there are neither marks nor the fixture of an engine.
PLUGIN: Final = "linkwright.testkit"

_CASE: Final = "test_"
_PASSES_OVER: Final = frozenset({"skip", "skipif", "xfail"})


class Level:
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

    def __init_subclass__(cls, **more: Any) -> None:
        """Put the standard case back under each mark that opts out; TypeError for any other way."""
        super().__init_subclass__(**more)
        if _is_ours(cls):
            return
        if found := [mark.name for mark in _marks(cls) if mark.name in _PASSES_OVER]:
            raise TypeError(f"{cls.__qualname__} is marked {found[0]} as a whole; {_HOW}")
        for name in [name for name in vars(cls) if name.startswith(_CASE)]:
            standard = next((vars(base)[name] for base in cls.__mro__[1:] if name in vars(base)), None)
            if standard is not None:
                setattr(cls, name, _opted_out(standard, vars(cls)[name], f"{cls.__qualname__}.{name}"))

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each case that takes an ``example`` with each; refuse what passes over cases behind their back."""
        if not metafunc.config.pluginmanager.has_plugin(PLUGIN):
            raise pytest.UsageError(f'{type(self).__name__} needs the kit: add pytest_plugins = ["{PLUGIN}"]')
        if _is_standard(type(self), metafunc.function.__name__):
            own, every = _marks(metafunc.function), metafunc.definition.iter_markers()
            if above := [mark.name for mark in every if mark.name in _PASSES_OVER and mark not in own]:
                raise pytest.UsageError(f"{metafunc.definition.nodeid} is marked {above[0]} from above; {_HOW}")
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
        key = (cls, str(one))
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


_HOW: Final = "the one way to opt out of a case is to override it, marked pytest.mark.xfail(reason=…)"


def _opted_out(standard: Callable[..., None], override: object, name: str) -> Callable[..., None]:
    if not isinstance(override, FunctionType):
        raise TypeError(f"{name} is no method; {_HOW}")
    marks = _marks(override)
    if not any(mark.name == "xfail" and str(mark.kwargs.get("reason", "")).strip() for mark in marks):
        raise TypeError(f"{name} overrides a standard case without a written reason; {_HOW}")
    if others := [mark.name for mark in marks if mark.name in _PASSES_OVER - {"xfail"}]:
        raise TypeError(f"{name} is marked {others[0]}; {_HOW}")
    code = standard.__code__
    case = FunctionType(code, standard.__globals__, code.co_name, standard.__defaults__, standard.__closure__)
    case.__kwdefaults__, case.__annotations__ = standard.__kwdefaults__, standard.__annotations__
    case.__doc__, case.__qualname__, case.__module__ = standard.__doc__, name, override.__module__
    case.pytestmark = [*_marks(standard), *marks]  # type: ignore[attr-defined]
    return case


def _marks(thing: object) -> list[pytest.Mark]:
    """The marks that *thing* itself carries."""
    found: Any = vars(thing).get("pytestmark", [])
    marks: list[Any] = found if isinstance(found, list) else [found]
    return [mark.mark if isinstance(mark, pytest.MarkDecorator) else mark for mark in marks]


def _is_ours(cls: type) -> bool:
    return cls.__module__.startswith(f"{PLUGIN}.")


def _is_standard(cls: type, name: str) -> bool:
    return name.startswith(_CASE) and any(name in vars(base) for base in cls.__mro__ if _is_ours(base))
