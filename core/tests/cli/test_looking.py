"""What commands answer beyond the golden texts: names and their beginnings, doubts, what is frozen, what happened."""

import json
import re
from contextlib import nullcontext
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve
from core.tests.cli.conftest import ENDPOINT, NOW, OTHER, STORAGE, WEB, Served

from linkwright.daemon.calls import Listener
from linkwright.daemon.firewalld import Standing
from linkwright.daemon.health import Health
from linkwright.daemon.holdings import Holdings
from linkwright.daemon.http import HttpRequest
from linkwright.daemon.peer import Peer
from linkwright.daemon.plugin import Plugin
from linkwright.engine.observation import Collected, Drift, DriverOverrun
from linkwright.errors import DriverFault
from linkwright.ipam import LOCAL, PoolRequest
from linkwright.model import PortBinding, Protocol
from linkwright.model.change import Put
from linkwright.store import RecoveryReport

POOL = f"{LOCAL}/10.7.0.0/24"


# --- ports ---------------------------------------------------------------------------------------------------


async def test_b_11_a_port_that_was_chosen_is_shown(served: Served) -> None:
    """Docker shows none for a remote driver: here is the one place where a user learns which it is."""
    await served.busy()
    ports = (PortBinding(Protocol.TCP, 443), PortBinding(Protocol.UDP, 53, None, 5300, 5310))
    await served.engine.endpoints.external(WEB, OTHER, ports)

    (one,) = [one for one in await served.json("endpoint", "ls") if one["id"] == OTHER]
    shown = await served.json("endpoint", "show", OTHER[:12])
    text = await served.text("endpoint", "show", OTHER[:12])

    assert one["ports"] == ["443/tcp", "5300-5310:53/udp"]
    assert one["published"] == shown["published"]
    chosen = [(port["protocol"], port["port"], port["host_address"], port["host_port"]) for port in shown["bindings"]]
    assert chosen == [
        ("udp", 53, "0.0.0.0", 5300),
        ("udp", 53, "::", 5300),
        ("tcp", 443, "0.0.0.0", 32768),
        ("tcp", 443, "::", 32768),
    ]
    assert re.search(r"443 +tcp +0\.0\.0\.0 +32768 +held\n", text)
    assert re.search(r"ports asked for +443/tcp, 5300-5310:53/udp\n", text)


async def test_a_port_that_another_process_took_is_shown_as_lost(served: Served) -> None:
    """With the reason on the endpoint's page, in lists by a word, and counted on the first page."""
    await served.busy()
    served.host_ports.held.clear()
    served.host_ports.foreign_bind(Protocol.TCP, ip_address("0.0.0.0"), 8080)
    await served.engine.publishing.restore()

    assert "192.0.2.7:8080:80/tcp (lost)" in await served.text("endpoint", "ls")
    assert "192.0.2.7:8080:80/tcp (lost)" in await served.text("network", "show", WEB)
    assert "ports           1 published, 1 lost\n" in await served.text("status")
    shown = await served.json("endpoint", "show", "web")
    assert [(one["held"], one["lost"]) for one in shown["bindings"]] == [
        (False, "192.0.2.7:8080:80/tcp is taken by another process")
    ]
    assert "is taken by another process" in await served.text("endpoint", "show", "web")


# --- names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [WEB, WEB[:12], "a"])
async def test_a_network_is_named_by_the_beginning_of_its_id(served: Served, name: str) -> None:
    """As with docker: as much of it as is only one's."""
    await served.busy()

    assert (await served.json("network", "show", name))["id"] == WEB


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("network show ffff", "Error: no network 'ffff' is known here; `linkwright network ls` shows those that are\n"),
        ("endpoint show nobody", "Error: no endpoint 'nobody' is known here; `linkwright endpoint ls` shows"),
        ("pool show 10.99.0.0/24", "Error: no pool '10.99.0.0/24' is known here; `linkwright pool ls` shows"),
        ("endpoint ls --network ffff", "Error: no network 'ffff' is known here"),
        ("endpoint show e", "Error: 'e' stands for 3 endpoints: "),
        ("pool show linkwright-local/", f"Error: 'linkwright-local/' stands for 2 pools: {POOL}, {LOCAL}/fd00:1::/64;"),
    ],
)
async def test_what_is_unknown_or_not_clear_is_refused_by_name(served: Served, words: str, text: str) -> None:
    """On stderr, with exit status 1, and with what to type instead."""
    await served.busy()

    result = await served.run(*words.split())

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(text)


@pytest.mark.parametrize("name", [ENDPOINT, "e1", "web"])
async def test_an_endpoint_is_also_named_by_its_container(served: Served, name: str) -> None:
    """Where the engine tells the name (from 29 on)."""
    await served.busy()

    assert (await served.json("endpoint", "show", name))["id"] == ENDPOINT


@pytest.mark.parametrize("name", [POOL, "linkwright-local/10", "10.7.0.0/24"])
async def test_a_pool_is_also_named_by_its_subnet(served: Served, name: str) -> None:
    """Nobody likes to type the address space; and the slashes of an id are no path."""
    await served.busy()

    assert (await served.json("pool", "show", name))["id"] == POOL


async def test_two_containers_of_one_name_are_told_apart_by_id(served: Served) -> None:
    """The refusal names both."""
    await served.busy()
    other = served.engine.state.endpoints[OTHER]
    await served.engine.state.commit(Put(evolve(other, name="web")))

    result = await served.run("endpoint", "show", "web")

    assert result.exit_code == 1
    assert f"'web' stands for 2 endpoints: {ENDPOINT}, {OTHER}" in result.stderr


async def test_endpoints_of_one_network_only(served: Served) -> None:
    """``--network`` with any beginning of its id."""
    await served.busy()

    found = await served.json("endpoint", "ls", "--network", STORAGE[:6])

    assert [one["network"] for one in found] == [STORAGE]


async def test_dead_endpoints_only(served: Served) -> None:
    """``--dead`` shows those whose sandbox is gone, though Docker never said so; the others have theirs."""
    await served.busy()
    assert await served.json("endpoint", "ls", "--dead") == []
    served.kernel.destroy_sandbox("/run/docker/netns/0123456789ab")

    assert [one["id"] for one in await served.json("endpoint", "ls", "--dead")] == [ENDPOINT]
    assert (await served.json("endpoint", "show", "web"))["dead"]


async def test_endpoints_of_many_networks_come_oldest_first(served: Served) -> None:
    """And those of one second by their ids: the same list twice is the same text."""
    await served.busy()
    last = served.engine.state.endpoints[ENDPOINT]
    await served.engine.state.commit(Put(evolve(last, created=NOW + 1)))

    assert [one["id"] for one in await served.json("endpoint", "ls")] == [OTHER, "e3" * 32, ENDPOINT]


# --- who holds an address ------------------------------------------------------------------------------------


async def called(served: Served, method: str, **fields: Any) -> dict[str, Any]:
    """What Docker gets for a call on the bridge driver's socket."""
    holdings = Holdings(served.ledger, served.ipam)
    listener = Listener(
        name="lw-bridge",
        engine=served.engine,
        ipam=served.ipam,
        holdings=holdings,
        driver="bridge",
    )
    plugin = Plugin(
        listener,
        closing=lambda: False,
        timing=lambda _, __: nullcontext(SimpleNamespace(outcome="")),
    )
    request = HttpRequest("POST", f"/{method}", json.dumps(fields).encode())
    answer: dict[str, Any] = json.loads((await plugin.answer(request, Peer(7, 1))).body)
    assert not answer.get("Err"), answer
    return answer


async def test_i_24_the_owner_of_an_address_is_shown(served: Served) -> None:
    """An engine from 29 on tells IPAM the endpoint's name: pool, endpoint and export show it."""
    pool = (await called(served, "IpamDriver.RequestPool", AddressSpace=LOCAL, Pool="10.7.0.0/24", Options=None))[
        "PoolID"
    ]
    options = {"com.docker.network.endpoint.name": "web"}
    given = await called(served, "IpamDriver.RequestAddress", PoolID=pool, Address="", Options=options)
    data = [{"AddressSpace": LOCAL, "Pool": "10.7.0.0/24", "Gateway": "10.7.0.254/24", "AuxAddresses": {}}]
    await called(served, "NetworkDriver.CreateNetwork", NetworkID=WEB, Options={}, IPv4Data=data, IPv6Data=[])
    interface = {"Address": given["Address"], "AddressIPv6": "", "MacAddress": ""}
    await called(
        served, "NetworkDriver.CreateEndpoint", NetworkID=WEB, EndpointID=ENDPOINT, Interface=interface, Options={}
    )

    leases = (await served.json("pool", "show", "10.7.0.0/24"))["leases"]

    address = given["Address"].partition("/")[0]
    assert [(address, "web", ENDPOINT)] == [(one["address"], one["owner"], one["endpoint"]) for one in leases]
    assert [("web", [given["Address"]])] == [
        (one["name"], one["addresses"]) for one in await served.json("endpoint", "ls")
    ]
    assert f"{address}  endpoint  held   web" in await served.text("pool", "show", "10.7.0.0/24")
    exported = [json.loads(line) for line in (await served.text("export")).splitlines()]
    assert [line["lease"]["owner"] for line in exported if "lease" in line] == ["web"]


async def test_of_two_networks_on_one_subnet_no_endpoint_is_guessed(served: Served) -> None:
    """In named address spaces one subnet may be two networks', and Docker does not tell which: then none is shown."""
    await served.busy()
    web = served.engine.state.networks[WEB]
    await served.engine.state.commit(Put(evolve(web, id="ff" * 32)))

    leases = (await served.json("pool", "show", "10.7.0.0/24"))["leases"]

    assert {None} == {one["endpoint"] for one in leases}


# --- doubts --------------------------------------------------------------------------------------------------


async def replayed(served: Served) -> None:
    """Docker is started anew, and of two networks it asks for one."""
    served.ipam.begin_epoch("lw-bridge", "8@2", activation=True)
    prefix: Any = served.engine.state.networks[WEB].subnets[0].pool
    await served.ipam.request_pool(PoolRequest(LOCAL, 4, prefix, listener="lw-bridge"))


async def test_r_13_what_docker_did_not_ask_for_again_is_listed_as_unconfirmed(served: Served) -> None:
    """Docker forgot a network while we were away: status and list say so until it is collected."""
    await served.busy()
    await replayed(served)

    document = await served.json("status")

    reason = f"Docker has not asked for {LOCAL}/fd00:1::/64 since it started"
    assert [{"network": STORAGE, "reason": reason}] == document["unconfirmed"]
    assert [f"{LOCAL}/fd00:1::/64"] == document["pools"]["unconfirmed"]
    assert f"Networks that Docker may have forgotten:\nNETWORK       WHY\n{STORAGE[:12]}  {reason}\n" in (
        await served.text("status")
    )
    states = {one["id"]: one["unconfirmed"] for one in await served.json("network", "ls")}
    assert {WEB: None, STORAGE: reason} == states
    assert "unconfirmed" in (await served.text("network", "ls")).splitlines()[2]
    pools = {one["id"]: (one["confirmed"], one["unconfirmed_leases"]) for one in await served.json("pool", "ls")}
    assert {POOL: (True, 3), f"{LOCAL}/fd00:1::/64": (False, 2)} == pools


async def test_what_the_witness_missed_is_listed_as_unconfirmed(served: Served) -> None:
    """With a witness the reason is its own; what it missed and we no longer have is not shown."""
    await served.busy()
    served.look_as(witness=SimpleNamespace(unconfirmed=frozenset({WEB, "99" * 32}), error="no answer in 2 s"))

    document = await served.json("status")

    assert document["unconfirmed"] == [{"network": WEB, "reason": "Docker did not know it when it was last asked"}]
    assert document["witness"] == {"asked": True, "error": "no answer in 2 s"}
    assert "docker witness  no answer in 2 s\n" in await served.text("status")


# --- status --------------------------------------------------------------------------------------------------


async def test_what_is_not_well_is_said_with_its_reason(served: Served) -> None:
    """A check that is ill, a rule that is not there, a write that failed, a driver that was left out."""
    health = Health("start", "store")
    health.well("start")
    fault = DriverFault("driver 'odd' of odd 2.0 is not loaded: its contract version (api) is not 1")
    zones = Standing(runs=True, error="firewalld refused")
    served.look_as(health=health, rule_error=lambda: "iptables refused", zones=lambda: zones, faults=(fault,))
    served.store.fail_next()
    with pytest.raises(Exception, match="the disk is full"):
        await served.network()

    text, document = await served.text("status"), await served.json("status")

    assert not document["ready"]
    assert document["checks"]["store"] == {"ok": False, "reason": "the stored state is not loaded yet"}
    assert [str(fault)] == document["drivers"]["left_out"]
    assert "state           not ready\n" in text
    for line in (
        "store        the stored state is not loaded yet\n",
        "docker-user  iptables refused\n",
        "firewalld    firewalld refused\n",
        "last write   writing to the store in memory failed: the disk is full;",
        str(fault),
    ):
        assert line in text


async def test_a_frozen_network_is_shown_with_the_reason(served: Served) -> None:
    """Its driver is not installed any more: status, list and plan say why it is left alone."""
    await served.busy()
    web = served.engine.state.networks[WEB]
    await served.engine.state.commit(Put(evolve(web, driver="gone")))
    await served.engine.reconcile.start()

    frozen = (await served.json("status"))["frozen"]

    assert [(one["network"], one["driver"]) for one in frozen] == [(WEB, "gone")]
    assert "no driver 'gone' is installed" in frozen[0]["reason"]
    assert "frozen" in (await served.text("network", "ls")).splitlines()[1]
    assert f"# network {WEB[:12]} (gone) is left as it is: no driver 'gone'" in await served.text("plan")
    assert (await served.run("repair")).exit_code == 0
    assert frozen == (await served.json("repair"))["frozen"]


async def test_what_happened_lately_is_shown_once_and_the_newest_first(served: Served) -> None:
    """A drift that cannot be repaired is seen at each look: it has one line, with how often."""
    stuck = Drift("joined", repaired=False, text="lwh1", network=WEB)
    for observation in (stuck, Collected("endpoint", "its sandbox is gone", ENDPOINT), stuck, DriverOverrun("bridge")):
        served.recent(observation)

    recent = (await served.json("status"))["recent"]
    text = await served.text("status")

    assert [(one["what"], one["times"]) for one in recent] == [("driveroverrun", 1), ("drift", 2), ("collected", 1)]
    assert text.endswith(
        "Lately:\n"
        "LAST                  TIMES  WHAT             DETAILS\n"
        "2025-06-15T15:06:40Z  1      driver too slow  bridge\n"
        "2025-06-15T15:06:40Z  2      not repaired     joined: lwh1\n"
        "2025-06-15T15:06:40Z  1      collected        endpoint e1e1e1e1e1e1: its sandbox is gone\n"
    )


async def test_a_state_that_was_rebuilt_says_so_until_the_next_start(served: Served) -> None:
    """The store's own report, in words and by its parts."""
    report = RecoveryReport("page 3 is torn", NOW, aside="/s/linkwright.db.damaged-1", lost=("lease a",))
    served.look_as(recovered=report)

    recovery = (await served.json("status"))["store"]["recovery"]

    assert (recovery["damage"], recovery["lost"]) == ("page 3 is torn", ["lease a"])
    assert f"The state was damaged and has been rebuilt at this start:\n{report}\n" in await served.text("status")


async def test_a_suspended_driver_is_shown_as_such(served: Served) -> None:
    """In the list of drivers and in the status."""
    served.engine.asking.drivers._overruns["bridge"] = 2

    assert "bridge (suspended)" in await served.text("status")
    assert [one["suspended"] for one in (await served.json("drivers"))["drivers"]] == [True]


async def test_options_of_drivers_are_listed_on_request(served: Served) -> None:
    """With their defaults as ``-o`` would have them."""
    text = re.sub(" +", " ", await served.text("drivers", "--options"))

    assert "Options of bridge:\n" in text
    assert "\ncom.docker.network.bridge.enable_icc true let containers of this network talk" in text
    assert "\ncom.docker.network.driver.mtu or mtu - MTU in bytes" in text
    assert "\ncom.docker.network.bridge.gateway_mode_ipv4 nat nat; routed:" in text
