"""Both drivers and the battery that every driver passes."""

from linkwright.testkit import DriverConformance, Example
from linkwright_macvlan import Ipvlan, Macvlan


class TestMacvlan(DriverConformance):
    """On the LAN, reached by the host, alone on its parent, on a VLAN, hearing one station, with nothing behind it."""

    driver = Macvlan
    examples = (
        {"parent": "up0"},
        {"parent": "up0", "host_access": "true"},
        Example({"parent": "up0", "macvlan_mode": "passthru"}, containers=1),
        Example({"parent": "up0.50", "macvlan_mode": "private"}, siblings=False, needs=("vlan",)),
        Example(
            {"parent": "up0", "macvlan_mode": "source", "macvlan_source_macs": "02:00:00:00:00:01"}, siblings=False
        ),
        {"mtu": "9000"},
    )


class TestIpvlan(DriverConformance):
    """At both layers."""

    driver = Ipvlan
    examples = (
        Example({"parent": "up0"}, needs=("ipvlan",)),
        Example({"parent": "up0", "ipvlan_mode": "l3"}, needs=("ipvlan",)),
    )
