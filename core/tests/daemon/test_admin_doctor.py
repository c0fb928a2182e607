"""The doctor's checks, each on a host that is well, one that is not, and one that cannot be looked at."""

import json
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, field, frozen
from core.tests.cli.conftest import NOW, Served, served, typed

from linkwright.daemon import sockets
from linkwright.daemon.admin.doctor import CHECKS, Done, Finding, Live, Status, Surroundings, checks, examine, run_tool
from linkwright.daemon.config import Config
from linkwright.daemon.firewalld import Standing

__all__ = ["served"]  # a fixture

OK, WARN, FAIL = Status.OK, Status.WARN, Status.FAIL
OUR_RULE = '-A DOCKER-USER -m mark --mark 0x1000/0x1000 -m comment --comment "linkwright:default" -j ACCEPT'
ALL_FEATURES = frozenset({"bridge", "veth", "macvlan", "vxlan", "vlan", "ipv6"})


@frozen
class Tools:
    """Programs that are not run: by their first word what they write; the others are not installed."""

    outputs: Mapping[str, str | Done] = field(factory=dict)

    def __call__(self, command: Sequence[str]) -> Done:
        """Run one."""
        found = self.outputs.get(command[0], Done(127, error=f"{command[0]} is not installed"))
        return found if isinstance(found, Done) else Done(0, found)


NFT = Tools({"iptables": "iptables v1.8.9 (nf_tables)\n", "iptables-nft": "", "ip6tables-nft": ""})


def rules(*lines: str, binary: str = "iptables-nft") -> Tools:
    """A host whose filter table has *lines*."""
    return Tools({**NFT.outputs, binary: "".join(f"{line}\n" for line in lines)})


@pytest.fixture
def host(tmp_path: Path) -> Surroundings:
    """A host on which all is well, with a daemon of two drivers."""
    home = tmp_path / "host"
    config = Config(plugin_dir=home / "plugins", run_dir=home / "run", state_dir=home / "state")
    for path in (home, config.plugin_dir, config.run_dir, config.state_dir):
        path.mkdir(mode=0o700)
    for path in (
        *(config.plugin_dir / f"lw-{name}.sock" for name in ("bridge", "ipam")),
        config.run_dir / "admin.sock",
    ):
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
        path.chmod(0o600)
    for name, value in (
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv6/conf/all/forwarding", "1"),
        ("net/ipv4/neigh/default/gc_thresh3", "1024"),
        ("net/ipv6/neigh/default/gc_thresh3", "1024"),
    ):
        put(home / "proc", f"sys/{name}", value)
    live = Live(drivers=("bridge",), receive_buffer=16 << 20, newest=NOW - 5)
    return Surroundings(config=config, now=NOW, features=ALL_FEATURES, live=live, proc=home / "proc", run=NFT)


def put(proc: Path, name: str, value: str) -> None:
    """Write a file below /proc."""
    (proc / name).parent.mkdir(parents=True, exist_ok=True)
    (proc / name).write_text(f"{value}\n")


def setting(path: str, value: str) -> Callable[[Surroundings], Surroundings]:
    """A host where a setting has another value."""

    def change(host: Surroundings) -> Surroundings:
        put(host.proc, f"sys/{path}", value)
        return host

    return change


def live(**changes: Any) -> Callable[[Surroundings], Surroundings]:
    """A host whose daemon says something else."""
    return lambda host: evolve(host, live=evolve(host.live or Live(), **changes))


def other(**changes: Any) -> Callable[[Surroundings], Surroundings]:
    """Another host."""
    return lambda host: evolve(host, **changes)


def both(*changes: Callable[[Surroundings], Surroundings]) -> Callable[[Surroundings], Surroundings]:
    """All of these."""

    def change(host: Surroundings) -> Surroundings:
        for one in changes:
            host = one(host)
        return host

    return change


def without(name: str) -> Callable[[Surroundings], Surroundings]:
    """A host where somebody removed a file of the test's folder."""

    def change(host: Surroundings) -> Surroundings:
        (host.config.run_dir.parent / name).unlink()
        return host

    return change


def mode(name: str, bits: int) -> Callable[[Surroundings], Surroundings]:
    """A host where a file or folder has another mode."""

    def change(host: Surroundings) -> Surroundings:
        (host.config.run_dir.parent / name).chmod(bits)
        return host

    return change


def legacy(host: Surroundings) -> Surroundings:
    """A host that has legacy iptables as well."""
    put(host.proc, "net/ip_tables_names", "nat\nfilter")
    return host


BRIDGED = setting("net/bridge/bridge-nf-call-iptables", "1")
OUTWARD = live(settings={"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"})

#: check → what is otherwise → how bad → words that are in the text, words that are in the advice
CASES: list[tuple[str, Callable[[Surroundings], Surroundings], Status, str, str]] = [
    ("daemon", other(live=None), FAIL, "no daemon answers at", "`linkwright serve`"),
    ("drivers", live(drivers=()), FAIL, "no driver is loaded", "pip install linkwright-bridge"),
    ("drivers", live(suspended=("bridge",)), FAIL, "did not answer in time: bridge", "restart linkwright"),
    ("drivers", live(left_out=("driver 'odd' of odd 1 …",)), WARN, "left out: driver 'odd'", "update"),
    ("plugin-dir", mode("plugins", 0o777), FAIL, "others than its owner may write in", "chmod go-w"),
    ("sockets", without("plugins/lw-bridge.sock"), FAIL, "plugins/lw-bridge.sock; Docker waits 15 s", "restart"),
    ("sockets", without("run/admin.sock"), FAIL, "run/admin.sock", "restart"),
    ("sockets", mode("plugins/lw-ipam.sock", 0o660), FAIL, "others than root may use", "SocketMode=0600"),
    ("state-dir", mode("state", 0o755), WARN, "may look into", "chmod 700"),
    ("clock", other(now=1_000_000.0), FAIL, "before this program was written", "NTP"),
    ("clock", live(newest=NOW + 3600), WARN, "made 3600 s from now: the clock was put back", "NTP"),
    ("kernel", other(features=None), WARN, "could not be asked", "root"),
    ("kernel", other(features=ALL_FEATURES - {"vlan"}), WARN, "no vlan: without it no VLAN sub-", "modprobe"),
    ("kernel", other(features=ALL_FEATURES - {"veth"}), FAIL, "no veth", "driver bridge cannot work here"),
    (
        "forwarding-ipv4",
        setting("net/ipv4/ip_forward", "0"),
        WARN,
        "will be refused",
        "sysctl -w net.ipv4.ip_forward=1",
    ),
    (
        "forwarding-ipv4",
        both(OUTWARD, setting("net/ipv4/ip_forward", "0")),
        FAIL,
        "reach nothing",
        "--manage-forwarding",
    ),
    ("forwarding-ipv6", setting("net/ipv6/conf/all/forwarding", "0"), OK, "no network needs it", ""),
    (
        "forwarding-ipv6",
        both(OUTWARD, setting("net/ipv6/conf/all/forwarding", "0")),
        FAIL,
        "reach nothing",
        "sysctl -w",
    ),
    ("iptables", other(run=Tools()), OK, "there is no iptables", ""),
    ("iptables", legacy, WARN, "the legacy filter table exists too", "iptables-legacy -S"),
    (
        "docker-user-ipv4",
        other(run=rules("-P FORWARD DROP", "-N DOCKER-USER", OUR_RULE, "-A DOCKER-USER -j RETURN")),
        OK,
        "our rule is in DOCKER-USER",
        "",
    ),
    (
        "docker-user-ipv4",
        other(run=rules("-P FORWARD DROP", "-N DOCKER-USER", "-A DOCKER-USER -j RETURN")),
        FAIL,
        "is not in effect in DOCKER-USER",
        "`linkwright repair`",
    ),
    (
        "docker-user-ipv4",
        other(run=rules("-P FORWARD DROP", "-N DOCKER-USER", "-A DOCKER-USER -j RETURN", OUR_RULE)),
        FAIL,
        "is not in effect",
        "repair",
    ),
    (
        "docker-user-ipv4",
        both(BRIDGED, other(run=rules("-P FORWARD DROP", "-N DOCKER-USER")), live(rule_error="iptables hangs")),
        FAIL,
        "(br_netfilter is on: even containers of one network are cut off); keeping it failed: iptables hangs",
        "repair",
    ),
    ("docker-user-ipv4", other(run=rules("-P FORWARD ACCEPT", "-N DOCKER-USER")), WARN, "not in effect", "repair"),
    (
        "docker-user-ipv4",
        other(run=rules("-P FORWARD DROP")),
        FAIL,
        "FORWARD drops what nobody accepts",
        "iptables-nft -I FORWARD -m mark --mark 0x1000/0x1000 -j ACCEPT",
    ),
    (
        "docker-user-ipv4",
        both(legacy, other(run=rules("-P FORWARD DROP", binary="iptables-legacy"))),
        FAIL,
        "iptables-legacy: FORWARD drops",
        "iptables-legacy -I FORWARD",
    ),
    (
        "docker-user-ipv4",
        other(run=Tools({"iptables-nft": Done(4, error="Permission denied (you must be root)")})),
        WARN,
        "could not be asked: Permission denied",
        "root",
    ),
    ("docker-user-ipv4", other(run=Tools()), OK, "no iptables rules", ""),
    ("docker-user-ipv6", other(run=rules("-P FORWARD DROP", binary="ip6tables-nft")), FAIL, "ip6tables-nft", "mark"),
    ("firewalld", live(), OK, "does not run", ""),
    ("firewalld", live(zones=Standing(runs=True)), OK, "has our bridges in zone trusted", ""),
    ("firewalld", live(zones=Standing(runs=True, chosen={"br0": "dmz"})), OK, "somebody put: br0 in dmz", ""),
    (
        "firewalld",
        live(zones=Standing(runs=True, error="firewalld refused addInterface")),
        FAIL,
        "firewalld refused addInterface; bridges that are not in its zone trusted are cut off",
        "firewall-cmd --zone=trusted --add-interface=BRIDGE",
    ),
    ("neighbours-ipv4", live(endpoints=300), WARN, "is 1024; 300 endpoints need some 600", "gc_thresh3=4096"),
    ("neighbours-ipv6", live(endpoints=3000), FAIL, "need some 6000", "net.ipv6.neigh.default.gc_thresh3=32768"),
    ("neighbours-ipv4", without("proc/sys/net/ipv4/neigh/default/gc_thresh3"), OK, "is not to be seen here", ""),
    ("events", live(receive_buffer=212992), WARN, "holds 208 KiB", "net.core.rmem_max"),
    ("events", live(receive_buffer=0), OK, "is not known", ""),
]


def looked(name: str, host: Surroundings) -> Finding:
    """What the check called *name* finds."""
    return CHECKS[name].look(host)


@pytest.mark.parametrize("name", CHECKS)
def test_where_all_is_well_a_check_has_nothing_to_advise(host: Surroundings, name: str) -> None:
    """It says what it saw, so that a reader knows that it looked."""
    finding = looked(name, host)

    if name != "disk":  # the test's own disk may be full
        assert (finding.status, finding.advice) == (OK, ""), finding
    assert finding.text


@pytest.mark.parametrize(("name", "change", "status", "text", "advice"), CASES)
def test_what_is_not_well_is_told_with_advice(  # noqa: PLR0917 - the columns of the table
    host: Surroundings,
    name: str,
    change: Callable[[Surroundings], Surroundings],
    status: Status,
    text: str,
    advice: str,
) -> None:
    """How bad, what, and what to do."""
    finding = looked(name, change(host))

    assert status is finding.status
    assert text in finding.text
    assert advice in finding.advice
    assert bool(advice) == bool(finding.advice)


def test_every_check_has_a_case_that_is_not_well() -> None:
    """But the disk's: filling one is for the store's tests."""
    assert set(CHECKS) - {"disk"} == {name for name, *_ in CASES}


def test_a_state_directory_that_is_not_there_yet_is_no_failure(host: Surroundings) -> None:
    """Before the first start; the disk is that of the nearest directory above."""
    host.config.state_dir.rmdir()

    assert WARN is looked("state-dir", host).status
    assert f"MiB free on the disk of {host.config.state_dir.parent}" in looked("disk", host).text


def test_a_plugin_directory_that_is_not_there_is_one(host: Surroundings) -> None:
    """Docker finds nothing."""
    finding = looked("plugin-dir", evolve(host, config=evolve(host.config, plugin_dir=Path("/does/not/exist"))))

    assert FAIL is finding.status


# --- tools ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        (["sh", "-c", "echo out; echo bad >&2; exit 3"], 3, "bad"),
        (["no-such-tool-anywhere"], 127, "no-such-tool-anywhere is not installed"),
        (["/"], 126, "/ cannot be run: Permission denied"),
    ],
)
def test_a_tool_never_raises(command: list[str], code: int, text: str) -> None:
    """How it ended is a value."""
    assert (code, text) == ((done := run_tool(command)).code, done.error)


def test_a_tool_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its deadline, with what hung."""
    monkeypatch.setattr("linkwright.daemon.admin.doctor.surroundings.TOOL_DEADLINE", 0.05)

    assert Done(124, error="sleep 60 did not end within 0.05 s") == run_tool(["sleep", "60"])


# --- all of them ---------------------------------------------------------------------------------------------


async def test_all_are_asked_and_none_keeps_the_others(host: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """One raises: it is a finding like any other."""

    def broken(_: Surroundings) -> Finding:
        raise RuntimeError("out of order")

    monkeypatch.setattr(checks, "CHECKS", {**CHECKS, "clock": checks.Check(broken)})

    report = (await examine(host))()

    found = {one["check"]: one for one in report["checks"]}
    assert list(CHECKS) == list(found)
    assert found["clock"]["text"] == "could not be looked at: RuntimeError: out of order"
    assert report["ok"]


async def test_one_that_hangs_is_given_up(host: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount that does not answer is found as such, and the others are asked all the same."""
    import threading

    hanging = threading.Event()

    def hangs(_: Surroundings) -> Finding:
        hanging.wait()
        return Finding(OK, "")

    monkeypatch.setattr(checks, "DEADLINE", 0.05)
    monkeypatch.setattr(checks, "CHECKS", {"disk": checks.Check(hangs), "clock": CHECKS["clock"]})
    try:
        report = (await examine(host))()
    finally:
        hanging.set()

    assert [(one["check"], one["status"]) for one in report["checks"]] == [("disk", "fail"), ("clock", "ok")]
    assert not report["ok"]


# --- the command ---------------------------------------------------------------------------------------------


async def test_the_doctor_asks_the_daemon(served: Served, host: Surroundings) -> None:
    """The daemon looks, where it runs and with what it knows; exit status 0 where nothing fails."""
    config = served.config
    config.plugin_dir.mkdir()
    config.state_dir.mkdir(mode=0o700)
    listening = [sockets.listen(config.plugin_dir / f"lw-{name}.sock") for name in ("bridge", "ipam")]
    served.look_as(proc=host.proc, tool=NFT)
    await served.busy()

    try:
        document, text = await served.json("doctor"), await served.text("doctor")
    finally:
        for one in listening:
            one.close()

    assert list(CHECKS) == [one["check"] for one in document["checks"]]
    assert document["ok"]
    assert text.splitlines()[0].split() == ["CHECK", "STATE", "FOUND", "WHAT", "TO", "DO"]


async def test_a_check_that_fails_is_exit_status_1(served: Served, host: Surroundings) -> None:
    """For scripts; the report is written all the same."""
    served.look_as(proc=host.proc, tool=rules("-P FORWARD DROP"))

    result = await served.run("doctor", "--json")

    assert result.exit_code == 1
    found = {one["check"]: one["status"] for one in json.loads(result.stdout)["checks"]}
    assert found["docker-user-ipv4"] == "fail"


async def test_forwarding_fails_only_where_a_network_needs_it(served: Served, host: Surroundings) -> None:
    """The networks' own wishes say so."""
    put(host.proc, "sys/net/ipv4/ip_forward", "0")
    served.look_as(proc=host.proc, tool=NFT)

    async def status() -> str:
        report = json.loads((await served.run("doctor", "--json")).stdout)
        return next(str(one["status"]) for one in report["checks"] if one["check"] == "forwarding-ipv4")

    assert await status() == "warn"
    await served.network(internal=True)
    assert await status() == "warn"
    await served.network("77" * 32, "10.8.0.0/24")
    assert await status() == "fail"


async def test_without_a_daemon_the_doctor_looks_itself(tmp_path: Path) -> None:
    """It says that there is none, and leaves out what only one could tell."""
    result = await typed("doctor", "--json", environ={"LINKWRIGHT_RUN_DIR": str(tmp_path)})

    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [name for name, check in CHECKS.items() if not check.needs_daemon] == [
        one["check"] for one in report["checks"]
    ]
    assert (report["checks"][0]["check"], report["checks"][0]["status"]) == ("daemon", "fail")
