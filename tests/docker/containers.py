"""Containers for tests: started with one line, and their network looked at from within with the machine's tools.

``docker exec`` takes ten times as long as entering the network namespace, and sees no other network.
"""

import json
import subprocess
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tests.engines import Dockerd, Trouble, busybox


class Container:
    """A running container called *name*."""

    def __init__(self, dockerd: Dockerd, name: str) -> None:
        self.dockerd = dockerd
        self.name = name

    @property
    def _enter(self) -> list[str]:
        return ["nsenter", f"--net=/proc/{self.dockerd.container_pid(self.name)}/ns/net"]

    def run(self, *argv: str | Path, check: bool = True, feed: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program of the host in the container's network, with *feed* as its input."""
        return self.dockerd.host.run([*self._enter, *argv], check=check, feed=feed)

    def popen(self, *argv: str | Path, **options: Any) -> subprocess.Popen[Any]:
        """Start a program of the host in the container's network; *options* are Popen's."""
        return self.dockerd.host.popen([*self._enter, *argv], **options)

    def reaches(self, address: object, *options: str) -> bool:
        """Whether *address* answers a ping; two seconds are for the answer, three tries for a busy machine."""
        tries = [["ping", "-c1", "-W2", *options, str(address)]] * 3
        return any(self.run(*ping, check=False).returncode == 0 for ping in tries)

    def is_cut_off_from(self, address: object) -> bool:
        """Whether *address* does not answer within a second. To be asked beside a ``reaches`` that proves the way."""
        return self.run("ping", "-c1", "-W1", str(address), check=False).returncode != 0

    def fetches(self, url: str) -> str:
        """What an HTTP server answers, or "" when it does not."""
        return self.run("wget", "-q", "-T5", "-O", "-", url, check=False).stdout

    def links(self) -> dict[str, dict[str, Any]]:
        """Its links by name, without lo, as ``ip -j address`` describes them."""
        found = json.loads(self.run("ip", "-j", "address").stdout)
        return {link["ifname"]: link for link in found if link["ifname"] != "lo"}

    def addresses(self, link: str = "eth0") -> set[str]:
        """The addresses of one of its links, with prefix length; without the link-local one that the kernel makes."""
        found = self.links()[link]["addr_info"]
        return {
            f"{one['local']}/{one['prefixlen']}"
            for one in found
            if one["family"] == "inet" or not one["local"].startswith("fe80:")
        }

    def default_routes(self) -> dict[str, str]:
        """Its default routes: the gateway → the link it leads through. Both families."""
        found = [one for v in "46" for one in json.loads(self.run("ip", "-j", f"-{v}", "route").stdout or "[]")]
        return {one.get("gateway", ""): one["dev"] for one in found if one["dst"] == "default"}

    def shown(self, network: str) -> dict[str, Any]:
        """What ``docker inspect`` shows of its endpoint in *network*."""
        _, answer = self.dockerd.api("GET", f"/containers/{self.name}/json")
        shown: dict[str, Any] = answer["NetworkSettings"]["Networks"][network]
        return shown


def start(dockerd: Dockerd, name: str, network: str, *options: str, command: tuple[str, ...] = ()) -> Container:
    """Start a container in *network*, with further options of ``docker run``."""
    dockerd.docker("run", "-d", "--name", name, "--network", network, *options, busybox.IMAGE, *command)
    return Container(dockerd, name)


WEB = ("httpd", "-f", "-h", "/var/www")
"""The command of a container that serves PAGE on port 80."""

PAGE = "linkwright\n"


def create(dockerd: Dockerd, name: str, *options: str, driver: str = "lw-bridge", ipam: str = "lw-ipam") -> str:
    """Make a network and return its id; *ipam* "default" is Docker's own."""
    return dockerd.docker("network", "create", "--driver", driver, "--ipam-driver", ipam, *options, name)


def refused(dockerd: Dockerd, *arguments: str) -> str:
    """Run a docker command that must fail, and return what it tells its user."""
    done = dockerd.command(*arguments)
    if not done.returncode:
        raise Trouble(f"`docker {' '.join(arguments)}` was to be refused; it printed {done.stdout}")
    return done.stderr.strip()


def network(dockerd: Dockerd, name: str) -> dict[str, Any]:
    """What ``docker network inspect`` shows."""
    status, answer = dockerd.api("GET", f"/networks/{name}")
    if status != HTTPStatus.OK:
        raise Trouble(f"asked engine {dockerd.engine} for network {name}: {status} {answer}")
    shown: dict[str, Any] = answer
    return shown
