"""Beside a Docker that writes nftables itself (``--firewall-backend=nftables``, Engine 29 and later).

None of the engines that the tests start has that back-end, so its rules are played: as moby's documentation of them has
it (``integration/network/bridge/nftablesdoc``), for one bridge with one published port. It has no DOCKER-USER and no
policy, so no rule of ours has to open it; what is asked here is that each side's traffic goes on past the rules of the
other.
"""

import pytest
from core.tests.kernel.laboratory import Laboratory, address, creates, host_address

from linkwright.kernel.docker_user import DockerUser, Found, Outcome
from linkwright.kernel.nftables.firewall import Firewall
from linkwright.plan.resources import Element

pytestmark = pytest.mark.netns

BOTH = pytest.mark.parametrize("version", [4, 6])
#: A port of the host's that Docker publishes, and one that we do.
DOCKERS, OURS = 8090, 8080
#: Engine 29 makes both tables anew when it starts, each in one transaction.
_TABLE = """
table {family} docker-bridges
delete table {family} docker-bridges
table {family} docker-bridges {{
    map forward-in {{ type ifname : verdict; elements = {{ "br9" : jump in-br9 }} }}
    map forward-out {{ type ifname : verdict; elements = {{ "br9" : jump out-br9 }} }}
    chain forward {{
        type filter hook forward priority filter; policy accept;
        oifname vmap @forward-in
        iifname vmap @forward-out
    }}
    chain in-br9 {{
        ct state established,related counter accept
        iifname "br9" counter accept
        {family} daddr {container} udp dport 80 counter accept
        counter drop
    }}
    chain out-br9 {{
        ct state established,related counter accept
        counter accept
    }}
    chain prerouting {{
        type nat hook prerouting priority dstnat; policy accept;
        fib daddr type local counter jump published
    }}
    chain output {{
        type nat hook output priority -100; policy accept;
        fib daddr type local counter jump published
    }}
    chain published {{
        udp dport {port} counter dnat to {target}
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        oifname != "br9" {family} saddr {subnet} counter masquerade
    }}
    chain raw {{
        type filter hook prerouting priority raw; policy accept;
        {family} daddr {container} iifname != "br9" counter drop
    }}
}}
"""


def docker_starts(laboratory: Laboratory) -> None:
    """Do what that engine does with its tables when it starts, whether they are there or not."""
    for version, family, target, subnet in ((4, "ip", "{}:80", "10.0.9.0/24"), (6, "ip6", "[{}]:80", "fd00:9::/64")):
        container = address("docker", version)
        text = _TABLE.format(
            family=family, container=container, port=DOCKERS, target=target.format(container), subnet=subnet
        )
        laboratory.host.run("nft", "-f", "-", stdin=text)


@pytest.fixture(params=["before us", "after us"])
def starts(request: pytest.FixtureRequest) -> str:
    """When Docker starts: chains of one priority run in the order in which they were made."""
    return str(request.param)


@pytest.fixture
def laboratory(laboratory: Laboratory, starts: str) -> Laboratory:
    """With Docker's tables, if it was there before us."""
    if starts == "before us":
        docker_starts(laboratory)
    return laboratory


@pytest.fixture
def beside(laboratory: Laboratory, firewall: Firewall, starts: str) -> Laboratory:
    """With the tables of both."""
    if starts == "after us":
        docker_starts(laboratory)
    return laboratory


@BOTH
async def test_containers_of_ours_go_their_ways(beside: Laboratory, version: int) -> None:
    """To their siblings, with br_netfilter as well, to the host, and outside as the host."""
    assert beside.arrives("a", "b", version) == address("a", version)
    assert beside.arrives("a", "outside", version) == host_address("up0", version)
    gateway = host_address("lw0", version)
    assert beside.arrives("a", "host", version, by=gateway, on=gateway) == address("a", version)


@BOTH
async def test_b_03_bridges_of_both_are_kept_apart(beside: Laboratory, version: int) -> None:
    """What is Docker's lets its own out to everywhere: that they do not come in to ours is our doing."""
    assert beside.is_dropped("docker", "a", version)
    assert beside.is_dropped("a", "docker", version, port=80)


@BOTH
async def test_b_09_published_ports_of_both_are_reached(beside: Laboratory, firewall: Firewall, version: int) -> None:
    """Ours from outside and from Docker's containers, and Docker's from outside and from ours, each as published."""
    await firewall.apply(
        creates(Element(f"wildcard{version}", ("udp", str(OURS)), (address("a", version), "80"))),
    )
    by = host_address("up0", version)
    theirs = host_address("lw0", version)  # Docker masquerades what its containers send, wherever it goes
    for sender, seen in (("outside", address("outside", version)), ("docker", theirs)):
        assert beside.arrives(sender, "a", version, by=by, port=OURS, at=80) == seen
    ours = host_address("br9", version)
    for sender, seen in (("outside", address("outside", version)), ("a", ours)):
        assert beside.arrives(sender, "docker", version, by=by, port=DOCKERS, at=80) == seen


@BOTH
async def test_docker_starts_anew_and_ours_stays(beside: Laboratory, version: int) -> None:
    """It deletes and makes its own tables only; there is no chain of its that would need a rule of ours."""
    before = beside.host.run("nft", "-s", "list", "table", "inet", "linkwright")
    docker_starts(beside)
    assert beside.host.run("nft", "-s", "list", "table", "inet", "linkwright") == before
    assert await DockerUser(prefix=beside.host.enter).ensure() == Outcome(Found.NO_CHAIN, Found.NO_CHAIN)
    assert beside.arrives("a", "outside", version) == host_address("up0", version)
