"""On an imaginary host and on a real one: what is wished for is what the kernel has, and nothing is left afterwards."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from attrs import evolve
from plugins.macvlan.tests.asked import ENDPOINT, FOUR, IPVLAN, MACVLAN, SIX, host_in, ipvlan, macvlan

from linkwright import sdk
from linkwright.errors import KernelError
from linkwright.plan import Action, Mark, Step, diff
from linkwright.testkit.hosts import FakeHost, Host

ACCESS = (host_in(FOUR, "192.0.2.200"), host_in(SIX, "2001:db8::200", "host6"))
WIRE = sdk.Link("eth0", sdk.Veth("lan0"), mtu=1400)

NETWORKS: Mapping[str, sdk.Network[Any]] = {
    "bridge": macvlan(FOUR, SIX),
    "private": macvlan(FOUR, macvlan_mode="private"),
    "vepa": macvlan(FOUR, macvlan_mode="vepa", mtu="1300"),
    "passthru": macvlan(FOUR, macvlan_mode="passthru"),
    "source": macvlan(FOUR, macvlan_mode="source", macvlan_source_macs="02:00:00:00:00:01,02:00:00:00:00:02"),
    "a long queue": macvlan(FOUR, bc_queue_len="2000"),
    "isolated": macvlan(FOUR, parent="", mtu="9000"),
    "host access": macvlan(*ACCESS, host_access="true"),
    "host access, isolated": macvlan(*ACCESS, parent="", host_access="true"),
    "a VLAN": macvlan(FOUR, parent="eth0.50"),
    "a VLAN, host access": macvlan(*ACCESS, parent="eth0.50", host_access="true"),
    "l2": ipvlan(FOUR, SIX),
    "l3": ipvlan(FOUR, SIX, ipvlan_mode="l3", mtu="1300"),
    "l3s, private": ipvlan(FOUR, ipvlan_mode="l3s", ipvlan_flag="private"),
    "l2, isolated": ipvlan(FOUR, parent="", ipvlan_flag="vepa"),
    "l3, a VLAN": ipvlan(FOUR, parent="eth0.50", ipvlan_mode="l3"),
}


def needs(network: sdk.Network[Any]) -> str:
    """The kernel feature that the network needs and that this kernel may lack; "" for none."""
    if network.driver == "ipvlan":
        return "ipvlan"
    return "vlan" if "." in network.options.parent else ""


@pytest.mark.parametrize("name", list(NETWORKS))
async def test_m_01_m_03_n_01_the_kernel_has_what_was_wished(
    host: Host, settles: Callable[..., Any], name: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """Looking again finds nothing to do, and afterwards the parent alone is there.

    Where the kernel lacks a feature, driver and kernel both say so, by its name.
    """
    await host.create(WIRE)
    network = NETWORKS[name]
    driver: Any = {"macvlan": MACVLAN, "ipvlan": IPVLAN}[network.driver]
    facts = await host.kernel.host_facts(driver.looks_at(network.options))
    network, feature = evolve(network, host=facts), needs(network)
    if feature and not isinstance(host, FakeHost) and feature not in facts.features:
        assert f"the kernel has no {feature}: modprobe" in refusal(lambda: driver.network(network))
        unknown = evolve(network, host=evolve(facts, features=frozenset()))
        wishes = [*driver.network(unknown), *driver.endpoint(unknown, ENDPOINT)]
        made = {wish.key: wish for wish in wishes if isinstance(wish, sdk.Link) and wish.hold is sdk.Hold.OWN}
        with pytest.raises(KernelError, match=r"the kernel has no (ip)?vlan: modprobe"):
            await host.kernel.apply(diff({}, made).steps)
        pytest.skip(f"kernel feature: {feature}")
    takes_mac = driver.capabilities.takes_mac and network.options.takes_mac
    endpoint = ENDPOINT if takes_mac else evolve(ENDPOINT, mac=None)
    made = await settles(host, driver, network, endpoint)
    links = [thing for thing in made.values() if isinstance(thing, sdk.Link)]
    assert {link.mtu for link in links} <= {1400, network.options.mtu or 1500}


async def test_m_02_m_03_whose_a_link_is_and_what_it_is_a_port_of_can_be_known(host: Host) -> None:
    """What decides whether a parent is borrowed, ours, or refused."""
    await host.create(WIRE)
    await host.create(sdk.Link("br0", sdk.Bridge()))
    await host.create(sdk.Link("eth1", sdk.Veth("lan1"), master="br0"))
    ours = sdk.Link("lwmine", sdk.Macvlan("eth0"), mark=Mark("default", "n"))
    theirs = sdk.Link("lwtheirs", sdk.Macvlan("eth0"), mark=Mark("another", "n"))
    await host.kernel.apply([Step(Action.CREATE, ours), Step(Action.CREATE, theirs)])
    names = ("eth0", "br0", "eth1", "lwmine", "lwtheirs", "nosuch0")
    facts = (await host.kernel.host_facts(names)).links
    assert [(fact.name, fact.kind, fact.ours, fact.master) for fact in facts] == [
        ("eth0", "veth", False, ""),
        ("br0", "bridge", False, ""),
        ("eth1", "veth", False, "br0"),
        ("lwmine", "macvlan", True, ""),
        ("lwtheirs", "macvlan", False, ""),
    ]
