"""``linkwright new-driver``: what it writes, and what it refuses. That its tests pass is in ``tests``, with pip."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from linkwright.cli import main


def new_driver(*arguments: str | Path) -> Result:
    """Run it."""
    return CliRunner().invoke(main, ["new-driver", *map(str, arguments)])


def test_it_writes_a_package_and_says_what_comes_next(tmp_path: Path) -> None:
    """A driver whose name, module, class and entry point belong together, and nothing left to fill in."""
    done = new_driver("my-wires_2", "--directory", tmp_path)
    folder = tmp_path / "linkwright-my-wires_2"
    assert (done.exit_code, f"cd {folder}\n" in done.output) == (0, True), done.output
    written = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert set(written) == {
        "README.md",
        "pyproject.toml",
        "src/linkwright_my_wires_2/__init__.py",
        "src/linkwright_my_wires_2/driver.py",
        "src/linkwright_my_wires_2/py.typed",
        "tests/test_conformance.py",
    }
    project = tomllib.loads(written["pyproject.toml"])["project"]
    assert project["name"] == "linkwright-my-wires_2"
    assert project["entry-points"] == {"linkwright.drivers": {"my-wires_2": "linkwright_my_wires_2:MyWires2"}}
    for name, text in written.items():
        assert not re.search(r"@\w+@", text), name
        if name.endswith(".py"):
            ast.parse(text)


@pytest.mark.parametrize("name", ["ipam", "UPPER", "2fast", "a b", "../up", "-x", "n" * 33, ""])
def test_a_name_that_cannot_be_a_drivers_is_refused(name: str, tmp_path: Path) -> None:
    """Before anything is written: a socket's file would be called so, and a module."""
    done = new_driver("--directory", tmp_path, "--", name)
    assert (done.exit_code, "cannot be a driver's name" in done.output) == (1, True), done.output
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A second time it refuses, and what somebody made of the first stays."""
    assert new_driver("mine", "--directory", tmp_path).exit_code == 0
    readme = tmp_path / "linkwright-mine/README.md"
    readme.write_text("mine")
    done = new_driver("mine", "--directory", tmp_path)
    assert (done.exit_code, "is there already" in done.output) == (1, True), done.output
    assert readme.read_text() == "mine"


def test_where_it_cannot_write_it_says_so(tmp_path: Path) -> None:
    """By the path, in one line."""
    (tmp_path / "file").write_text("")
    done = new_driver("mine", "--directory", tmp_path / "file" / "below")
    assert (done.exit_code, "cannot write" in done.output, "Traceback" in done.output) == (1, True, False), done.output
