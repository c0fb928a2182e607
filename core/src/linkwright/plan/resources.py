"""What a host can be made to have, as frozen values: the vocabulary of wishes and of snapshots alike.

Rule 1: a resource says *what* must be there, never how to make it. ``kernel`` knows how, ``diff`` knows when.
Rule 2: an attribute that is None in a wish is not wished: whatever the kernel has is right.

Each kind declares, as data: its ``key`` (what makes two values the same thing), ``FIXED`` (attributes that only
a new object can change), and what it ``requires`` (keys that must exist before it). A snapshot of the kernel holds
the same values, read back, so the difference of the two is the plan.
"""

from collections.abc import Iterator
from typing import ClassVar

from attrs import evolve, field, frozen
from attrs.validators import ge, le

from linkwright.model.address import Address as IPAddress
from linkwright.model.address import Interface, Prefix
from linkwright.model.mac import Mac
from linkwright.plan.links import (
    LAST_VID,
    NAME_LENGTH,
    Bridge,
    BridgePort,
    Existing,
    Hold,
    Ifb,
    Ipvlan,
    IpvlanFlag,
    IpvlanMode,
    Key,
    Link,
    LinkKind,
    Macvlan,
    MacvlanMode,
    Veth,
    Vlan,
    Vxlan,
    vlan_id,
)
from linkwright.plan.shaping import ticks

__all__ = [
    "LAST_VID",
    "NAME_LENGTH",
    "Address",
    "Bridge",
    "BridgePort",
    "BridgeVlan",
    "Element",
    "Existing",
    "FdbEntry",
    "Hairpin",
    "Hold",
    "Ifb",
    "Ipvlan",
    "IpvlanFlag",
    "IpvlanMode",
    "Key",
    "Link",
    "LinkKind",
    "Macvlan",
    "MacvlanMode",
    "Neighbour",
    "Redirect",
    "Resource",
    "Route",
    "Shaper",
    "Sysctl",
    "Veth",
    "Vlan",
    "Vxlan",
]

# --- what lies on links --------------------------------------------------------------------------------------


@frozen
class Address:
    """An address on a link. Set without duplicate address detection: IPAM has decided already."""

    FIXED: ClassVar[frozenset[str]] = frozenset({"link", "interface"})
    link: str
    interface: Interface

    @property
    def key(self) -> Key:
        """The kernel tells addresses apart by link, address and prefix length."""
        return ("address", self.link, str(self.interface))

    @property
    def requires(self) -> tuple[Key, ...]:
        """Its link."""
        return (("link", self.link),)


@frozen
class Route:
    """A route of the main table (or *table*). ``via`` None is on-link; ``link`` None leaves the choice to ``via``."""

    FIXED: ClassVar[frozenset[str]] = frozenset({"destination", "table", "metric"})
    destination: Prefix
    link: str | None = None
    via: IPAddress | None = None
    source: IPAddress | None = None
    metric: int | None = None
    table: int = 254  # RT_TABLE_MAIN

    @property
    def key(self) -> Key:
        """The kernel tells routes apart by table, destination and metric."""
        return ("route", str(self.table), str(self.destination), str(self.metric or 0))

    @property
    def requires(self) -> tuple[Key, ...]:
        """Its link, if it names one."""
        return (("link", self.link),) if self.link else ()


@frozen
class Neighbour:
    """A permanent neighbour entry: ``address`` is at ``mac`` on ``link``; with ``proxy``, answer for it there."""

    FIXED: ClassVar[frozenset[str]] = frozenset({"link", "address", "proxy"})
    link: str
    address: IPAddress
    mac: Mac | None = None
    proxy: bool = False

    @property
    def key(self) -> Key:
        """One entry for each link and address; proxy entries live in a table of their own."""
        return ("neighbour", self.link, str(self.address), "proxy" if self.proxy else "")

    @property
    def requires(self) -> tuple[Key, ...]:
        """Its link."""
        return (("link", self.link),)


@frozen
class FdbEntry:
    """A static forwarding entry: ``mac`` is behind ``remote`` (a VTEP), or on ``link`` itself.

    The all-zero address is where a vxlan link sends what it knows no entry for; it may have several remotes. The remote
    of any other address can be replaced in one step, which is how an endpoint moves from host to host.
    """

    FIXED: ClassVar[frozenset[str]] = frozenset({"link", "mac"})
    link: str
    mac: Mac
    remote: IPAddress | None = None

    @property
    def key(self) -> Key:
        """A unicast address has one remote, the all-zero one a list."""
        zero = not any(self.mac.octets)
        return ("fdb", self.link, str(self.mac), str(self.remote) if zero else "")

    @property
    def requires(self) -> tuple[Key, ...]:
        """Its link."""
        return (("link", self.link),)


@frozen
class BridgeVlan:
    """``link``, a port of a bridge with ``vlan_filtering``, is a member of VLAN ``vid``, or of those up to ``last``.

    ``pvid`` puts what comes in without a tag into this VLAN, ``untagged`` takes the tag off what goes out. With
    ``on_bridge`` the link is the bridge itself: whether the host is a member. A range is short for one of these for
    each VLAN, which ``Wishes`` makes of it: so two networks may wish for ranges that overlap.
    """

    FIXED: ClassVar[frozenset[str]] = frozenset({"link", "vid", "last"})
    link: str
    vid: int = field(validator=vlan_id)
    pvid: bool = False
    untagged: bool = False
    last: int | None = field(default=None)
    on_bridge: bool = False

    @last.validator
    def _ordered(self, _: object, value: int | None) -> None:
        if value is not None and not self.vid <= value <= LAST_VID:
            raise ValueError(f"a range of VLANs from {self.vid} ends at {self.vid} … {LAST_VID}, not {value}")
        if value not in {None, self.vid} and self.pvid:
            raise ValueError("what comes in without a tag goes into one VLAN, not into a range")

    @property
    def key(self) -> Key:
        """A port is a member of each VLAN once."""
        return ("vlan", self.link, str(self.vid) if self.last is None else f"{self.vid}-{self.last}")

    @property
    def requires(self) -> tuple[Key, ...]:
        """Its link."""
        return (("link", self.link),)

    def each(self) -> Iterator["BridgeVlan"]:
        """The same for each VLAN of the range."""
        for vid in range(self.vid, (self.last or self.vid) + 1):
            yield evolve(self, vid=vid, last=None)


@frozen
class Hairpin:
    """``link``, a port of a bridge, may send back what came in by it (hairpin mode), its broadcasts among it.

    Apart from the other settings of a port (``BridgePort``), so that it can be wished for later than the link.
    """

    FIXED: ClassVar[frozenset[str]] = frozenset({"link"})
    link: str

    @property
    def key(self) -> Key:
        """A port does or does not."""
        return ("hairpin", self.link)

    @property
    def requires(self) -> tuple[Key, ...]:
        """Its link."""
        return (("link", self.link),)


# --- how fast ------------------------------------------------------------------------------------------------


@frozen
class Shaper:
    """What leaves by ``link`` leaves at ``rate`` bits per second, after ``burst`` bytes at once (tc-tbf(8))."""

    FIXED: ClassVar[frozenset[str]] = frozenset({"link"})
    link: str
    rate: int = field(validator=ge(8))
    burst: int = field(validator=[ge(1), le(0xFFFFFFFF)])

    @burst.validator
    def _earned_in_time(self, _: object, value: int) -> None:
        if ticks(self.rate, value) >= 1 << 32:  # struct tc_tbf_qopt has 32 bits for it
            raise ValueError(f"a burst of {value} bytes takes too long to earn at {self.rate} bit/s")

    @property
    def key(self) -> Key:
        """A link has one."""
        return ("shaper", self.link)

    @property
    def requires(self) -> tuple[Key, ...]:
        """Its link."""
        return (("link", self.link),)


@frozen
class Redirect:
    """What comes in by ``link`` leaves by ``to`` instead, to be shaped there; an ``Ifb`` then hands it back."""

    FIXED: ClassVar[frozenset[str]] = frozenset({"link"})
    link: str
    to: str

    @property
    def key(self) -> Key:
        """A link has one."""
        return ("redirect", self.link)

    @property
    def requires(self) -> tuple[Key, ...]:
        """Both links."""
        return (("link", self.link), ("link", self.to))


# --- host-wide -----------------------------------------------------------------------------------------------


@frozen
class Sysctl:
    """A setting below /proc/sys, named as sysctl(8) does but with slashes: ``net/ipv6/conf/lw0/accept_ra``.

    ``before_up`` names a link that must not be up before this is set: it is then made down.
    ``otherwise`` is the value to set when the last wish for it goes and its link stays; None leaves it as it is.
    ``hold`` BORROW means the value is required but never written: a clear refusal if it is another.
    """

    FIXED: ClassVar[frozenset[str]] = frozenset()
    path: str
    value: str
    before_up: str | None = None
    hold: Hold = Hold.OWN
    otherwise: str | None = None

    @property
    def key(self) -> Key:
        """Its path."""
        return ("sysctl", self.path)

    @property
    def of_link(self) -> str | None:
        """The link that it is a setting of: ``lw0`` of ``net/ipv4/conf/lw0/forwarding``; None for the host's own."""
        if self.before_up is not None:
            return self.before_up
        parts = self.path.split("/")
        of_one = len(parts) == _DEPTH_OF_A_LINKS and parts[2] in {"conf", "neigh"}
        return parts[3] if of_one and parts[3] not in _OF_NO_LINK else None

    @property
    def requires(self) -> tuple[Key, ...]:
        """The link that it is a setting of."""
        return (("link", self.of_link),) if self.of_link else ()


#: net / ipv4 / conf / LINK / setting, where LINK may be one that is none.
_DEPTH_OF_A_LINKS = 5
_OF_NO_LINK = frozenset({"all", "default", "lo"})


@frozen
class Element:
    """An element of a set or map in one of our tables, which are fixed (``kernel.ruleset``); names are unique over all.

    ``parts`` and ``data`` are as nft(8) writes them, one string for each part of a concatenation.
    """

    FIXED: ClassVar[frozenset[str]] = frozenset()
    set: str
    parts: tuple[str, ...]
    data: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """A set holds each key once."""
        return ("element", self.set, *self.parts)

    @property
    def requires(self) -> tuple[Key, ...]:
        """Nothing: elements match by name, so that they can be there before the link is."""
        return ()


Resource = Link | Address | Route | Neighbour | FdbEntry | BridgeVlan | Hairpin | Shaper | Redirect | Sysctl | Element
