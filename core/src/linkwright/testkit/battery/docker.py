"""Level docker: the first example under a real Docker Engine. Needs one; the fixture ``docker_engine`` hands it over.

By itself the fixture skips: override it in a ``conftest.py`` with one that gives a ``DockerEngine``.
"""

from collections.abc import Sequence
from typing import Protocol

import pytest

from linkwright.testkit.battery.level import Level
from linkwright.testkit.docker_side import PREFIX
from linkwright.testkit.example import Example
from linkwright.testkit.needed import skip_without


class DockerEngine(Protocol):
    """A Docker Engine with a linkwright beside it that has loaded the driver under test."""

    @property
    def image(self) -> str:
        """An image that the engine has, with a ``sleep`` and a ``ping``."""

    def docker(self, *arguments: str) -> str:
        """Run ``docker``; what it prints. An exception, with what it says, if it fails."""

    def restart_linkwright(self) -> None:
        """Stop linkwright and start it again."""

    def host_links(self) -> Sequence[str]:
        """The links that the host has, by name."""


class DockerLevel(Level):
    """A real engine."""

    def test_docker_life(self, docker_engine: DockerEngine) -> None:
        """Two containers ping each other, also after linkwright was restarted, and nothing is left behind them."""
        one, engine = self.wanted()[0], docker_engine
        self.wait_for_right_answers(one)
        skip_without(one.needs)
        before = sorted(engine.host_links())
        names = [f"conformance-{self.driver.name}-{number}" for number in range(one.containers)]
        network = f"conformance-{self.driver.name}"
        engine.docker(*self._create(one), network)
        try:
            for name in names:
                engine.docker("run", "-d", "--name", name, "--network", network, engine.image, "sleep", "1000000")
            self._ping(engine, one, names)
            engine.restart_linkwright()
            self._ping(engine, one, names)
        finally:
            engine.docker("rm", "-f", *names)
            engine.docker("network", "rm", network)
        assert sorted(engine.host_links()) == before

    def _create(self, one: Example) -> list[str]:
        pairs = [f"{key}={value}" for key, value in one.options.items()]
        flags = ["--internal"] * one.internal + ["--ipv6"] * any(":" in pool for pool in one.subnets)
        subnets = [f"--subnet={pool}" for pool in one.subnets]
        driver = f"{PREFIX}{self.driver.name}"
        return ["network", "create", "-d", driver, "--ipam-driver", f"{PREFIX}ipam", *flags, *subnets] + [
            word for pair in pairs for word in ("-o", pair)
        ]

    def _ping(self, engine: DockerEngine, one: Example, names: Sequence[str]) -> None:
        if one.siblings and len(names) > 1:
            engine.docker("exec", names[0], "ping", "-c", "1", "-W", "10", names[1])


@pytest.fixture(scope="session")
def docker_engine() -> DockerEngine:
    """A Docker Engine for the level docker. This one is none: override it where there is one."""
    pytest.skip(
        "level docker: no engine is given; override the fixture docker_engine (linkwright.testkit.battery.docker)"
    )
