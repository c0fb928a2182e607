"""What a user of Docker sees of the plugin protocol, and what only the sockets show: patience, and a blocked disk."""

import http.client
import json
import resource
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from linkwright.wire import ROUTES
from tests.docker.containers import create, network, refused, start
from tests.docker.daemon import Daemon
from tests.docker.disks import blocked
from tests.docker.leaks import difference, snapshot
from tests.docker.window import Window
from tests.engines import Dockerd


def test_p_01_docker_lists_the_plugins(dockerd: Dockerd, daemon: Daemon) -> None:
    """After its first use the driver is among Docker's network plugins, under its socket's name."""
    create(dockerd, "one", "--subnet=10.3.0.0/24")
    assert "lw-bridge" in dockerd.api("GET", "/info")[1]["Plugins"]["Network"]


@pytest.mark.netns
@pytest.mark.parametrize(
    ("name", "implements"), [("bridge", {"NetworkDriver", "IpamDriver"}), ("ipam", {"IpamDriver"})]
)
def test_p_01_activation_names_what_a_socket_serves(alone: Daemon, name: str, implements: set[str]) -> None:
    """A driver's socket serves both interfaces, the one for addresses that alone, as the plugin content type."""
    with alone.connect(name) as connection:
        connection.request("POST", "/Plugin.Activate")
        response = connection.getresponse()
        kind, body = response.getheader("Content-Type"), response.read().decode()
    assert (response.status, kind) == (200, "application/vnd.docker.plugins.v1.2+json")
    assert set(alone.call("Plugin.Activate", name=name)["Implements"]) == implements, body


def test_p_02_a_network_is_of_local_scope(dockerd: Dockerd, daemon: Daemon) -> None:
    """Docker shows networks as local to this host, whatever it was told to believe."""
    create(dockerd, "one", "--subnet=10.3.0.0/24", "--scope=local")
    assert network(dockerd, "one")["Scope"] == "local"


POOL = {"AddressSpace": "linkwright-local", "Pool": "10.3.0.0/24", "SubPool": "", "Options": {}, "V6": False}


@pytest.mark.netns
def test_p_03_constants_are_answered_while_the_disk_is_blocked(alone: Daemon) -> None:
    """A thousand questions for capabilities and address spaces are answered while a commit waits for the disk.

    The commit itself is answered when the disk is back, or with a reason.
    """
    answers: list[tuple[int, dict[str, str]]] = []

    def commit() -> None:
        with alone.connect("ipam") as connection:
            answers.append(connection.post("IpamDriver.RequestPool", POOL))

    waiting = threading.Thread(target=commit)
    with blocked(alone), alone.connect("ipam") as connection:
        waiting.start()
        for _ in range(500):
            status, capabilities = connection.post("IpamDriver.GetCapabilities")
            spaces = connection.post("IpamDriver.GetDefaultAddressSpaces")[1]
            assert (status, capabilities["RequiresRequestReplay"]) == (200, True)
            local, distant = spaces["LocalDefaultAddressSpace"], spaces["GlobalDefaultAddressSpace"]
            assert local
            assert distant
            assert local != distant
        assert not any("PoolID" in answer for _, answer in answers), "the disk was not blocked"
    waiting.join()
    ((status, answer),) = answers
    assert (status, bool(answer.get("PoolID") or answer.get("Error"))) == (200, True)
    alone.call("IpamDriver.ReleasePool", {"PoolID": "linkwright-local/10.3.0.0/24"}, name="ipam")


@pytest.mark.netns
@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [("POST", "/NetworkDriver.Nope", 404), ("GET", "/Plugin.Activate", 405), ("POST", "/../x", 404)],
)
def test_p_04_what_is_no_call_is_told_so(alone: Daemon, verb: str, path: str, status: int) -> None:
    """Another path or verb is answered with 404 or 405 and a reason, on a connection that goes on."""
    with alone.connect() as connection:
        connection.request(verb, path)
        response = connection.getresponse()
        assert (response.status, bool(json.loads(response.read())["Err"])) == (status, True)
        assert connection.post("Plugin.Activate")[0] == 200


BROKEN = {
    "cut off": b'{"NetworkID": "',
    "a list": b"[]",
    "null": b"null",
    "no text": b'{"NetworkID": "\xff"}',
    "none": b"",
}


@pytest.mark.netns
@pytest.mark.parametrize("broken", BROKEN)
def test_p_05_a_broken_body_changes_nothing(alone: Daemon, broken: str) -> None:
    """On every call that takes arguments it is answered with 4xx and a reason, and the state is what it was."""
    before = alone.export()
    with alone.connect() as connection:
        for route in (route for route in ROUTES.values() if route.takes_arguments):
            connection.request("POST", route.path, BROKEN[broken])
            response = connection.getresponse()
            answer = json.loads(response.read())
            assert (400 <= response.status < 500, bool(answer["Err"])) == (True, True), route.path
    assert alone.export() == before


@pytest.mark.netns
def test_p_06_a_huge_body_is_refused_and_not_kept(alone: Daemon) -> None:
    """Ten megabytes are refused with a reason, and the daemon has not grown by them."""
    before = resident(alone)
    with alone.connect() as connection:
        connection.connect()
        assert connection.sock is not None
        head = f"POST /NetworkDriver.Leave HTTP/1.1\r\nHost: x\r\nContent-Length: {HUGE}\r\n\r\n"
        with suppress(BrokenPipeError, ConnectionResetError):  # it need not read on once it has had enough
            connection.sock.sendall(head.encode() + b" " * HUGE)
        answer = http.client.HTTPResponse(connection.sock)
        answer.begin()
        assert (answer.status, "is larger than" in answer.read().decode()) == (413, True)
    assert resident(alone) - before < HUGE
    assert alone.call("Plugin.Activate")["Implements"]


HUGE = 10 * 1024 * 1024


def resident(daemon: Daemon) -> int:
    """How many bytes of memory the daemon holds."""
    pages = int(Path(f"/proc/{daemon.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def test_p_08_inspect_shows_the_hardware_address_that_we_chose(dockerd: Dockerd, daemon: Daemon) -> None:
    """A hardware address that the user left open is unicast, locally administered, and what inspect shows."""
    create(dockerd, "one", "--subnet=10.3.0.0/24")
    container = start(dockerd, "first", "one")
    shown = container.shown("one")["MacAddress"]
    assert (int(shown[:2], 16) & 3, container.links()["eth0"]["address"]) == (2, shown)


def test_p_14_an_internal_network_gives_one_interface(dockerd: Dockerd, daemon: Daemon) -> None:
    """A container of an internal network has one interface, and Docker makes no gateway bridge behind its back."""
    create(dockerd, "one", "--internal", "--subnet=10.3.0.0/24")
    container = start(dockerd, "first", "one")
    assert list(container.links()) == ["eth0"]
    assert dockerd.api("GET", "/networks/docker_gwbridge")[0] == 404


def test_p_14_a_network_with_a_gateway_gives_one_interface(dockerd: Dockerd, daemon: Daemon) -> None:
    """The same holds where a container has a way outside, and where the user asked for no gateway."""
    create(dockerd, "one", "--subnet=10.3.0.0/24")
    create(dockerd, "two", "--subnet=10.3.1.0/24", "-o", "gateway=false")
    for name, routes in (("one", {"10.3.0.1": "eth0"}), ("two", {})):
        container = start(dockerd, f"in-{name}", name)
        assert (list(container.links()), container.default_routes()) == (["eth0"], routes)
    assert dockerd.api("GET", "/networks/docker_gwbridge")[0] == 404


@pytest.mark.netns
def test_p_15_an_endpoint_that_fails_half_way_leaves_nothing(alone: Daemon) -> None:
    """Where a stranger's link has the name that the endpoint's would get, the refusal says so and nothing is made."""
    network, endpoint = "a" * 64, "b" * 64
    pool = alone.call("IpamDriver.RequestPool", POOL)
    data = {"AddressSpace": "linkwright-local", "Pool": pool["Pool"], "Gateway": "10.3.0.1/24"}
    alone.call("NetworkDriver.CreateNetwork", {"NetworkID": network, "IPv4Data": [data], "IPv6Data": [], "Options": {}})
    alone.host.run(["ip", "link", "add", f"lwh{endpoint[:12]}", "type", "bridge"])
    before = snapshot(alone.host, alone)
    interface = {"Address": "10.3.0.2/24", "AddressIPv6": "", "MacAddress": ""}
    wanted = {"NetworkID": network, "EndpointID": endpoint, "Interface": interface, "Options": {}}
    assert "that is not linkwright's" in alone.refusal("NetworkDriver.CreateEndpoint", wanted)
    assert difference(before, snapshot(alone.host, alone)) == []
    alone.host.run(["ip", "link", "del", f"lwh{endpoint[:12]}"])
    alone.call("IpamDriver.ReleasePool", {"PoolID": pool["PoolID"]})
    alone.call("NetworkDriver.DeleteNetwork", {"NetworkID": network})


def test_p_11_what_we_do_not_know_can_be_removed(dockerd: Dockerd, daemon: Daemon, window: Window) -> None:
    """A network that Docker has and we lost is removed like any other, and the unknown id is counted."""
    create(dockerd, "one", "--subnet=10.3.0.0/24")
    daemon.stop()
    for path in daemon.state.iterdir():
        path.unlink()
    daemon.start()
    dockerd.docker("network", "rm", "one")
    window.expect_restart()
    window.expect("linkwright_rpc_unknown_total", call="DeleteNetwork")
    for counter in ("linkwright_drift_found_total", "linkwright_drift_repaired_total"):
        window.expect_some(counter, kind="leftover")


MIXED = (
    ("Plugin.Activate", None),
    ("NetworkDriver.GetCapabilities", None),
    ("IpamDriver.GetCapabilities", None),
    ("IpamDriver.ReleaseAddress", {"PoolID": "linkwright-local/10.3.9.0/24", "Address": "10.3.9.9"}),
    ("NetworkDriver.Leave", {"NetworkID": "0" * 64, "EndpointID": "1" * 64}),
    ("NetworkDriver.DiscoverNew", {"DiscoveryType": 1, "DiscoveryData": {"Address": "192.0.2.9", "Self": True}}),
)


@pytest.mark.netns
def test_p_20_a_slow_client_is_closed_and_disturbs_nobody(alone: Daemon) -> None:
    """While a client has sent half a body and waits, 64 others are answered; the slow one is told why, and closed."""
    with alone.connect() as slow:
        slow.connect()
        assert slow.sock is not None
        slow.sock.sendall(b'POST /NetworkDriver.Leave HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"NetworkID":')
        with ExitStack() as stack:
            others = [stack.enter_context(alone.connect()) for _ in range(64)]
            for number, other in enumerate(others):
                method, body = MIXED[number % len(MIXED)]
                other.request("POST", f"/{method}", None if body is None else json.dumps(body))
            assert [other.getresponse().status for other in others] == [200] * 64
        answer = http.client.HTTPResponse(slow.sock)
        answer.begin()
        assert (answer.status, b"did not arrive whole" in answer.read()) == (408, True)
        assert slow.sock.recv(1) == b""


def test_p_21_a_network_without_gateway_gives_away_its_first_address(
    dockerd: Dockerd, daemon: Daemon, engine: str
) -> None:
    """With ``-o gateway=false``, an engine that asks beforehand leaves the first address to a container."""
    create(dockerd, "one", "--subnet=10.3.0.0/24", "-o", "gateway=false")
    container = start(dockerd, "first", "one")
    asks = engine != "20.10"  # GwAllocCheck came with 28
    assert container.addresses() == {"10.3.0.1/24" if asks else "10.3.0.2/24"}


def test_p_21_a_wrong_option_is_refused_before_any_address_is_taken(
    dockerd: Dockerd, daemon: Daemon, window: Window, engine: str
) -> None:
    """An engine that asks about gateways gets the refusal there, and no pool is ever held."""
    said = refused(dockerd, *NETWORK, "-o", "gateway=perhaps", "one")
    assert "option gateway='perhaps' of driver bridge: write true or false" in said
    asks = engine != "20.10"
    window.expect_refusal("NetworkDriver.GwAllocCheck" if asks else "NetworkDriver.CreateNetwork")


NETWORK = ("network", "create", "--driver=lw-bridge", "--ipam-driver=lw-ipam", "--subnet=10.3.0.0/24")


def test_p_22_an_unknown_option_is_refused_with_the_nearest(
    dockerd: Dockerd, daemon: Daemon, window: Window, engine: str
) -> None:
    """The user is told which option is unknown and which was probably meant; Docker's own labels pass."""
    said = refused(dockerd, *NETWORK, "-o", "com.example.nb.mut=1400", "one")
    assert "no option 'com.example.nb.mut'; did you mean 'com.docker.network.driver.mtu'?" in said
    window.expect_refusal("NetworkDriver.CreateNetwork" if engine == "20.10" else "NetworkDriver.GwAllocCheck")
    dockerd.docker(*NETWORK, "-o", "com.docker.network.enable_ipv6=false", "--label", "any=thing", "one")


IFNAME = "com.docker.network.endpoint.ifname"


def test_p_23_a_name_for_the_interface(dockerd: Dockerd, daemon: Daemon) -> None:
    """A container whose interface was given a name runs; these engines do not hand the name on, and it is eth0."""
    create(dockerd, "one", "--subnet=10.3.0.0/24")
    container = start(dockerd, "first", f"name=one,driver-opt={IFNAME}=foo0")
    assert list(container.links()) == ["eth0"]


@pytest.mark.parametrize("name", ["sixteen-bytes-xx", "a/b", "."])
def test_p_23_a_name_that_no_interface_can_have_is_refused(
    dockerd: Dockerd, daemon: Daemon, window: Window, name: str
) -> None:
    """The user is told which name cannot be, and why; the container has no endpoint then."""
    create(dockerd, "one", "--subnet=10.3.0.0/24")
    said = refused(dockerd, "run", "-d", "--network", f"name=one,driver-opt={IFNAME}={name}", "busybox:lw")
    assert f"'{name}' is no interface name" in said
    assert network(dockerd, "one")["Containers"] == {}
    window.expect_refusal("NetworkDriver.CreateEndpoint")


def test_p_22_a_container_is_told_why_it_cannot_start(dockerd: Dockerd, daemon: Daemon, window: Window) -> None:
    """What an endpoint is refused for reaches the user of ``docker run`` in full."""
    create(dockerd, "one", "--subnet=10.3.0.0/24")
    group = "01:00:5e:00:00:01"
    said = refused(dockerd, "run", "-d", "--network=one", f"--mac-address={group}", "busybox:lw")
    assert f"{group} is a group address; an interface needs a unicast one" in said
    window.expect_refusal("NetworkDriver.CreateEndpoint")
