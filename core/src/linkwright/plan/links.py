"""Links as frozen values: what all of them have, and the kinds that there can be. The rules are ``resources``'s.

``FIXED`` names what only a new link could have otherwise. An attribute that is None in a wish is not wished.
"""

import enum
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar

from attrs import field, frozen
from attrs.validators import ge, le, optional

from linkwright.model.mac import Mac
from linkwright.plan.mark import Mark

Key = tuple[str, ...]

#: IFNAMSIZ less the NUL (linux/if.h).
NAME_LENGTH = 15

#: The last VLAN id there is; 0 is "no VLAN" and 4095 is reserved (IEEE 802.1Q, table 9-2).
LAST_VID = 4094


#: What no link's name has in it: "/", ":", and what lib/ctype.c takes for a space, octet by octet.
_NOT_IN_NAMES = frozenset(b"/:\t\n\v\f\r \xa0")


def kernel_name(_: object, __: object, value: str) -> None:
    """Refuse what dev_valid_name (net/core/dev.c) refuses, and nothing else: a snapshot holds strangers' links too."""
    octets = value.encode()
    if value in {".", ".."} or not 0 < len(octets) <= NAME_LENGTH or not _NOT_IN_NAMES.isdisjoint(octets):
        raise ValueError(f"{value!r} is no link name: 1 to {NAME_LENGTH} bytes without '/', ':' or space")


def vlan_id(_: object, __: object, value: int) -> None:
    """Refuse what is no VLAN."""
    if not 1 <= value <= LAST_VID:
        raise ValueError(f"a VLAN is 1 … {LAST_VID}, not {value}")


def _in_order(sources: Iterable[Mac]) -> tuple[Mac, ...]:
    return tuple(sorted(set(sources)))  # the kernel tells them in an order of its own


# --- kinds ---------------------------------------------------------------------------------------------------


@frozen
class Bridge:
    """A learning bridge (Documentation/networking/bridge.rst).

    With ``vlan_filtering`` its ports are members of the VLANs that ``BridgeVlan`` says, and of ``default_pvid``: the
    kernel makes a new port an untagged member of that one, VLAN 1 if nothing is said; 0 is none.
    """

    kind: ClassVar[str] = "bridge"
    FIXED: ClassVar[frozenset[str]] = frozenset()
    multicast_snooping: bool | None = None
    vlan_filtering: bool | None = None
    default_pvid: int | None = field(default=None, validator=optional([ge(0), le(LAST_VID)]))


@frozen
class Veth:
    """One end of a pair. The peer is made with it, down, and may be lent to a sandbox, or be wished for as well."""

    kind: ClassVar[str] = "veth"
    FIXED: ClassVar[frozenset[str]] = frozenset({"peer"})
    peer: str = field(validator=kernel_name)
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
    """A link with a hardware address of its own on a parent.

    ``bc_queue_len`` is how many broadcasts may wait to be copied to the parent's children; the largest of them counts.
    In mode ``SOURCE`` the link hears what ``sources`` send, and nobody else.
    """

    kind: ClassVar[str] = "macvlan"
    FIXED: ClassVar[frozenset[str]] = frozenset({"parent", "mode", "sources"})
    parent: str = field(validator=kernel_name)
    mode: MacvlanMode = MacvlanMode.BRIDGE
    bc_queue_len: int | None = field(default=None, validator=optional([ge(0), le(0xFFFFFFFF)]))
    sources: tuple[Mac, ...] = field(default=(), converter=_in_order)


class IpvlanMode(enum.Enum):
    """On which layer packets find their way (Documentation/networking/ipvlan.rst); one for all children of a parent."""

    L2 = "l2"
    L3 = "l3"
    L3S = "l3s"


class IpvlanFlag(enum.Enum):
    """How children of one parent reach each other (linux/if_link.h, IPVLAN_F_*); one for all of them."""

    BRIDGE = "bridge"
    PRIVATE = "private"
    VEPA = "vepa"


@frozen
class Ipvlan:
    """A link with addresses of its own and its parent's hardware address."""

    kind: ClassVar[str] = "ipvlan"
    FIXED: ClassVar[frozenset[str]] = frozenset({"parent", "mode", "flag"})
    parent: str = field(validator=kernel_name)
    mode: IpvlanMode = IpvlanMode.L2
    flag: IpvlanFlag = IpvlanFlag.BRIDGE


@frozen
class Vlan:
    """What is tagged with one VLAN on a parent (IEEE 802.1Q). A parent has each VLAN once."""

    kind: ClassVar[str] = "vlan"
    FIXED: ClassVar[frozenset[str]] = frozenset({"parent", "vid"})
    parent: str = field(validator=kernel_name)
    vid: int = field(validator=vlan_id)


@frozen
class Ifb:
    """Where packets are led to be queued once more (drivers/net/ifb.c); what is sent on it otherwise is dropped."""

    kind: ClassVar[str] = "ifb"
    FIXED: ClassVar[frozenset[str]] = frozenset()


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


LinkKind = Bridge | Veth | Macvlan | Ipvlan | Vlan | Vxlan | Ifb | Existing


# --- links ---------------------------------------------------------------------------------------------------


class Hold(enum.Enum):
    """How a wish holds its object."""

    OWN = "own"  # made, marked and removed by us; a foreign object of that name is a refusal
    BORROW = "borrow"  # must exist already; attributes we change are put back when the last wish goes


@frozen
class BridgePort:
    """Settings of a link as a port of its master bridge; ``Hairpin`` is another. None is not wished."""

    learning: bool | None = None
    flood: bool | None = None
    isolated: bool | None = None
    neighbour_suppress: bool | None = None


@frozen
class Link:
    """A network device. ``lent`` says that after Join its absence is not drift: Docker has moved it.

    ``shared`` says that others may wish for it alike: it is marked as nobody's in particular, and goes with the last.
    """

    FIXED: ClassVar[frozenset[str]] = frozenset()
    name: str = field(validator=kernel_name)
    kind: LinkKind = field(factory=Existing)
    mtu: int | None = None
    mac: Mac | None = None
    master: str | None = None
    up: bool | None = True
    port: BridgePort | None = None
    hold: Hold = Hold.OWN
    lent: bool = False
    shared: bool = False
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
            case Vlan(parent=parent, vid=vid):
                return ("vid", parent, str(vid))
        return None
