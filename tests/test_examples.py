"""The examples, as a stranger has them: packages of their own that use nothing of this repository but its wheels."""

import shutil
from pathlib import Path

import pytest

from tests.cleanroom import CleanRoom, Wheels

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(path.parent.name for path in ROOT.glob("examples/*/pyproject.toml"))


@pytest.mark.netns
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_examples_own_tests_pass_with_wheels_alone(
    example: str, cleanroom: CleanRoom, wheels: Wheels, tmp_path: Path
) -> None:
    """The kit comes with the core; what an example needs beside it, its wheel says."""
    cleanroom.install(wheels.of(f"examples/{example}"))
    source = ROOT / "examples" / example
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(source / name, tmp_path)
    shutil.copytree(source / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    said = cleanroom.run("pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)
    assert " passed" in said
    assert "failed" not in said


def test_a_trivial_driver_is_less_than_fifty_lines() -> None:
    """The one that every author begins with, with its options and all that tells a reader what it is."""
    driver = ROOT / "core/src/linkwright/cli/template/driver.py.in"
    assert len(driver.read_text().splitlines()) < 50
