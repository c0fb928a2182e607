"""Addresses as Docker's users ask for them: subnets, ranges, fixed ones, and what is refused with its reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network, ip_address, ip_network

import pytest

from linkwright.ipam.automatic import docker_defaults
from tests.docker.containers import create, network, refused, start
from tests.docker.daemon import Daemon, series
from tests.docker.window import Window
from tests.engines import Dockerd, Host, busybox

NETWORK = ("network", "create", "--driver=lw-bridge", "--ipam-driver=lw-ipam")
RUN = ("run", "-d", "--network=one")


def subnets(dockerd: Dockerd, name: str) -> list[IPv4Network]:
    """The subnets of a network, as Docker shows them."""
    return [IPv4Network(one["Subnet"]) for one in network(dockerd, name)["IPAM"]["Config"]]


def pool_requests(daemon: Daemon) -> float:
    """How many pools Docker has asked for since the daemon started."""
    name = "linkwright_rpc_duration_seconds_count"
    return daemon.metrics()[series(name, plugin="lw-ipam", method="IpamDriver.RequestPool", outcome="ok")]


def test_i_02_an_overlapping_subnet_is_refused_by_its_holder(dockerd: Dockerd, daemon: Daemon, window: Window) -> None:
    """A subnet inside another network's is refused, and the user is told which pool is in the way."""
    create(dockerd, "one", "--subnet=10.1.0.0/16")
    said = refused(dockerd, *NETWORK, "--subnet=10.1.2.0/24", "two")
    assert "the pool 10.1.2.0/24 overlaps 10.1.0.0/16, which is held as linkwright-local/10.1.0.0/16" in said
    window.expect_refusal("IpamDriver.RequestPool", plugin="lw-ipam")


def test_i_03_automatic_pools_are_all_different(dockerd: Dockerd, daemon: Daemon) -> None:
    """Twenty networks without a subnet get twenty that do not overlap, each at the first request."""
    before = pool_requests(daemon)
    found = []
    for number in range(20):
        create(dockerd, f"net{number}")
        found += subnets(dockerd, f"net{number}")
    assert not [(one, other) for one in found for other in found if one is not other and one.overlaps(other)]
    assert (len(found), pool_requests(daemon) - before) == (20, 20)


def next_pools(dockerd: Dockerd, count: int) -> list[IPv4Network]:
    """The pools that would be chosen next: those behind the one that a network without a subnet gets now."""
    create(dockerd, "probe")
    (now,) = subnets(dockerd, "probe")
    dockerd.docker("network", "rm", "probe")
    order = [
        pool
        for default in docker_defaults("")
        if isinstance(default.base, IPv4Network)
        for pool in default.base.subnets(new_prefix=default.size)
    ]
    first = order.index(now) + 1
    return [order[(first + step) % len(order)] for step in range(count)]


@contextmanager
def routes(host: Host, link: str, *destinations: object) -> Iterator[None]:
    """While inside, *host* has routes to *destinations* through *link*."""
    for destination in destinations:
        host.run(["ip", "route", "add", str(destination), "dev", link])
    yield
    for destination in destinations:
        host.run(["ip", "route", "del", str(destination), "dev", link])


def test_i_04_pools_keep_clear_of_the_hosts_routes(dockerd: Dockerd, daemon: Daemon) -> None:
    """With routes to the next five pools on the host, the first answer is one that no route overlaps."""
    blocked = next_pools(dockerd, 5)
    with routes(dockerd.host, "docker0", *blocked):
        before = pool_requests(daemon)
        create(dockerd, "one")
        (chosen,) = subnets(dockerd, "one")
    assert [pool for pool in blocked if pool.overlaps(chosen)] == []
    assert pool_requests(daemon) - before == 1


HALVES = ("0.0.0.0/1", "128.0.0.0/1")
"""Routes as VPNs set them, to take everything and leave the default route alone."""


@pytest.mark.netns
def test_i_05_a_vpn_that_takes_everything_does_not_block(alone: Daemon) -> None:
    """Routes to both halves of the internet leave pools to be given: they do not say that an address is in use."""
    wanted = {"AddressSpace": "linkwright-local", "Pool": "", "SubPool": "", "Options": {}, "V6": False}
    with routes(alone.host, "lo", *HALVES):
        pool = alone.call("IpamDriver.RequestPool", wanted, name="ipam")
    assert IPv4Network(pool["Pool"]).is_private
    alone.call("IpamDriver.ReleasePool", {"PoolID": pool["PoolID"]}, name="ipam")


def test_i_05_an_engine_that_thinks_so_comes_to_an_end(fresh_dockerd: Dockerd, fresh_daemon: Daemon) -> None:
    """Docker itself refuses every pool beside such routes and asks for another: it runs out of them, with a reason.

    All are given back. A subnet that is named is not looked at by Docker, and works.
    """
    fresh_daemon.start()
    with routes(fresh_dockerd.host, "docker0", *HALVES):
        said = refused(fresh_dockerd, *NETWORK, "one")
        create(fresh_dockerd, "two", "--subnet=10.2.0.0/24")
    assert "no automatic IPv4 pool is free: the plan holds 31" in said
    assert [pool["subnet"] for pool in fresh_daemon.cli_json("pool", "ls")] == ["10.2.0.0/24"]


def test_i_08_dynamic_addresses_come_from_the_range(dockerd: Dockerd, daemon: Daemon, window: Window) -> None:
    """Of a range of four the gateway takes the first and containers the others; the rest is for fixed ones."""
    create(dockerd, "one", "--subnet=10.2.0.0/16", "--ip-range=10.2.3.0/30")
    found = [start(dockerd, f"dynamic{number}", "one") for number in range(3)]
    assert [one.addresses() for one in found] == [{"10.2.3.1/16"}, {"10.2.3.2/16"}, {"10.2.3.3/16"}]
    assert start(dockerd, "fixed", "one", "--ip", "10.2.9.9").addresses() == {"10.2.9.9/16"}
    assert "no address is free in" in refused(dockerd, *RUN, "--name=late", busybox.IMAGE)
    window.expect_refusal("IpamDriver.RequestAddress", plugin="lw-ipam")


def test_i_10_an_address_in_use_is_refused_until_it_is_free(dockerd: Dockerd, daemon: Daemon, window: Window) -> None:
    """A running container's address is refused to another, and is free as soon as that one is removed."""
    create(dockerd, "one", "--subnet=10.2.0.0/24")
    start(dockerd, "first", "one", "--ip", "10.2.0.9")
    said = refused(dockerd, *RUN, "--ip=10.2.0.9", busybox.IMAGE)
    assert "the address 10.2.0.9 of linkwright-local/10.2.0.0/24 is held by a container since" in said
    window.expect_refusal("IpamDriver.RequestAddress", plugin="lw-ipam")
    dockerd.docker("rm", "-f", "first")
    assert start(dockerd, "second", "one", "--ip", "10.2.0.9").addresses() == {"10.2.0.9/24"}


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("10.2.0.0", "10.2.0.0 is the network address of 10.2.0.0/24"),
        ("10.2.0.255", "10.2.0.255 is the broadcast address of 10.2.0.0/24"),
        ("10.2.0.1", "the address 10.2.0.1 of linkwright-local/10.2.0.0/24 is held by the gateway"),
    ],
)
def test_i_11_an_address_that_cannot_be_is_refused(dockerd: Dockerd, window: Window, address: str, reason: str) -> None:
    """A subnet's network, broadcast and gateway address are each refused with the reason."""
    create(dockerd, "one", "--subnet=10.2.0.0/24")
    assert reason in refused(dockerd, *RUN, f"--ip={address}", busybox.IMAGE)
    assert network(dockerd, "one")["Containers"] == {}
    window.expect_refusal("IpamDriver.RequestAddress", plugin="lw-ipam")


def test_i_11_an_address_outside_is_refused(dockerd: Dockerd, daemon: Daemon) -> None:
    """An address outside of the network's subnets is refused, by Docker itself, before anybody is asked."""
    create(dockerd, "one", "--subnet=10.2.0.0/24")
    said = refused(dockerd, *RUN, "--ip=10.2.1.9", busybox.IMAGE)
    assert "10.2.1.9" in said or "no configured subnet" in said


@pytest.mark.parametrize(
    ("subnet", "gateway", "container"),
    [("10.2.0.0/30", "10.2.0.1", "10.2.0.2/30"), ("10.2.0.0/31", "10.2.0.0", "10.2.0.1/31")],
)
def test_i_12_the_smallest_subnets(dockerd: Dockerd, window: Window, subnet: str, gateway: str, container: str) -> None:
    """A /30 and a /31 hold a gateway and one container, which reach each other; a second container is refused."""
    create(dockerd, "one", f"--subnet={subnet}")
    first = start(dockerd, "first", "one")
    assert first.addresses() == {container}
    assert first.reaches(gateway)
    assert "no address is free in" in refused(dockerd, *RUN, busybox.IMAGE)
    window.expect_refusal("IpamDriver.RequestAddress", plugin="lw-ipam")


def test_i_12_a_subnet_of_one_address(dockerd: Dockerd, daemon: Daemon, window: Window) -> None:
    """The one address of a /32 is the gateway's, and no container can be started."""
    create(dockerd, "one", "--subnet=10.2.0.7/32")
    assert "no address is free in" in refused(dockerd, *RUN, busybox.IMAGE)
    window.expect_refusal("IpamDriver.RequestAddress", plugin="lw-ipam")


@pytest.mark.parametrize(
    ("options", "gateway"),
    [
        ((), "10.2.0.1"),
        (("--ip-range=10.2.0.128/25",), "10.2.0.128"),
        (("--gateway=10.2.0.254",), "10.2.0.254"),
    ],
)
def test_i_13_the_gateway(dockerd: Dockerd, daemon: Daemon, options: tuple[str, ...], gateway: str) -> None:
    """The gateway is the first free address, of the range where there is one, or the one that was named."""
    create(dockerd, "one", "--subnet=10.2.0.0/24", *options)
    assert start(dockerd, "first", "one").default_routes() == {gateway: "eth0"}


def test_i_13_a_gateway_outside_is_refused(dockerd: Dockerd, daemon: Daemon) -> None:
    """A gateway that lies in no subnet of the network is refused."""
    assert "no matching subnet for gateway 10.9.0.1" in refused(
        dockerd, *NETWORK, "--subnet=10.2.0.0/24", "--gateway=10.9.0.1", "one"
    )


def test_i_14_auxiliary_addresses_are_given_to_nobody(dockerd: Dockerd, daemon: Daemon, window: Window) -> None:
    """Containers get what is left beside the auxiliary addresses, and no more."""
    spared = [f"--aux-address=a{last}=10.2.0.{last}" for last in (3, 4, 5)]
    create(dockerd, "one", "--subnet=10.2.0.0/29", *spared)
    found = {*start(dockerd, "first", "one").addresses(), *start(dockerd, "second", "one").addresses()}
    assert found == {"10.2.0.2/29", "10.2.0.6/29"}
    assert "no address is free in" in refused(dockerd, *RUN, busybox.IMAGE)
    window.expect_refusal("IpamDriver.RequestAddress", plugin="lw-ipam")


def test_i_14_an_auxiliary_address_that_is_the_gateway_is_refused(
    dockerd: Dockerd, daemon: Daemon, window: Window
) -> None:
    """One address cannot be both; the refusal says which is in the way, and the pool is free again."""
    both = ("--gateway=10.2.0.5", "--aux-address=a=10.2.0.5")
    said = refused(dockerd, *NETWORK, "--subnet=10.2.0.0/24", *both, "one")
    assert "the address 10.2.0.5 of linkwright-local/10.2.0.0/24 is held by the gateway" in said
    window.expect_refusal("IpamDriver.RequestAddress", plugin="lw-ipam")


def test_i_15_a_full_pool_says_how_full_and_recovers(dockerd: Dockerd, daemon: Daemon, window: Window) -> None:
    """The refusal names pool, size, what is used and reserved; nothing is half made, and one removal helps."""
    spared = [f"--aux-address=a{last}=10.2.0.{last}" for last in (4, 5, 6)]
    create(dockerd, "one", "--subnet=10.2.0.0/29", *spared)
    for name in ("first", "second"):
        start(dockerd, name, "one")
    said = refused(dockerd, *RUN, "--name=late", busybox.IMAGE)
    assert "no address is free in linkwright-local/10.2.0.0/29: 10.2.0.0/29 has 8, of which 2 are in use, 6" in said
    window.expect_refusal("IpamDriver.RequestAddress", plugin="lw-ipam")
    assert {one["Name"] for one in network(dockerd, "one")["Containers"].values()} == {"first", "second"}
    dockerd.docker("rm", "-f", "first")
    dockerd.docker("start", "late")
    assert {one["Name"] for one in network(dockerd, "one")["Containers"].values()} == {"second", "late"}


def test_i_16_a_freed_address_rests(dockerd: Dockerd, daemon: Daemon) -> None:
    """A container started after another was removed gets a fresh address, not the one just freed."""
    create(dockerd, "one", "--subnet=10.2.0.0/24")
    found = []
    for _ in range(3):
        found.append(start(dockerd, "first", "one").addresses())
        dockerd.docker("rm", "-f", "first")
    assert found == [{"10.2.0.2/24"}, {"10.2.0.3/24"}, {"10.2.0.4/24"}]


def test_i_19_a_network_can_be_made_again_at_once(dockerd: Dockerd, daemon: Daemon) -> None:
    """Removed and made again with the same subnet, ten times in a row, a network works and its pool starts empty."""
    for _ in range(10):
        create(dockerd, "one", "--subnet=10.2.0.0/24")
        dockerd.docker("network", "rm", "one")
    create(dockerd, "one", "--subnet=10.2.0.0/24")
    assert start(dockerd, "first", "one").addresses() == {"10.2.0.2/24"}


def test_i_21_dockers_own_bridge_with_our_addresses(dockerd: Dockerd, daemon: Daemon) -> None:
    """Docker's bridge driver works with addresses of lw-ipam, of both families."""
    create(dockerd, "one", "--ipv6", "--subnet=10.2.0.0/24", "--subnet=fd00:2::/64", driver="bridge")
    first, second = start(dockerd, "first", "one"), start(dockerd, "second", "one", "--ip=10.2.0.9")
    assert (first.addresses(), second.addresses()) == (
        {"10.2.0.2/24", "fd00:2::2/64"},
        {"10.2.0.9/24", "fd00:2::3/64"},
    )
    assert first.reaches("10.2.0.9")
    assert first.reaches("fd00:2::3")


def test_i_21_our_bridge_with_dockers_addresses(dockerd: Dockerd, daemon: Daemon) -> None:
    """Our bridge driver works with Docker's own IPAM, also where that chooses the subnet."""
    create(dockerd, "one", ipam="default")
    first, second = start(dockerd, "first", "one"), start(dockerd, "second", "one")
    (mine,) = second.addresses()
    assert first.reaches(ip_address(mine.partition("/")[0]))
    assert ip_network(mine, strict=False) in subnets(dockerd, "one")


def test_i_21_null_addresses_are_refused(dockerd: Dockerd, daemon: Daemon, window: Window) -> None:
    """A bridge network of no addresses is refused, with what to do instead."""
    said = refused(dockerd, "network", "create", "--driver=lw-bridge", "--ipam-driver=null", "one")
    assert "a bridge network needs addresses, and the null IPAM gives none" in said
    window.expect_refusal("NetworkDriver.CreateNetwork")


def test_i_22_known_ipam_options_are_shown_and_unknown_refused(
    dockerd: Dockerd, daemon: Daemon, window: Window
) -> None:
    """An option of our IPAM shows in inspect; one that there is not is refused with the nearest."""
    create(dockerd, "one", "--subnet=10.2.0.0/24", "--ipam-opt", "linkwright.sticky=name")
    assert network(dockerd, "one")["IPAM"]["Options"] == {"linkwright.sticky": "name"}
    said = refused(dockerd, *NETWORK, "--subnet=10.4.0.0/24", "--ipam-opt", "linkwright.stick=name", "two")
    assert "the IPAM option 'linkwright.stick' is not known; did you mean 'linkwright.sticky'?" in said
    window.expect_refusal("IpamDriver.RequestPool", plugin="lw-ipam")


def test_i_18_one_subnet_in_two_spaces(dockerd: Dockerd, daemon: Daemon) -> None:
    """With a space of its own, a subnet can be held twice, and a release in one leaves the other alone.

    On networks that the host has no address on: of two bridges with one subnet it could reach only the first.
    """
    apart = ("--subnet=10.2.0.0/24", "--internal", "-o", "com.docker.network.bridge.gateway_mode_ipv4=isolated")
    create(dockerd, "one", *apart)
    create(dockerd, "two", *apart, "--ipam-opt", "linkwright.space=blue")
    dockerd.docker("network", "rm", "one")
    create(dockerd, "one", *apart)
    assert subnets(dockerd, "one") == subnets(dockerd, "two")


def test_i_18_two_bridges_of_the_host_cannot_have_one_subnet(dockerd: Dockerd, daemon: Daemon, window: Window) -> None:
    """The second is refused with the name of the first, whatever address space it is in; nothing of it is left."""
    first = create(dockerd, "one", "--subnet=10.2.0.0/24")
    options = ("--driver=lw-bridge", "--ipam-driver=lw-ipam", "--ipam-opt=linkwright.space=blue")
    said = refused(dockerd, "network", "create", *options, "--subnet=10.2.0.0/24", "two")
    assert first[:12] in said
    window.expect_refusal("NetworkDriver.CreateNetwork")


@pytest.mark.netns
def test_i_24_the_owners_name_is_shown(alone: Daemon) -> None:
    """The name that newer engines send with an address is what the command line and the export show."""
    wanted = {"AddressSpace": "linkwright-local", "Pool": "10.2.0.0/24", "SubPool": "", "Options": {}, "V6": False}
    pool = alone.call("IpamDriver.RequestPool", wanted, name="ipam")["PoolID"]
    named = {"PoolID": pool, "Address": "", "Options": {"com.docker.network.endpoint.name": "web"}}
    address = alone.call("IpamDriver.RequestAddress", named, name="ipam")["Address"]
    (lease,) = alone.cli_json("pool", "show", pool)["leases"]
    assert (lease["owner"], f"{lease['address']}/24") == ("web", address)
    assert '"owner":"web"' in alone.cli("export")
    alone.call("IpamDriver.ReleasePool", {"PoolID": pool}, name="ipam")


def test_i_25_an_export_can_be_taken_back(dockerd: Dockerd, daemon: Daemon, window: Window) -> None:
    """Exported, wiped, imported and exported again, the state is the same to the byte, and containers go on."""
    create(dockerd, "one", "--subnet=10.2.0.0/24", "--ip-range=10.2.0.128/25")
    first = start(dockerd, "first", "one")
    exported = daemon.cli("export")
    daemon.stop()
    for path in daemon.state.iterdir():
        path.unlink()
    daemon.cli("import", "-", f"--state-dir={daemon.state}", feed=exported)
    daemon.start()
    window.expect_restart()
    assert daemon.cli("export") == exported
    assert start(dockerd, "second", "one").reaches(first.addresses().pop().partition("/")[0])
