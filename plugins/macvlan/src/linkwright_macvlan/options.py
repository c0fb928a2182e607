"""The options of both drivers, under the names that Docker's own have; and which of them go together."""

from collections.abc import Sequence

from attrs import frozen

from linkwright import sdk


def _stations(text: str) -> Sequence[sdk.Mac]:
    stations = tuple(dict.fromkeys(sdk.Mac.parse(part.strip()) for part in text.split(",")))
    for station in stations:
        if not station.is_unicast:
            raise ValueError(f"nobody sends from {station}")
    return stations


@frozen
class OnParent(sdk.CommonOptions):
    """What networks of both drivers are told."""

    parent: str = sdk.option(
        "parent",
        parse=sdk.interface_name,
        default="",
        help="the link of the host that the containers stand on; eth0.50 is made if it is not there; none: isolated",
    )
    overlap: bool = sdk.option(
        "overlap",
        parse=sdk.boolean,
        default=False,
        help="let subnets overlap those of networks on other parents: two LANs that are numbered alike",
    )


@frozen
class Options(OnParent):
    """``-o`` of ``docker network create -d lw-macvlan``."""

    mode: sdk.MacvlanMode = sdk.option(
        "macvlan_mode",
        parse=sdk.choice(sdk.MacvlanMode),
        default=sdk.MacvlanMode.BRIDGE,
        help="bridge: they reach each other; private: not; vepa: if the switch sends back; passthru: one alone; "
        "source: they hear only whom macvlan_source_macs names",
    )
    sources: Sequence[sdk.Mac] = sdk.option(
        "macvlan_source_macs",
        parse=_stations,
        default=(),
        help="hardware addresses, separated by commas, of the stations on the LAN that are heard in mode source",
    )
    bc_queue_len: int | None = sdk.option(
        "bc_queue_len",
        parse=sdk.number(1, 0xFFFFFFFF),
        default=None,
        help="broadcasts that may wait to be copied to the parent's containers; the largest on a parent counts",
    )
    host_access: bool = sdk.option(
        "host_access",
        parse=sdk.boolean,
        default=False,
        help="let host and containers reach each other, by a link of the host's own on the parent",
    )

    def __attrs_post_init__(self) -> None:
        if self.host_access and self.mode is not sdk.MacvlanMode.BRIDGE:
            raise ValueError(
                f"host_access=true goes with macvlan_mode=bridge only: in mode {self.mode.value} nobody on the same "
                "parent reaches the containers, and so not the host"
            )
        if (self.mode is sdk.MacvlanMode.SOURCE) != bool(self.sources):
            raise ValueError(
                "macvlan_mode=source and macvlan_source_macs go together: in that mode containers hear those alone, so "
                "name the router's too; add the other, or leave out both"
            )
        if not self.takes_mac:
            _refuse_stable(self, f"macvlan_mode={self.mode.value}")

    @property
    def takes_mac(self) -> bool:
        """A passthru link has its parent's hardware address, and to give it another one changes the parent's."""
        return self.mode is not sdk.MacvlanMode.PASSTHRU


@frozen
class IpvlanOptions(OnParent):
    """``-o`` of ``docker network create -d lw-ipvlan``."""

    mode: sdk.IpvlanMode = sdk.option(
        "ipvlan_mode",
        parse=sdk.choice(sdk.IpvlanMode),
        default=sdk.IpvlanMode.L2,
        help="l2: as on one switch; l3: the host routes, without broadcasts; l3s: so that its firewall sees it too",
    )
    flag: sdk.IpvlanFlag = sdk.option(
        "ipvlan_flag",
        parse=sdk.choice(sdk.IpvlanFlag),
        default=sdk.IpvlanFlag.BRIDGE,
        help="bridge: they reach each other; private: not; vepa: if the switch sends back",
    )

    def __attrs_post_init__(self) -> None:
        _refuse_stable(self, "ipvlan")


def _refuse_stable(options: OnParent, where: str) -> None:
    if options.stable_mac:
        raise ValueError(f"stable_mac=true has nothing to keep: with {where} containers have their parent's address")
