"""The bridge driver on the real kernel, through the engine: what containers, the host and a machine outside get."""

from typing import Any

import pytest
from plugins.bridge.tests.hosted import HTTP, OUTSIDE4, OUTSIDE6, UPLINK4, Docker, reached

from linkwright import sdk
from linkwright.errors import KernelError

pytestmark = pytest.mark.netns


async def test_b_02_containers_reach_each_other_the_host_and_the_outside(docker: Docker) -> None:
    """By both families; nobody outside has a route to them, so what leaves has the host's address."""
    await docker.network("web", "10.1.0.0/24", "fd00:1::/64")
    one = await docker.run("web", "one", "10.1.0.2/24", "fd00:1::2/64")
    two = await docker.run("web", "two", "10.1.0.3/24", "fd00:1::3/64")
    for address in ("10.1.0.3", "fd00:1::3", "10.1.0.1", "fd00:1::1", OUTSIDE4, OUTSIDE6):
        assert one.reaches(address), address
    assert two.reaches("10.1.0.2")
    assert docker.host.reaches("fd00:1::2")


@pytest.mark.parametrize("bridged", ["0", "1"])
async def test_b_04_without_icc_only_neighbours_are_kept_apart(docker: Docker, bridged: str) -> None:
    """Of both families, whether or not bridged frames pass the firewall (br_netfilter)."""
    docker.let_bridged_frames_pass_the_firewall(bridged)
    await docker.network("web", "10.1.0.0/24", "fd00:1::/64", enable_icc="false")
    one = await docker.run("web", "one", "10.1.0.2/24", "fd00:1::2/64")
    two = await docker.run("web", "two", "10.1.0.3/24", "fd00:1::3/64")
    assert await reached((one, "10.1.0.3"), (two, "10.1.0.2"), (one, "fd00:1::3"), (two, "fd00:1::2")) == [False] * 4
    good = [
        (one, OUTSIDE4),
        (two, OUTSIDE6),
        (one, "10.1.0.1"),
        (docker.host, "10.1.0.3"),
        (docker.host, "fd00:1::2"),
    ]
    assert await reached(*good) == [True] * 5


async def test_b_06_the_mtu_is_the_same_everywhere_and_holds(docker: Docker) -> None:
    """1372 bytes of data and 28 of headers pass uncut, one more does not."""
    bridge = await docker.network("web", "10.1.0.0/24", mtu="1400")
    one = await docker.run("web", "one", "10.1.0.2/24")
    mtus = {name: link["mtu"] for name, link in docker.links().items() if name.startswith("lw")}
    assert len(mtus) == 2
    assert set(mtus.values()) == {1400}
    assert bridge in mtus
    assert "mtu 1400" in one.run("ip", "link", "show", "eth0")
    assert one.reaches("10.1.0.1", size=1372)
    assert not one.reaches("10.1.0.1", size=1373)


async def test_b_08_a_bridge_of_somebody_elses_is_refused_or_adopted_and_left_as_found(docker: Docker) -> None:
    """It has an address, a port with a machine behind it, an MTU, a hardware address that is its port's."""
    machine = docker.make()
    for line in (
        "link add br0 type bridge mcast_snooping 0",
        f"link add port0 mtu 1400 type veth peer name eth0 mtu 1400 netns {machine.name}",
        "link set port0 master br0 up",
        "addr add 10.1.0.1/24 dev br0",
        "link set br0 up",
    ):
        docker.host.ip(line)
    machine.ip("addr add 10.1.0.9/24 dev eth0")
    machine.ip("link set eth0 up")
    assert docker.host.reaches("10.1.0.9")
    before = docker.links()
    settings = docker.host.run("sysctl", "-ar", r"conf\.br0\.")

    with pytest.raises(sdk.Refused, match="to take a bridge that is there already add -o adopt=true"):
        await docker.network("web", "10.1.0.0/24", name="br0")
    assert docker.links() == before

    await docker.network("web", "10.1.0.0/24", name="br0", adopt="true")
    one = await docker.run("web", "one", "10.1.0.2/24", ports=[HTTP])
    assert await reached((one, "10.1.0.9"), (one, "10.1.0.1"), (machine, "10.1.0.2"), (one, OUTSIDE4)) == [True] * 4
    assert "mtu 1400" in one.run("ip", "link", "show", "eth0")
    assert {name: link for name, link in docker.links().items() if name in before} == before
    assert docker.host.run("sysctl", "-n", "net.ipv4.conf.br0.route_localnet") == "1\n"

    await docker.remove("web", "one")
    await docker.remove_network("web")
    await docker.engine.reconcile.heal()
    assert await docker.swept() == before
    assert docker.host.run("sysctl", "-ar", r"conf\.br0\.") == settings


# --- limits ------------------------------------------------------------------------------------------------------


async def test_the_1024th_port_of_a_bridge_is_refused_and_nothing_is_left_of_it(docker: Docker) -> None:
    """The kernel's own limit (BR_MAX_PORTS), in words; the 1023 there are stay."""
    bridge = await docker.network("web", "10.1.0.0/16")
    pair = "link add a{0} master {1} type veth peer name b{0}\nlink set b{0} master {1}\n"
    docker.host.run("ip", "-batch", "-", stdin="".join(pair.format(number, bridge) for number in range(511)))
    await docker.endpoint("web", "last", "10.1.0.2/16")
    before = set(docker.links())
    with pytest.raises(KernelError, match=f"a bridge has 1023 ports at most, and {bridge} has them all"):
        await docker.endpoint("web", "more", "10.1.0.3/16")
    assert set(await docker.swept()) == before
    assert sum(link.get("master") == bridge for link in docker.links().values()) == 1023


async def keeps_vlans_apart(docker: Docker) -> bool:
    """Whether this kernel does."""
    return "vlan_filtering" in (await docker.engine.kernel.host_facts()).features


async def test_b_22_vlans_are_refused_by_name_where_the_kernel_has_none(docker: Docker) -> None:
    """When the network is asked for, and nothing is made."""
    if await keeps_vlans_apart(docker):
        pytest.skip("vlan_filtering: VLANs on one bridge")
    with pytest.raises(sdk.Refused, match=r"vlan_filtering needs a kernel .*CONFIG_BRIDGE_VLAN_FILTERING"):
        await docker.network("web", "10.1.0.0/24", vlan_filtering="true")
    assert not [name for name in docker.links() if name.startswith("lw")]


async def test_b_22_only_equal_vlans_talk_and_a_trunk_sees_the_tags(docker: Docker) -> None:
    """Those without are in the bridge's own, with the host."""
    if not await keeps_vlans_apart(docker):
        pytest.skip("vlan_filtering: VLANs on one bridge")
    await docker.network("web", "10.1.0.0/24", vlan_filtering="true")
    one = await docker.run("web", "one", "10.1.0.2/24", vlan="100")
    two = await docker.run("web", "two", "10.1.0.3/24", vlan="100")
    other = await docker.run("web", "other", "10.1.0.4/24", vlan="200")
    plain = await docker.run("web", "plain", "10.1.0.5/24")
    router = await docker.run("web", "router", "10.1.0.6/24", trunk="101,200-210")
    router.ip("link add link eth0 name eth0.200 type vlan id 200")
    router.ip("addr add 10.1.0.7/24 dev eth0.200")
    router.ip("link set eth0.200 up")
    good = [(one, "10.1.0.3"), (plain, "10.1.0.1"), (other, "10.1.0.7"), (docker.host, "10.1.0.5")]
    bad = [(one, "10.1.0.4"), (one, "10.1.0.1"), (plain, "10.1.0.2"), (two, "10.1.0.7"), (docker.host, "10.1.0.2")]
    assert await reached(*good, *bad) == [True] * len(good) + [False] * len(bad)


async def test_p_22_what_an_endpoint_cannot_be_told_is_refused_before_anything_is_made(docker: Docker) -> None:
    """By name, as an option of a network is."""
    await docker.network("web", "10.1.0.0/24")
    before = docker.links()
    with pytest.raises(sdk.Refused, match="driver bridge has no endpoint option 'rat'; did you mean 'rate'"):
        await docker.endpoint("web", "one", "10.1.0.2/24", rat="1mbit")
    with pytest.raises(sdk.Refused, match="vlan and trunk are for networks made with -o vlan_filtering=true"):
        await docker.endpoint("web", "one", "10.1.0.2/24", vlan="7")
    assert docker.links() == before


async def test_b_05_isolated_is_among_siblings_alone(docker: Docker) -> None:
    """Not even the host is there; of an internal network it is the one that is."""
    modes: dict[str, Any] = {"gateway_mode_ipv4": "isolated", "gateway_mode_ipv6": "isolated"}
    bridge = await docker.network("alone", "10.1.0.0/24", "fd00:1::/64", internal=True, **modes)
    await docker.network("inside", "10.2.0.0/24", "fd00:2::/64", internal=True)
    one = await docker.run("alone", "one", "10.1.0.1/24", "fd00:1::1/64")
    await docker.run("alone", "two", "10.1.0.3/24", "fd00:1::3/64")
    other = await docker.run("inside", "other", "10.2.0.2/24", "fd00:2::2/64")
    assert docker.links()[bridge]["addr_info"] == []
    assert await reached((one, "10.1.0.3"), (one, "fd00:1::3"), (other, "10.2.0.1"), (other, "fd00:2::1")) == [True] * 4
    for container in (one, other):
        assert "default" not in container.run("ip", "route") + container.run("ip", "-6", "route")
    one.ip("route add default dev eth0")
    assert await reached((one, "10.2.0.1"), (one, UPLINK4), (docker.host, "10.1.0.3")) == [False] * 3
