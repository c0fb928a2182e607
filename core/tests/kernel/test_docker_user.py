"""The rule in DOCKER-USER, by both back-ends of iptables and in both families: once, first, only where asked."""

import pytest

from linkwright.errors import KernelError
from linkwright.kernel.docker_user import DockerUser, Found, Outcome
from linkwright.testkit.namespaces import Namespace

pytestmark = pytest.mark.netns

BACKENDS = ["nft", "legacy"]
RULE = '-A DOCKER-USER -m mark --mark 0x1000/0x1000 -m comment --comment "linkwright:default" -j ACCEPT'
RETURN = "-A DOCKER-USER -j RETURN"


def docker_starts(namespace: Namespace, backend: str, families: tuple[str, ...] = ("iptables", "ip6tables")) -> None:
    """Do to FORWARD and DOCKER-USER what dockerd 20.10 does when it starts."""
    for family in families:
        for arguments in (
            "-P FORWARD DROP",
            "-N DOCKER-USER",
            "-A DOCKER-USER -j RETURN",
            "-I FORWARD -j DOCKER-USER",
        ):
            namespace.run(f"{family}-{backend}", *arguments.split())


def rules(namespace: Namespace, command: str) -> list[str]:
    """The rules in DOCKER-USER as iptables lists them."""
    return namespace.run(command, "-S", "DOCKER-USER").splitlines()[1:]


@pytest.fixture
def ours(namespace: Namespace) -> DockerUser:
    """The rule of the default instance, in the test's namespace."""
    return DockerUser(prefix=namespace.enter)


@pytest.mark.parametrize("backend", BACKENDS)
async def test_the_rule_is_put_first_and_once(namespace: Namespace, ours: DockerUser, backend: str) -> None:
    """Where Docker's chain is, our rule comes to stand before its RETURN; asking again changes nothing."""
    docker_starts(namespace, backend)
    assert await ours.ensure() == Outcome(Found.ADDED, Found.ADDED)
    for command in (f"iptables-{backend}", f"ip6tables-{backend}"):
        assert rules(namespace, command) == [RULE, RETURN]
    assert await ours.ensure() == Outcome(Found.PRESENT, Found.PRESENT)
    for command in (f"iptables-{backend}", f"ip6tables-{backend}"):
        assert rules(namespace, command) == [RULE, RETURN]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_it_comes_back_after_docker_or_firewalld_made_the_chain_anew(
    namespace: Namespace, ours: DockerUser, backend: str
) -> None:
    """A flushed or re-made chain has no rule of ours; the next look puts it back, in that family only."""
    docker_starts(namespace, backend)
    await ours.ensure()
    namespace.run(f"ip6tables-{backend}", "-F", "DOCKER-USER")
    assert await ours.ensure() == Outcome(Found.PRESENT, Found.ADDED)
    assert rules(namespace, f"ip6tables-{backend}") == [RULE]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_duplicates_old_marks_and_a_rule_behind_return_are_put_right(
    namespace: Namespace, ours: DockerUser, backend: str
) -> None:
    """However it got there, what is left is one rule with today's mark, before the RETURN; others' rules stay."""
    docker_starts(namespace, backend, ("iptables",))
    for position, mark in (("-A", "0x1000/0x1000"), ("-I", "0x400/0x400"), ("-A", "0x1000/0x1000")):
        arguments = f"-m mark --mark {mark} -m comment --comment linkwright:default -j ACCEPT"
        namespace.run(f"iptables-{backend}", position, "DOCKER-USER", *arguments.split())
    namespace.run(f"iptables-{backend}", "-A", "DOCKER-USER", "-s", "192.0.2.1", "-j", "DROP")
    assert await ours.ensure() == Outcome(Found.ADDED, Found.NO_CHAIN)
    theirs = "-A DOCKER-USER -s 192.0.2.1/32 -j DROP"
    assert rules(namespace, f"iptables-{backend}") == [RULE, RETURN, theirs]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_rules_that_an_administrator_puts_before_ours_stay_there(
    namespace: Namespace, ours: DockerUser, backend: str
) -> None:
    """The chain is the administrator's: what stands before our rule was meant to, and is not overtaken."""
    docker_starts(namespace, backend)
    await ours.ensure()
    namespace.run(f"iptables-{backend}", "-I", "DOCKER-USER", "-i", "eth0", "-j", "DROP")
    assert await ours.ensure() == Outcome(Found.PRESENT, Found.PRESENT)
    assert rules(namespace, f"iptables-{backend}") == ["-A DOCKER-USER -i eth0 -j DROP", RULE, RETURN]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_removing_leaves_what_others_put_there(namespace: Namespace, ours: DockerUser, backend: str) -> None:
    """Uninstalling takes our rule, another instance's stays; removing again is no error."""
    docker_starts(namespace, backend)
    other = DockerUser(instance="b", mark_bit=0x400, prefix=namespace.enter)
    await ours.ensure()
    await other.ensure()
    await ours.remove()
    await ours.remove()
    theirs = '-A DOCKER-USER -m mark --mark 0x400/0x400 -m comment --comment "linkwright:b" -j ACCEPT'
    for command in (f"iptables-{backend}", f"ip6tables-{backend}"):
        assert rules(namespace, command) == [theirs, RETURN]


async def test_without_dockers_chain_nothing_is_made(namespace: Namespace, ours: DockerUser) -> None:
    """On a host without Docker, or with its nftables back-end, looking leaves no trace: no chain and no table."""
    assert await ours.ensure() == Outcome(Found.NO_CHAIN, Found.NO_CHAIN)
    await ours.remove()
    assert namespace.run("nft", "list", "ruleset") == ""
    assert namespace.run("cat", "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names") == ""


async def test_looking_with_iptables_nft_makes_no_legacy_tables(namespace: Namespace, ours: DockerUser) -> None:
    """Where Docker uses iptables-nft, the legacy back-end is not even asked: asking would load its tables."""
    docker_starts(namespace, "nft")
    await ours.ensure()
    assert namespace.run("cat", "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names") == ""


async def test_a_host_with_the_chain_in_both_back_ends_gets_the_rule_in_both(
    namespace: Namespace, ours: DockerUser
) -> None:
    """After a switch of back-ends the old chain still sees packets: a drop there is as final as in the new one."""
    docker_starts(namespace, "nft")
    docker_starts(namespace, "legacy")
    assert await ours.ensure() == Outcome(Found.ADDED, Found.ADDED)
    assert rules(namespace, "iptables-nft") == [RULE, RETURN]
    assert rules(namespace, "iptables-legacy") == [RULE, RETURN]


async def test_a_host_without_iptables_is_no_error(ours: DockerUser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no such command, Docker cannot have used it."""
    monkeypatch.setenv("PATH", "/nonexistent")
    assert await ours.ensure() == Outcome(Found.NO_BINARY, Found.NO_BINARY)


async def test_what_iptables_refuses_is_a_kernel_error(namespace: Namespace, ours: DockerUser) -> None:
    """A chain that iptables cannot read (native nft rules in it) is reported with its own words; IPv6 is still done."""
    docker_starts(namespace, "nft")
    namespace.run("nft", "add rule ip filter DOCKER-USER ct state new numgen inc mod 2 1 accept")
    with pytest.raises(KernelError, match=r"iptables-nft -S DOCKER-USER.*exit status.*incompatible"):
        await ours.ensure()
    assert rules(namespace, "ip6tables-nft") == [RULE, RETURN]
