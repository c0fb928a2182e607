"""The fixed table as text: what it says, and what its name, mark and comment depend on."""

import os
from pathlib import Path

import pytest

from linkwright.kernel.nftables.text import render
from linkwright.kernel.ruleset import MARK_BIT, ruleset
from linkwright.plan.resources import Element

RULESETS = Path(__file__).parent / "rulesets"
PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "firewall.md"


@pytest.mark.parametrize(("name", "guard"), [("default.nft", False), ("guarded.nft", True)])
def test_the_golden_text_is_the_whole_rule_set(name: str, guard: bool) -> None:
    """A reviewer sees every rule in one file, as ``nft list ruleset`` prints it, and no rule changes unseen.

    ``make golden`` writes it anew, and into docs/explanation/firewall.md, which shows it.
    """
    wanted, golden = render(ruleset(guard=guard)), RULESETS / name
    if os.environ.get("LINKWRIGHT_GOLDEN") == "write":
        if not guard:
            PAGE.write_text(PAGE.read_text().replace(golden.read_text(), wanted))
        golden.write_text(wanted)
    assert golden.read_text() == wanted


def test_elements_are_printed_in_their_sets() -> None:
    """What the drivers wished for stands in the sets, quoted as nft quotes link names, in a steady order."""
    elements = [
        Element("bridges", ("lw1",)),
        Element("bridges", ("lw0",)),
        Element("siblings", ("lw0", "lw1")),
    ]
    text = render(ruleset(), elements)
    assert 'set bridges {\n\t\ttype ifname\n\t\telements = { "lw0",\n\t\t\t     "lw1" }\n\t}' in text
    assert 'elements = { "lw0" . "lw1" }' in text


@pytest.mark.parametrize(
    ("instance", "name"), [("default", "linkwright"), ("a", "linkwright_a"), ("a-b", "linkwright_a_b")]
)
def test_each_instance_has_a_table_of_its_own(instance: str, name: str) -> None:
    """Instances in one network namespace keep their tables apart; nft takes no '-' in a name."""
    assert [table.name for table in ruleset(instance)] == [name, name]


def test_the_comment_tells_one_rule_set_from_another() -> None:
    """Another mark, another form or another instance is another comment; the same settings give the same one."""
    made = [ruleset(), ruleset(guard=True), ruleset(mark_bit=0x2000), ruleset("b")]
    assert len(made) == len({inet.comment for inet, _ in made})
    assert [table.comment for table in ruleset()] == [table.comment for table in ruleset()]


@pytest.mark.parametrize("mark_bit", [0, -1, 3, 1 << 32, 0x1001])
def test_a_mark_that_is_not_one_bit_is_refused(mark_bit: int) -> None:
    """A mask of several bits would take bits from others, and zero would match every packet."""
    with pytest.raises(ValueError, match="one bit"):
        ruleset(mark_bit=mark_bit)


@pytest.mark.parametrize(
    "others",
    [
        pytest.param(0x0000C000, id="kube-proxy and flannel"),
        pytest.param(0x00002000, id="CNI portmap, netavark"),
        pytest.param(0x00000F00, id="Cilium"),
        pytest.param(0xFFFF0000, id="Calico, kube-router, Tailscale"),
        pytest.param(0x00D0C4E3, id="Docker's encrypted overlays"),
        pytest.param(0x0000CA6C, id="wg-quick"),
        pytest.param(0x00000539, id="Istio"),
        pytest.param(0x00000080, id="AWS VPC CNI"),
    ],
)
def test_the_default_mark_is_nobody_elses(others: int) -> None:
    """Our bit is none of those that programs found beside Docker set or look at."""
    assert MARK_BIT & others == 0
