"""How a standard case is opted out of: overridden, and marked ``xfail`` with a reason. There is no other way.

Whatever the overriding method holds, the standard case is what runs, and passing is a failure unless the mark says
``strict=False``: so the mark goes when the reason has gone.
Anything else is refused when the class is made, or when pytest collects it.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

import pytest

#: What the plugin is called by; without it there are neither marks nor the fixture of an engine.
PLUGIN: Final = "linkwright.testkit"

_CASE: Final = "test_"
_PASSES_OVER: Final = frozenset({"skip", "skipif", "xfail"})


class Battery:
    """A class of standard cases, to be subclassed in a test module."""

    def __init_subclass__(cls, **more: Any) -> None:
        """Put the standard case back under each mark that opts out; TypeError for any other way."""
        super().__init_subclass__(**more)
        if _is_ours(cls):
            return
        if found := [mark.name for mark in _marks(cls) if mark.name in _PASSES_OVER]:
            raise TypeError(f"{cls.__qualname__} is marked {found[0]} as a whole; {_HOW}")
        for name in [name for name in dir(cls) if _is_standard(cls, name)]:
            holders = [base for base in cls.__mro__ if name in vars(base)]
            if holders[0] is cls or not issubclass(holders[0], Battery):  # others were put right when they were made
                standard = next(vars(base)[name] for base in holders[1:] if issubclass(base, Battery))
                setattr(cls, name, _opted_out(standard, vars(holders[0])[name], f"{cls.__qualname__}.{name}"))

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Refuse marks that pass over cases behind their back."""
        if not metafunc.config.pluginmanager.has_plugin(PLUGIN):
            raise pytest.UsageError(f'{type(self).__name__} needs the kit: add pytest_plugins = ["{PLUGIN}"]')
        if _is_standard(type(self), metafunc.function.__name__):
            own, every = _marks(metafunc.function), metafunc.definition.iter_markers()
            if above := [mark.name for mark in every if mark.name in _PASSES_OVER and mark not in own]:
                raise pytest.UsageError(f"{metafunc.definition.nodeid} is marked {above[0]} from above; {_HOW}")


_HOW: Final = "the one way to opt out of a case is to override it, marked pytest.mark.xfail(reason=…)"


def _opted_out(standard: Callable[..., None], override: object, name: str) -> Callable[..., None]:
    if not isinstance(override, FunctionType):
        raise TypeError(f"{name} is no method; {_HOW}")
    marks = _marks(override)
    if not any(mark.name == "xfail" and str(mark.kwargs.get("reason", "")).strip() for mark in marks):
        raise TypeError(f"{name} overrides a standard case without a written reason; {_HOW}")
    if others := [mark.name for mark in marks if mark.name in _PASSES_OVER - {"xfail"}]:
        raise TypeError(f"{name} is marked {others[0]}; {_HOW}")
    if not all(mark.kwargs.get("run", True) for mark in marks):
        raise TypeError(f"{name} would not be run; {_HOW}")
    code = standard.__code__
    case = FunctionType(code, standard.__globals__, code.co_name, standard.__defaults__, standard.__closure__)
    case.__kwdefaults__, case.__annotations__ = standard.__kwdefaults__, standard.__annotations__
    case.__doc__, case.__qualname__, case.__module__ = standard.__doc__, name, override.__module__
    case.pytestmark = [*_marks(standard), *map(_strict, marks)]  # type: ignore[attr-defined]
    return case


def _strict(mark: pytest.Mark) -> pytest.Mark:
    """The same, and passing is a failure unless it says otherwise."""
    kwargs = {"strict": True, **mark.kwargs}
    return pytest.mark.xfail.with_args(*mark.args, **kwargs).mark if mark.name == "xfail" else mark


def _marks(thing: object) -> list[pytest.Mark]:
    """The marks that *thing* itself carries."""
    found: Any = vars(thing).get("pytestmark", [])
    marks: list[Any] = found if isinstance(found, list) else [found]
    return [mark.mark if isinstance(mark, pytest.MarkDecorator) else mark for mark in marks]


def _is_ours(cls: type) -> bool:
    return cls.__module__.startswith(f"{PLUGIN}.")


def _is_standard(cls: type, name: str) -> bool:
    return name.startswith(_CASE) and any(name in vars(base) for base in cls.__mro__ if _is_ours(base))
