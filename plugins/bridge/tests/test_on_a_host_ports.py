"""How containers of the bridge driver are reached, on the real kernel: published ports, gateway modes."""

import json
from ipaddress import ip_address
from typing import Any

import pytest
import trio
from plugins.bridge.tests.hosted import (
    HTTP,
    OUTSIDE4,
    OUTSIDE6,
    UPLINK4,
    UPLINK6,
    Docker,
    answers,
    id_of,
    reached,
    serve,
    until,
)

from linkwright.model import PortBinding, Protocol
from linkwright.testkit.place import Place

pytestmark = pytest.mark.netns


# --- published ports ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bridged", ["0", "1"])
async def test_b_12_a_container_reaches_itself_and_its_siblings_by_the_port_of_the_host(
    docker: Docker, bridged: str
) -> None:
    """Of both families, whether or not bridged frames pass the firewall, which may change at any time.

    The port of the one that publishes sends back, and no other.
    """
    docker.let_bridged_frames_pass_the_firewall(bridged)
    await docker.network("web", "10.1.0.0/24", "fd00:1::/64")
    one = await docker.run("web", "one", "10.1.0.2/24", "fd00:1::2/64", ports=[HTTP])
    two = await docker.run("web", "two", "10.1.0.3/24", "fd00:1::3/64")
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, one, 80)
        for asking in (one, two, docker.outside, docker.host):
            for address in (UPLINK4, UPLINK6):
                assert await answers(asking, address, 8080), (asking, address)
        for address in ("127.0.0.1", "::1"):
            assert await answers(docker.host, address, 8080), address
        nursery.cancel_scope.cancel()
    assert sending_back(docker) == ["one"]
    await docker.engine.endpoints.revoke(id_of("web"), id_of("one"))
    assert sending_back(docker) == []


async def test_b_12_a_port_that_somebody_kept_from_sending_back_is_put_right(docker: Docker) -> None:
    """And one that sends back for no reason does so no more."""
    docker.let_bridged_frames_pass_the_firewall("1")
    await docker.network("web", "10.1.0.0/24")
    await docker.run("web", "one", "10.1.0.2/24", ports=[HTTP])
    await docker.run("web", "two", "10.1.0.3/24")
    docker.host.run("bridge", "link", "set", "dev", f"lwh{id_of('one')[:12]}", "hairpin", "off")
    docker.host.run("bridge", "link", "set", "dev", f"lwh{id_of('two')[:12]}", "hairpin", "on")
    await docker.engine.reconcile.heal()
    assert sending_back(docker) == ["one"]
    assert (await docker.engine.reconcile.plan()).steps == ()


@pytest.mark.parametrize("inside", [("10.1.0.2/24",), ("10.1.0.2/24", "fd00:1::2/64")], ids=["IPv4", "both"])
async def test_b_05_an_internal_network_does_not_reach_what_is_relayed(docker: Docker, inside: tuple[str, ...]) -> None:
    """By no address of the host, the gateway's link-local one among them; what the host itself serves it does reach."""
    await docker.network("web", *("10.1.0.0/24", "fd00:1::/64")[: len(inside)])
    bridge = await docker.network("alone", "10.9.0.0/24", "fd00:9::/64", internal=True)
    at_one = PortBinding(Protocol.TCP, 80, ip_address(UPLINK6), host_port=8081, host_port_end=8081)
    one = await docker.run("web", "one", *inside, ports=[HTTP, at_one])
    alone = await docker.run("alone", "two", "10.9.0.2/24", "fd00:9::2/64")
    alone.ip("route add default via fd00:9::1")  # Docker gives it none, but it can have one
    on_link = json.loads(alone.run("ip", "-j", "link", "show", "dev", "eth0"))[0]["ifindex"]
    found = [shown["local"] for shown in docker.links()[bridge]["addr_info"] if shown["scope"] == "link"]
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, one, 80)
        await nursery.start(serve, docker.host, 81)
        for address in ("10.9.0.1", "fd00:9::1", UPLINK6, f"{found[0]}%{on_link}"):
            assert await answers(alone, address, 81), address
            for port in (8080, 8081):
                assert not await answers(alone, address, port), (address, port)
        for port in (8080, 8081):
            assert await answers(docker.outside, UPLINK6, port)
        nursery.cancel_scope.cancel()


async def test_b_15_a_port_that_sends_back_does_not_make_addresses_look_taken(docker: Docker) -> None:
    """Duplicate address detection hears its own question there, and knows it by its nonce (RFC 7527)."""
    await docker.network("web", "10.1.0.0/24", "fd00:1::/64", hairpin="true")
    one = await docker.run("web", "one", "10.1.0.2/24", "fd00:1::2/64")
    assert sending_back(docker) == ["one"]

    def decided() -> str | None:
        shown = one.run("ip", "-6", "addr", "show", "dev", "eth0")
        return None if "tentative" in shown else shown

    shown = await until(decided)
    assert "inet6 fe80:" in shown
    assert "dadfailed" not in shown


async def test_b_26_two_networks_on_one_container_with_a_strict_rp_filter(docker: Docker) -> None:
    """Its port answers by whichever of the two is its way outside."""
    docker.host.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.default.rp_filter=1")
    await docker.network("first", "10.1.0.0/24")
    await docker.network("second", "10.2.0.0/24")
    one = await docker.run("first", "one", "10.1.0.2/24", ports=[HTTP])
    await docker.run("second", "again", "10.2.0.2/24", into=one)
    endpoints = docker.engine.endpoints
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, one, 80)
        assert await answers(docker.outside, UPLINK4, 8080)
        await endpoints.revoke(id_of("first"), id_of("one"))
        assert not await answers(docker.outside, UPLINK4, 8080)
        one.ip("route replace default via 10.2.0.1")
        await endpoints.external(id_of("second"), id_of("again"), (HTTP,))
        assert await answers(docker.outside, UPLINK4, 8080)
        nursery.cancel_scope.cancel()


def sending_back(docker: Docker) -> list[str]:
    """The containers whose bridge port is in hairpin mode."""
    shown = docker.links()
    ports = {name: shown.get(f"lwh{id_of(name)[:12]}", {}) for name in ("one", "two")}
    return [name for name, port in ports.items() if port.get("linkinfo", {}).get("info_slave_data", {}).get("hairpin")]


# --- gateway modes -----------------------------------------------------------------------------------------------

#: ``-o`` → what a machine outside that has a route gets: the published port at the container's own address, another
#: port there, an echo from there, and the port of the host.
MODES: list[tuple[dict[str, Any], list[bool]]] = [
    ({}, [False, False, False, True]),
    ({"gateway_mode_ipv4": "nat-unprotected", "gateway_mode_ipv6": "nat-unprotected"}, [True, True, True, True]),
    ({"gateway_mode_ipv4": "routed", "gateway_mode_ipv6": "routed"}, [True, False, True, False]),
    ({"trusted_host_interfaces": "nosuch:up0"}, [True, True, True, True]),
    ({"trusted_host_interfaces": "nosuch"}, [False, False, False, True]),
]


@pytest.mark.parametrize(
    ("o", "gets"), MODES, ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else ""
)
async def test_what_the_outside_gets_by_gateway_mode(docker: Docker, o: dict[str, Any], gets: list[bool]) -> None:
    """Of both families; and the container gets out in each of them."""
    docker.outside.ip(f"route add 10.1.0.0/24 via {UPLINK4}")
    docker.outside.ip(f"route add fd00:1::/64 via {UPLINK6}")
    await docker.network("web", "10.1.0.0/24", "fd00:1::/64", **o)
    one = await docker.run("web", "one", "10.1.0.2/24", "fd00:1::2/64", ports=[HTTP])
    assert await reached((one, OUTSIDE4), (one, OUTSIDE6)) == [True, True]
    found: dict[tuple[str, int], bool] = {}

    async def ask(address: str, port: int) -> None:
        """Port 0 is an echo."""
        asking = answers(docker.outside, address, port) if port else echoes(docker.outside, address)
        found[address, port] = await asking

    async with trio.open_nursery() as serving:
        await serving.start(serve, one, 80)
        await serving.start(serve, one, 81)
        async with trio.open_nursery() as asking:
            for own, host in (("10.1.0.2", UPLINK4), ("fd00:1::2", UPLINK6)):
                for place in ((own, 80), (own, 81), (own, 0), (host, 8080)):
                    asking.start_soon(ask, *place)
        serving.cancel_scope.cancel()
    for own, host in (("10.1.0.2", UPLINK4), ("fd00:1::2", UPLINK6)):
        assert [found[own, 80], found[own, 81], found[own, 0], found[host, 8080]] == gets, own


async def echoes(asking: Place, address: str) -> bool:
    """Whether *address* answers an echo request."""
    return (await reached((asking, address)))[0]
