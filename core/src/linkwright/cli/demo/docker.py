"""What the demo wants of Docker: ``played`` speaks in its place, ``engine`` is a real one. Values only."""

import shlex
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final, Protocol

from attrs import field, frozen

#: What the plugins are called to Docker: the daemon's own default.
PREFIX: Final = "lw-"


@frozen
class Wanted:
    """A network as its user asks Docker for it. ``driver`` is the driver's own name."""

    name: str
    driver: str
    subnet: IPv4Network
    gateway: IPv4Address | None = None
    auxiliary: Mapping[str, IPv4Address] = field(factory=dict)
    options: Mapping[str, str] = field(factory=dict)

    @property
    def arguments(self) -> list[str]:
        """The words of the command that makes it, behind ``docker``."""
        words = ["network", "create", "-d", f"{PREFIX}{self.driver}", "--ipam-driver", f"{PREFIX}ipam"]
        words += [f"--subnet={self.subnet}"]
        words += [f"--gateway={self.gateway}"] if self.gateway else []
        words += [f"--aux-address={name}={address}" for name, address in self.auxiliary.items()]
        words += [word for key, value in self.options.items() for word in ("-o", f"{key}={value}")]
        return [*words, self.name]

    @property
    def command(self) -> str:
        """The command that makes it."""
        return shlex.join(["docker", *self.arguments])


@frozen
class Container:
    """A container that runs, as far as its one network goes. ``sandbox`` is the path of its network namespace."""

    name: str
    network: str
    sandbox: str
    address: IPv4Interface


class Docker(Protocol):
    """Docker, in five verbs. LinkwrightError with its words if it refuses."""

    #: The calls that it has made to linkwright's sockets, oldest first, where we can know.
    calls: list[str]

    def create_network(self, wanted: Wanted) -> None:
        """Make a network."""

    def run(self, name: str, network: str) -> Container:
        """Start a container called *name* on the network of that name."""

    def remove(self, container: Container) -> None:
        """Stop and remove a container."""

    def remove_network(self, name: str) -> None:
        """Remove a network."""

    def close(self) -> None:
        """End Docker itself."""
