"""What each driver is shown with: a table of networks. A driver that is not in it gets a plain one."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from attrs import field, frozen

from linkwright.cli.demo import host
from linkwright.cli.demo.docker import Wanted


@frozen
class Scene:
    """A driver's network: ``needs`` are features of the kernel (``kernel.features``), ``says`` what is seen in it.

    With ``outside`` its containers reach the router behind the host's uplink.
    """

    wanted: Wanted
    says: str
    needs: frozenset[str] = frozenset()
    outside: bool = False

    @property
    def containers(self) -> tuple[str, str]:
        """What its containers are called."""
        return f"{self.wanted.name}-1", f"{self.wanted.name}-2"

    def without(self, features: frozenset[str]) -> tuple[str, ...]:
        """What it needs and *features* lack."""
        return tuple(sorted(self.needs - features))


#: Driver → its scene. The peer of the vxlan is an address of the LAN where nobody is.
SCENES: Final[Mapping[str, Scene]] = {
    "bridge": Scene(
        Wanted("web", "bridge", IPv4Network("10.80.1.0/24")),
        "a bridge of its own; what goes outside is given the host's address",
        needs=frozenset({"bridge", "veth"}),
        outside=True,
    ),
    "macvlan": Scene(
        Wanted(
            "lan",
            "macvlan",
            host.HOST.network,
            gateway=host.ROUTER.ip,
            auxiliary={"host": host.HOST.ip},
            options={"parent": host.UPLINK},
        ),
        "hardware addresses of their own on the host's uplink, straight on the LAN",
        needs=frozenset({"macvlan"}),
        outside=True,
    ),
    "ipvlan": Scene(
        Wanted("lab", "ipvlan", IPv4Network("10.80.4.0/24")),
        "one hardware address for all, on a link with nothing behind it",
        needs=frozenset({"ipvlan", "veth"}),
    ),
    "vxlan": Scene(
        Wanted("far", "vxlan", IPv4Network("10.80.3.0/24"), options={"vni": "42", "peers": "192.0.2.2,192.0.2.3"}),
        "a layer 2 segment that other hosts have too",
        needs=frozenset({"bridge", "veth", "vxlan"}),
        outside=True,
    ),
}

_OTHERS: Final = IPv4Network("10.80.128.0/17")


@frozen
class Cast:
    """The scenes that can be played, and for each driver that cannot be, why."""

    scenes: tuple[Scene, ...] = ()
    absent: Mapping[str, str] = field(factory=dict)


def cast(drivers: tuple[str, ...], features: frozenset[str]) -> Cast:
    """Choose the scenes of *drivers* on a kernel with *features*."""
    scenes, absent = [], {}
    others = _OTHERS.subnets(new_prefix=24)
    for driver in drivers:
        scene = SCENES.get(driver)
        if scene is None:
            scene = Scene(Wanted(f"{driver}-net", driver, next(others)), "a driver that this demo does not know")
        if missing := scene.without(features):
            absent[driver] = f"this kernel has no {', '.join(missing)}"
        else:
            scenes.append(scene)
    return Cast(tuple(scenes), absent)


def router() -> IPv4Address:
    """What stands for the outside."""
    return host.ROUTER.ip
