"""Which way traffic goes to and from bridge networks, as Docker's users see it, when something around it changes."""

import json
import subprocess
import sys
from http import HTTPStatus

import pytest

from tests.docker.containers import create, start
from tests.docker.daemon import Daemon
from tests.docker.ports import Knock, answering, answers, heard
from tests.docker.sources import seen_source
from tests.docker.until import until
from tests.engines import Dockerd, Outside

HOST4, HOST6 = "192.0.2.1", "2001:db8::1"
BRIDGE_OPTION = "com.docker.network.bridge"


def test_b_07_the_mtu_is_that_of_the_default_route_in_the_main_table(dockerd: Dockerd, daemon: Daemon) -> None:
    """As hosts commonly have it; with two, that of the one with the lower metric."""
    with Outside() as world:
        world.plug(dockerd.host, 1, mtu=1450)
        dockerd.host.run(["ip", "route", "add", "default", "dev", "docker0", "metric", "4000"])
        made = create(dockerd, "one", "--subnet=10.2.0.0/24")
        (bridge,) = json.loads(dockerd.host.run(["ip", "-j", "link", "show", f"lwb{made[:12]}"]).stdout)
        assert (bridge["mtu"], start(dockerd, "first", "one").links()["eth0"]["mtu"]) == (1450, 1450)
        dockerd.host.run(["ip", "route", "del", "default", "dev", "docker0"])


@pytest.fixture
def strict(dockerd: Dockerd) -> Dockerd:
    """A host that drops what comes in where its answer would not go out."""
    settings = ("net.ipv4.conf.all.rp_filter", "net.ipv4.conf.default.rp_filter")
    dockerd.host.run(["sysctl", "-q", "-w", *(f"{one}=1" for one in settings)])
    return dockerd


def test_b_26_a_container_on_two_networks_answers_by_either(strict: Dockerd, daemon: Daemon, outside: Outside) -> None:
    """Beside a strict ``rp_filter``: its port is reached from outside and from the second network, whichever leads out.

    When the network that led out is left, the port goes with the other.
    """
    create(strict, "aa", "--subnet=10.2.0.0/24")
    create(strict, "bb", "--subnet=10.3.0.0/24")
    target = start(strict, "target", "aa", "-p", "8080:80", "-p", "8080:80/udp")
    strict.docker("network", "connect", "bb", "target")
    beside = start(strict, "beside", "bb")
    knocks: list[Knock] = [("tcp", HOST4, 8080), ("udp", HOST4, 8080)]
    with answering(target, "target", [80]):
        assert answers(outside, knocks) == ["target"] * 2
        assert answers(strict.host, knocks) == ["target"] * 2
        # not by UDP: who listens on all its addresses answers there from the one that is nearest
        assert answers(beside, [("tcp", "10.3.0.2", 80), ("tcp", HOST4, 8080)]) == ["target"] * 2
        strict.docker("network", "disconnect", "aa", "target")
        assert answers(outside, knocks) == ["target"] * 2
        assert answers(beside, knocks) == ["target"] * 2


def test_b_23_after_a_flush_of_everything_ports_and_isolation_are_back(
    fresh_dockerd: Dockerd, fresh_daemon: Daemon
) -> None:
    """``nft flush ruleset`` takes Docker's rules too; ours come back by themselves, for those that are still there.

    A container that goes while nothing of ours is there leaves no rule either.
    """
    dockerd, daemon, host = fresh_dockerd, fresh_daemon, fresh_dockerd.host
    daemon.start()
    with Outside() as outside:
        outside.plug(host, 1)
        create(dockerd, "one", "--subnet=10.2.0.0/24")
        create(dockerd, "two", "--subnet=10.3.0.0/24")
        web, near = start(dockerd, "web", "one", "-p", "8080:80"), start(dockerd, "near", "one")
        far = start(dockerd, "far", "two", "-p", "8081:80")
        listed = ["nft", "-s", "list", "table", "inet", "linkwright"]
        with answering(web, "web", [80]):
            host.run(["nft", "flush", "ruleset"])
            until(lambda: answers(outside, [("tcp", HOST4, 8080)]) == ["web"], "the port is back")
            assert answers(near, [("tcp", "10.2.0.2", 80)]) == ["web"]
            assert heard(far, [("tcp", "10.2.0.2", 80)]) == []
            assert seen_source(outside, outside.ipv4.ip, near) == HOST4
            host.run(["nft", "flush", "ruleset"])
            assert dockerd.api("DELETE", "/containers/far?force=1")[0] == HTTPStatus.NO_CONTENT
            until(lambda: answers(outside, [("tcp", HOST4, 8080)]) == ["web"], "the port is back")
            until(lambda: "8080" in host.run(listed, check=False).stdout, "the rules are back")
            assert "8081" not in host.run(listed).stdout
            assert "10.3.0.2" not in host.run(listed).stdout
    dockerd.clean()


_FLOW = """
import socket, sys
with socket.socket(type=socket.SOCK_DGRAM) as way:
    way.bind(("0.0.0.0", 5555))
    way.settimeout(0.2)
    for line in sys.stdin:
        heard = ""
        for _ in range(50):
            way.sendto(b"who?", (sys.argv[1], 8080))
            try:
                heard = way.recv(64).decode()
                break
            except OSError:
                pass
        print(heard, flush=True)
"""


def test_a_flow_that_goes_on_follows_the_port_to_the_next_container(
    dockerd: Dockerd, daemon: Daemon, outside: Outside
) -> None:
    """A client that keeps asking by UDP from one port of its own reaches the container that has the port now.

    Connection tracking of the old holder, and of the time in which nobody had it, is in nobody's way; a flow to
    another port of the host is not disturbed.
    """
    create(dockerd, "one", "--subnet=10.2.0.0/24")
    kept = start(dockerd, "kept", "one", "-p", "8081:80/udp")
    pipe = subprocess.PIPE
    client = outside.popen([sys.executable, "-c", _FLOW, HOST4], stdin=pipe, stdout=pipe, text=True)
    to_client, from_client = client.stdin, client.stdout
    assert to_client is not None
    assert from_client is not None

    def asked() -> str:
        to_client.write("ask\n")
        to_client.flush()
        return str(from_client.readline().strip())

    flow = ["conntrack", "-L", "-p", "udp", "--orig-port-dst", "8081"]
    with answering(kept, "kept", [80]):
        assert answers(outside, [("udp", HOST4, 8081)]) == ["kept"]
        before = dockerd.host.run(flow).stdout.count("dport=8081")
        for name in ("first", "second"):
            holder = start(dockerd, name, "one", "-p", "8080:80/udp")
            with answering(holder, name, [80]):
                assert asked() == name
            dockerd.docker("rm", "-f", name)
        assert dockerd.host.run(flow).stdout.count("dport=8081") == before > 0
    client.communicate()


def test_without_masquerade_containers_go_out_as_themselves(dockerd: Dockerd, daemon: Daemon, outside: Outside) -> None:
    """The outside sees the container's own address, and the host's where the option is left out; of both families."""
    own = (
        "--ipv6",
        "--subnet=10.2.0.0/24",
        "--subnet=fd00:2::/64",
        "-o",
        f"{BRIDGE_OPTION}.enable_ip_masquerade=false",
    )
    create(dockerd, "one", *own)
    for subnet, by in (("10.2.0.0/24", HOST4), ("fd00:2::/64", HOST6)):
        outside.run(["ip", "route", "add", subnet, "via", by])
    first = start(dockerd, "first", "one")
    assert seen_source(outside, outside.ipv4.ip, first) == "10.2.0.2"
    assert seen_source(outside, outside.ipv6.ip, first) == "fd00:2::2"


def test_ports_without_an_address_are_on_the_one_of_the_network(
    dockerd: Dockerd, daemon: Daemon, outside: Outside
) -> None:
    """``host_binding_ipv4`` is where ``-p 8080:80`` answers, and nowhere else; an address of one's own goes before."""
    create(dockerd, "one", "--subnet=10.2.0.0/24", "-o", f"{BRIDGE_OPTION}.host_binding_ipv4=127.0.0.1")
    target = start(dockerd, "target", "one", "-p", "8080:80", "-p", f"{HOST4}:8081:80")
    with answering(target, "target", [80]):
        assert answers(dockerd.host, [("tcp", "127.0.0.1", 8080), ("tcp", HOST4, 8081)]) == ["target"] * 2
        assert heard(outside, [("tcp", HOST4, 8080), ("tcp", HOST6, 8080)]) == []
        assert answers(outside, [("tcp", HOST4, 8081)]) == ["target"]


def test_who_the_gateway_is_can_be_said(dockerd: Dockerd, daemon: Daemon) -> None:
    """Somebody else by ``DefaultGatewayIPv4``, or by ``inhibit_ipv4``, which leaves the bridge without an address."""
    create(dockerd, "named", "--subnet=10.2.0.0/24", "--aux-address=DefaultGatewayIPv4=10.2.0.254")
    bare = create(dockerd, "bare", "--subnet=10.3.0.0/24", "-o", f"{BRIDGE_OPTION}.inhibit_ipv4=true")
    assert start(dockerd, "first", "named").default_routes() == {"10.2.0.254": "eth0"}
    second = start(dockerd, "second", "bare")
    assert second.default_routes() == {"10.3.0.1": "eth0"}
    assert second.is_cut_off_from("10.3.0.1")
    assert "10.3.0.1" not in dockerd.host.run(["ip", "address", "show", "dev", f"lwb{bare[:12]}"]).stdout
    assert second.reaches(start(dockerd, "third", "bare").addresses().pop().partition("/")[0])


def test_what_interfaces_are_called_can_be_said(dockerd: Dockerd, daemon: Daemon) -> None:
    """``container_iface_prefix``: in a container of two networks, each has its own network's name."""
    create(dockerd, "one", "--subnet=10.2.0.0/24", "-o", "com.docker.network.container_iface_prefix=lan")
    create(dockerd, "two", "--subnet=10.3.0.0/24")
    first = start(dockerd, "first", "one")
    dockerd.docker("network", "connect", "two", "first")
    assert {name.rstrip("0123456789") for name in first.links()} == {"lan", "eth"}


def test_a_trusted_link_reaches_containers_by_their_own_addresses(
    dockerd: Dockerd, daemon: Daemon, outside: Outside
) -> None:
    """From ``trusted_host_interfaces`` all ports are open, of that network alone."""
    trusting = ("-o", f"{BRIDGE_OPTION}.trusted_host_interfaces=nosuch0:up0")
    create(dockerd, "one", "--subnet=10.2.0.0/24", *trusting)
    create(dockerd, "two", "--subnet=10.3.0.0/24")
    open_, shut = start(dockerd, "open", "one"), start(dockerd, "shut", "two")
    for subnet in ("10.2.0.0/24", "10.3.0.0/24"):
        outside.run(["ip", "route", "add", subnet, "via", HOST4])
    with answering(open_, "open", [80]), answering(shut, "shut", [80]):
        assert answers(outside, [("tcp", "10.2.0.2", 80), ("udp", "10.2.0.2", 80)]) == ["open"] * 2
        assert answers(dockerd.host, [("tcp", "10.3.0.2", 80)]) == ["shut"]
        assert heard(outside, [("tcp", "10.3.0.2", 80), ("udp", "10.3.0.2", 80)]) == []
