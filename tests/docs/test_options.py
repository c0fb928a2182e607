"""Options in the manual and options in the code: the two sets are equal, for each of our packages of drivers."""

import ast
import re
from pathlib import Path

import importlib_metadata
import pytest

from linkwright import sdk
from linkwright.daemon.discovery import GROUP
from linkwright.ipam import OPTIONS
from linkwright.testkit import readme

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml"))


def keys(options: type) -> set[str]:
    """All names of all options of a class."""
    return {key for spec in sdk.specs(options).values() for key in spec.keys}


def drivers(package: str) -> list[type[sdk.Driver[object]]]:
    """The drivers that the distribution has."""
    entries = importlib_metadata.distribution(f"linkwright-{package}").entry_points.select(group=GROUP)
    return [entry.load() for entry in entries]


@pytest.mark.parametrize("package", PACKAGES)
def test_s_08_the_options_of_a_readme_are_those_that_the_code_accepts(package: str) -> None:
    """Of networks, and of endpoints; those of endpoints that every driver has may be left to the core's manual."""
    told = readme.options_told(ROOT / "plugins" / package / "README.md")
    accepted = set()
    for driver in drivers(package):
        accepted |= keys(driver.options)
        if driver.endpoint_options is not sdk.EndpointOptions:
            accepted |= keys(driver.endpoint_options)
    everybodys = keys(sdk.EndpointOptions)
    assert accepted - everybodys == told - everybodys
    assert accepted


def test_s_08_the_options_of_pools_are_told_too() -> None:
    """``--ipam-opt``: each that the ledger understands is in the manual, and the manual names no other."""
    page = (ROOT / "docs/reference/ipam.md").read_text()
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", page, re.MULTILINE))
    assert rows == OPTIONS


def test_the_contract_of_back_ends_shown_is_the_contract() -> None:
    """docs/reference/ipam.md shows its methods with the arguments that they have."""
    shown = (ROOT / "docs/reference/ipam.md").read_text()
    source = ast.parse((ROOT / "core/src/linkwright/ipam/backend.py").read_text())
    backend = next(node for node in source.body if isinstance(node, ast.ClassDef) and node.name == "Backend")
    for method in [node for node in backend.body if isinstance(node, ast.FunctionDef)]:
        assert f"def {method.name}({ast.unparse(method.args)}) -> {ast.unparse(method.returns or method)}:" in shown
