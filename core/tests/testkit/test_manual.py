"""The page of the contract is the contract's own words."""

from pathlib import Path

from linkwright.kernel.ruleset import ruleset
from linkwright.plan import Resource
from linkwright.testkit import manual

PAGE = Path(__file__).parents[3] / "docs/reference/driver-contract.md"


def test_the_page_is_the_one_made_from_the_code() -> None:
    """``python -m linkwright.testkit.manual > docs/reference/driver-contract.md`` makes it so."""
    assert PAGE.read_text() == manual.page()


def test_each_set_of_the_firewall_is_explained_and_no_other() -> None:
    """Those of IPv6 are their twins'."""
    names = {one.name for table in ruleset() for one in table.sets}
    assert {name for name in names if not (name.endswith("6") and f"{name[:-1]}4" in names)} == set(manual.SETS)


def test_each_kind_of_wish_is_there() -> None:
    """What is added to the vocabulary is added to the page."""
    shown = {cls.__name__ for cls in manual.RESOURCES}
    assert {cls.__name__ for cls in Resource.__args__} <= shown
