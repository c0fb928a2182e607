"""The play as its acts see it: daemon, Docker, what runs, and what was counted. The acts are modules of their own.

Everything is done by the real daemon and looked at from outside it: its sockets, its command line, its metrics, the
kernel. What an act shows is a promise (``Telling.promise``), and a promise that is not kept fails the demo.
"""

import shlex
from collections.abc import Mapping
from ipaddress import IPv4Address

from attrs import define, field, frozen

from linkwright.cli.blocks import Table
from linkwright.cli.demo import host
from linkwright.cli.demo.docker import Container, Docker
from linkwright.cli.demo.ping import ping
from linkwright.cli.demo.scenes import Scene
from linkwright.cli.demo.served import Samples, Served
from linkwright.cli.demo.telling import Telling
from linkwright.kernel import netns
from linkwright.kernel.decode import LinkRow


@frozen
class Running:
    """A scene that is played: its network's id, the containers on it, and whether they reach each other."""

    scene: Scene
    network: str
    containers: tuple[Container, ...]
    talks: bool = True

    @property
    def name(self) -> str:
        """What its network is called."""
        return self.scene.wanted.name

    @property
    def host_links(self) -> list[LinkRow]:
        """The links on the host that carry the network's mark."""
        return [row for row in host.links().values() if row.mark is not None and row.mark.network == self.network]


@define
class Play:
    """What all acts share."""

    tell: Telling
    served: Served
    docker: Docker
    before: host.Look = field(factory=host.look)  # the host before any of it
    running: list[Running] = field(factory=list)
    extras: list[Container] = field(factory=list)  # containers beside those of the scenes
    scrapes: dict[str, Samples] = field(factory=dict)  # by when they were made

    def docker_run(self, name: str, network: str) -> Container:
        """Start a container and say so."""
        self.tell.command(f"docker run -d --name {name} --network {network} …")
        container = self.docker.run(name, network)
        self.show_calls()
        return container

    def show_calls(self) -> None:
        """Say which calls Docker has made since the last time, where that can be known."""
        if self.docker.calls:
            calls = [call.partition(".")[2] for call in self.docker.calls]
            self.tell.output([f"# Docker calls {', '.join(calls)}"])
        self.docker.calls.clear()

    def linkwright(self, *words: str) -> None:
        """Run a command of linkwright's and show what it prints."""
        self.tell.command(shlex.join(["linkwright", *words]))
        self.tell.output(self.served.command(*words))

    def show_wishes(self) -> None:
        """Show what linkwright keeps for the container that has just been started."""
        endpoint = self.served.get("endpoints")[-1]["id"]
        self.tell.output(self.served.get("endpoints", endpoint)["wishes"])

    def show_links(self, running: Running) -> None:
        """Show the links of one network: on the host, and in its containers."""
        names = {row.ifindex: row.name for row in host.links().values()}
        rows = [("host", *_columns(row, names), "") for row in sorted(running.host_links, key=_bridge_first)]
        for one in running.containers:
            inside = netns.inside(one.sandbox, host.links).values()
            rows += [(one.name, *_columns(row, {}), str(one.address)) for row in inside if row.kind]
        self.tell.table(Table(("where", "link", "kind", "on", "mtu", "address"), rows))

    def show_ping(self, source: Container, target: IPv4Address, name: str) -> bool:
        """Ping *target*, which is *name*, from a container; whether it answers."""
        seconds = ping(source.sandbox, target)
        took = f"{seconds * 1e6:.0f} µs" if seconds is not None else "no answer"
        return self.tell.promise(seconds is not None, f"{source.name} pings {name}, {target}: {took}")


def _columns(row: LinkRow, names: Mapping[int, str]) -> tuple[str, ...]:
    return row.name, row.kind, names.get(row.master, ""), str(row.mtu)


def _bridge_first(row: LinkRow) -> tuple[bool, str, str]:
    return row.kind != "bridge", row.kind, row.name
