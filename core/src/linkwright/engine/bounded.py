"""Running drivers' code, in the one place where that is done: nothing gets out but an answer, or an error of ours.

A driver runs in a worker thread with a deadline. One that overruns is abandoned (its thread is not waited for); after
two overruns it is suspended until the daemon restarts. A thread that hogs the interpreter cannot be stopped. What a
driver does wrong harms the call that asked it, and no other driver: each has threads of its own.
"""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final, TypeVar, cast

import trio

from linkwright.engine import answers
from linkwright.engine.observation import DriverOverrun, Observer
from linkwright.engine.registry import Registered, package_of
from linkwright.errors import DriverFault, LinkwrightError, Refused, Unavailable
from linkwright.sdk import Driver

T = TypeVar("T")
A = TypeVar("A")

#: Seconds that one answer of a driver may take: less than the shortest call of Docker's that needs one
#: (``wire.routes``), so that it is the driver that is named. Docker waits for ever, its user does not.
DEADLINE: Final = 4.0
_OVERRUNS: Final = 2

#: Questions that one driver may be asked at a time. Abandoned ones count: they still occupy their thread.
_THREADS: Final = 8

#: Runs a question somewhere and returns its answer; cancelled, it leaves the question to itself.
Somewhere = Callable[[Callable[[], Any]], Awaitable[Any]]


class Threads:
    """Worker threads of one driver: a driver whose threads all hang keeps nobody else from having one."""

    def __init__(self) -> None:
        """Have some, made as they are needed."""
        self._limiter = trio.CapacityLimiter(_THREADS)

    async def __call__(self, question: Callable[[], Any]) -> Any:
        """Run *question* in one of them, so that the loop goes on whatever a driver does."""
        return await trio.to_thread.run_sync(question, abandon_on_cancel=True, limiter=self._limiter)


class Drivers:
    """The drivers that are installed, by name, and how their code is run."""

    def __init__(
        self, drivers: Iterable[Registered], *, deadline: float, observer: Observer, somewhere: Somewhere | None
    ) -> None:
        """Take *drivers*; their code runs *somewhere* or in threads, each time for *deadline* seconds at most."""
        self._drivers = {registered.name: registered for registered in drivers}
        self._somewhere: dict[str, Somewhere] = {name: somewhere or Threads() for name in self._drivers}
        self._deadline = deadline
        self._observer = observer
        self._overruns: dict[str, int] = dict.fromkeys(self._drivers, 0)

    @property
    def registered(self) -> tuple[Registered, ...]:
        """Every driver, by name."""
        return tuple(self._drivers[name] for name in sorted(self._drivers))

    def named(self, name: str) -> Registered:
        """The driver called *name*; Refused, with the package to install, if there is none."""
        try:
            return self._drivers[name]
        except KeyError:
            raise Refused(
                f"no driver {name!r} is installed; pip install {package_of(name)}, then restart linkwright"
            ) from None

    @property
    def suspended(self) -> tuple[str, ...]:
        """The names of those that have overrun too often."""
        return tuple(sorted(name for name, overruns in self._overruns.items() if overruns >= _OVERRUNS))

    async def ask(self, name: str, question: Callable[[], T]) -> T:
        """Run *question*, which calls the driver. DriverFault for what it raises, Unavailable if it is late."""
        if name in self.suspended:
            raise Unavailable(
                f"driver {name} of {self.named(name).origin} is suspended: it did not answer in time twice; restart "
                "linkwright to try again"
            )
        with trio.move_on_after(self._deadline):
            try:
                return cast("T", await self._somewhere[name](partial(_contained, question)))
            except LinkwrightError:
                raise
            except Exception as error:
                raise self._raised(name, error) from error
        self._overruns[name] += 1
        self._observer(DriverOverrun(name))
        raise Unavailable(f"driver {name} of {self.named(name).origin} did not answer within {self._deadline:g} s")

    def read(self, name: str, reading: Callable[[Driver[Any]], T]) -> T:
        """Do what is too short for a thread: read options as the driver's classes. DriverFault for what it raises."""
        try:
            return reading(self.named(name).driver)
        except LinkwrightError:
            raise
        except Exception as error:
            raise self._raised(name, error) from error

    def checked(self, name: str, check: Callable[[Any], A], answer: object) -> A:
        """Return *answer* as *check* lets it through; DriverFault if it does not."""
        try:
            return check(answer)
        except answers.Broken as error:
            raise self._fault(name, str(error)) from None
        except Exception as error:  # an answer so odd that even looking at it raises
            raise self._raised(name, error) from error

    def _raised(self, name: str, error: Exception) -> DriverFault:
        cause = error.__cause__ if isinstance(error, _Escaped) else error
        return self._fault(name, f"it raised {type(cause).__name__}: {cause}")

    def _fault(self, name: str, text: str) -> DriverFault:
        return DriverFault(f"driver {name} of {self.named(name).origin} broke its contract: {text}")


class _Escaped(Exception):
    """A driver raised what would end the daemon (``sys.exit`` is no Exception)."""


def _contained(question: Callable[[], T]) -> T:
    try:
        return question()
    except Exception:
        raise
    except BaseException as error:
        raise _Escaped from error
