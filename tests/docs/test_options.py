"""Options in the manual and options in the code: the two sets are equal, for each of our packages of drivers."""

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
    page = (ROOT / "docs/explanation/addresses.md").read_text()
    named = {word.partition("=")[0] for word in page.replace("`", " ").split() if word.startswith("linkwright.")}
    assert named == set(OPTIONS)
