"""VLANs of ports, which no kernel at hand has: read, owned and told as the kernel's messages say, written by pyroute2.

How they are written and decoded is in ``test_encode`` and ``test_decode``; here is what the reader and the monitor make
of them.
"""

import math
import socket
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from core.tests.kernel.test_decode import entry, written
from pyroute2.netlink.rtnl.br_vlan import br_vlan_msg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from linkwright.kernel import decode
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.echoes import Echoes
from linkwright.kernel.monitor import Monitor
from linkwright.kernel.netlink import HEADER, Message
from linkwright.kernel.snapshot import Reader
from linkwright.plan.mark import Mark
from linkwright.plan.resources import Bridge, BridgeVlan, Key, Link
from linkwright.plan.steps import Action, KernelEvent, Step

MARK = Mark("default", "network1")
OURS, THEIRS, BRIDGE = 5, 6, 4


def port(name: str, index: int, mark: Mark | None) -> Message:
    """A port of the bridge, as the kernel tells of it."""
    attributes: list[Any] = [["IFLA_IFNAME", name], ["IFLA_MASTER", BRIDGE]]
    attributes += [["IFLA_IFALIAS", str(mark)]] if mark else []
    return written(rt.RTM_NEWLINK, ifinfmsg, {"index": index}, attributes)


def bridge() -> Message:
    """A bridge of ours that filters, and puts new ports into VLAN 1."""
    data = {"attrs": [["IFLA_BR_VLAN_FILTERING", 1], ["IFLA_BR_VLAN_DEFAULT_PVID", 1]]}
    info = {"attrs": [["IFLA_INFO_KIND", "bridge"], ["IFLA_INFO_DATA", data]]}
    attributes = [["IFLA_IFNAME", "lwb0"], ["IFLA_LINKINFO", info], ["IFLA_IFALIAS", str(MARK)]]
    return written(rt.RTM_NEWLINK, ifinfmsg, {"index": BRIDGE}, attributes)


def vlans(index: int, *entries: list[Any], kind: int = rt.RTM_NEWVLAN) -> Message:
    """The VLANs of a link, or what happened to them."""
    attributes = [["BRIDGE_VLANDB_ENTRY", {"attrs": one}] for one in entries]
    return written(kind, br_vlan_msg, {"family": rt.AF_BRIDGE, "ifindex": index}, attributes)


LINKS = (bridge(), port("lwh0", OURS, MARK), port("eth1", THEIRS, None))
TABLE = (
    vlans(BRIDGE, entry(1, 6)),
    vlans(OURS, entry(1, 6), entry(10, 6), entry(20, last=22)),
    vlans(THEIRS, entry(1, 6), entry(10)),
)


class Host:
    """What such a kernel answers to questions; it has links and VLANs, and nothing else."""

    def dump(self, kind: int, body: bytes) -> list[Message]:
        """All links, or the VLANs of one or all."""
        if kind == rt.RTM_GETVLAN:
            _, index = rt.BR_VLAN_MSG.unpack(body)
            return [one for one in TABLE if index in {0, rt.BR_VLAN_MSG.unpack_from(one.data, one.start)[1]}]
        return list(LINKS) if kind == rt.RTM_GETLINK else []

    def get(self, kind: int, body: bytes) -> Message | None:
        """The link of that index, or of that name."""
        assert kind == rt.RTM_GETLINK
        _, _, index, *_ = rt.IFINFO.unpack_from(body)
        for row, message in ((decode.link(message), message) for message in LINKS):
            if row.ifindex == index or (not index and row.name.encode() + b"\0" in body):
                return message
        return None


def test_vlans_of_our_ports_are_ours_but_the_one_that_the_kernel_put_them_into() -> None:
    """VLAN 1 is nobody's wish as a rule, and sweeping it would cut what relies on it; it may be wished for though."""
    snapshot = Reader(Host(), "default").snapshot()  # type: ignore[arg-type] - it is asked nothing else
    found = {key: value for key, value in snapshot.resources.items() if key[0] == "vlan"}
    mine = {("vlan", "lwh0", vid) for vid in ("10", "20", "21", "22")}
    assert mine | {("vlan", "lwb0", "1"), ("vlan", "lwh0", "1")} == found.keys()
    assert mine == {key for key in snapshot.ours if key[0] == "vlan"}
    assert found["vlan", "lwh0", "10"] == BridgeVlan("lwh0", 10, pvid=True, untagged=True)
    assert snapshot.resources["link", "lwb0"] == Link(
        "lwb0", Bridge(False, vlan_filtering=True, default_pvid=1), mtu=0, master="", up=False, mark=MARK
    )


@pytest.mark.parametrize(("vid", "there", "ours"), [("1", True, False), ("21", True, True), ("30", False, False)])
def test_one_vlan_of_one_port_is_read_by_its_key(vid: str, there: bool, ours: bool) -> None:
    """As the reconciler reads it: within a range that the kernel told as one, too."""
    key = ("vlan", "lwh0", vid)
    seen = Reader(Host(), "default").observe([key])  # type: ignore[arg-type] - it is asked nothing else
    assert (key in seen.resources, key in seen.ours) == (there, ours)


def test_what_a_port_has_is_put_back_when_it_left_its_bridge_for_a_moment() -> None:
    """An undone removal: the VLANs of a port of a bridge that filters are among what has to be made again."""
    row = decode.link(LINKS[1])
    lying = Reader(Host(), "default").lying_on(row, gone=False)  # type: ignore[arg-type] - it is asked nothing else
    assert {resource.key[2] for resource, _ in lying} == {"1", "10", "20", "21", "22"}


# --- events --------------------------------------------------------------------------------------------------


async def told(echoes: Echoes, messages: Sequence[Message]) -> set[Key]:
    """Which keys of VLANs are told when the kernel sends *messages*."""
    sending, events = trio.open_memory_channel[KernelEvent](math.inf)
    kernel, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)

    async def opened() -> socket.socket:
        return ours

    async def links() -> dict[int, decode.LinkRow]:
        return {row.ifindex: row for row in map(decode.link, LINKS)}

    monitor = Monitor(sending, opened=opened, links=links, instance="default", own_ports=(), echoes=echoes)
    keys: set[Key] = set()
    with kernel:
        async with trio.open_nursery() as nursery:
            await nursery.start(monitor.run)
            for message in (*messages, port("sentinel", 9, None)):
                kernel.send(_whole(message))
            while ("link", "sentinel") not in keys:
                keys |= (await events.receive()).keys
            nursery.cancel_scope.cancel()
    return keys - {("link", "sentinel")}


def _whole(message: Message) -> bytes:
    return message.data[message.start - HEADER.size : message.end]


async def test_what_others_do_to_vlans_of_our_ports_is_told() -> None:
    """By port and VLAN, each of a range; of strangers' ports nothing."""
    happened = [
        vlans(OURS, entry(10), kind=rt.RTM_DELVLAN),
        vlans(OURS, entry(30, last=31)),
        vlans(THEIRS, entry(10), kind=rt.RTM_DELVLAN),
    ]
    assert await told(Echoes(), happened) == {("vlan", "lwh0", vid) for vid in ("10", "30", "31")}


async def test_what_we_do_to_them_is_not_told() -> None:
    """The kernel does not say who it was, so what happened is compared with what was asked for."""
    echoes = Echoes()
    made, gone = BridgeVlan("lwh0", 10, pvid=True), BridgeVlan("lwh0", 20)
    echoes.expect([Step(Action.CREATE, made), Step(Action.DELETE, gone)])
    ours = [vlans(OURS, entry(10, 2)), vlans(OURS, entry(20), kind=rt.RTM_DELVLAN)]
    assert await told(echoes, ours) == set()
    assert await told(echoes, [vlans(OURS, entry(10, 4))]) == {made.key}  # with other flags it is news
