"""Published ports as Docker asks for them: whole conversations of both engines, bytes in and bytes out."""

import errno
from ipaddress import ip_address
from typing import Any

import pytest
import trio
from core.tests.daemon.desk import ENDPOINT, NETWORK, OTHER, SANDBOX, SPACE, Desk, Said, a_desk
from core.tests.daemon.test_plugin import opened

from linkwright.model import Mac, Protocol
from linkwright.plan import Element, Link

ADDRESS = f"{SPACE}/10.1.0.0/24"
SECOND = "99" * 32
NO_PROXY = "com.docker.network.driver.private.no_proxy_6to4"
ANY4 = ip_address("0.0.0.0")


@pytest.fixture
async def desk(nursery: trio.Nursery) -> Desk:
    """A daemon with one network."""
    desk = await opened(a_desk(), nursery)
    assert (await desk.network()).ok
    return desk


def port(inside: int, outside: int = 0, last: int = 0, *, on: str = "", protocol: int = 6) -> dict[str, Any]:
    """One ``-p``: HostPortEnd of a single port is the port itself, and IP is always empty."""
    return {
        "Proto": protocol,
        "IP": "",
        "Port": inside,
        "HostIP": on,
        "HostPort": outside,
        "HostPortEnd": last or outside,
    }


def sandbox_options(*ports: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What Join and Program carry: the ports of the whole container."""
    exposed = [{"Proto": one["Proto"], "Port": one["Port"]} for one in ports]
    return {
        "com.docker.network.endpoint.exposedports": exposed,
        "com.docker.network.portmap": list(ports),
        **more,
    }


async def start(
    desk: Desk, *ports: dict[str, Any], endpoint: str = ENDPOINT, address: str = "", sandbox: str = SANDBOX
) -> Said:
    """``docker run -p …``, as far as Program; answer what that said."""
    given = await desk.address(ADDRESS, address)
    assert (await desk.endpoint(endpoint, given, **sandbox_options(*ports))).ok
    desk.kernel.sandboxes.add(sandbox)
    joined = {"NetworkID": NETWORK, "EndpointID": endpoint, "SandboxKey": sandbox, "Options": sandbox_options(*ports)}
    assert (await desk.call("NetworkDriver.Join", joined)).ok
    return await program(desk, *ports, endpoint=endpoint)


async def program(
    desk: Desk, *ports: dict[str, Any], endpoint: str = ENDPOINT, network: str = NETWORK, **more: Any
) -> Said:
    """ProgramExternalConnectivity."""
    document = {"NetworkID": network, "EndpointID": endpoint, "Options": sandbox_options(*ports, **more)}
    return await desk.call("NetworkDriver.ProgramExternalConnectivity", document)


async def stop(desk: Desk, *calls: str, endpoint: str = ENDPOINT) -> None:
    """``docker stop``: each of *calls* succeeds."""
    for call in calls or ("RevokeExternalConnectivity", "Leave", "DeleteEndpoint"):
        assert (await desk.about(call, endpoint)).ok
    await desk.call("IpamDriver.ReleaseAddress", {"PoolID": ADDRESS, "Address": "10.1.0.2"})


async def port_map(desk: Desk, endpoint: str = ENDPOINT) -> Any:
    """What EndpointOperInfo says is published; None where it says nothing."""
    said = await desk.about("EndpointOperInfo", endpoint)
    assert said.ok
    return said.document["Value"].get("com.docker.network.portmap")


def led(desk: Desk) -> dict[str, str]:
    """Where the firewall leads what comes to which port over IPv4."""
    elements = [one for one in desk.kernel.resources().values() if isinstance(one, Element)]
    return {" ".join(one.parts): ":".join(one.data) for one in elements if one.set in {"wildcard4", "published4"}}


async def test_l_8_a_container_with_ports_from_its_start_to_its_stop(desk: Desk) -> None:
    """What is published is answered in the shape of Docker's own bridge, though no engine shows it to anybody."""
    before = desk.kernel.resources()
    assert (await start(desk, port(80, 8080), port(53, 5353, on="192.0.2.7", protocol=17))).ok

    assert led(desk) == {"tcp 8080": "10.1.0.2:80", "192.0.2.7 udp 5353": "10.1.0.2:53"}
    assert await port_map(desk) == [
        {"Proto": 6, "IP": "10.1.0.2", "Port": 80, "HostIP": "0.0.0.0", "HostPort": 8080, "HostPortEnd": 8080},
        {"Proto": 6, "IP": "10.1.0.2", "Port": 80, "HostIP": "::", "HostPort": 8080, "HostPortEnd": 8080},
        {"Proto": 17, "IP": "10.1.0.2", "Port": 53, "HostIP": "192.0.2.7", "HostPort": 5353, "HostPortEnd": 5353},
    ]
    await stop(desk, "RevokeExternalConnectivity", "Leave")
    assert await port_map(desk) is None  # engine 20.10 asks again after Leave
    await stop(desk, "DeleteEndpoint")
    assert (before, desk.host_ports.held) == (desk.kernel.resources(), {})


async def test_b_10_ranges_as_docker_sends_them(desk: Desk) -> None:
    """Onto a range they are single ports; onto one port they are one that is to be chosen in the range."""
    several = [port(80 + step, 8000 + step) for step in range(11)]
    assert (await start(desk, *several, port(9000, 9000, 9010), port(9001, 9000, 9010))).ok

    expected = {f"tcp {8000 + step}": f"10.1.0.2:{80 + step}" for step in range(11)}
    assert led(desk) == expected | {"tcp 9000": "10.1.0.2:9000", "tcp 9001": "10.1.0.2:9001"}


async def test_b_11_a_chosen_port_can_be_seen_somewhere(desk: Desk) -> None:
    """``-p 80`` arrives as HostPort 0; which one it became the engine never knows, so it is in our own pages."""
    assert (await start(desk, port(80))).ok

    (chosen,) = {one["HostPort"] for one in await port_map(desk)}
    assert led(desk) == {f"tcp {chosen}": "10.1.0.2:80"}
    assert f"0.0.0.0:{chosen}:80/tcp" in (await desk.about("EndpointOperInfo")).document["Value"]["linkwright.ports"]


@pytest.mark.parametrize(
    "calls", [("Leave", "DeleteEndpoint"), ("Leave", "Leave", "DeleteEndpoint")], ids=["20.10", "29"]
)
async def test_p_16_a_program_that_fails_leaves_nothing_to_revoke(desk: Desk, calls: tuple[str, ...]) -> None:
    """The second of two ports is taken: the error names it and the family, and the first is open for nobody (L6)."""
    desk.host_ports.foreign_bind(Protocol.TCP, ANY4, 8443)
    before = desk.kernel.resources()

    said = await start(desk, port(80, 8080), port(443, 8443))

    assert "0.0.0.0:8443" in said.error
    assert (led(desk), desk.host_ports.held, await port_map(desk)) == ({}, {}, None)
    await stop(desk, *calls)
    assert before == desk.kernel.resources()
    assert (await start(desk, port(80, 8080), port(443, 8444), endpoint=OTHER)).ok


async def test_p_16_what_the_kernel_refuses_is_told_and_leaves_nothing(desk: Desk) -> None:
    """As an error of the kernel, with what was tried."""
    assert (await start(desk)).ok
    before = desk.kernel.resources()
    desk.kernel.fail_next(errno.ENOMEM)

    said = await program(desk, port(80, 8080))

    assert "ENOMEM" in said.error
    assert (before, desk.host_ports.held) == (desk.kernel.resources(), {})


async def test_b_27_a_port_of_another_container_is_refused_with_its_name(desk: Desk) -> None:
    """In the answer that ``docker run`` shows."""
    assert (await start(desk, port(80, 8080))).ok

    said = await start(desk, port(80, 8080), endpoint=OTHER, sandbox="/run/docker/netns/other")

    assert f"published by endpoint {ENDPOINT[:12]} of network {NETWORK[:12]}" in said.error
    assert led(desk) == {"tcp 8080": "10.1.0.2:80"}


async def test_b_28_stop_and_start_fifty_times_on_one_port(desk: Desk) -> None:
    """Never in use, whichever calls the engine sends."""
    for number in range(50):
        endpoint = f"{number:064x}"
        assert (await start(desk, port(80, 8080), endpoint=endpoint, address="10.1.0.2")).ok
        await stop(desk, *(("Leave", "DeleteEndpoint") if number % 2 else ()), endpoint=endpoint)

    assert (led(desk), desk.host_ports.held) == ({}, {})


async def test_l_9_no_program_and_no_revoke_after_a_live_restore(desk: Desk, nursery: trio.Nursery) -> None:
    """The daemon is upgraded meanwhile: it knows the ports from its store, and Leave closes them."""
    assert (await start(desk, port(80), port(443, 8443))).ok
    before, shown = desk.kernel.resources(), await port_map(desk)
    desk.host_ports.held.clear()

    await opened(desk, nursery)
    await desk.parts.engine.reconcile.start()

    assert before == desk.kernel.resources()
    assert await port_map(desk) == shown
    assert len(desk.host_ports.ports) == 4
    await stop(desk, "Leave", "DeleteEndpoint")
    assert (led(desk), desk.host_ports.held) == ({}, {})


async def test_r_03_a_graceful_restart_gives_the_same_address_and_port(desk: Desk) -> None:
    """All endpoints go and come back under other ids and in other sandboxes."""
    assert (await start(desk, port(80, 8080), address="10.1.0.2")).ok
    await stop(desk)
    assert (await start(desk, port(80, 8080), endpoint=OTHER, address="10.1.0.2", sandbox="/run/docker/netns/2")).ok

    assert (led(desk), list(desk.endpoints)) == ({"tcp 8080": "10.1.0.2:80"}, [OTHER])


async def test_r_04_a_killed_engine_starts_its_container_on_the_same_port(desk: Desk) -> None:
    """Its old endpoint is never mentioned again: the sandbox took the link along, and the port is free."""
    assert (await start(desk, port(80, 8080))).ok
    desk.kernel.lend(f"lwc{ENDPOINT[:12]}", SANDBOX)
    desk.kernel.destroy_sandbox(SANDBOX)

    assert (await start(desk, port(80, 8080), endpoint=OTHER, sandbox="/run/docker/netns/2")).ok
    assert led(desk) == {"tcp 8080": "10.1.0.3:80"}


async def test_b_18_another_network_takes_over_for_ipv6_and_goes_again(desk: Desk) -> None:
    """Engine 29: Program comes again without a Revoke, with a private label for the one that keeps IPv4 only."""
    assert (await desk.network(SECOND, "10.2.0.0/24")).ok
    ports = (port(80, 8080), port(81))
    assert (await start(desk, *ports)).ok
    chosen = next(one["HostPort"] for one in await port_map(desk) if one["Port"] == 81)
    given = await desk.address(f"{SPACE}/10.2.0.0/24")
    assert (await desk.endpoint(OTHER, given, network=SECOND)).ok
    assert (await desk.join(OTHER, SECOND)).ok

    assert (await program(desk, *ports, **{NO_PROXY: True})).ok
    assert (await program(desk, *ports, endpoint=OTHER, network=SECOND)).ok
    hosts = {one["HostIP"] for one in await port_map(desk)}
    said = await desk.about("EndpointOperInfo", OTHER, SECOND)
    theirs = said.document["Value"]["com.docker.network.portmap"]
    assert (hosts, {one["HostIP"] for one in theirs}) == ({"0.0.0.0"}, {"::"})
    assert {one["HostPort"] for one in theirs} == {8080, chosen}

    for call in ("RevokeExternalConnectivity", "Leave", "DeleteEndpoint"):
        assert (await desk.about(call, OTHER, SECOND)).ok
    assert (await program(desk, *ports)).ok
    assert {(one["HostIP"], one["HostPort"]) for one in await port_map(desk)} == {
        (host, number) for host in ("0.0.0.0", "::") for number in (8080, chosen)
    }


async def test_m_10_a_port_on_a_macvlan_network_is_refused_in_the_answer(desk: Desk) -> None:
    """Docker programs whoever has a gateway; without a port there is nothing to refuse."""
    desk.kernel.state.resources["link", "eth9"] = Link("eth9", mtu=1500, mac=Mac.derive("eth9"), master="", up=True)
    held = await desk.pool("10.3.0.0/24", plugin="lw-macvlan")
    gateway = await desk.address(held, gateway=True)
    subnet = {"AddressSpace": SPACE, "Pool": "10.3.0.0/24", "Gateway": gateway, "AuxAddresses": {}}
    made = {
        "NetworkID": SECOND,
        "Options": {"com.docker.network.generic": {"parent": "eth9"}},
        "IPv4Data": [subnet],
        "IPv6Data": [],
    }
    assert (await desk.call("NetworkDriver.CreateNetwork", made, plugin="lw-macvlan")).ok
    assert (await desk.endpoint(OTHER, await desk.address(held), network=SECOND)).ok
    assert (await desk.join(OTHER, SECOND)).ok

    said = await program(desk, port(80, 8080), endpoint=OTHER, network=SECOND)

    assert "driver macvlan cannot publish 8080:80/tcp" in said.error
    assert desk.host_ports.held == {}
    assert (await program(desk, endpoint=OTHER, network=SECOND)).ok
