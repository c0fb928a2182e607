"""The whole program in a network namespace of its own: how it starts, what it leaves, and what it never disturbs."""

import errno
import json
import os
import signal
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from core.tests.daemon.desk import NETWORK, OTHER, SANDBOX, SPACE, endpoint_request, network_request
from core.tests.daemon.running import Site, listening, watched

from linkwright.testkit.namespaces import made

pytestmark = pytest.mark.netns

SOCKETS = ["plugins/lw-bridge.sock", "plugins/lw-ipam.sock", "run/admin.sock"]
ONLY_BRIDGE = "--drivers=bridge"
BRIDGE = "lwb" + "ab" * 6


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A host that forwards packets already, as one with Docker on it does."""
    with made() as namespace:
        namespace.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.default.disable_ipv6=1")
        site = Site(namespace, tmp_path)
        try:
            yield site
        finally:
            site.end()


def busy(site: Site) -> None:
    """A network with two endpoints, one of which has joined."""
    pool = {"AddressSpace": SPACE, "Pool": "10.1.0.0/24", "SubPool": "", "Options": {}, "V6": False}
    site.call("IpamDriver.RequestPool", pool)
    gateway = {"RequestAddressType": "com.docker.network.gateway"}
    held = {"PoolID": f"{SPACE}/10.1.0.0/24", "Address": ""}
    site.call("IpamDriver.RequestAddress", held | {"Options": gateway})
    assert site.call("NetworkDriver.CreateNetwork", network_request()) == {}
    for digit, address in (("c", "10.1.0.2/24"), ("d", "10.1.0.3/24")):
        site.call("IpamDriver.RequestAddress", held | {"Options": None})
        site.call("NetworkDriver.CreateEndpoint", endpoint_request(digit * 64, address))
    joined = {"NetworkID": NETWORK, "EndpointID": "c" * 64, "SandboxKey": SANDBOX, "Options": {}}
    assert site.call("NetworkDriver.Join", joined)["InterfaceName"]["SrcName"] == "lwc" + "c" * 12


def post(one: socket.socket, name: str, document: object = None) -> None:
    """Send a call, and do not wait for the answer."""
    body = b"" if document is None else json.dumps(document).encode()
    one.sendall(f"POST /{name} HTTP/1.1\r\nHost: \r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


def answer(one: socket.socket) -> str:
    """What came back, head and body."""
    one.settimeout(30)
    received = b""
    while b"}" not in received:
        more = one.recv(65536)
        assert more, received
        received += more
    return received.decode()


# --- starting and stopping -----------------------------------------------------------------------------------------


def test_p_01_it_is_there_when_it_says_so_and_private(site: Site) -> None:
    """READY comes with the sockets, mode 0600 in folders of mode 0700, and what answers there is ours."""
    site.ready(ONLY_BRIDGE)

    assert site.sockets == SOCKETS
    assert {stat.S_IMODE((site.folder / one).stat().st_mode) for one in SOCKETS} == {0o600}
    assert {stat.S_IMODE((site.folder / one).parent.stat().st_mode) for one in SOCKETS} == {0o700}
    assert site.call("Plugin.Activate") == {"Implements": ["NetworkDriver", "IpamDriver"]}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_goes_when_asked_and_takes_its_sockets_along(site: Site, number: int) -> None:
    """A stale socket costs Docker 15 s for each touch; what containers use in the kernel stays."""
    program = site.ready(ONLY_BRIDGE)
    busy(site)
    links = site.links()

    assert program.stop(number) == 0

    assert site.sockets == []
    assert program.supervisor.recv(100) == b"STOPPING=1"
    assert links == site.links()
    assert "Traceback" not in program.said


def test_a_stop_during_the_start_is_a_stop(site: Site) -> None:
    """SIGTERM while a driver is imported: it ends cleanly as soon as that returns, and no socket was ever there."""
    begun, release = site.folder / "begun", site.folder / "release"
    ends = []
    for pipe in (begun, release):
        os.mkfifo(pipe)
        ends.append(os.open(pipe, os.O_RDWR))  # held at both ends: nobody waits in open(2)
    package = site.folder / "package"
    package.mkdir()
    (package / "slow_driver.py").write_text(
        "import os\n"
        f"os.write(os.open({str(begun)!r}, os.O_WRONLY), b'.')\n"
        f"os.read(os.open({str(release)!r}, os.O_RDONLY), 1)\n"
    )
    info = package / "slow_driver-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-driver\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[linkwright.drivers]\nslow = slow_driver:Driver\n")

    program = site.start("--drivers=bridge,slow", environ={"PYTHONPATH": str(package)})
    assert program.reaches(ends[0]), program.said  # the import has begun
    program.process.send_signal(signal.SIGTERM)
    os.write(ends[1], b".")  # and may end

    assert program.ended() == 0
    assert "ready" not in program.said
    assert site.sockets == []
    assert "Traceback" not in program.said
    for end in ends:
        os.close(end)


def test_a_service_that_crashes_ends_the_process_and_takes_the_sockets_along(site: Site) -> None:
    """Whoever starts it again finds no stale sockets, and Docker none in between."""
    script = site.folder / "crashing.py"
    script.write_text(
        "import signal, sys, trio\n"
        "from linkwright.cli import main\n"
        "from linkwright.daemon import app\n"
        "async def crash(*_, **__):\n"
        "    with trio.open_signal_receiver(signal.SIGUSR1) as signals:\n"
        "        async for _ in signals:\n"
        "            raise ZeroDivisionError('a bug')\n"
        "app.upkeep = crash\n"
        "main()\n"
    )
    program = site.ready(ONLY_BRIDGE, program=(sys.executable, str(script)))
    assert site.call("Plugin.Activate")  # its loop has turned: the signal is waited for

    assert program.stop(signal.SIGUSR1) == 1
    assert "ZeroDivisionError: a bug" in program.said
    assert site.sockets == []


# --- sockets of systemd's ------------------------------------------------------------------------------------------


def test_r_06_what_knocks_before_it_is_there_is_answered_when_it_is(site: Site) -> None:
    """The supervisor holds the socket: the call waits in it, and is answered when the first look has put all right."""
    site.namespace.run("ip", "link", "add", "lwhleftover", "type", "bridge")
    site.namespace.run("ip", "link", "set", "lwhleftover", "alias", f"linkwright:default:{OTHER}")
    given = listening(site.plugins / "lw-bridge.sock")
    with given, socket.socket(socket.AF_UNIX) as docker:
        docker.connect(str(site.plugins / "lw-bridge.sock"))
        post(docker, "Plugin.Activate")

        site.start(ONLY_BRIDGE, given=[given])

        assert "NetworkDriver" in answer(docker)
        assert "lwhleftover" not in site.links()


def test_a_socket_for_a_driver_that_is_not_loaded_is_answered_too(site: Site) -> None:
    """The supervisor holds it, so Docker gets through; unanswered, its command would hang without end."""
    given = listening(site.plugins / "lw-macvlan.sock")
    with given, socket.socket(socket.AF_UNIX) as docker:
        site.ready(ONLY_BRIDGE, given=[given])
        docker.connect(str(site.plugins / "lw-macvlan.sock"))
        post(docker, "Plugin.Activate")

        said = answer(docker)

    assert said.startswith("HTTP/1.1 500")
    assert "pip install linkwright-macvlan" in said


def test_r_08_sockets_that_were_handed_over_are_left_for_the_next(site: Site) -> None:
    """Of the others the files go; in these, calls wait for the next process and are served by it."""
    given = listening(site.plugins / "lw-bridge.sock")
    with given, socket.socket(socket.AF_UNIX) as docker:
        first = site.ready(ONLY_BRIDGE, given=[given])
        assert site.call("Plugin.Activate")
        assert first.stop() == 0
        assert site.sockets == ["plugins/lw-bridge.sock"]

        docker.connect(str(site.plugins / "lw-bridge.sock"))
        post(docker, "IpamDriver.RequestPool", {"AddressSpace": SPACE, "Pool": "10.1.0.0/24", "V6": False})
        site.ready(ONLY_BRIDGE, given=[given])

        assert f"{SPACE}/10.1.0.0/24" in answer(docker)


def test_r_08_calls_that_are_inside_are_answered_before_it_goes(site: Site) -> None:
    """SIGTERM among many calls: each is done or refused in words, and none is cut off."""
    program = site.ready(ONLY_BRIDGE)
    busy(site)
    clients = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    for number, one in enumerate(clients):
        one.connect(str(site.plugins / "lw-bridge.sock"))
        post(one, "Plugin.Activate")
        assert "Implements" in answer(one)
        post(one, "NetworkDriver.CreateEndpoint", endpoint_request(f"{number:02x}" * 32, f"10.1.0.{number + 100}/24"))

    program.process.send_signal(signal.SIGTERM)
    answers = [answer(one) for one in clients]
    assert program.ended() == 0

    assert all("MacAddress" in each or "going down" in each for each in answers), answers
    done = sum("MacAddress" in each for each in answers)
    assert done == len([link for link in site.links() if link.startswith("lwh")]) - 2
    for one in clients:
        one.close()


# --- published ports -----------------------------------------------------------------------------------------------


def publish(site: Site, endpoint: str, port: int, protocol: int = 6) -> object:
    """Say that an endpoint is the way outside, with one port to publish; return what is answered."""
    binding = {"Proto": protocol, "IP": "", "Port": 80, "HostIP": "", "HostPort": port, "HostPortEnd": port}
    options = {"com.docker.network.portmap": [binding]}
    about = {"NetworkID": NETWORK, "EndpointID": endpoint, "Options": options}
    return site.call("NetworkDriver.ProgramExternalConnectivity", about)


def takes(site: Site, port: int) -> bool:
    """Whether another process can have a TCP port of every address."""
    with site.namespace.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("0.0.0.0", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        return True


def test_r_01_a_published_port_is_nobody_elses_while_we_are_away(site: Site) -> None:
    """The supervisor keeps the sockets of a process that is killed, and the next one takes them back."""
    first = site.ready(ONLY_BRIDGE)
    busy(site)
    assert publish(site, "c" * 64, 8080) == {}
    kept = first.keeps(1)
    first.stop(signal.SIGKILL)
    assert not takes(site, 8080)

    names = ":".join(name for name, _ in kept)
    second = site.ready(ONLY_BRIDGE, given=[one for _, one in kept], environ={"LISTEN_FDNAMES": names})
    for _, one in kept:
        one.close()
    assert not takes(site, 8080)
    assert "8080" in str(publish(site, "d" * 64, 8080))

    assert site.call("NetworkDriver.Leave", {"NetworkID": NETWORK, "EndpointID": "c" * 64}) == {}
    assert takes(site, 8080)
    assert second.stop() == 0


def test_it_may_have_as_many_descriptors_as_it_is_allowed(site: Site) -> None:
    """The soft limit is 1024 for the sake of select(2), and each published port takes one or two."""
    program = site.ready(ONLY_BRIDGE)

    limits = Path(f"/proc/{program.process.pid}/limits").read_text()
    soft, hard = next(line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files"))

    assert soft == hard


# --- a second one --------------------------------------------------------------------------------------------------


def test_a_second_daemon_is_refused_in_one_line_and_the_first_goes_on(site: Site) -> None:
    """With a state of its own even: in one namespace they would undo each other's work."""
    site.ready(ONLY_BRIDGE)

    second = site.start(ONLY_BRIDGE, folder=site.folder / "second")

    assert second.ended() == 1
    assert "another linkwright of instance 'default' runs in this network namespace as process" in second.said
    assert "Traceback" not in second.said
    assert site.sockets == SOCKETS
    assert site.call("Plugin.Activate")


def test_another_instance_at_the_same_sockets_is_refused_in_one_line(site: Site) -> None:
    """It has locks and tables of its own, but Docker knows a plugin by its socket."""
    site.ready(ONLY_BRIDGE)
    rules = site.namespace.run("nft", "list", "tables")

    second = site.start(ONLY_BRIDGE, "--instance=blue", f"--state-dir={site.folder / 'blue'}")

    assert second.ended() == 1
    assert "another process listens on" in second.said
    assert "Traceback" not in second.said
    assert "linkwright" in rules
    assert site.sockets == SOCKETS
    assert site.call("Plugin.Activate")


def test_two_instances_with_names_of_their_own_run_side_by_side(site: Site) -> None:
    """Each sees its own networks, and sweeps none of the other's."""
    site.ready(ONLY_BRIDGE)
    busy(site)
    links = site.links()

    options = (
        "--instance=blue",
        "--prefix=blue-",
        f"--state-dir={site.folder / 'blue'}",
        f"--run-dir={site.folder / 'b'}",
    )
    site.ready(ONLY_BRIDGE, *options)

    assert links == site.links()
    assert site.call("NetworkDriver.EndpointOperInfo", {"NetworkID": NETWORK, "EndpointID": "c" * 64})["Value"]
    unknown = site.call(
        "NetworkDriver.EndpointOperInfo", {"NetworkID": NETWORK, "EndpointID": "c" * 64}, plugin="blue-bridge"
    )
    assert "not known here" in unknown["Err"]


def test_a_metrics_port_that_is_taken_is_refused_in_one_line(site: Site) -> None:
    """With the address, and what to do about it."""
    with site.namespace.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        site.namespace.run("ip", "link", "set", "lo", "up")
        taken.bind(("127.0.0.1", 9477))
        taken.listen()

        program = site.start(ONLY_BRIDGE, "--metrics=127.0.0.1:9477")

        assert program.ended() == 1
    assert "127.0.0.1:9477" in program.said
    assert "--metrics" in program.said
    assert "Traceback" not in program.said


# --- crashes -------------------------------------------------------------------------------------------------------


def test_r_01_killed_and_started_again_it_changes_nothing_in_the_kernel(site: Site) -> None:
    """The containers do not notice: from the kill to the next READY and beyond, the kernel tells of no change."""
    first = site.ready(ONLY_BRIDGE)
    busy(site)
    rules = site.namespace.run("nft", "list", "ruleset")

    with watched(site.namespace) as changes:
        assert first.stop(signal.SIGKILL) == -signal.SIGKILL
        assert site.sockets == SOCKETS  # stale, and no obstacle
        site.ready(ONLY_BRIDGE)
        assert site.call("NetworkDriver.EndpointOperInfo", {"NetworkID": NETWORK, "EndpointID": "c" * 64})["Value"]

    assert changes == []
    assert rules == site.namespace.run("nft", "list", "ruleset")


def test_the_watch_of_the_test_above_sees_what_it_is_for(site: Site) -> None:
    """A test that a silent kernel passes must be one that a change fails."""
    with watched(site.namespace) as changes:
        site.namespace.run("ip", "link", "add", "other", "type", "bridge")
        site.namespace.run("ip", "address", "add", "192.0.2.1/24", "dev", "other")

    assert any("other" in line for line in changes)
    assert any("192.0.2.1/24" in line for line in changes)


def test_r_02_what_a_crash_left_half_done_is_gone_after_the_next_start(site: Site) -> None:
    """A link of a call that was never stored, and an element of our table; what is stored stays."""
    first = site.ready(ONLY_BRIDGE)
    busy(site)
    links = site.links()
    first.stop(signal.SIGKILL)
    site.namespace.run("ip", "link", "add", "lwh000000000000", "type", "veth", "peer", "name", "lwc000000000000")
    site.namespace.run("ip", "link", "set", "lwh000000000000", "alias", f"linkwright:default:{NETWORK}/{'00' * 32}")

    site.ready(ONLY_BRIDGE)

    assert links == site.links()


def test_l_13_calls_of_all_kinds_at_once_over_real_sockets(site: Site) -> None:
    """Thirty-two threads, each a docker run and a docker rm: all succeed, and in the end nothing is left of them."""
    site.ready(ONLY_BRIDGE)
    busy(site)
    failed: list[object] = []
    before = site.links()

    def life(number: int) -> None:
        endpoint = f"{number + 16:02x}" * 32
        about = {"NetworkID": NETWORK, "EndpointID": endpoint}
        request = endpoint_request(endpoint, f"10.1.0.{number + 50}/24")
        calls = [
            ("CreateEndpoint", request),
            ("Join", about | {"SandboxKey": SANDBOX, "Options": {}}),
            ("EndpointOperInfo", about),
            ("Leave", about),
            ("DeleteEndpoint", about),
        ]
        failed.extend(
            said for name, document in calls if "Err" in (said := site.call(f"NetworkDriver.{name}", document))
        )

    threads = [threading.Thread(target=life, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failed == []
    assert before == site.links()


def test_status_tells_when_everything_was_looked_at(site: Site) -> None:
    """An operator sees that the reconciler lives; at the start everything has been looked at once."""
    site.ready(ONLY_BRIDGE)

    said = site.ask("run/admin.sock", "GET", "/status")

    assert said["reconcile"]["last_look"]
    assert said["ready"] is True
