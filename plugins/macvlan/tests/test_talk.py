"""Whole conversations: what Docker is told, what the host has in between, and that nothing is left."""

import pytest
import trio
from attrs import evolve
from plugins.macvlan.tests.docker_side import Docker, a_docker

from linkwright import sdk
from linkwright.model import LeaseKind
from linkwright.plan import SHARED, Mark

POOL, MORE, SIX = "192.0.2.0/24", "198.51.100.0/24", "2001:db8::/64"
ALL = frozenset({"ipvlan", "macvlan", "veth", "vlan"})

ENDS = ("lwpaaaaaaaaaaaa", "lwqaaaaaaaaaaaa")


@pytest.fixture
async def docker(nursery: trio.Nursery) -> Docker:
    """A daemon on a host whose kernel can do everything."""
    docker = a_docker(features=ALL)
    await docker.start(nursery)
    return docker


# --- parents -----------------------------------------------------------------------------------------------------


async def test_m_02_a_parent_that_is_not_there_leaves_nothing(docker: Docker) -> None:
    """Refused by name, and the host and the store are as before."""
    before = docker.has()
    said = await docker.create("a", POOL, parent="eth7")
    assert said.error.startswith("parent 'eth7' is no link of this host")
    assert (docker.has(), docker.desk.networks) == (before, {})


async def test_m_03_a_vlan_is_made_for_the_first_network_and_goes_with_the_last(docker: Docker) -> None:
    """Of both drivers, whatever the order in which they come and go; the link that it is made on stays as it was."""
    before = docker.has()
    assert (await docker.create("a", POOL, parent="eth0.50")).ok
    made = docker.link("eth0.50")
    assert made is not None
    assert (made.kind, made.up, made.mark) == (sdk.Vlan("eth0", 50), True, Mark("default", SHARED))
    assert (await docker.create("b", MORE, parent="eth0.50", macvlan_mode="private")).ok
    await docker.remove("a", POOL)
    assert docker.link("eth0.50") == made
    await docker.remove("b", MORE)
    assert docker.has() == before


async def test_m_03_a_vlan_of_the_administrators_is_used_and_left(nursery: trio.Nursery) -> None:
    """It was there, so it is nobody's to remove: not with the network, and not at a restart."""
    docker = a_docker(sdk.Link("eth0.50", sdk.Vlan("eth0", 50)), features=ALL)
    await docker.start(nursery)
    before = docker.has()
    assert (await docker.create("a", POOL, parent="eth0.50")).ok
    await docker.start(nursery)
    assert docker.has() == before
    await docker.remove("a", POOL)
    assert docker.has() == before


async def test_m_03_a_vlan_made_by_an_administrator_in_the_place_of_ours_is_left(docker: Docker) -> None:
    """After a reboot the host's own configuration may have been faster: reported, nothing put on it, not deleted."""
    assert (await docker.create("a", POOL, parent="eth0.50")).ok
    docker.desk.kernel.foreign_delete(("link", "eth0.50"))
    docker.desk.kernel.foreign_create(sdk.Link("eth0.50", sdk.Vlan("eth0", 50), mtu=1400))
    theirs = docker.link("eth0.50")
    assert any("'eth0.50' that is not linkwright's" in text for text in await docker.heal())
    await docker.remove("a", POOL)
    assert docker.link("eth0.50") == theirs


async def test_m_03_a_vlan_is_made_again_when_somebody_deletes_it_and_after_a_reboot(
    docker: Docker, nursery: trio.Nursery
) -> None:
    """With what is on it: whoever looks finds VLAN 50 on the link that is called eth0 now."""
    assert (await docker.create("a", POOL, parent="eth0.50")).ok
    made = docker.link("eth0.50")
    docker.desk.kernel.foreign_delete(("link", "eth0.50"))
    assert await docker.heal() == ()
    assert docker.link("eth0.50") == made
    docker.desk.kernel.foreign_delete(("link", "eth0.50"))
    await docker.start(nursery)
    assert docker.link("eth0.50") == made


async def test_m_04_passthru_is_alone_in_both_orders(docker: Docker) -> None:
    """The second network is refused, naming the first; nothing of it is left, and the parent is free afterwards."""
    for first, second in (("passthru", "bridge"), ("bridge", "passthru")):
        assert (await docker.create("a", POOL, parent="eth0", macvlan_mode=first)).ok
        refused = await docker.create("b", MORE, parent="eth0", macvlan_mode=second)
        assert "parent eth0 carries macvlan network aaaaaaaaaaaa" in refused.error
        assert set(docker.desk.networks) == {"a" * 64}
        await docker.remove("a", POOL)


async def test_m_04_a_passthru_link_has_its_parents_hardware_address(docker: Docker) -> None:
    """Docker is told of none, so that it sets none: that would be the parent's. One that is given is refused."""
    assert (await docker.create("a", POOL, parent="eth0", macvlan_mode="passthru")).ok
    given = await docker.run("e", "a", "192.0.2.9/24", mac="02:42:aa:bb:cc:dd")
    assert given.error == (
        "02:42:aa:bb:cc:dd cannot be given to an endpoint of macvlan network aaaaaaaaaaaa: there all have the hardware "
        "address of what they stand on; leave out --mac-address"
    )
    chosen = await docker.run("e", "a", "192.0.2.9/24")
    assert "MacAddress" not in chosen.document
    second = await docker.run("f", "a", "192.0.2.10/24")
    assert "EINVAL" in second.error
    await docker.stop("e", "a")


async def test_m_05_a_network_without_a_parent_has_one_of_its_own(docker: Docker) -> None:
    """A pair, both ends up and ours, gone with the network; the container has no default route."""
    before = docker.has()
    assert (await docker.create("a", POOL)).ok
    for name, peer in zip(ENDS, reversed(ENDS), strict=True):
        end = docker.link(name)
        assert end is not None
        assert (end.kind, end.up, end.mark) == (sdk.Veth(peer), True, Mark("default", "a" * 64))
    joined = await docker.run("e", "a", "192.0.2.9/24")
    assert (joined.document.get("Gateway", ""), joined.document["DisableGatewayService"]) == ("", True)
    await docker.stop("e", "a")
    await docker.remove("a", POOL)
    assert docker.has() == before


@pytest.mark.parametrize("end", ENDS)
async def test_m_05_either_end_is_put_right(end: str, docker: Docker) -> None:
    """Set down, given another MTU, without its mark, heard by the host, or deleted, which takes the other end along."""
    assert (await docker.create("a", POOL, mtu="1400")).ok
    kernel, made = docker.desk.kernel, docker.has()
    setting = f"net/ipv6/conf/{end}/disable_ipv6"
    kernel.foreign_change(sdk.Link(end, up=False, mtu=1300))
    kernel.foreign_change(sdk.Sysctl(setting, "0"))
    kernel.state.resources["link", end] = evolve(docker.link(end), mark=None)
    assert await docker.heal() == ()
    assert (docker.has(), kernel.state.sysctls[setting]) == (made, "1")
    kernel.foreign_delete(("link", end))
    assert not {("link", name) for name in ENDS} & docker.has().keys()
    assert await docker.heal() == ()
    assert (docker.has(), kernel.state.sysctls[setting]) == (made, "1")


async def test_m_05_an_end_that_somebody_moved_away_is_told(docker: Docker) -> None:
    """No other can be made as long as the one is there, and that containers may stand on: with the way out."""
    assert (await docker.create("a", POOL)).ok
    made = docker.has()
    docker.desk.kernel.sandboxes.add("/elsewhere")
    docker.desk.kernel.lend(ENDS[1], "/elsewhere")
    (told,) = await docker.heal()
    assert told.startswith(f"the other end of '{ENDS[0]}' was moved or renamed; `ip link del {ENDS[0]}`")
    docker.desk.kernel.foreign_delete(("link", ENDS[0]))
    assert await docker.heal() == ()
    assert docker.has() == made


async def test_m_09_a_parent_that_is_gone_is_told_and_new_containers_work_when_it_is_back(docker: Docker) -> None:
    """While it is gone a container cannot be made; the children went with it; the new link of its name will do."""
    assert (await docker.create("a", POOL, parent="eth0")).ok
    assert (await docker.run("e", "a", "192.0.2.9/24")).ok
    docker.desk.kernel.foreign_delete(("link", "eth0"))
    assert await docker.heal() == ("there is no link 'eth0' on this host",)
    assert "ENODEV" in (await docker.run("f", "a", "192.0.2.10/24")).error
    docker.desk.kernel.foreign_create(sdk.Link("eth0", sdk.Veth("wire0")))
    assert await docker.heal() == ()
    assert (await docker.run("f", "a", "192.0.2.10/24")).ok


async def test_m_10_a_published_port_is_refused_in_words_that_the_user_sees(docker: Docker) -> None:
    """The host does not stand between the LAN and the container: there is nothing to publish on."""
    assert (await docker.create("a", POOL, parent="eth0")).ok
    assert (await docker.run("e", "a", "192.0.2.9/24")).ok
    names = {"EndpointID": "e" * 64, "NetworkID": "a" * 64}
    port = {"Proto": 6, "IP": "", "Port": 80, "HostIP": "", "HostPort": 8080, "HostPortEnd": 8080}
    call = "NetworkDriver.ProgramExternalConnectivity"
    options = {"com.docker.network.portmap": [port]}
    said = await docker.desk.call(call, {**names, "Options": options}, plugin="lw-macvlan")
    assert said.error.startswith("driver macvlan cannot publish 8080:80/tcp: leave out -p")
    none: dict[str, list[str]] = {"com.docker.network.portmap": []}
    assert (await docker.desk.call(call, {**names, "Options": none}, plugin="lw-macvlan")).ok


async def test_m_11_what_a_container_has_outlives_restarts(docker: Docker, nursery: trio.Nursery) -> None:
    """Of linkwright, and of Docker, which asks again: network, endpoint and hardware address are the same."""
    assert (await docker.create("a", POOL, parent="eth0", stable_mac="true")).ok
    joined = await docker.run("e", "a", "192.0.2.9/24")
    before, endpoint = docker.has(), docker.desk.endpoints["e" * 64]
    await docker.start(nursery)
    assert (docker.has(), docker.desk.endpoints) == (before, {"e" * 64: endpoint})
    assert str(endpoint.mac) == joined.document["MacAddress"]
    await docker.stop("e", "a")
    assert (await docker.run("f", "a", "192.0.2.9/24")).document["MacAddress"] == joined.document["MacAddress"]


async def test_m_12_one_subnet_on_two_parents_takes_an_option(docker: Docker) -> None:
    """Without it the refusal says how; with it both networks work."""
    assert (await docker.create("a", POOL, parent="eth0")).ok
    assert "add -o overlap=true" in (await docker.create("b", POOL, parent="eth1")).error
    assert (await docker.create("c", POOL, parent="eth1", overlap="true")).ok
    assert (await docker.run("e", "a", "192.0.2.9/24")).ok
    assert (await docker.run("f", "c", "192.0.2.9/24")).ok


# --- ipvlan ------------------------------------------------------------------------------------------------------


async def test_n_01_a_kernel_without_ipvlan_is_told_when_the_network_is_made(nursery: trio.Nursery) -> None:
    """Not when the first container starts."""
    docker = a_docker(features=frozenset({"macvlan"}))
    await docker.start(nursery)
    said = await docker.create("a", POOL, driver="ipvlan", parent="eth0")
    assert said.error == "the kernel has no ipvlan: modprobe ipvlan, or CONFIG_IPVLAN"


async def test_n_02_at_layer_3_docker_is_given_routes_that_are_on_link(docker: Docker) -> None:
    """A default route of each family without a gateway, which nobody would answer for."""
    assert (await docker.create("a", POOL, SIX, driver="ipvlan", parent="eth0", ipvlan_mode="l3")).ok
    joined = await docker.run("e", "a", "192.0.2.9/24", six="2001:db8::9/64", driver="ipvlan")
    assert joined.document["StaticRoutes"] == [
        {"Destination": "0.0.0.0/0", "RouteType": 1},
        {"Destination": "::/0", "RouteType": 1},
    ]
    assert (joined.document.get("Gateway", ""), joined.document["DisableGatewayService"]) == ("", True)


@pytest.mark.parametrize(("first", "second"), [("ipvlan", "macvlan"), ("macvlan", "ipvlan")])
async def test_n_03_macvlan_and_ipvlan_on_one_parent(docker: Docker, first: str, second: str) -> None:
    """A clear error, and nothing left, in both orders."""
    assert (await docker.create("a", POOL, driver=first, parent="eth0")).ok
    before = docker.has()
    said = await docker.create("b", MORE, driver=second, parent="eth0")
    assert said.error.startswith(f"parent eth0 carries {first} network aaaaaaaaaaaa, and the kernel lets a link carry")
    assert (docker.has(), set(docker.desk.networks)) == (before, {"a" * 64})


async def test_n_04_a_hardware_address_is_refused_and_none_is_answered(docker: Docker) -> None:
    """All containers of a parent have the parent's."""
    assert (await docker.create("a", POOL, driver="ipvlan", parent="eth0")).ok
    given = await docker.run("e", "a", "192.0.2.9/24", mac="02:42:aa:bb:cc:dd", driver="ipvlan")
    assert "02:42:aa:bb:cc:dd cannot be given to an endpoint of ipvlan network aaaaaaaaaaaa" in given.error
    joined = await docker.run("e", "a", "192.0.2.9/24", driver="ipvlan")
    assert "MacAddress" not in joined.document
    assert docker.desk.endpoints["e" * 64].mac is None


async def test_n_05_both_addresses_of_a_31_are_given(docker: Docker) -> None:
    """Two containers at the two ends."""
    pair = "192.0.2.0/31"
    assert (await docker.create("a", pair, driver="ipvlan", parent="eth0", ipvlan_mode="l3")).ok
    pool = f"linkwright-local/{pair}"
    given = [await docker.desk.address(pool), await docker.desk.address(pool)]
    assert sorted(given) == ["192.0.2.0/31", "192.0.2.1/31"]
    for endpoint, address in zip("ef", given, strict=True):
        assert (await docker.run(endpoint, "a", address, driver="ipvlan")).ok


# --- host access -------------------------------------------------------------------------------------------------

SHIM = sdk.link_name("s", "eth0")


def reached(*pairs: tuple[str, str]) -> set[tuple[str, ...]]:
    """What lies on the shim for containers and the host's addresses beside them."""
    addresses = {("address", SHIM, f"{host}/{len_(host)}") for _, host in pairs}
    return addresses | {("route", "254", f"{container}/{len_(container)}", "0") for container, _ in pairs}


def len_(address: str) -> int:
    """The length of the prefix that is one address."""
    return 128 if ":" in address else 32


async def test_m_08_the_hosts_link_is_there_from_the_first_container_to_the_last(docker: Docker) -> None:
    """One for a parent, however many networks and containers; an address of the host in each subnet; no more."""
    before = docker.has()
    assert (await docker.create("a", POOL, SIX, parent="eth0", host_access="true")).ok
    assert (await docker.create("b", MORE, parent="eth0", host_access="true")).ok
    assert (await docker.create("c", "203.0.113.0/24", parent="eth0")).ok
    assert docker.has() == before
    claims = {**docker.desk.networks["a" * 64].claims, **docker.desk.networks["b" * 64].claims}
    four, six, more = (claims[f"host in {pool}"] for pool in (POOL, SIX, MORE))
    assert (await docker.run("1", "c", "203.0.113.9/24")).ok
    assert docker.link(SHIM) is None
    assert (await docker.run("2", "a", "192.0.2.99/24", six="2001:db8::99/64")).ok
    shim = docker.link(SHIM)
    assert shim is not None
    assert isinstance(shim.kind, sdk.Macvlan)
    assert (shim.kind.parent, shim.kind.mode) == ("eth0", sdk.MacvlanMode.BRIDGE)
    assert (shim.up, shim.mark) == (True, Mark("default", SHARED))
    two = reached(("192.0.2.99", four), ("2001:db8::99", six))
    assert docker.on(SHIM) == two
    assert (await docker.run("3", "b", "198.51.100.99/24")).ok
    assert docker.on(SHIM) == two | reached(("198.51.100.99", more))
    await docker.stop("2", "a")
    assert docker.on(SHIM) == reached(("198.51.100.99", more))
    await docker.stop("3", "b")
    await docker.stop("1", "c")
    assert docker.has() == before


async def test_m_08_the_hosts_address_is_given_to_nobody_else(docker: Docker) -> None:
    """It is a lease of the network's until the network goes."""
    assert (await docker.create("a", "192.0.2.0/30", parent="eth0", host_access="true")).ok
    (claimed,) = docker.desk.networks["a" * 64].claims.values()
    lease = docker.desk.leases()[claimed]
    assert (lease.kind, lease.owner) == (LeaseKind.HOST, "network aaaaaaaaaaaa")
    pool = "linkwright-local/192.0.2.0/30"
    asked = {"PoolID": pool, "Address": claimed, "Options": None}
    said = await docker.desk.call("IpamDriver.RequestAddress", asked, plugin="lw-macvlan")
    assert "is held by the host itself" in said.error
    other = await docker.desk.address(pool)
    assert other != f"{claimed}/30"
    names = {"NetworkID": "a" * 64}
    assert (await docker.desk.call("NetworkDriver.DeleteNetwork", names, plugin="lw-macvlan")).ok
    assert claimed not in docker.desk.leases()


@pytest.mark.parametrize("ours", [True, False])
async def test_m_08_with_an_address_that_the_user_names_nothing_is_claimed(docker: Docker, *, ours: bool) -> None:
    """``--aux-address host=…``: with Docker's own IPAM it is the only way."""
    named = {"host": "192.0.2.200"}
    assert (await docker.create("a", POOL, parent="eth0", host_access="true", auxiliary=named, ours=ours)).ok
    assert docker.desk.networks["a" * 64].claims == {}
    assert (await docker.run("e", "a", "192.0.2.9/24")).ok
    assert docker.on(SHIM) == reached(("192.0.2.9", "192.0.2.200"))


async def test_m_08_another_ipam_and_no_address_named_is_refused_and_the_way_out_told(docker: Docker) -> None:
    """Nothing is made, and the network is not known."""
    said = await docker.create("a", POOL, parent="eth0", host_access="true", ours=False)
    assert said.error == (
        "no address of 192.0.2.0/24 can be chosen for the host: another IPAM driver than linkwright's gives them out; "
        "create the network with --ipam-driver lw-ipam, or name one that is free with --aux-address host=ADDRESS"
    )
    assert docker.desk.networks == {}


@pytest.mark.parametrize("how", ["restart", "reboot", "deleted"])
async def test_m_08_the_hosts_link_is_kept_over_restarts_and_put_back(
    docker: Docker, nursery: trio.Nursery, how: str
) -> None:
    """With the same address, though the container that wishes for it has joined; after a reboot with its container."""
    assert (await docker.create("a", POOL, parent="eth0", host_access="true")).ok
    claims = docker.desk.networks["a" * 64].claims
    assert (await docker.run("e", "a", "192.0.2.9/24")).ok
    before = docker.has()
    if how != "restart":
        docker.desk.kernel.foreign_delete(("link", SHIM))
    if how == "deleted":
        assert await docker.heal() == ()
    elif how == "restart":
        await docker.start(nursery)
    else:
        docker.desk.kernel.boot = "00000000-0000-4000-8000-000000000002"
        docker.desk.kernel.state.lent.clear()
        await docker.start(nursery)
        assert (docker.link(SHIM), docker.desk.networks["a" * 64].claims) == (None, claims)
        assert (await docker.run("f", "a", "192.0.2.9/24")).ok
    assert docker.on(SHIM) == reached(("192.0.2.9", *claims.values()))  # type: ignore[arg-type]
    assert docker.link(SHIM) is not None
    assert docker.has().keys() >= before.keys()


async def test_m_08_without_the_option_there_is_no_link_and_no_route(docker: Docker) -> None:
    """The host and its own containers do not reach each other: that is how the kernel has it."""
    assert (await docker.create("a", POOL, parent="eth0")).ok
    before = docker.has()
    assert (await docker.run("e", "a", "192.0.2.9/24")).ok
    assert docker.has() == before
    assert docker.desk.networks["a" * 64].claims == {}


async def test_m_08_a_network_that_cannot_be_made_holds_no_address(docker: Docker) -> None:
    """The kernel refuses the VLAN: what was claimed for the network is free again, and the next one has it."""
    docker.desk.kernel.fail_next()
    said = await docker.create("a", POOL, parent="eth0.50", host_access="true")
    assert "EIO" in said.error
    assert docker.desk.leases() == {}
    assert (await docker.create("a", POOL, parent="eth0.50", host_access="true")).ok
    assert len(docker.desk.leases()) == 1
