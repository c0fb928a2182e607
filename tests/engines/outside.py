"""The world outside pretend hosts: a switch with addresses of its own, to which hosts are plugged by an uplink.

From here tests look at a host as others see it: is a port published, is a sender masqueraded. Several hosts on one
switch reach each other. Addresses are from the documentation ranges (RFC 5737, RFC 3849).
"""

from ipaddress import IPv4Interface, IPv6Interface

from tests.engines.host import Host

SWITCH = "switch0"
"""The bridge in the outside host that everything is plugged to."""

UPLINK = "up0"
"""What a plugged host calls its end."""


class Outside(Host):
    """A host whose only business is the switch; programs run in it stand for the rest of the world.

    It is 192.0.2.2/24 and 2001:db8::2/64, and the default gateway of each host that is plugged in. It does not
    forward for them, and has no route to what lies behind them: who is not masqueraded gets no answer.
    """

    ipv4 = IPv4Interface("192.0.2.2/24")
    ipv6 = IPv6Interface("2001:db8::2/64")

    def __init__(self, label: str = "out") -> None:
        super().__init__(label)
        try:
            self._batch(
                f"link add {SWITCH} type bridge forward_delay 0",
                f"link set {SWITCH} up",
                f"address add {self.ipv4} dev {SWITCH}",
                f"address add {self.ipv6} dev {SWITCH} nodad",
            )
        except BaseException:
            self.close()
            raise

    def plug(self, host: Host, number: int = 1, *, mtu: int = 1500) -> tuple[IPv4Interface, IPv6Interface]:
        """Give *host* an uplink ``up0`` with the addresses of that *number* (192.0.2.N, 2001:db8::N) and return them.

        Its default routes go to this host. Ends with either of the two; to be called again after ``host.reboot()``.
        """
        if not 0 < number < 255 or number == 2:
            raise ValueError(f"a host's number is 1 or 3 to 254, not {number}: 2 is the switch itself")
        ipv4 = IPv4Interface((int(self.ipv4.network.network_address) + number, 24))
        ipv6 = IPv6Interface((int(self.ipv6.network.network_address) + number, 64))
        port = f"port{number}"
        self._batch(
            f"link add {port} mtu {mtu} type veth peer name {UPLINK} mtu {mtu} netns {host.pid}",
            f"link set {port} master {SWITCH} up",
        )
        lines = (
            f"link set {UPLINK} up",
            f"address add {ipv4} dev {UPLINK}",
            f"address add {ipv6} dev {UPLINK} nodad",
            f"route add default via {self.ipv4.ip} dev {UPLINK}",
            f"-6 route add default via {self.ipv6.ip} dev {UPLINK}",
        )
        for line in lines:
            host.run(["ip", *line.split()])
        return ipv4, ipv6

    def unplug(self, number: int = 1) -> None:
        """Take the host with that *number* off; its uplink is gone. A cut cable is ``ip link set portN down`` here."""
        self.run(["ip", "link", "delete", f"port{number}"])

    def _batch(self, *lines: str) -> None:
        for line in lines:
            self.run(["ip", *line.split()])
