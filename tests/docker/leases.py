"""Addresses by both books: those that linkwright holds for containers, and those that Docker's containers have."""

import json
from collections.abc import Iterator
from ipaddress import ip_interface
from typing import Any

from tests.docker.daemon import Daemon
from tests.engines import Dockerd


def records(daemon: Daemon, kind: str) -> list[dict[str, Any]]:
    """What *daemon* remembers of a kind: "network", "endpoint", "pool" or "lease"."""
    documents = [json.loads(line) for line in daemon.export().splitlines()]
    return [document[kind] for document in documents if kind in document]


def allocated(daemon: Daemon) -> set[str]:
    """The addresses that linkwright holds for containers."""
    leases = records(daemon, "lease")
    return {lease["address"] for lease in leases if (lease["kind"], lease["state"]) == ("endpoint", "held")}


def known(daemon: Daemon) -> set[str]:
    """The addresses of the endpoints that linkwright knows."""
    return {
        str(ip_interface(endpoint[family]).ip)
        for endpoint in records(daemon, "endpoint")
        for family in ("ipv4", "ipv6")
        if endpoint[family]
    }


def live(dockerd: Dockerd) -> set[str]:
    """The addresses that Docker says its running containers have, in networks of ours."""
    return {
        address
        for container in dockerd.api("GET", "/containers/json")[1]
        for endpoint in dockerd.api("GET", f"/containers/{container['Id']}/json")[1]["NetworkSettings"][
            "Networks"
        ].values()
        for address in _addresses(endpoint)
    }


def _addresses(endpoint: dict[str, Any]) -> Iterator[str]:
    yield from (endpoint[key] for key in ("IPAddress", "GlobalIPv6Address") if endpoint.get(key))
