"""What both drivers do alike: they look at a parent, borrow or make it, and keep off what stands on it already."""

from typing import Any, TypeVar

from linkwright import sdk
from linkwright_macvlan import beside
from linkwright_macvlan.options import OnParent
from linkwright_macvlan.parent import Parent, admit_mtu, looks_at, require

O = TypeVar("O", bound=OnParent)  # noqa: E741 - reads "options"


class StandsOnParent(sdk.Driver[O]):
    """A driver whose networks are their parent: nothing but that is theirs while no container runs."""

    def looks_at(self, options: OnParent) -> tuple[str, ...]:
        """The parent: whether it is there, and its MTU."""
        return looks_at(options)

    def skip_gateway(self, options: OnParent, *, internal: bool) -> tuple[bool, bool]:  # noqa: ARG002 - alike for all
        """Never one by itself: a router of the LAN only the user can name (--gateway), and at layer 3 there is none."""
        return True, True

    def admit(
        self,
        network: sdk.Network[Any],
        others: tuple[sdk.Network[Any], ...],
        host: sdk.HostFacts,  # noqa: ARG002 - what it tells is in the network too
    ) -> None:
        """Not on a parent that another network has alone, or that carries links of the other driver."""
        beside.admit(network, others)

    def network(self, network: sdk.Network[O]) -> sdk.Wishes:
        """The parent: borrowed, where somebody else has made it."""
        require(network, self.name)
        parent = Parent.of(network)
        admit_mtu(network, parent)
        return sdk.Wishes(parent.wishes)
