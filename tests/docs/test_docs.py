"""The documentation against the code: links lead somewhere, rule sets and contracts shown are the real ones."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(  # tools keep theirs in folders with a dot
    page for page in ROOT.rglob("*.md") if not any(part.startswith(".") for part in page.relative_to(ROOT).parts)
)
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


def titled(page: Path) -> str:
    """How a page is called in a report."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=titled)
def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link in a page is a file of the repository."""
    missing = [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()]

    assert missing == []


def test_the_rule_set_shown_is_the_one_that_is_installed() -> None:
    """docs/explanation/firewall.md shows the golden text, which the kernel tests load and read back."""
    golden = (ROOT / "core/tests/kernel/rulesets/default.nft").read_text()

    assert f"```nft\n{golden}```" in (ROOT / "docs/explanation/firewall.md").read_text()


def test_the_contract_shown_is_the_contract() -> None:
    """docs/explanation/drivers.md shows the three methods with the arguments that they have."""
    shown = (ROOT / "docs/explanation/drivers.md").read_text()
    source = ast.parse((ROOT / "core/src/linkwright/sdk/driver.py").read_text())
    driver = next(node for node in source.body if isinstance(node, ast.ClassDef) and node.name == "Driver")
    methods = [node for node in driver.body if isinstance(node, ast.FunctionDef)]

    assert len(methods) == 3
    for method in methods:
        assert f"def {method.name}({ast.unparse(method.args)}) -> {ast.unparse(method.returns or method)}:" in shown


@pytest.mark.parametrize("unit", ["linkwright.socket", "linkwright.service"])
def test_the_units_shown_are_understood_by_systemd(unit: str, tmp_path: Path) -> None:
    """docs/how-to/run-under-systemd.md: systemd-analyze verify finds nothing to say about our own lines."""
    text = (ROOT / "docs/how-to/run-under-systemd.md").read_text()
    units = re.findall(r"`/etc/systemd/system/([^`]+)`:\n\n```ini\n(.*?)```", text, re.DOTALL)
    assert {name for name, _ in units} == {"linkwright.socket", "linkwright.service"}
    for name, body in units:
        (tmp_path / name).write_text(body.replace("/usr/local/bin/linkwright", "/bin/true"))
    try:
        done = subprocess.run(
            ["systemd-analyze", "verify", str(tmp_path / unit)], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("systemd-analyze is not on this machine")

    said = [line for line in done.stderr.splitlines() if unit in line and "docker.service" not in line]
    assert said == []
