"""Finding drivers among installed packages, whatever those are like: the daemon starts with the good ones."""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from linkwright.daemon.discovery import find
from linkwright.errors import DriverFault, Refused

DRIVER = """
from typing import Any, ClassVar
from linkwright import sdk

class Driver(sdk.Driver[sdk.CommonOptions]):
    name: ClassVar[str] = {name!r}
    options: ClassVar[type[Any]] = sdk.CommonOptions

    def network(self, network):
        return sdk.Wishes()

    def endpoint(self, network, endpoint):
        return sdk.Wishes()

    def join(self, network, endpoint):
        return sdk.Join("lwx")
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package with one driver, as pip leaves it; *entry* is the entry point's name, *code* the module's."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules: list[str] = []

    def install(
        package: str,
        *,
        entry: str,
        code: str | None = None,
        target: str = "{module}:Driver",
        version: str = "1.0",
    ) -> None:
        module = package.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(DRIVER.format(name=entry) if code is None else code)
        info = tmp_path / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[linkwright.drivers]\n{entry} = {target.format(module=module)}\n")
        modules.append(module)

    yield install
    for module in modules:
        sys.modules.pop(module, None)


def names(wanted: tuple[str, ...]) -> list[str]:
    """The drivers of *wanted* that are found."""
    return [driver.name for driver in find(wanted).drivers]


def test_a_driver_is_found_with_where_it_came_from(install: Install) -> None:
    """By its entry point; its distribution and version are in every message about it."""
    install("linkwright-fresh", entry="fresh", version="2.5")

    (driver,) = find(("fresh",)).drivers

    assert (driver.name, str(driver.origin)) == ("fresh", "linkwright-fresh 2.5")


def test_without_a_wish_all_that_are_installed_are_found(install: Install) -> None:
    """By name, so that the order is nobody's chance."""
    install("linkwright-fresh", entry="fresh")

    found = [driver.name for driver in find().drivers]

    assert "fresh" in found
    assert found == sorted(found)


def test_a_wish_asked_for_twice_is_one(install: Install) -> None:
    """``--drivers fresh,fresh`` would else open one socket twice."""
    install("linkwright-fresh", entry="fresh")

    assert names(("fresh", "fresh")) == ["fresh"]


def test_a_wish_that_no_package_fulfils_is_refused_with_those_there_are(install: Install) -> None:
    """A misspelt name is no reason to start without the driver."""
    install("linkwright-fresh", entry="fresh")

    with pytest.raises(
        Refused, match=r"no driver frehs is installed \(there are: .*fresh.*\); pip install linkwright-f"
    ):
        find(("frehs",))


BROKEN: Mapping[str, tuple[str, str]] = {
    "an import that raises": ("raise ValueError('no luck')", "importing .* raised ValueError: no luck"),
    "an import that is missing": ("import no_such_module_at_all", "raised ModuleNotFoundError"),
    "a mistake of syntax": ("def (:", "raised SyntaxError"),
    "an import that quits": ("import sys; sys.exit(7)", "raised SystemExit: 7"),
    "nothing of that name": ("", "raised AttributeError"),
    "another contract": (DRIVER.format(name="broken") + "    api = 2\n", r"contract version \(api\)"),
    "another name": (DRIVER.format(name="other"), "name is not its entry point's"),
    "an abstract class": (
        "from linkwright import sdk\nclass Driver(sdk.Driver):\n    name = 'broken'\n    options = sdk.CommonOptions\n",
        "leaves methods",
    ),
    "a function": ("def Driver(): pass", "no subclass"),
}


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_broken_package_is_left_out_and_told(install: Install, mistake: str) -> None:
    """The daemon starts with the others; what is wrong is said with the package's name and version."""
    code, text = BROKEN[mistake]
    install("linkwright-broken", entry="broken", code=code, version="0.3")
    install("linkwright-fresh", entry="fresh")

    found = find(("broken", "fresh"))

    assert [driver.name for driver in found.drivers] == ["fresh"]
    (fault,) = found.faults
    assert str(fault).startswith("driver 'broken' of linkwright-broken 0.3 is not loaded: ")
    with pytest.raises(DriverFault, match=text):
        raise fault


@pytest.mark.parametrize("mistake", BROKEN)
def test_with_strict_a_broken_package_is_fatal(install: Install, mistake: str) -> None:
    """``--strict``: rather no start than one without a driver."""
    install("linkwright-broken", entry="broken", code=BROKEN[mistake][0])

    with pytest.raises(DriverFault, match="linkwright-broken"):
        find(("broken",), strict=True)


def test_two_packages_that_offer_one_name_offer_none(install: Install) -> None:
    """Which of them is meant cannot be told, and the order on the path is nobody's decision."""
    install("linkwright-one", entry="twin")
    install("linkwright-two", entry="twin")
    install("linkwright-fresh", entry="fresh")

    found = find(("fresh", "twin"))

    assert [driver.name for driver in found.drivers] == ["fresh"]
    (fault,) = found.faults
    assert "linkwright-one 1.0" in str(fault)
    assert "linkwright-two 1.0" in str(fault)
    assert "pip uninstall" in str(fault)


def test_a_package_installed_twice_over_is_one(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editable install above a wheel: the first on the path is the one that is imported."""
    install("linkwright-fresh", entry="fresh", version="2.0")
    below = tmp_path / "below"
    below.mkdir()
    old = below / "linkwright_fresh-1.0.dist-info"
    old.mkdir()
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: linkwright-fresh\nVersion: 1.0\n")
    (old / "entry_points.txt").write_text("[linkwright.drivers]\nfresh = linkwright_fresh:Driver\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(below)])

    assert [str(driver.origin) for driver in find(("fresh",)).drivers] == ["linkwright-fresh 2.0"]
