"""The battery tries drivers that are wrong: each mistake is one red case, and the right one."""

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from core.tests.testkit.drivers import BROKEN, BROKEN_IN_FACT, Good, Raising, Unregistered, offered, readme

from linkwright.plan import Action, Key, Step
from linkwright.testkit import DriverConformance, Example
from linkwright.testkit.fake_kernel import FakeKernel

EXAMPLES = ({}, Example({"colour": "green"}, internal=True))


def battery(driver: type[Good], **more: Any) -> type[DriverConformance]:
    """The class that the author of *driver* would write."""
    said = {"driver": driver, "examples": EXAMPLES, "tries": 20, **more}
    return type(f"Test{driver.__name__}", (DriverConformance,), {**said, "__module__": __name__})


def cases(tests: type[DriverConformance], *levels: str) -> Iterator[str]:
    """The names of its standard cases of *levels*."""
    for name, _ in inspect.getmembers(tests, inspect.isfunction):
        if name.startswith(tuple(f"test_{level}_" for level in levels)):
            yield name


def failed(tests: type[DriverConformance], *levels: str) -> dict[str, str]:
    """Run all cases of *levels*; those that fail, and with which words. Skipped ones are not failed."""
    found = {}
    for name in cases(tests, *levels):
        case = getattr(tests(), name)
        wanted = tests.wanted() if "example" in inspect.signature(case).parameters else [None]
        for one in wanted:
            try:
                case() if one is None else case(one)
            except pytest.skip.Exception:
                continue
            except (AssertionError, pytest.fail.Exception) as error:
                found[name.removeprefix("test_")] = str(error)
    return found


def test_a_good_driver_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every case of the levels that need nothing."""
    monkeypatch.syspath_prepend(str(offered(Good, tmp_path)))
    assert failed(battery(Good, readme=readme(Good, tmp_path)), "load", "wishes", "talk") == {}


@pytest.mark.netns
@pytest.mark.parametrize("driver", [Good, *BROKEN_IN_FACT], ids=lambda driver: driver.__name__)
def test_the_real_kernel_tells_what_cannot_be_imagined(driver: type[Good]) -> None:
    """One case fails where the fakes see nothing wrong."""
    tests = battery(driver, examples=({},))
    assert failed(tests, "wishes") == {}
    expected = BROKEN_IN_FACT.get(driver)
    assert list(failed(tests, "kernel")) == ([expected] if expected else [])


@pytest.mark.netns
def test_containers_that_are_not_to_meet_and_do_are_found() -> None:
    """An example that says so is held to it."""
    ((case, said),) = failed(battery(Good, examples=(Example(siblings=False),)), "kernel").items()
    assert (case, said.partition("\n")[0]) == ("kernel_ping", "an answer from 10.201.0.3, fd00:201::3")


@pytest.mark.parametrize("driver", BROKEN, ids=lambda driver: driver.__name__)
def test_each_mistake_fails_one_case(driver: type[Good], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is there for it: whoever reads the report knows what to do."""
    if driver is not Unregistered:
        monkeypatch.syspath_prepend(str(offered(driver, tmp_path)))
    tests = battery(driver, readme=readme(driver, tmp_path))
    assert list(failed(tests, "load", "wishes", "talk")) == [BROKEN[driver]]


def test_examples_that_are_called_alike_are_judged_apart() -> None:
    """What an example is called does not tell its subnets."""
    tests = battery(Raising)
    tests.wait_for_right_answers(Example(subnets=("10.201.0.0/24",)))
    with pytest.raises(pytest.skip.Exception, match="not right yet"):
        tests.wait_for_right_answers(Example())


def test_there_are_a_dozen_mistakes_and_more() -> None:
    """And each level that needs nothing but Python has some."""
    mistakes = {*BROKEN.values(), *BROKEN_IN_FACT.values()}
    assert len(mistakes) > 12
    assert {name.partition("_")[0] for name in mistakes} == {"load", "wishes", "talk", "kernel"}


class Careless(FakeKernel):
    """Leaves what it has done when a later step fails."""

    def _attempt(self, state: Any, step: Step) -> None:
        try:
            super()._attempt(state, step)
        except Exception:
            self.state = state
            raise


class Hasty(FakeKernel):
    """Leaves what it has done when nobody waits for it any more."""

    def _take_back(self, *_: object) -> None:
        """Nothing."""


class Forgetful(FakeKernel):
    """Loses its first link whenever somebody looks at everything."""

    async def snapshot(self) -> Any:
        """Without it."""
        links = [key for key, one in self.state.resources.items() if key[0] == "link" and getattr(one, "mark", None)]
        for key in links[:1]:
            del self.state.resources[key]
        await trio.lowlevel.checkpoint()
        return await super().snapshot()


class Offended(FakeKernel):
    """Deletes nothing any more, and does not say so, once something was refused or given up."""

    offended = False

    async def apply(self, steps: Sequence[Step]) -> None:
        """Without what is to be deleted."""
        try:
            await super().apply([one for one in steps if not (self.offended and one.action is Action.DELETE)])
        except BaseException:
            self.offended = True
            raise


class Barren(FakeKernel):
    """Makes nothing again that somebody deleted, and does not say so."""

    deleted: Key | None = None

    def foreign_delete(self, key: Key) -> None:
        """And remember it."""
        self.deleted = key
        super().foreign_delete(key)

    async def apply(self, steps: Sequence[Step]) -> None:
        """Without it."""
        await super().apply([one for one in steps if one.resource.key != self.deleted])


@pytest.mark.parametrize(
    ("kernel", "case"),
    [
        (Careless, "talk_failures"),
        (Hasty, "talk_cut_short"),
        (Forgetful, "talk_restarts"),
        (Offended, "talk_failures_of_removal"),
        (Offended, "talk_removal_cut_short"),
        (Barren, "talk_repairs"),
    ],
    ids=lambda one: one if isinstance(one, str) else one.__name__,
)
def test_the_cases_about_the_core_see_what_goes_wrong_there(kernel: type[FakeKernel], case: str) -> None:
    """A driver cannot break these by itself: what they prove of a kernel that does is proved here."""
    tests = battery(Good, kernel=kernel, examples=({},))
    assert case in failed(tests, "talk")
