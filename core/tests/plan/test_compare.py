"""Which attributes count when a wish is compared with what is there."""

from ipaddress import ip_address

import pytest
from attrs import evolve

from linkwright.model import Mac
from linkwright.plan import (
    Bridge,
    BridgePort,
    BridgeVlan,
    Element,
    Existing,
    FdbEntry,
    Hold,
    Link,
    Macvlan,
    MacvlanMode,
    Mark,
    Redirect,
    Resource,
    Shaper,
    Sysctl,
    Veth,
    Vxlan,
)
from linkwright.plan.compare import changed, fixed

SEEN = Link(
    "lwh1",
    Vxlan(7, local=ip_address("192.0.2.1"), learning=True, proxy=False),
    mtu=1500,
    mac=Mac.derive("a"),
    master="lwb1",
    up=True,
    port=BridgePort(learning=True, flood=True, isolated=False, neighbour_suppress=False),
    mark=Mark("default", "n"),
)
MOVED = FdbEntry("lwx1", Mac.derive("a"), ip_address("192.0.2.2"))

_FILTERING = {"kind.vlan_filtering", "kind.default_pvid"}

CASES: list[tuple[Resource, Resource, set[str], set[str]]] = [
    (SEEN, SEEN, set(), set()),
    (SEEN, Link("lwh1", up=None), set(), set()),  # None is not wished
    (SEEN, Link("lwh1", Existing(), mtu=1400), {"mtu"}, set()),
    (SEEN, evolve(SEEN, hold=Hold.BORROW, lent=True), set(), set()),  # how it is held is not what it is
    (SEEN, evolve(SEEN, mac=Mac.derive("b"), up=False, master="lwb2"), {"mac", "up", "master"}, set()),
    (SEEN, evolve(SEEN, mark=Mark("default", "m")), {"mark"}, set()),
    (SEEN, evolve(SEEN, port=BridgePort()), set(), set()),
    (SEEN, evolve(SEEN, port=BridgePort(isolated=False)), set(), set()),
    (SEEN, evolve(SEEN, port=BridgePort(isolated=True)), {"port"}, set()),
    (evolve(SEEN, port=None), evolve(SEEN, port=BridgePort()), set(), set()),
    (evolve(SEEN, port=None), evolve(SEEN, port=BridgePort(flood=False)), {"port"}, set()),
    (SEEN, evolve(SEEN, kind=Vxlan(7)), set(), set()),
    (SEEN, evolve(SEEN, kind=Vxlan(8, learning=False)), {"kind.vni", "kind.learning"}, {"kind.vni"}),
    (SEEN, evolve(SEEN, kind=Bridge()), {"kind"}, {"kind"}),
    (Link("a", Bridge(True)), Link("a", Bridge(False)), {"kind.multicast_snooping"}, set()),
    (Link("a", Veth("lwc1", Mac.derive("a"))), Link("a", Veth("eth0", Mac.derive("b"))), set(), set()),
    (Link("a", Macvlan("eth0")), Link("a", Macvlan("eth1")), {"kind.parent"}, {"kind.parent"}),
    (Link("a", Macvlan("x")), Link("a", Macvlan("x", MacvlanMode.VEPA)), {"kind.mode"}, {"kind.mode"}),
    (Link("a", Macvlan("x")), Link("a", Macvlan("x", sources=[Mac.derive("a")])), {"kind.sources"}, {"kind.sources"}),
    (Sysctl("net/x", "0"), Sysctl("net/x", "1", before_up="lwb1", hold=Hold.BORROW), {"value"}, set()),
    (Sysctl("net/x", "0"), Sysctl("net/x", "0", before_up="lwb1", otherwise="1"), set(), set()),
    (Link("a", Bridge(True, False, 1)), Link("a", Bridge(None, True, 0)), _FILTERING, set()),
    (Link("a", Macvlan("x", bc_queue_len=1000)), Link("a", Macvlan("x")), set(), set()),
    (Link("a", Macvlan("x", bc_queue_len=1000)), Link("a", Macvlan("x", bc_queue_len=9)), {"kind.bc_queue_len"}, set()),
    (BridgeVlan("a", 7), BridgeVlan("a", 7, on_bridge=True), set(), set()),
    (BridgeVlan("a", 7), BridgeVlan("a", 7, True, True), {"pvid", "untagged"}, set()),
    (Redirect("a", "?"), Redirect("a", "b"), {"to"}, set()),
    (Shaper("a", 8_000_000, 9000), Shaper("a", 9_000_000, 9000), {"rate"}, set()),
    (Shaper("a", 8_000_000, 9000), Shaper("a", 8_000_007, 9001), set(), set()),  # the kernel keeps bytes and ticks
    (Shaper("a", 8_000_000, 9000), Shaper("a", 8_000_008, 9010), {"rate", "burst"}, set()),
    (Shaper("a", 8 * 10**10, 90_640), Shaper("a", 8 * 10**10, 90_000), set(), set()),  # a tick is 640 bytes long here
    (Element("m", ("a",), ("b",)), Element("m", ("a",), ("c",)), {"data"}, set()),
    (MOVED, evolve(MOVED, remote=ip_address("192.0.2.3")), {"remote"}, set()),
]


@pytest.mark.parametrize(("actual", "wanted", "names", "lasting"), CASES)
def test_what_counts(actual: Resource, wanted: Resource, names: set[str], lasting: set[str]) -> None:
    """Only what is wished and otherwise counts, and of that only some needs a new object."""
    assert names == changed(actual, wanted)
    assert lasting == fixed(wanted, frozenset(names))
