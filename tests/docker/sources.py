"""From which address a container's connections seem to come, as somebody outside sees it."""

import subprocess
import sys
from ipaddress import IPv4Address, IPv6Address

from tests.docker.containers import Container
from tests.engines import Outside

PORT = "7000"


def seen_source(outside: Outside, address: IPv4Address | IPv6Address, sender: Container) -> str:
    """Connect from *sender* to *address* of *outside*, and return the source address that arrives there; "" if none."""
    listener = outside.popen([sys.executable, "-c", _LISTEN, str(address), PORT], stdout=subprocess.PIPE, text=True)
    assert listener.stdout is not None
    assert listener.stdout.readline() == "ready\n"
    sender.run("nc", "-w5", str(address), PORT, check=False)
    listener.terminate()
    return str(listener.stdout.read().strip())


_LISTEN = """
import ipaddress, socket, sys
address = ipaddress.ip_address(sys.argv[1])
family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
with socket.create_server((str(address), int(sys.argv[2])), family=family) as door:
    print("ready", flush=True)
    connection, peer = door.accept()
    print(peer[0], flush=True)
    connection.close()
"""
