"""A network namespace as a host or a container: commands in it, echoes from it, and Docker's move of a link into it."""

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from attrs import frozen

from linkwright.testkit import namespaces
from linkwright.testkit.namespaces import Namespace

#: Ask for an echo until one comes, at most this often, a second apart; exit 0 if one came. A file of its own process:
#: a thread that changes its namespace would change it for whatever runs in it next.
_ECHO = """
import socket, sys
address, size = sys.argv[1], int(sys.argv[2])
v6 = ":" in address
request = bytes([128 if v6 else 8, 0, 0, 0, 0, 1, 0, 1]) + bytes(size)
if not v6:
    total = sum(int.from_bytes(request[i:i + 2], "big") for i in range(0, len(request) - 1, 2))
    request = request[:2] + (0xFFFF - total % 0xFFFF).to_bytes(2, "big") + request[4:]
asking = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW, 58 if v6 else 1)
asking.settimeout(1)
if not v6:
    asking.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER: never cut it
for _ in range(3):
    try:
        asking.sendto(request, (address, 0))
        while True:
            answer, sender = asking.recvfrom(65535)
            if sender[0] == address and answer[0 if v6 else 20] == (129 if v6 else 0):
                sys.exit(0)
    except TimeoutError:
        pass
    except OSError as error:
        sys.exit(str(error))
sys.exit("no answer")
"""


@frozen
class Place(Namespace):
    """A network namespace as a host or a container."""

    def ip(self, line: str) -> None:
        """Run ``ip`` in it."""
        self.run("ip", *line.split())

    def carry_out(self, text: str) -> None:
        """Do what a plan says, line by line, as the person would who read it; the firewall's table is not there."""
        for line in text.splitlines():
            if not line.startswith("nft "):
                self.run(*shlex.split(line))

    def reaches(self, address: str, size: int = 56) -> bool:
        """Whether *address* answers an echo request with *size* bytes of data, uncut."""
        try:
            self.run(sys.executable, "-c", _ECHO, address, str(size))
        except subprocess.CalledProcessError:
            return False
        return True

    def take(self, link: str, source: "Place", *addresses: str) -> None:
        """Move *link* here from *source*, as Docker does: renamed, with its addresses, up."""
        source.ip(f"link set {link} netns {self.name} name eth0")
        for address in addresses:
            self.ip(f"addr add {address} dev eth0 {'nodad' if ':' in address else ''}")
        self.ip("link set eth0 up")


@contextmanager
def places() -> Iterator[Callable[[], Place]]:
    """Give a function that makes a new network namespace; all are removed in the end, with all that is in them."""
    with ExitStack() as stack:

        def make() -> Place:
            found = Place(stack.enter_context(namespaces.made()).name)
            found.ip("link set lo up")
            return found

        yield make
