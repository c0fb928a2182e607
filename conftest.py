"""Test levels: what the machine can do decides which run, and ``--require`` makes a missing level a failure.

A missing kernel *feature* may be skipped only if it is on the allow-list below, which every run prints.
"""

import os
import platform
import shutil
from collections.abc import Callable

import pytest
from hypothesis import settings

#: Properties draw the same examples in every run, and a slow machine is no failure.
settings.register_profile("linkwright", derandomize=True, deadline=None)
settings.load_profile("linkwright")

pytest_plugins = ["linkwright.testkit", "tests.engines.fixtures"]

#: Kernel features whose absence may skip a test, and what needs them. Nothing else may be skipped under --require.
FEATURES_THAT_MAY_BE_MISSING = {
    "vlan": "802.1q sub-interfaces of a macvlan parent",
    "ipvlan": "the ipvlan driver",
    "vlan_filtering": "VLANs on one bridge",
}


def _netns_missing() -> str | None:
    if os.geteuid() != 0:
        return "not root: network namespaces of the tests' own cannot be made"
    missing = [tool for tool in ("ip", "nft", "iptables", "unshare", "nsenter") if shutil.which(tool) is None]
    return f"tools missing: {', '.join(missing)}" if missing else None


def _docker_missing() -> str | None:
    from tests import engines

    return engines.missing()


LEVELS: dict[str, Callable[[], str | None]] = {"netns": _netns_missing, "docker": _docker_missing}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--require``."""
    parser.addoption("--long", action="store_true", help="also run the full forms of tests that have a short one")
    parser.addoption("--require", default="", help="levels that must not be skipped, comma-separated: netns,docker")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say on what the tests run."""
    features = ", ".join(f"{name} ({what})" for name, what in FEATURES_THAT_MAY_BE_MISSING.items())
    return [f"kernel: {platform.release()}", f"kernel features that may be missing: {features}"]


def pytest_configure(config: pytest.Config) -> None:
    """Fail if a level that is required cannot run: here, where it is said once and not by each worker."""
    required = _required(config)
    if unknown := required - set(LEVELS):
        raise pytest.UsageError(f"--require knows {', '.join(LEVELS)}, not {', '.join(sorted(unknown))}")
    for level in sorted(required):
        if reason := LEVELS[level]():
            raise pytest.UsageError(f"level {level} is required and cannot run: {reason}")


def _required(config: pytest.Config) -> set[str]:
    return {name for name in config.getoption("--require").split(",") if name}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the levels that cannot run, with the reason."""
    if not config.getoption("--long"):
        deselected = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if not item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=deselected)
    for level in LEVELS.keys() - _required(config):
        needing = [item for item in items if item.get_closest_marker(level)]
        if needing and (reason := LEVELS[level]()):
            for item in needing:
                item.add_marker(pytest.mark.skip(reason=f"level {level}: {reason}"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> None:
    """Give a skip of an async test its reason again: pytest-trio 0.8 raises an empty one for that in its nursery."""
    skipped = call.excinfo.value if call.excinfo else None
    if isinstance(skipped, pytest.skip.Exception) and not skipped.msg:
        group = skipped.__context__
        while isinstance(group, BaseExceptionGroup):
            group = group.exceptions[0]
        skipped.msg = getattr(group, "msg", None)
