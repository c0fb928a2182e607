"""Asking a driver everything that it has to say about a network and endpoints, and showing it as a person reads it.

Nothing is judged here: what the answers have to be is ``promises``.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from linkwright import sdk
from linkwright.plan import Key, Resource, diff, render_all
from linkwright.testkit import door


@frozen
class Asked:
    """A driver's whole answer about a network and some endpoints."""

    network: sdk.Wishes
    endpoints: tuple[sdk.Wishes, ...]
    joins: tuple[sdk.Join, ...]

    @property
    def network_text(self) -> str:
        """What making the network looks like."""
        return _made(self.network, around={})

    @property
    def endpoint_text(self) -> str:
        """What making the endpoints looks like when the network is there."""
        return _made([wish for wishes in self.endpoints for wish in wishes], around=self.network.by_key())


def ask(driver: sdk.Driver[Any], network: sdk.Network[Any], *endpoints: sdk.Endpoint) -> Asked:
    """Ask *driver* everything, with the door to the outside shut."""
    with door.shut():
        return _ask(driver, network, *endpoints)


def ask_unguarded(driver: sdk.Driver[Any], network: sdk.Network[Any], *endpoints: sdk.Endpoint) -> Asked:
    """Ask *driver* everything, whatever it does: for looking at one fault at a time."""
    return _ask(driver, network, *endpoints)


def link_names(wishes: Iterable[Resource]) -> list[str]:
    """The names of all links in *wishes*, both ends of pairs."""
    links = [wish for wish in wishes if isinstance(wish, sdk.Link)]
    return [link.name for link in links] + [link.kind.peer for link in links if isinstance(link.kind, sdk.Veth)]


def _ask(driver: sdk.Driver[Any], network: sdk.Network[Any], *endpoints: sdk.Endpoint) -> Asked:
    return Asked(
        driver.network(network),
        tuple(driver.endpoint(network, endpoint) for endpoint in endpoints),
        tuple(driver.join(network, endpoint) for endpoint in endpoints),
    )


def _made(wishes: Iterable[Resource], *, around: Mapping[Key, Resource]) -> str:
    """Return what making *wishes* looks like where *around* is there already, and what they borrow."""
    wanted = sdk.Wishes(wishes).by_key()
    borrowed = {key: wish for key, wish in wanted.items() if getattr(wish, "hold", None) is sdk.Hold.BORROW}
    return render_all(diff({**around, **borrowed}, {**around, **wanted}).steps)
