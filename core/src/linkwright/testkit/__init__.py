"""What a driver's author tests with: the battery of cases, and fakes that pass the same tests as the real thing.

As a plugin for pytest (``pytest_plugins = ["linkwright.testkit"]``) it brings marks, ``needs``, and the fixture that a
Docker Engine is handed over by. PYTEST_DONT_REWRITE: there is no assertion in here, and there are in ``battery``.
"""

import pytest

pytest.register_assert_rewrite("linkwright.testkit.battery")

# what is to be rewritten is imported after saying so
from linkwright.testkit.battery import DriverConformance  # noqa: E402 - as said, and below
from linkwright.testkit.battery.backend import BackendConformance  # noqa: E402
from linkwright.testkit.battery.docker import DockerEngine, docker_engine  # noqa: E402
from linkwright.testkit.battery.kernel import KernelLevel  # noqa: E402
from linkwright.testkit.example import Example  # noqa: E402
from linkwright.testkit.needed import needs, skip_without  # noqa: E402

__all__ = ["BackendConformance", "DockerEngine", "DriverConformance", "Example", "docker_engine", "needs"]

_MARKERS = (
    "netns: needs network namespaces (root, or user namespaces)",
    "needs(*features): needs kernel features by name; skipped, naming them, where the kernel lacks one",
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known."""
    for line in _MARKERS:
        config.addinivalue_line("markers", line)


@pytest.hookimpl(tryfirst=True)  # before -m chooses by mark
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs namespaces, so that ``-m netns`` finds it."""
    for item in items:
        cls = getattr(item, "cls", None)
        if cls is not None and issubclass(cls, KernelLevel) and item.name.startswith("test_kernel_"):
            item.add_marker("netns")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a kernel feature that is not there, and name it."""
    skip_without(name for mark in item.iter_markers("needs") for name in mark.args)
