"""Published ports through a real Docker: who reaches them from where, what is refused, and what is left of them.

The matrix (B-09, B-10, B-12, B-13) is one table: what is published, and from where it is knocked at. What is expected
of a cell follows from Docker's manual, "Published ports", in ``expected``.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from ipaddress import ip_address

import pytest
from attrs import frozen

from tests.docker.containers import Container, create, refused, start
from tests.docker.daemon import Daemon
from tests.docker.ports import Knock, answering, answers, heard
from tests.docker.until import until
from tests.docker.window import Window
from tests.engines import Dockerd, Host, Outside

HOST4, HOST6 = "192.0.2.1", "2001:db8::1"
LOCAL4, LOCAL6 = "127.0.0.1", "::1"


@frozen
class Published:
    """One ``-p``: the address it is given ("" for none), the host's first port, how many, and what it leads to."""

    host: str
    port: int
    protocol: str = "tcp"
    count: int = 1

    @property
    def option(self) -> str:
        """As it is written after ``-p``."""
        host = f"[{self.host}]:" if ":" in self.host else f"{self.host}:" if self.host else ""
        last = self.port + self.count - 1
        ports = f"{self.port}-{last}:80-{79 + self.count}" if self.count > 1 else f"{self.port}:80"
        return f"{host}{ports}/{self.protocol}"

    @property
    def needs_ipv6(self) -> bool:
        """Whether the container has to have IPv6: no relay speaks SCTP."""
        return ":" in self.host and self.protocol == "sctp"

    def answers_on(self, address: str) -> bool:
        """Whether a knock at *address* of the host is one for it."""
        if not self.host:
            return True
        host, knocked_at = ip_address(self.host), ip_address(address)
        return host == knocked_at or (host.is_unspecified and host.version == knocked_at.version)


_HOSTS = ("", "0.0.0.0", "::", HOST4, HOST6, LOCAL4, LOCAL6)

TABLE = (
    *(
        Published(host, 8000 + 10 * row, protocol)
        for row, (host, protocol) in enumerate(itertools.product(_HOSTS, ("tcp", "udp", "sctp")))
    ),
    Published("", 9000, "tcp", 11),
    Published(HOST4, 9100, "udp", 3),
)

#: Where a knock comes from → the addresses of the host that somebody there can knock at.
ADDRESSES: dict[str, tuple[str, ...]] = {
    "outside": (HOST4, HOST6),
    "host": (HOST4, HOST6, LOCAL4, LOCAL6),
    "self": (HOST4, HOST6),
    "sibling": (HOST4, HOST6),
    "other": (HOST4, HOST6),
}


def expected(published: Published, address: str, families: frozenset[int]) -> bool:
    """Whether a knock at *address* is answered, where the container has addresses of *families*."""
    if not published.answers_on(address):
        return False
    version = ip_address(address).version
    relayed = address == LOCAL6 or version not in families
    if relayed:  # by the daemon, which speaks for no SCTP, and for IPv4 alone where the container has no IPv6
        return version == 6 and published.protocol != "sctp"
    return True


@pytest.mark.parametrize("families", ["4", "46"])
def test_b_09_b_10_b_12_b_13_the_port_matrix(dockerd: Dockerd, daemon: Daemon, outside: Outside, families: str) -> None:
    """Protocol, family, host address, range and origin: exactly what was published answers, and from everywhere."""
    versions = frozenset(map(int, families))
    dual = ("--ipv6", "--subnet=fd00:2::/64") if 6 in versions else ()
    create(dockerd, "one", "--subnet=10.2.0.0/24", *dual)
    create(dockerd, "two", "--ipv6", "--subnet=10.3.0.0/24", "--subnet=fd00:3::/64")
    table = [published for published in TABLE if 6 in versions or not published.needs_ipv6]
    options = [word for published in table for word in ("-p", published.option)]
    target = start(dockerd, "target", "one", *options)
    origins: dict[str, Container | Host] = {
        "outside": outside,
        "host": dockerd.host,
        "self": target,
        "sibling": start(dockerd, "sibling", "one"),
        "other": start(dockerd, "other", "two"),
    }

    def wrong_from(origin: str) -> list[str]:
        reachable = [one for one in ADDRESSES[origin] if origin not in {"self", "sibling"} or _has(families, one)]
        cells: list[tuple[Knock, bool]] = [
            ((published.protocol, address, published.port + step), expected(published, address, versions))
            for published in table
            for address in reachable
            for step in range(published.count)
        ]
        awaited = [knock for knock, is_answered in cells if is_answered]
        found = zip(awaited, answers(origins[origin], awaited), strict=True)
        unheard = [f"{origin}: {knock} was not answered" for knock, name in found if name is None]
        astray = heard(origins[origin], [knock for knock, is_answered in cells if not is_answered])
        return unheard + [f"{origin}: {knock} was answered" for knock in astray]

    with answering(target, "target", range(80, 91)), ThreadPoolExecutor(len(origins)) as pool:
        wrong = [one for found in pool.map(wrong_from, origins) for one in found]
    assert wrong == []


def _has(families: str, address: str) -> bool:
    return str(ip_address(address).version) in families


def chosen(daemon: Daemon, container: str, dockerd: Dockerd) -> list[dict[str, object]]:
    """The ports published for a container, as ``linkwright endpoint show`` tells: Docker shows none for a plugin."""
    _, described = dockerd.api("GET", f"/containers/{container}/json")
    found = []
    for shown in described["NetworkSettings"]["Networks"].values():
        found += daemon.cli_json("endpoint", "show", shown["EndpointID"][:12])["bindings"]
    return found


def test_b_11_a_port_that_is_not_named_is_chosen_and_shown(dockerd: Dockerd, daemon: Daemon, outside: Outside) -> None:
    """``-p 80``, or ``-P``, takes a free port, told by ``endpoint show``; two containers never get the same."""
    create(dockerd, "one", "--subnet=10.2.0.0/24")
    ports = []
    for name, options in (("first", ("-p", "80")), ("second", ("-p", "80")), ("all", ("--expose", "80", "-P"))):
        container = start(dockerd, name, "one", *options)
        published = {entry["host_port"] for entry in chosen(daemon, name, dockerd)}
        assert len(published) == 1, "one port for both families"
        port = int(str(published.pop()))
        with answering(container, name, [80]):
            knock: Knock = ("tcp", HOST4, port)
            assert answers(outside, [knock]) == [name]
        ports.append(port)
    assert len({*ports}) == 3
    assert all(port > 1024 for port in ports)


def test_b_14_what_is_published_on_loopback_stays_on_the_host(
    dockerd: Dockerd, daemon: Daemon, outside: Outside
) -> None:
    """A neighbour who routes 127.0.0.1 to us does not reach what is published there, though it arrives; we do."""
    create(dockerd, "one", "--subnet=10.2.0.0/24")
    target = start(dockerd, "target", "one", "-p", "127.0.0.1:8080:80", "-p", "127.0.0.1:8080:80/udp")
    knocks: list[Knock] = [("tcp", LOCAL4, 8080), ("udp", LOCAL4, 8080)]
    with loopback_led_to(outside), answering(target, "target", [80]), counted_at(dockerd.host) as arrived:
        assert answers(dockerd.host, knocks) == ["target"] * 2
        assert arrived() == {"tcp": 0, "udp": 0}
        assert heard(outside, knocks) == []
        assert min(arrived().values()) > 0


#: What leads 127.0.0.1 to the host with the uplink, before the table "local" is asked, as an attacker would set it.
_ASTRAY = (
    "route add 127.0.0.1/32 via 192.0.2.1 dev switch0 table 77",
    "rule add pref 32000 table local",
    "rule add pref 1 to 127.0.0.1 table 77",
    "rule del pref 0",
)
_BACK = (
    "rule add pref 0 table local",
    "rule del pref 32000",
    "rule del pref 1",
    "route flush table 77",
)


@contextmanager
def loopback_led_to(outside: Outside) -> Iterator[None]:
    """While inside, *outside* sends what is for 127.0.0.1 to the host."""
    for line in _ASTRAY:
        outside.run(["ip", *line.split()])
    try:
        yield
    finally:
        for line in _BACK:
            outside.run(["ip", *line.split()])


@contextmanager
def counted_at(host: Host) -> Iterator[Callable[[], Mapping[str, int]]]:
    """While inside, what comes in by the uplink for port 8080 of 127.0.0.1 is counted, before anybody can drop it."""
    arriving = [f"iifname up0 ip daddr {LOCAL4} {protocol} dport 8080 counter" for protocol in ("tcp", "udp")]
    chain = f"type filter hook prerouting priority -400; {'; '.join(arriving)};"
    host.run(["nft", f"add table ip arrived; add chain ip arrived seen {{ {chain} }}"])

    def arrived() -> Mapping[str, int]:
        listed = host.run(["nft", "list", "table", "ip", "arrived"]).stdout
        return {name: int(count) for name, count in re.findall(r"(\w+) dport 8080 counter packets (\d+)", listed)}

    try:
        yield arrived
    finally:
        host.run(["nft", "delete", "table", "ip", "arrived"])


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_b_27_a_port_that_another_process_has_is_refused_by_name(
    dockerd: Dockerd, daemon: Daemon, window: Window, protocol: str
) -> None:
    """The message names port and protocol; nothing is left of the container's endpoint; a free port works then."""
    create(dockerd, "one", "--subnet=10.2.0.0/24")
    before = daemon.cli_json("endpoint", "ls")
    with answering(dockerd.host, "thief", [8080]):
        said = refused(
            dockerd, "run", "-d", "--name", "c1", "--network", "one", "-p", f"8080:80/{protocol}", "busybox:lw"
        )
        assert f"8080/{protocol}" in said or ("8080" in said and protocol in said), said
        window.expect_refusal("NetworkDriver.ProgramExternalConnectivity")
        assert daemon.cli_json("endpoint", "ls") == before
        dockerd.docker("rm", "-f", "c1")
        start(dockerd, "c2", "one", "-p", f"8081:80/{protocol}")
    dockerd.docker("rm", "-f", "c2")
    start(dockerd, "c3", "one", "-p", f"8080:80/{protocol}")


def test_p_16_of_two_ports_one_of_which_is_taken_none_is_left(
    dockerd: Dockerd, daemon: Daemon, window: Window, outside: Outside
) -> None:
    """Docker sends no Revoke after a failed Program: what was made of the first port is taken back by itself."""
    create(dockerd, "one", "--subnet=10.2.0.0/24")
    rules = dockerd.host.run(["nft", "list", "table", "inet", "linkwright"]).stdout
    with answering(dockerd.host, "thief", [8082]):
        ports = ("-p", "8081:80", "-p", "8082:81")
        said = refused(dockerd, "run", "-d", "--name", "c1", "--network", "one", *ports, "busybox:lw")
    assert "8082" in said
    assert "8081" not in said
    window.expect_refusal("NetworkDriver.ProgramExternalConnectivity")
    assert _elements(dockerd.host.run(["nft", "list", "table", "inet", "linkwright"]).stdout) == _elements(rules)
    dockerd.docker("rm", "-f", "c1")
    with answering(dockerd.host, "free again", [8081]):
        knock: Knock = ("tcp", HOST4, 8081)
        assert answers(outside, [knock]) == ["free again"]


def _elements(listed: str) -> list[str]:
    """The lines of a listing but for the counters, which packets move."""
    return [line for line in listed.splitlines() if "counter packets" not in line and "packets" not in line]


ROUNDS = 5


@pytest.mark.parametrize("rounds", [ROUNDS, pytest.param(50, marks=pytest.mark.long)])
def test_b_28_stop_and_start_on_one_port(dockerd: Dockerd, daemon: Daemon, outside: Outside, rounds: int) -> None:
    """A container that is stopped and started again and again, with connections open, always gets its port."""
    create(dockerd, "one", "--subnet=10.2.0.0/24")
    target = start(dockerd, "target", "one", "-p", "8080:80")
    knocks: list[Knock] = [("tcp", HOST4, 8080), ("tcp", HOST6, 8080)]
    for _ in range(rounds):
        with answering(target, "target", [80]):
            assert set(answers(outside, knocks)) == {"target"}
        for verb in ("stop", "start"):
            assert dockerd.api("POST", f"/containers/target/{verb}?t=0")[0] == HTTPStatus.NO_CONTENT


def test_b_23_what_somebody_flushes_is_back_at_once(
    dockerd: Dockerd, daemon: Daemon, outside: Outside, window: Window
) -> None:
    """After ``nft flush ruleset`` ports and isolation are back by themselves, and counted."""
    create(dockerd, "one", "--subnet=10.2.0.0/24")
    target = start(dockerd, "target", "one", "-p", "8080:80", "-p", "8080:80/udp")
    knocks: list[Knock] = [("tcp", HOST4, 8080), ("udp", HOST4, 8080)]
    listed = ["nft", "list", "table", "inet", "linkwright"]
    before = _elements(dockerd.host.run(listed).stdout)
    with answering(target, "target", [80]):
        assert set(answers(outside, knocks)) == {"target"}
        for one in _tables(dockerd.host):
            dockerd.host.run(["nft", "delete", "table", *one])
        window.expect_some("linkwright_drift_found_total", kind="ruleset")
        window.expect_some("linkwright_drift_repaired_total", kind="ruleset")
        window.expect_some("linkwright_drift_found_total", kind="element")
        window.expect_some("linkwright_drift_repaired_total", kind="element")
        until(
            lambda: _elements(dockerd.host.run(listed, check=False).stdout) == before,
            "the table is back",
            deadline=10,
        )
        assert set(answers(outside, knocks)) == {"target"}


def _tables(host: Host) -> Sequence[tuple[str, str]]:
    """Our tables: those of Docker are Docker's to put back, which 20.10 does not."""
    listed = json.loads(host.run(["nft", "-j", "list", "tables"]).stdout)["nftables"]
    tables = [(one["table"]["family"], one["table"]["name"]) for one in listed if "table" in one]
    return [one for one in tables if one[1].startswith("linkwright")]
