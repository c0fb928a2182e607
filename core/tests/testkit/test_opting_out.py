"""A standard case is opted out of in one way, with a written reason; and pytest is told what is missing, by name."""

from collections.abc import Callable
from typing import Any

import pytest
from core.tests.testkit.drivers import Good, Unplugged

from linkwright.testkit import DriverConformance

pytest_plugins = ["pytester"]

_REASON = pytest.mark.xfail(reason="its containers are not to meet")


def mine_of(driver: type[Good], **members: Any) -> type[DriverConformance]:
    """The class that an author would write."""
    return type("TestMine", (DriverConformance,), {"driver": driver, **members, "__module__": __name__})


def test_with_a_reason_the_standard_case_runs_under_the_mark() -> None:
    """Whatever the overriding method holds: so an opt-out that is no longer needed is noticed."""

    @_REASON
    def test_wishes_sound(self: object) -> None:
        """Nothing."""

    case = vars(mine_of(Good, test_wishes_sound=test_wishes_sound))["test_wishes_sound"]
    standard = DriverConformance.test_wishes_sound
    assert case.__code__ is standard.__code__
    assert (case.__doc__, [mark.name for mark in case.pytestmark]) == (standard.__doc__, ["xfail"])
    assert case.pytestmark[0].kwargs == {"strict": True, "reason": "its containers are not to meet"}


def marked(*marks: pytest.MarkDecorator) -> Callable[..., None]:
    """A method of that many marks; pytest marks no function that is called a lambda."""

    def case(self: object) -> None:
        """Nothing."""

    for mark in marks:
        mark(case)
    return case


_SKIP = pytest.mark.skip(reason="no time")

#: How it is tried → the overriding thing, and what is said about it.
WRONG: dict[str, tuple[Any, str]] = {
    "silently": (marked(), "without a written reason"),
    "by another thing": (None, "is no method"),
    "by a skip": (marked(_SKIP), "without a written reason"),
    "without words": (marked(pytest.mark.xfail(reason=" ")), "without a written reason"),
    "with a condition only": (marked(pytest.mark.xfail(True, reason="")), "without a written reason"),
    "without running it": (marked(pytest.mark.xfail(reason="it hangs", run=False)), "would not be run"),
    "by a skip beside the reason": (marked(_REASON, _SKIP), "is marked skip"),
}


@pytest.mark.parametrize("how", WRONG)
def test_any_other_way_is_refused_when_the_class_is_made(how: str) -> None:
    """And the refusal says which way there is."""
    override, said = WRONG[how]
    with pytest.raises(TypeError, match=rf"{said}.*xfail\(reason=…\)"):
        mine_of(Good, test_talk_life=override)


def test_a_class_beside_the_battery_opts_out_in_the_same_way() -> None:
    """What several drivers of an author have in common may stand there, and needs its reason there."""

    class Silent:
        test_talk_life = marked()

    class Loud:
        test_talk_life = marked(_REASON)

    with pytest.raises(TypeError, match=r"TestMine\.test_talk_life overrides"):
        type("TestMine", (Silent, DriverConformance), {"driver": Good, "__module__": __name__})
    mine: Any = type("TestMine", (Loud, DriverConformance), {"driver": Good, "__module__": __name__})
    assert mine.test_talk_life.__code__ is DriverConformance.test_talk_life.__code__
    derived: Any = type("TestDerived", (mine,), {"__module__": __name__})
    assert derived.test_talk_life is mine.test_talk_life


@pytest.mark.parametrize("mark", [pytest.mark.skip, pytest.mark.xfail(reason="all of it"), [pytest.mark.skip]])
def test_a_class_cannot_be_opted_out_as_a_whole(mark: Any) -> None:
    """Each case has its own reason, or none."""
    with pytest.raises(TypeError, match="as a whole"):
        mine_of(Good, pytestmark=mark)


def test_further_cases_of_the_authors_own_are_theirs() -> None:
    """They may be skipped, and named as anybody likes."""
    mine_of(Good, test_mine=marked(_SKIP), test_kernel_of_mine=marked())


# --- under pytest ------------------------------------------------------------------------------------------------

HEAD = """
import pytest
from core.tests.testkit.drivers import Good, Unplugged
from linkwright.testkit import DriverConformance, needs
"""


@pytest.fixture
def run(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """``run(text, *arguments)``: the test module *text* under pytest, as an author has it."""

    def run(text: str, *arguments: str) -> pytest.RunResult:
        pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = --strict-markers\n")
        pytester.makepyfile(test_mine=HEAD + text)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-rs", *arguments)

    return run


PLUGIN = 'pytest_plugins = ["linkwright.testkit"]\n'


def test_without_the_plugin_it_says_which_line_is_missing(run: Callable[..., pytest.RunResult]) -> None:
    """Three lines are three."""
    found = run("class TestMine(DriverConformance):\n    driver = Good\n")
    assert found.ret != 0
    found.stdout.fnmatch_lines(['*TestMine needs the kit: add pytest_plugins = *"linkwright.testkit"*'])


def test_marks_from_above_are_refused_as_well(run: Callable[..., pytest.RunResult]) -> None:
    """A decorator on the class, or a mark of the module: neither opts out of anything."""
    mine = "class TestMine(DriverConformance):\n    driver = Good\n"
    for text in (f"{PLUGIN}@pytest.mark.skip\n{mine}", f"{PLUGIN}pytestmark = pytest.mark.skip\n{mine}"):
        found = run(text)
        assert found.ret != 0
        found.stdout.fnmatch_lines(["*is marked skip from above*"])


def test_what_is_missing_is_skipped_by_name(run: Callable[..., pytest.RunResult]) -> None:
    """A kernel feature, and an engine; each example is a case, and a level can be chosen."""
    found = run(
        PLUGIN
        + """
@needs("veth", "teleport")
def test_far_away(): pass

@needs("veth")
def test_near(): pass

class TestMine(DriverConformance):
    driver = Good
    examples = ({}, {"mtu": "1400"})
""",
        "-k",
        "far or near or docker or talk_unknown",
    )
    assert found.parseoutcomes() == {"passed": 3, "skipped": 2, "deselected": found.parseoutcomes()["deselected"]}
    found.stdout.fnmatch_lines(["*kernel feature: teleport", "*level docker: no engine is given; override*"])


def test_a_mistake_is_told_with_its_reason_and_an_opt_out_with_its_own(run: Callable[..., pytest.RunResult]) -> None:
    """What the report of a run looks like."""
    found = run(
        PLUGIN
        + """
class TestMine(DriverConformance):
    driver = Unplugged

    @pytest.mark.xfail(reason="offered by the next release")
    def test_load_entry_point(self):
        pass
""",
        "-rx",
        "-k",
        "load_entry_point or load_contract",
    )
    assert found.parseoutcomes() == {"passed": 1, "xfailed": 1, "deselected": found.parseoutcomes()["deselected"]}
    found.stdout.fnmatch_lines(["*test_load_entry_point - offered by the next release"])


@pytest.mark.netns
def test_cases_that_need_namespaces_can_be_chosen_by_their_mark(run: Callable[..., pytest.RunResult]) -> None:
    """As in our own tests."""
    found = run(
        PLUGIN + "class TestMine(DriverConformance):\n    driver = Good\n", "-m", "netns", "--collect-only", "-q"
    )
    assert [line.partition("::")[2] for line in found.outlines if "::" in line] == [
        f"TestMine::test_kernel_{name}[plain]" for name in ("life", "as_imagined", "ping")
    ]


def test_the_driver_under_test_is_the_one_that_was_named() -> None:
    """Classes that are derived from another author's keep their own."""
    one, other = mine_of(Good), mine_of(Unplugged)
    assert (one.driver, other.driver, one.wanted()) == (Good, Unplugged, other.wanted())
