"""``linkwright plan`` and ``linkwright repair``: what is planned is not done, what is repaired is reported."""

import errno

import pytest
from attrs import evolve
from core.tests.cli.conftest import ENDPOINT, OTHER, SANDBOX, STORAGE, WEB, Served

from linkwright.ipam.spaces import LOCAL
from linkwright.model.change import Put
from linkwright.plan import Address, Link

BRIDGE = f"lwb{WEB[:12]}"


def everything(served: Served) -> object:
    """All that a command could have changed: the host, the store, what is remembered of either."""
    kernel, engine = served.kernel, served.engine
    return (
        kernel.resources(),
        dict(kernel.state.sysctls),
        kernel.attempted,
        kernel.prepared,
        served.store.statistics(),
        dict(engine.state.networks),
        dict(engine.state.endpoints),
        engine.applying.desired.all(),
        served.ipam.records(),
        served.recent.memories(),
    )


async def drift(served: Served) -> None:
    """Somebody deletes a bridge, changes another's MTU, takes its address away, and flushes the firewall."""
    await served.busy()
    bridge = served.kernel.get(("link", BRIDGE))
    assert isinstance(bridge, Link)
    served.kernel.foreign_delete(("link", f"lwb{STORAGE[:12]}"))
    served.kernel.foreign_change(evolve(bridge, mtu=1280))
    served.kernel.foreign_delete(Address(BRIDGE, served.engine.state.networks[WEB].subnets[0].gateway).key)  # type: ignore[arg-type]
    served.kernel.foreign_flush()


async def test_s_06_a_plan_lists_what_to_do_and_does_nothing(served: Served) -> None:
    """On a drifted host: every kind of drift has its command, and nothing anywhere is different afterwards."""
    await drift(served)
    before = everything(served)

    text = await served.text("plan")

    for command in (
        f"# network {WEB[:12]} (bridge)\n",
        f"ip link set {BRIDGE} mtu 1500\n",
        f"ip addr add 10.7.0.1/24 dev {BRIDGE}\n",
        f"nft add element inet linkwright bridges {{ {BRIDGE} }}\n",
        f"ip link add lwb{STORAGE[:12]} mtu 1500",
    ):
        assert command in text
    assert before == everything(served)


async def test_s_06_planning_a_network_that_is_not_made_does_nothing(served: Served) -> None:
    """Neither a pool nor a name nor a lock is left of it, however often it is asked for."""
    await drift(served)
    before = everything(served)

    first, second = [await served.text("plan", "--driver", "bridge", "--subnet", "10.9.0.0/24") for _ in "12"]

    assert "ip addr add 10.9.0.1/24 dev lwb000000000000\n" in first
    assert first == second
    assert before == everything(served)


async def test_a_plan_is_what_is_then_repaired(served: Served) -> None:
    """The commands that repair reports are those that plan promised, and afterwards nothing is left to do."""
    await drift(served)
    planned = await served.json("plan")

    repaired = await served.json("repair")

    promised = ["\n".join(step["commands"]) for one in planned["networks"] for step in one["steps"]]
    assert sorted(promised) == sorted(one["text"] for one in repaired["repaired"] if one["kind"] != "ruleset")
    assert await served.text("plan") == "# nothing to do: the host is as it should be\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--subnet 10.9.0.0/24 --gateway 10.9.0.9", "ip addr add 10.9.0.9/24 dev lwb000000000000"),
        ("--subnet 10.9.0.0/31", "ip addr add 10.9.0.0/31 dev lwb000000000000"),
        ("--subnet 10.9.0.0/24 --subnet fd00:9::/64 --internal", "ip addr add fd00:9::1/64 dev lwb000000000000 nodad"),
        ("--subnet 10.9.0.0/24 -o mtu=1400", "ip link add lwb000000000000 mtu 1400 "),
        ("--subnet 10.9.0.0/24 -o com.docker.network.bridge.name=lw-x", "ip link add lw-x "),
    ],
)
async def test_a_network_is_planned_as_it_is_described(served: Served, words: str, line: str) -> None:
    """Each flag does what it does in ``docker network create``."""
    assert line in await served.text("plan", "--driver", "bridge", *words.split())


async def test_an_internal_network_leads_nowhere(served: Served) -> None:
    """``--internal``: no masquerade and no way out is planned."""
    words = ("plan", "--driver", "bridge", "--subnet", "10.9.0.0/24")

    assert "outward" in await served.text(*words)
    assert "outward" not in await served.text(*words, "--internal")
    assert "masquerade" not in await served.text(*words, "--internal")


async def test_without_a_gateway_none_is_planned(served: Served) -> None:
    """The option that Docker asks about beforehand (GwAllocCheck) counts here too."""
    text = await served.text("plan", "--driver", "bridge", "--subnet", "10.9.0.0/24", "-o", "gateway=false")

    assert "ip addr add" not in text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--driver brigde --subnet 10.9.0.0/24", "Error: no driver 'brigde' is installed"),
        ("--driver bridge", "Error: a bridge network needs addresses"),
        ("--driver bridge --subnet 10.9.0.0/24 -o mut=1", "Error: driver bridge has no option 'mut'; did you mean"),
        ("--driver bridge --subnet 10.7.0.128/25", f"Error: 10.7.0.128/25 overlaps the pool {LOCAL}/10.7.0.0/24"),
        ("--driver bridge --subnet fd00:9::/64", "Error: the host's net.ipv6.conf.all.forwarding is 0"),
        (
            f"--driver bridge --subnet 10.9.0.0/24 -o com.docker.network.bridge.name=lwb{WEB[:12]}",
            f"Error: cannot create network 000000000000 (lwb{WEB[:12]}): conflicts with network {WEB[:12]}",
        ),
    ],
)
async def test_what_docker_would_be_refused_is_refused_here(served: Served, words: str, text: str) -> None:
    """With the same words, and exit status 1."""
    await served.network()
    await served.endpoint()

    result = await served.run("plan", *words.split())

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(text), result.stderr


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--subnet 10.9.0.0/24", "describe a network; add its --driver"),
        ("--internal", "describe a network; add its --driver"),
        ("--driver bridge --subnet 10.9.0.5/24", "10.9.0.5/24 has host bits set"),
        ("--driver bridge --subnet ten", "'ten' does not appear to be an IPv4 or IPv6 network"),
        ("--driver bridge --gateway 10.9.0", "'10.9.0' does not appear to be an IPv4 or IPv6 address"),
        ("--driver bridge --subnet 10.9.0.0/24 --gateway 10.8.0.1", "the gateway 10.8.0.1 is in no --subnet"),
        ("--driver bridge -o =1", "'=1' has no key; write KEY=VALUE"),
    ],
)
async def test_a_wrong_usage_has_exit_status_2(served: Served, words: str, text: str) -> None:
    """And asks nobody."""
    result = await served.run("plan", *words.split())

    assert (result.exit_code, result.stdout) == (2, "")
    assert text in result.stderr


# --- repair --------------------------------------------------------------------------------------------------


async def test_the_dead_are_collected_and_named(served: Served) -> None:
    """An endpoint of another boot goes at once, with its lease: it is in the report, and gone from the list."""
    await served.busy()
    other = served.engine.state.endpoints[OTHER]
    await served.engine.state.commit(Put(evolve(other, boot="an earlier one")))

    report = await served.json("repair")

    assert report["collected"] == [{"what": "endpoint", "id": OTHER, "reason": "it was made under another boot"}]
    assert OTHER not in [one["id"] for one in await served.json("endpoint", "ls")]


async def test_what_cannot_be_repaired_is_said_and_the_status_is_1(served: Served) -> None:
    """The kernel refuses whatever is tried: the step, the reason, and exit status 1; the next repair does it."""
    await served.busy()
    served.kernel.foreign_delete(("link", f"lwb{STORAGE[:12]}"))
    served.kernel.fail_at = dict.fromkeys(range(served.kernel.attempted + 1, 1000), errno.ENOMEM)

    result = await served.run("repair")
    served.kernel.fail_at.clear()

    assert result.exit_code == 1
    assert "Could not be repaired:\n" in result.stdout
    assert "ENOMEM: injected by the test" in result.stdout
    assert (await served.run("repair")).exit_code == 0


async def test_a_joined_link_that_is_gone_is_reported_and_made_anew_by_repair(served: Served) -> None:
    """It took the container's interface along: plan only reports it, and an operator's repair gives it another."""
    await served.busy()
    link = f"lwh{ENDPOINT[:12]}"
    served.kernel.foreign_delete(("link", link))

    planned, repaired = await served.text("plan"), await served.run("repair")

    assert f"# not repaired by itself: link {link} of endpoint {ENDPOINT[:12]} is gone from the host\n" in planned
    assert repaired.exit_code == 0
    assert f"the link of endpoint {ENDPOINT[:12]} was made anew, and is eth0 in {SANDBOX}" in repaired.stdout
    assert (await served.text("plan")).startswith("# nothing to do")


async def test_a_joined_link_that_cannot_be_made_anew_is_reported_and_the_status_is_1(served: Served) -> None:
    """The way into the sandbox is refused: both the refusal and what is still missing are said."""
    await served.busy()
    link = f"lwh{ENDPOINT[:12]}"
    served.kernel.foreign_delete(("link", link))
    served.kernel.handover_fails = errno.EPERM

    repaired = await served.run("repair")

    text = f"link {link} of endpoint {ENDPOINT[:12]} is gone from the host"
    assert repaired.exit_code == 1
    assert f"Not repaired by itself:\nWHAT\n{text}\n" in repaired.stdout
    assert "cannot be made anew" in repaired.stdout
    assert SANDBOX in served.kernel.sandboxes
