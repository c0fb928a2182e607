"""Which ports a group of bindings may have: the one it names, one of a range, or any. Pure.

Any: one of net.ipv4.ip_local_port_range that is not in ip_local_reserved_ports, for IPv6 as well. The kernel itself
keeps to them in bind(2) with port 0 (Documentation/networking/ip-sysctl.rst).
"""

from collections.abc import Callable, Iterator, Sequence

from attrs import frozen

from linkwright.model import PortBinding

#: Stands for a port that is the kernel's to choose.
ANY = 0

#: How often the kernel is asked for a port before all are tried in turn. One that is free for the first binding of a
#: group may be taken for another, and the kernel prefers some of them (inet_csk_find_open_port).
_TRIES = 8

#: What the kernel starts with, for where /proc/sys does not say.
_DEFAULT_RANGE = range(32768, 61000)


@frozen
class Asked:
    """The ports that may be had, in the order in which they are tried."""

    candidates: Sequence[int]

    @property
    def is_fixed(self) -> bool:
        """Whether there is no choice."""
        return len(self.candidates) == 1

    @property
    def is_any(self) -> bool:
        """Whether the kernel chooses."""
        return self.candidates[0] == ANY

    def __str__(self) -> str:
        return f"{self.candidates[0]}-{self.candidates[-1]}"


def asked(group: Sequence[PortBinding]) -> Asked:
    """Return what *group* asks for. ValueError where its bindings do not ask for the same."""
    ranges = {(binding.host_port, max(binding.host_port, binding.host_port_end)) for binding in group}
    if len(ranges) != 1:
        raise ValueError(f"the bindings of a group ask for different host ports: {', '.join(map(str, group))}")
    first, last = ranges.pop()
    return Asked(range(first, last + 1) if first else (ANY,) * _TRIES)


@frozen
class LocalPorts:
    """What the kernel gives out by itself."""

    span: range = _DEFAULT_RANGE
    reserved: frozenset[int] = frozenset()

    @classmethod
    def read(cls, setting: Callable[[str], str]) -> "LocalPorts":
        """Read it by *setting*, which returns the text of net.ipv4.*name*, "" where there is none."""
        span = setting("ip_local_port_range").split()
        return cls(
            range(int(span[0]), int(span[1]) + 1) if span else _DEFAULT_RANGE,
            frozenset(ports(setting("ip_local_reserved_ports"))),
        )

    def __iter__(self) -> Iterator[int]:
        return (port for port in self.span if port not in self.reserved)


def ports(text: str) -> list[int]:
    """Read a list as the kernel writes it: ``8080,9148-9150``, or nothing."""
    found: list[int] = []
    for part in text.strip().split(",") if text.strip() else ():
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found
