"""A driver on paper: what it answers is handed in, so that a test can have it answer anything."""

from collections.abc import Callable
from typing import Any, ClassVar

from linkwright import sdk
from linkwright.engine.registry import Origin, Registered

Answer = Callable[..., Any]


class Paper(sdk.Driver[sdk.CommonOptions]):
    """Answers with what it was given, and counts how often it was asked."""

    name: ClassVar[str] = "paper"
    options: ClassVar[type[Any]] = sdk.CommonOptions

    def __init__(
        self,
        network: Answer = lambda _: sdk.Wishes(),
        endpoint: Answer = lambda _, __: sdk.Wishes(),
        join: Answer = lambda _, __: sdk.Join("lwpaper"),
    ) -> None:
        """Answer with what these return."""
        self.asked = 0
        self.answers = {"network": network, "endpoint": endpoint, "join": join}

    def network(self, network: sdk.Network[sdk.CommonOptions]) -> sdk.Wishes:
        """What was handed in for networks."""
        self.asked += 1
        return self.answers["network"](network)  # type: ignore[no-any-return]

    def endpoint(self, network: sdk.Network[sdk.CommonOptions], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """What was handed in for endpoints."""
        self.asked += 1
        return self.answers["endpoint"](network, endpoint)  # type: ignore[no-any-return]

    def join(self, network: sdk.Network[sdk.CommonOptions], endpoint: sdk.Endpoint) -> sdk.Join:
        """What was handed in for joins."""
        self.asked += 1
        return self.answers["join"](network, endpoint)  # type: ignore[no-any-return]


def registered(driver: sdk.Driver[Any]) -> Registered:
    """Put *driver* behind the name of a package."""
    return Registered(driver, Origin("linkwright-paper", "1.2"))
