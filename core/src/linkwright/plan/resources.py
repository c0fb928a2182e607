"""What a host can be made to have, as frozen values: the vocabulary of wishes and of snapshots alike.

Rule 1: a resource says *what* must be there, never how to make it. ``kernel`` knows how, ``diff`` knows when.
Rule 2: an attribute that is None in a wish is not wished: whatever the kernel has is right.

Each kind declares, as data: its ``key`` (what makes two values the same thing), ``FIXED`` (attributes that only
a new object can change), and what it ``requires`` (keys that must exist before it). A snapshot of the kernel holds
the same values, read back, so the difference of the two is the plan.
"""

import enum
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar

from attrs import field, frozen
from attrs.validators import ge, le

from linkwright.model.address import Address as IPAddress
from linkwright.model.address import Interface, Prefix
from linkwright.model.mac import Mac
from linkwright.plan.mark import Mark

Key = tuple[str, ...]

#: IFNAMSIZ less the NUL (linux/if.h).
NAME_LENGTH = 15


def _kernel_name(_: object, __: object, value: str) -> None:
    """Refuse what dev_valid_name (net/core/dev.c) refuses."""
    bad = any(character in "/:" or character.isspace() for character in value)
    if bad or value in {".", ".."} or not 0 < len(value.encode()) <= NAME_LENGTH:
        raise ValueError(f"{value!r} is no link name: 1 to {NAME_LENGTH} bytes without '/', ':' or space")


class Hold(enum.Enum):
    """How a wish holds its object."""

    OWN = "own"  # made, marked and removed by us; a foreign object of that name is a refusal
    BORROW = "borrow"  # must exist already; attributes we change are put back when the last wish goes


# --- links ---------------------------------------------------------------------------------------------------


@frozen
class Bridge:
    """A learning bridge (Documentation/networking/bridge.rst)."""

    kind: ClassVar[str] = "bridge"
    FIXED: ClassVar[frozenset[str]] = frozenset()
    multicast_snooping: bool | None = None


@frozen
class Veth:
    """One end of a pair. The wish is for the host's end; the peer is made with it and may be lent to a sandbox."""

    kind: ClassVar[str] = "veth"
    FIXED: ClassVar[frozenset[str]] = frozenset({"peer"})
    peer: str = field(validator=_kernel_name)
    peer_mac: Mac | None = None


class MacvlanMode(enum.Enum):
    """How endpoints on one parent reach each other (linux/if_link.h, IFLA_MACVLAN_MODE)."""

    PRIVATE = "private"
    VEPA = "vepa"
    BRIDGE = "bridge"
    PASSTHRU = "passthru"
    SOURCE = "source"


@frozen
class Macvlan:
    """A link with a hardware address of its own on a parent."""

    kind: ClassVar[str] = "macvlan"
    FIXED: ClassVar[frozenset[str]] = frozenset({"parent", "mode"})
    parent: str = field(validator=_kernel_name)
    mode: MacvlanMode = MacvlanMode.BRIDGE


@frozen
class Vxlan:
    """A VTEP (RFC 7348; Documentation/networking/vxlan.rst). One VNI and port exist once in a network namespace."""

    kind: ClassVar[str] = "vxlan"
    FIXED: ClassVar[frozenset[str]] = frozenset({"vni", "port", "local", "parent", "proxy"})
    vni: int = field()
    port: int = field(default=4789, validator=[ge(1), le(65535)])  # IANA's; the kernel's own default is 8472
    local: IPv4Address | IPv6Address | None = None
    parent: str | None = None
    learning: bool | None = None
    proxy: bool | None = None  # answer ARP and ND from the neighbour table

    @vni.validator
    def _24_bits(self, _: object, value: int) -> None:
        if not 1 <= value < 1 << 24:
            raise ValueError(f"a VNI is 1 … 16777215, not {value}")


@frozen
class Existing:
    """Any kind of link: a borrowed one, of which only the named attributes matter."""

    kind: ClassVar[str] = ""
    FIXED: ClassVar[frozenset[str]] = frozenset()


LinkKind = Bridge | Veth | Macvlan | Vxlan | Existing


@frozen
class BridgePort:
    """Settings of a link as a port of its master bridge. None is not wished."""

    learning: bool | None = None
    flood: bool | None = None
    hairpin: bool | None = None
    isolated: bool | None = None
    neighbour_suppress: bool | None = None


@frozen
class Link:
    """A network device. ``lent`` says that after Join its absence is not drift: Docker has moved it."""

    FIXED: ClassVar[frozenset[str]] = frozenset()
    name: str = field(validator=_kernel_name)
    kind: LinkKind = field(factory=Existing)
    mtu: int | None = None
    mac: Mac | None = None
    master: str | None = None
    up: bool | None = True
    port: BridgePort | None = None
    hold: Hold = Hold.OWN
    lent: bool = False
    mark: Mark | None = None

    @property
    def key(self) -> Key:
        """Links are named; two of one name cannot be."""
        return ("link", self.name)

    @property
    def requires(self) -> tuple[Key, ...]:
        """Master and parent come first."""
        parent = getattr(self.kind, "parent", None)
        return tuple(("link", name) for name in (self.master, parent) if name)

    @property
    def exclusive(self) -> Key | None:
        """What only one link in a network namespace can hold: make after unmake where these are equal."""
        match self.kind:
            case Vxlan(vni=vni, port=port):
                return ("vni", str(vni), str(port))
            case Macvlan(parent=parent, mode=MacvlanMode.PASSTHRU):
                return ("passthru", parent)
        return None


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


# --- host-wide -----------------------------------------------------------------------------------------------


@frozen
class Sysctl:
    """A setting below /proc/sys, named as sysctl(8) does but with slashes: ``net/ipv6/conf/lw0/accept_ra``.

    ``before_up`` names a link that must not be up before this is set: it is then made down.
    ``hold`` BORROW means the value is required but never written: a clear refusal if it is another.
    """

    FIXED: ClassVar[frozenset[str]] = frozenset()
    path: str
    value: str
    before_up: str | None = None
    hold: Hold = Hold.OWN

    @property
    def key(self) -> Key:
        """Its path."""
        return ("sysctl", self.path)

    @property
    def requires(self) -> tuple[Key, ...]:
        """The link that the path belongs to, if it is one's."""
        return (("link", self.before_up),) if self.before_up else ()


@frozen
class Element:
    """An element of a set or map in the table ``inet linkwright``; the table itself is fixed (``kernel.ruleset``).

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


Resource = Link | Address | Route | Neighbour | FdbEntry | Sysctl | Element
