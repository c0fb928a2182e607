"""``linkwright new-driver``: what it writes, and what it refuses. That its tests pass is in ``tests``, with pip."""

import ast
import re
import runpy
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from linkwright.cli import main
from linkwright.testkit import DriverConformance


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


@pytest.mark.parametrize("name", ["ipam", "UPPER", "2fast", "a b", "../up", "-x", "x-", "x_", "n" * 33, ""])
def test_a_name_that_cannot_be_a_drivers_is_refused(name: str, tmp_path: Path) -> None:
    """Before anything is written: a socket's file would be called so, a module, and a distribution."""
    done = new_driver("--directory", tmp_path, "--", name)
    assert (done.exit_code, "cannot be a driver's name" in done.output) == (1, True), done.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["none", "true", "options", "class-var", "example", "driver-conformance", "class"])
def test_a_name_that_means_something_in_python_makes_a_driver_too(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its class is called so that it hides nothing which its files need."""
    assert new_driver(name, "--directory", tmp_path).exit_code == 0
    monkeypatch.syspath_prepend(tmp_path / f"linkwright-{name}/src")
    tests = runpy.run_path(str(tmp_path / f"linkwright-{name}/tests/test_conformance.py"))
    (mine,) = [one for key, one in tests.items() if key.startswith("Test")]
    assert issubclass(mine, DriverConformance)
    assert mine.registered().name == name


def test_the_name_of_a_driver_that_is_installed_is_refused(tmp_path: Path) -> None:
    """Of two drivers with one name the daemon loads neither; and pip would take one package for the other."""
    done = new_driver("bridge", "--directory", tmp_path)
    assert (done.exit_code, "is installed" in done.output) == (1, True), done.output
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
