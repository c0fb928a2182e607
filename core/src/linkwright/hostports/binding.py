"""One socket that holds a port: how it is made, and what it means when the kernel refuses. Blocks only for syscalls.

===== ==================== ============================================================================================
TCP   SO_REUSEADDR, listen Connections that are over (TIME_WAIT) or still relayed are no obstacle to the next holder;
                           and only a port that is listened on is safe from another server with SO_REUSEADDR (ip(7)).
UDP   nothing              Two sockets with SO_REUSEADDR would share it, and the later one get everything.
SCTP  listen               What comes to a port that nobody listens on is answered with ABORT.
IPv6  IPV6_V6ONLY          IPv4 has sockets of its own.
===== ==================== ============================================================================================

What is not relayed carries a filter that drops all (Documentation/networking/filter.rst): nothing answers there. So a
SYN that comes while the firewall's table is not there is sent again by its client, and led then.
"""

import ctypes
import errno
import socket
import struct
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Final

from linkwright.errors import Conflict, Exhausted, KernelError, LinkwrightError, Refused
from linkwright.hostports.places import Place
from linkwright.model import Protocol

#: Opens a socket: family, kind, protocol. Not always ``socket.socket``: a test's lives in another network namespace.
Make = Callable[[int, int, int], socket.socket]

KINDS: Final[Mapping[Protocol, int]] = {
    Protocol.TCP: socket.SOCK_STREAM,
    Protocol.UDP: socket.SOCK_DGRAM,
    Protocol.SCTP: socket.SOCK_STREAM,
}
FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}

#: Connections that may wait to be relayed; net.core.somaxconn has the last word.
_BACKLOG: Final = 1024

_SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h
_DROP: Final = struct.pack("@HBBI", 0x06, 0, 0, 0)  # BPF_RET | BPF_K with 0 bytes to keep (linux/filter.h)

#: What socket(2) says of a protocol that this kernel has not.
_NO_SUCH_PROTOCOL: Final = frozenset({errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT})

_NO_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE})


def bound(place: Place, make: Make = socket.socket) -> socket.socket | None:
    """Return a socket that holds *place* (port 0: one that the kernel chooses); None where none of its kind can be had.

    None is for SCTP only, which many kernels do not have. OSError if it cannot be bound.
    """
    try:
        one = make(FAMILIES[place.address.version], KINDS[place.protocol], int(place.protocol))
    except OSError as error:
        if place.protocol is Protocol.SCTP and error.errno in _NO_SUCH_PROTOCOL:
            return None
        raise
    try:
        one.setblocking(False)
        _prepare(one, place)
        one.bind((str(place.address), place.port))
        if place.protocol is not Protocol.UDP:
            one.listen(_BACKLOG if place.is_relayed else 1)
    except BaseException:
        one.close()
        raise
    return one


def _prepare(one: socket.socket, place: Place) -> None:
    if place.protocol is Protocol.TCP:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if one.family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if not place.is_relayed:
        program = ctypes.create_string_buffer(_DROP, len(_DROP))  # the kernel copies it
        one.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", 1, ctypes.addressof(program)))


def place_of(one: socket.socket) -> Place | None:
    """Return what *one* holds; None if it is no socket that ``bound`` could have made."""
    try:
        protocol = Protocol(one.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL))
        listens = bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        host, port = one.getsockname()[:2]
        place = Place(protocol, ip_address(host), port)
    except (OSError, ValueError):
        return None
    return place if place.port and listens is (protocol is not Protocol.UDP) else None


def port_of(one: socket.socket) -> int:
    """Return the port it is bound to."""
    port: int = one.getsockname()[1]
    return port


# --- refusals ------------------------------------------------------------------------------------------------


def reason(place: Place, error: OSError, holder: str = "") -> str:
    """Say why *place* cannot be held; *holder* is the endpoint of ours that has it, if one has."""
    if error.errno == errno.EADDRINUSE:
        who = f"the endpoint {holder} of ours publishes it" if holder else "a process of the host has it"
        return f"{place} ({place.family}): {_words(error)}; {who}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{place} ({place.family}): {_words(error)}; no interface of this host has that address"
    return f"{place} ({place.family}): {_words(error)}"


def refusal(place: Place, error: OSError, holder: str = "") -> LinkwrightError:
    """Return what to tell the one who asked for *place*."""
    told = f"cannot publish {reason(place, error, holder)}"
    if error.errno == errno.EADDRINUSE:
        advice = "stop that container" if holder else f"`ss -lnp sport = :{place.port}` names it: stop it"
        return Conflict(f"{told}; {advice}, or publish another port")
    if error.errno == errno.EADDRNOTAVAIL:
        return Refused(f"{told}; add it to one, or name another address with -p")
    if error.errno == errno.EAFNOSUPPORT:
        return Refused(f"{told}; this kernel has no {place.family}: name an address of the other family with -p")
    if error.errno in _NO_DESCRIPTORS:
        return Exhausted(f"{told}; each published port takes a descriptor or two: raise LimitNOFILE of linkwright")
    return KernelError(error.errno or errno.EIO, step=f"bind {place}", extack=_ADVICE.get(error.errno or 0, ""))


_ADVICE: Final = {
    errno.EACCES: "ports below net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE; give it to linkwright",
    errno.EPERM: "something forbids it: a security module, or a control group's programme",
    errno.EINVAL: "no socket can be bound to that address; a link-local one needs its interface (fe80::1%eth0)",
}


def _words(error: OSError) -> str:
    return error.strerror or str(error)
