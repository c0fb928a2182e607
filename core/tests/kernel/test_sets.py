"""What plans know of the firewall's sets by name is so in the fixed tables."""

from linkwright.kernel.nftables.numbers import Family
from linkwright.kernel.ruleset import ruleset
from linkwright.plan.sets import DESTINATIONS, OF_BRIDGE_TABLE


def test_the_sets_that_plans_name_are_there_and_where_they_say() -> None:
    """A set that is renamed, or moves to another table, would be made too early, or shown in the wrong place."""
    tables = ruleset()
    names = {
        family: {one.name for table in tables if table.family == family for one in table.sets} for family in Family
    }
    assert names[Family.BRIDGE] == OF_BRIDGE_TABLE
    assert names[Family.INET] >= DESTINATIONS
    leading = {
        one.name for table in tables for one in table.sets if one.data and one.name[:-1] in {"wildcard", "published"}
    }
    assert leading == DESTINATIONS
