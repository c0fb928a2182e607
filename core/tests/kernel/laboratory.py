"""A host with bridges, containers on them, and machines outside: what the tests of the firewall's traffic share.

A question is asked of a *line*: who sends, which protocol, which family. ``arrives`` is for what must get through, and
goes on until it has. ``fate`` is for what must not: three counters on the host, one before everybody's chains, one
behind all of those that forward, one behind those that deliver, tell what was dropped from what is merely late.
"""

import contextlib
import enum
import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_interface

import trio
from attrs import frozen
from core.tests.kernel.probes import EXCHANGE, FIRST, LAST, SEND

from linkwright.kernel.nftables.firewall import Firewall
from linkwright.plan.resources import Element
from linkwright.plan.steps import Action, Step
from linkwright.testkit import namespaces
from linkwright.testkit.namespaces import Namespace

TRIES = 50  # of a tenth of a second each
#: Link of the host → its addresses. lw0 and lw1 are networks of ours, lw2 an internal one; br9 is Docker's.
LINKS = {
    "lw0": ("10.0.0.1/24", "fd00:0::1/64"),
    "lw1": ("10.0.1.1/24", "fd00:1::1/64"),
    "lw2": ("10.0.2.1/24", "fd00:2::1/64"),
    "br9": ("10.0.9.1/24", "fd00:9::1/64"),
    "up0": ("192.0.2.1/24", "2001:db8:0::1/64"),
    "up1": ("198.51.100.1/24", "2001:db8:1::1/64"),
}
#: The host's second addresses on up0, which it takes for itself only when told to.
SECOND = ("192.0.2.2", "2001:db8::2")
#: Machine → the link it hangs on, and its addresses there.
MACHINES = {
    "a": ("lw0", "10.0.0.2", "fd00:0::2"),
    "b": ("lw0", "10.0.0.3", "fd00:0::3"),
    "other": ("lw1", "10.0.1.2", "fd00:1::2"),
    "internal": ("lw2", "10.0.2.2", "fd00:2::2"),
    "sibling": ("lw2", "10.0.2.3", "fd00:2::3"),
    "docker": ("br9", "10.0.9.2", "fd00:9::2"),
    "outside": ("up0", "192.0.2.9", "2001:db8:0::9"),
    "beyond": ("up1", "198.51.100.9", "2001:db8:1::9"),
}
#: What drivers wish for three such networks, in mode nat, and the core for Docker's bridge.
ELEMENTS = (
    *(Element("bridges", (name,)) for name in ("lw0", "lw1", "lw2")),
    *(Element("siblings", (name, name)) for name in ("lw0", "lw1", "lw2")),
    *(Element(name, (link,)) for link in ("lw0", "lw1") for name in ("outward", "masquerade4", "masquerade6")),
    *(Element("hairpin", (name, name)) for name in ("lw0", "lw1")),
    Element("others", ("br9",)),
)


def _counting(chain: str, hook: str, priority: int) -> str:
    return f"""
    counter {chain} {{ }}
    chain {chain} {{
        type filter hook {hook} priority {priority}
        meta l4proto {{ tcp, udp, sctp }} th sport {FIRST}-{LAST} counter name {chain}
        icmp type echo-request counter name {chain}
        icmpv6 type echo-request counter name {chain}
    }}
"""


#: Before everybody else's chains, and behind those of the two ways that a packet may go on.
_PROBE = f"""
table inet probe
delete table inet probe
table inet probe {{
    {_counting("came", "prerouting", -400)}
    {_counting("forwarded", "forward", 200)}
    {_counting("delivered", "input", 200)}
}}
"""


class Fate(enum.Enum):
    """What became of a packet on the host."""

    DROPPED = "dropped"
    FORWARDED = "forwarded"
    DELIVERED = "delivered"  # to the host itself


def address(machine: str, version: int) -> str:
    """A machine's address."""
    return str(ip_address(MACHINES[machine][1 if version == 4 else 2]))


def host_address(link: str, version: int) -> str:
    """The host's address on a link."""
    return str(ip_interface(LINKS[link][0 if version == 4 else 1]).ip)


def creates(*elements: Element) -> list[Step]:
    """The steps that add *elements*."""
    return [Step(Action.CREATE, element) for element in elements]


def deletes(*elements: Element) -> list[Step]:
    """The steps that delete *elements*."""
    return [Step(Action.DELETE, element) for element in elements]


@frozen
class Laboratory:
    """The host, and the machines on its links; "host" is one of them."""

    machines: Mapping[str, Namespace]

    @property
    def host(self) -> Namespace:
        """The host."""
        return self.machines["host"]

    def arrives(
        self,
        sender: str,
        receiver: str,
        version: int,
        *,
        protocol: str = "udp",
        by: str = "",
        port: int = 7000,
        on: str = "",
        at: int = 0,
    ) -> str:
        """Send from one machine to another and back, until it has been there; return the source that was seen there.

        To *port* of the receiver, or of address *by*, which is another's; the receiver listens *on* its address *at*
        its port, its usual and the same if none is given. The answer has to come from where the question went to.
        """
        target, listening = (by or address(receiver, version), port), (on or address(receiver, version), at or port)
        for _ in range(TRIES):
            with contextlib.suppress(OSError):
                ends = self.machines[sender], self.machines[receiver]
                return str(ip_address(EXCHANGE[protocol](*ends, version, target, listening)))
        rules = self.host.run("nft", "list", "ruleset")
        raise AssertionError(f"nothing by {protocol} from {sender} to {target} came back from {receiver}: {rules}")

    def fate(self, sender: str, target: str, *, protocol: str = "udp", port: int = 7000) -> Fate:
        """Send from a machine to an address until two have come to the host; what the host did with both."""
        self.host.run("nft", "-f", "-", stdin=_PROBE)
        for _ in range(TRIES):
            SEND[protocol](self.machines[sender], ip_address(target).version, (target, port))
            listing = self.host.run("nft", "list", "counters", "table", "inet", "probe")
            counted = {name: int(packets) for name, packets in re.findall(r"counter (\w+) \{\s+packets (\d+)", listing)}
            if counted["came"] > 1:
                fates = {fate for fate in Fate if counted.get(fate.value)}
                assert len(fates) <= 1, listing
                return fates.pop() if fates else Fate.DROPPED
        raise AssertionError(f"nothing by {protocol} from {sender} to {target} came to the host")

    def is_dropped(self, sender: str, receiver: str, version: int, *, protocol: str = "udp", port: int = 7000) -> bool:
        """Whether the host drops what one machine sends to another directly."""
        return self.fate(sender, address(receiver, version), protocol=protocol, port=port) is Fate.DROPPED

    def set_calls(self, calls: bool) -> None:
        """Switch br_netfilter on or off: whether what is bridged comes by the chains of the inet family."""
        settings = (f"net.bridge.bridge-nf-call-{name}={int(calls)}" for name in ("iptables", "ip6tables"))
        self.host.run("sysctl", "-q", "-w", *settings)


async def counted(firewall: Firewall, reason: str, packets: int) -> int:
    """Wait until *packets* or more were dropped for *reason*; how many."""
    for _ in range(TRIES):
        dropped = (await firewall.drops())[reason]
        if dropped >= packets:
            return dropped
        await trio.sleep(0.1)
    raise AssertionError(f"{dropped} packets were dropped for {reason}, not {packets}")


@contextlib.contextmanager
def built() -> Iterator[Laboratory]:
    """Build all of it, forwarding on and with routes to the containers everywhere: nothing is safe for lack of one."""
    with contextlib.ExitStack() as stack:
        machines = {name: stack.enter_context(namespaces.made()) for name in ("host", *MACHINES)}
        for machine in machines.values():  # addresses of links too may be used at once
            machine.run("sysctl", "-q", "-w", "net.ipv6.conf.default.accept_dad=0")
        host = machines["host"]
        host.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        host.run("sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
        lines = ["link set lo up"]
        lines += [f"link add {link} type bridge mcast_snooping 0" for link in LINKS if not link.startswith("up")]
        for name, (link, _, _) in MACHINES.items():
            end = link if link.startswith("up") else f"v-{name}"
            lines.append(f"link add {end} type veth peer name eth0 netns {machines[name].name}")
            lines += [f"link set {end} master {link}", f"link set {end} up"] if end != link else []
        for link, addresses in LINKS.items():
            lines += [f"link set {link} up", *(f"addr add {text} dev {link} nodad" for text in addresses)]
        lines += [f"addr add {SECOND[0]}/24 dev up0", f"addr add {SECOND[1]}/64 dev up0 nodad preferred_lft 0"]
        host.run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")
        for name, (link, _, _) in MACHINES.items():
            inside = ["link set lo up", "link set eth0 up"]
            for version, length in ((4, 24), (6, 64)):
                inside.append(f"addr add {address(name, version)}/{length} dev eth0 nodad")
                inside.append(f"route add default via {host_address(link, version)}")
            machines[name].run("ip", "-batch", "-", stdin="\n".join(inside) + "\n")
        yield Laboratory(machines)
