"""The checks at the door: each rule refuses by itself, names the package and its version, and harms nobody else."""

# ruff: noqa: ARG002, ARG005 - what these drivers are handed is the core's choice

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
import pytest

from linkwright import sdk
from linkwright.engine.registry import Origin, register
from linkwright.errors import DriverFault

ORIGIN = Origin("linkwright-good", "1.2")


@attrs.frozen
class Options(sdk.CommonOptions):
    """What every driver of this file is told."""


class Good(sdk.Driver[Options]):
    """A driver that breaks no rule; the others are this one with one mistake."""

    name: ClassVar[str] = "good"
    options: ClassVar[type[Any]] = Options

    def network(self, network: sdk.Network[Options]) -> sdk.Wishes:
        """Nothing."""
        return sdk.Wishes()

    def endpoint(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """Nothing."""
        return sdk.Wishes()

    def join(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Join:
        """Nothing that exists."""
        return sdk.Join("lwgood")


def like_good(**changes: Any) -> type[Any]:
    """The good driver with *changes* of its class."""
    return type("Changed", (Good,), changes)


@attrs.frozen
class NeedsOne:
    """Options of which one cannot be left out."""

    number: int


@attrs.frozen
class Raises:
    """Options whose default is no value of theirs."""

    number: int = attrs.field(default=0, validator=attrs.validators.ge(1))


async def _async_network(_: object, __: object) -> sdk.Wishes:
    return sdk.Wishes()


def _quits(_: object) -> None:
    raise SystemExit(3)


def _raises(_: object) -> None:
    raise ValueError("no such luck")


BROKEN: Mapping[str, tuple[Any, str]] = {
    "no class": (Good(), "no subclass of linkwright.sdk.Driver"),
    "another class": (dict, "no subclass of linkwright.sdk.Driver"),
    "nothing": (None, "no subclass of linkwright.sdk.Driver"),
    "old contract": (like_good(api=0), "contract version"),
    "new contract": (like_good(api=2), "contract version"),
    "contract in words": (like_good(api="1"), "contract version"),
    "another name": (like_good(name="better"), "name is not its entry point's"),
    "no name": (like_good(name=None), "name is not its entry point's"),
    "abstract": (type("Half", (sdk.Driver,), {"name": "good", "options": Options}), "leaves methods"),
    "too few arguments": (like_good(network=lambda _: sdk.Wishes()), "takes other arguments"),
    "too many arguments": (like_good(endpoint=lambda _, __, ___, ____: sdk.Wishes()), "takes other arguments"),
    "a keyword that nobody gives": (like_good(join=lambda _, __, ___, *, more: more), "takes other arguments"),
    "a power that takes less": (like_good(admit=lambda _, __: None), "takes other arguments"),
    "a power that takes more": (like_good(claims=lambda _, __, ___: ()), "takes other arguments"),
    "a power without its keyword": (like_good(skip_gateway=lambda _, __: (True, True)), "takes other arguments"),
    "no method at all": (like_good(network=7), "takes other arguments"),
    "a coroutine": (like_good(network=_async_network), "is a coroutine or a generator"),
    "no options": (like_good(options=None), "options are no attrs class"),
    "options of another kind": (like_good(options=dict), "options are no attrs class"),
    "an option without default": (like_good(options=NeedsOne), "options are no attrs class"),
    "a default that is refused": (like_good(options=Raises), "options are no attrs class"),
    "no capabilities": (like_good(capabilities=None), "capabilities"),
    "capabilities of its own": (like_good(capabilities=sdk.Capabilities(connectivity="swarm")), "capabilities"),
    "a constructor that raises": (like_good(__init__=_raises), "cannot be made: no such luck"),
    "a constructor that quits": (like_good(__init__=_quits), "cannot be made"),
}


def test_a_driver_that_keeps_the_rules_is_registered_with_its_powers() -> None:
    """By name, with where it came from; a method more, or an argument with a default, is no mistake."""
    found = register("good", like_good(looks_at=lambda _, __, deep=True: (), describe=lambda _: ""), ORIGIN)

    assert (found.name, found.origin, found.powers) == ("good", ORIGIN, ("looks-at",))


def test_static_and_class_methods_are_methods() -> None:
    """How a method is bound is its author's business."""
    changed = like_good(network=staticmethod(lambda _: sdk.Wishes()), join=classmethod(lambda _, __, ___: None))

    assert register("good", changed, ORIGIN).name == "good"


@pytest.mark.parametrize("mistake", BROKEN)
def test_each_rule_refuses_by_itself_and_names_the_package(mistake: str) -> None:
    """What is wrong, in which distribution of which version; whoever installed it knows whom to ask."""
    candidate, text = BROKEN[mistake]

    with pytest.raises(DriverFault, match=text) as refused:
        register("good", candidate, ORIGIN)
    assert str(refused.value).startswith("driver 'good' of linkwright-good 1.2 is not loaded: ")


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "a/b", "", ".", "-x", "UPPER", "naïve", "a b", "n" * 33])
def test_a_name_that_could_not_be_a_sockets_is_refused(name: str) -> None:
    """The name becomes part of a path: a file elsewhere, or none at all, must not come of it."""
    with pytest.raises(DriverFault, match="name"):
        register(name, like_good(name=name), ORIGIN)


def test_the_name_of_the_address_plugin_is_taken() -> None:
    """Its socket would be the one for addresses."""
    with pytest.raises(DriverFault, match="ipam"):
        register("ipam", like_good(name="ipam"), ORIGIN)


def test_a_rule_that_cannot_even_be_checked_is_broken() -> None:
    """A class that raises when it is looked at is refused as any other, and not by a traceback."""

    class Hostile(type(Good)):  # type: ignore[misc]
        def __getattribute__(cls, name: str) -> Any:
            if name == "api":
                raise RuntimeError("do not look")
            return super().__getattribute__(name)

    with pytest.raises(DriverFault, match="contract version"):
        register("good", Hostile("Worse", (Good,), {}), ORIGIN)
