"""Telling systemd how it stands: the protocol of sd_notify(3), one datagram. Nothing where nobody listens."""

import socket
from collections.abc import Mapping


def supervisor(environ: Mapping[str, str]) -> str:
    """Return the address of the socket that NOTIFY_SOCKET names; "" where there is none that we know how to use."""
    path = environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return ""
    return "\0" + path[1:] if path.startswith("@") else path


def notify(environ: Mapping[str, str], state: str) -> None:
    """Send *state* (``READY=1``, ``STOPPING=1``) to the supervisor. Neither waits nor raises."""
    address = supervisor(environ)
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as datagram:
        try:
            datagram.sendto(state.encode(), address)
        except (OSError, ValueError):
            return  # a supervisor that does not read, or is not there, is no reason to stop
