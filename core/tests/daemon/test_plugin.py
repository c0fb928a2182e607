"""Docker's calls as bytes, group P: what each answers, twice, wrongly, late, and when all behind it is broken."""

import json
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
import trio
import trio.testing
from core.tests.daemon.desk import (
    ENDPOINT,
    NETWORK,
    OTHER,
    SANDBOX,
    SPACE,
    Desk,
    a_desk,
    captured,
    endpoint_request,
    network_request,
)

from linkwright import wire
from linkwright.daemon.plugin import refusal
from linkwright.engine.observation import UnknownId
from linkwright.model import Mac
from linkwright.store import MemoryStore
from linkwright.wire.routes import TABLE, Route

BRIDGE, KEPT, LENT = (("link", f"lw{role}{digits * 6}") for role, digits in (("b", "ab"), ("h", "cd"), ("c", "cd")))


async def opened(desk: Desk, nursery: trio.Nursery) -> Desk:
    """Start a daemon and its ledger."""
    await desk.start()
    await nursery.start(desk.parts.ipam.run)
    await desk.parts.engine.reconcile.start()
    return desk


@pytest.fixture
async def desk(nursery: trio.Nursery) -> Desk:
    """A daemon that has just started on an empty host."""
    return await opened(a_desk(), nursery)


@pytest.fixture
async def busy(desk: Desk) -> Desk:
    """The same with a network and an endpoint that has joined."""
    assert (await desk.network()).ok
    assert (await desk.endpoint(address=await desk.address(f"{SPACE}/10.1.0.0/24"))).ok
    assert (await desk.join()).ok
    return desk


async def outcomes(desk: Desk) -> dict[tuple[str, str], float]:
    """Calls by method and outcome, as counted."""
    counted = desk.metrics._recorded["linkwright_rpc_failures_total"].collect()
    samples = [one for family in counted for one in family.samples if one.name.endswith("_total") and one.value]
    return {(one.labels["method"], one.labels["outcome"]): one.value for one in samples}


# --- what it is ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plugin", "implements"),
    [
        ("lw-bridge", ["NetworkDriver", "IpamDriver"]),
        ("lw-macvlan", ["NetworkDriver", "IpamDriver"]),
        ("lw-ipam", ["IpamDriver"]),
    ],
)
async def test_p_01_each_socket_says_what_it_implements(desk: Desk, plugin: str, implements: list[str]) -> None:
    """Without a body, in the plugin content type, and at once: every touch of the plugin directory asks this."""
    said = await desk.call("Plugin.Activate", plugin=plugin)

    assert (said.status, said.document) == (200, {"Implements": implements})
    assert said.content_type == "application/vnd.docker.plugins.v1.2+json"


@pytest.mark.parametrize(("plugin", "connectivity"), [("lw-bridge", "local"), ("lw-macvlan", "global")])
async def test_p_02_capabilities_are_such_that_docker_keeps_the_driver(
    desk: Desk, plugin: str, connectivity: str
) -> None:
    """A scope that is neither local nor global would disable the driver until dockerd restarts."""
    said = await desk.call("NetworkDriver.GetCapabilities", plugin=plugin)

    assert said.document == {"Scope": "local", "ConnectivityScope": connectivity, "GwAllocChecker": True}


async def test_p_03_constants_are_answered_while_disk_kernel_and_ledger_are_stuck(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """A thousand times each, at once, with a transaction that hangs and calls that wait behind it."""
    desk = await opened(a_desk(store=MemoryStore(delay=1e6, patience=1e9)), nursery)
    nursery.start_soon(desk.pool)
    nursery.start_soon(desk.network)
    await trio.testing.wait_all_tasks_blocked()
    desk.kernel.delay = 1e6
    began = trio.current_time()

    for _ in range(1000):
        assert (await desk.call("IpamDriver.GetCapabilities")).document == {
            "RequiresMACAddress": False,
            "RequiresRequestReplay": True,
        }
        spaces = (await desk.call("IpamDriver.GetDefaultAddressSpaces", plugin="lw-ipam")).document
        assert len({*spaces.values(), ""}) == 3
        assert (await desk.call("NetworkDriver.GetCapabilities")).ok

    assert trio.current_time() == began
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("method", "target", "plugin", "status"),
    [
        ("POST", "/NetworkDriver.Nope", "lw-bridge", 404),
        ("POST", "/", "lw-bridge", 404),
        ("POST", "", "lw-bridge", 404),
        ("POST", "/../x", "lw-bridge", 404),
        ("POST", "/Plugin.Activate/", "lw-bridge", 404),
        ("POST", "/plugin.activate", "lw-bridge", 404),
        ("GET", "/Plugin.Activate", "lw-bridge", 405),
        ("BREW", "/Plugin.Activate", "lw-bridge", 405),
        ("POST", "/NetworkDriver.GetCapabilities", "lw-ipam", 404),
        ("POST", "/NetworkDriver.CreateNetwork", "lw-ipam", 404),
    ],
)
async def test_p_04_what_is_no_call_is_told_so(desk: Desk, method: str, target: str, plugin: str, status: int) -> None:
    """404 or 405 with a reason, no traceback, and the next call is answered."""
    with captured() as lines:
        said = await desk.raw(target, method=method, plugin=plugin)

    assert said.status == status
    assert said.error
    assert not [line for line in lines if line["log_level"] == "error" or "exc_info" in line]
    assert (await desk.call("Plugin.Activate", plugin=plugin)).ok


ROUTES = [pytest.param(route, id=route.path[1:]) for route in TABLE]
TAKING = [pytest.param(route, id=route.path[1:]) for route in TABLE if route.takes_arguments]


@pytest.mark.parametrize("route", ROUTES)
async def test_p_05_what_is_no_json_object_is_refused_and_changes_nothing(busy: Desk, route: Route) -> None:
    """Cut off, a list, null, no UTF-8: 4xx with the reason in ``Err``, on every method."""
    before, host = await busy.stored(), busy.kernel.resources()

    for body in (b'{"NetworkID": "', b"[]", b"null", b'"x"', b"\xff\xfe{}", b"{} {}", b"NaN", b"[" * 10_000):
        said = await busy.raw(route.path, body)
        assert 400 <= said.status < 500, (body, said)
        assert said.error

    assert (before, host) == (await busy.stored(), busy.kernel.resources())
    assert not [code for (_, code) in await outcomes(busy) if code != "undecodable"]


@pytest.mark.parametrize("route", TAKING)
async def test_p_05_an_empty_body_is_a_repeat_whose_data_is_lost(busy: Desk, route: Route) -> None:
    """Docker's retry has none: it is an error without effects, never an empty success (L1)."""
    before, host = await busy.stored(), busy.kernel.resources()

    for body in (b"", b"\n"):
        said = await busy.raw(route.path, body)
        assert said.status == 400, (body, said)
        assert said.error

    assert (before, host) == (await busy.stored(), busy.kernel.resources())


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("CreateNetwork", {"Options": None}),
        ("CreateNetwork", {"IPv4Data": None}),
        ("CreateNetwork", {"IPv4Data": [{"Pool": "10.1.0.0/33"}]}),
        ("CreateNetwork", {"NetworkID": "n" * 300}),
        ("CreateNetwork", {"NetworkID": "../../x"}),
        ("CreateNetwork", {"NetworkID": 7}),
        ("CreateEndpoint", {"Interface": None}),
        ("CreateEndpoint", {"Interface": {"Address": "999.1.1.1/24"}}),
        ("CreateEndpoint", {"Interface": {"Address": "10.1.0.2/24", "MacAddress": "zz"}}),
        ("CreateEndpoint", {"Interface": {"Address": "10.1.0.2/24", "AddressIPv6": "10.1.0.3/24"}}),
        ("CreateEndpoint", {"EndpointID": "e" * 300}),
    ],
)
async def test_p_06_wrong_types_are_named(busy: Desk, name: str, change: Any) -> None:
    """The field is in the message, and nothing has changed."""
    whole = network_request(OTHER, "10.9.0.0/24") if name == "CreateNetwork" else endpoint_request(OTHER, "10.1.0.9/24")
    before = await busy.stored()

    said = await busy.call(f"NetworkDriver.{name}", whole | change)

    assert said.status == 400
    assert next(iter(change)) in said.error
    assert before == await busy.stored()


FAILING: dict[str, tuple[str, Any]] = {
    "a pool that overlaps": ("IpamDriver.RequestPool", {"AddressSpace": SPACE, "Pool": "10.1.0.0/25", "V6": False}),
    "an unknown space": ("IpamDriver.RequestPool", {"AddressSpace": "moon", "Pool": "10.9.0.0/25", "V6": False}),
    "a global space": (
        "IpamDriver.RequestPool",
        {"AddressSpace": "linkwright-global", "Pool": "10.9.0.0/25", "V6": False},
    ),
    "an address that is held": ("IpamDriver.RequestAddress", {"PoolID": f"{SPACE}/10.1.0.0/24", "Address": "10.1.0.1"}),
    "an address outside": ("IpamDriver.RequestAddress", {"PoolID": f"{SPACE}/10.1.0.0/24", "Address": "10.9.0.1"}),
    "an unknown pool": ("IpamDriver.RequestAddress", {"PoolID": "moon/1", "Address": ""}),
    "a network with an unknown option": (
        "NetworkDriver.CreateNetwork",
        network_request(OTHER, "10.9.0.0/24", "10.9.0.1/24", options={"no.such": "1"}),
    ),
    "another network of that id": (
        "NetworkDriver.CreateNetwork",
        network_request(pool="10.9.0.0/24", gateway="10.9.0.1/24"),
    ),
    "an endpoint of no network": ("NetworkDriver.CreateEndpoint", endpoint_request(OTHER, network=OTHER)),
    "another endpoint of that id": ("NetworkDriver.CreateEndpoint", endpoint_request(address="10.1.0.9/24")),
    "an address of a living endpoint": ("NetworkDriver.CreateEndpoint", endpoint_request(OTHER, "10.1.0.2/24")),
    "a join of nothing": (
        "NetworkDriver.Join",
        {"NetworkID": NETWORK, "EndpointID": OTHER, "SandboxKey": SANDBOX, "Options": {}},
    ),
    "a join elsewhere": (
        "NetworkDriver.Join",
        {"NetworkID": NETWORK, "EndpointID": ENDPOINT, "SandboxKey": "/else", "Options": {}},
    ),
    "ports of nothing": (
        "NetworkDriver.ProgramExternalConnectivity",
        {"NetworkID": NETWORK, "EndpointID": OTHER, "Options": {}},
    ),
    "info about nothing": ("NetworkDriver.EndpointOperInfo", {"NetworkID": NETWORK, "EndpointID": OTHER}),
    "a gateway check with an unknown option": (
        "NetworkDriver.GwAllocCheck",
        {"Options": {"com.docker.network.generic": {"no.such": "1"}}},
    ),
}


@pytest.mark.parametrize("what", FAILING)
async def test_p_07_a_failing_call_has_its_reason_under_both_keys(busy: Desk, what: str) -> None:
    """NetworkDriver reads ``Err``, IpamDriver ``Error``; the wrong one alone would be a success with nothing in it."""
    name, document = FAILING[what]
    before, host = await busy.stored(), busy.kernel.resources()

    said = await busy.call(name, document)

    assert said.status == 200
    assert said.document == {"Err": said.error, "Error": said.error}
    assert len(said.error) > 10
    assert (before, host) == (await busy.stored(), busy.kernel.resources())
    assert await outcomes(busy) == {(name, "refused"): 1}


# --- endpoints -----------------------------------------------------------------------------------------------------


async def test_p_08_only_what_docker_left_open_is_answered(desk: Desk) -> None:
    """A value that the request had, even the same, is a modification to Docker, which rolls back (L17)."""
    await desk.network()

    made = await desk.endpoint()
    given = await desk.endpoint(OTHER, "10.1.0.3/24", mac="02:aa:bb:cc:dd:01")

    mac = Mac.parse(made.document["Interface"].pop("MacAddress"))
    assert made.document == {"Interface": {}}
    assert (mac.is_unicast, bool(mac.octets[0] & 2)) == (True, True)
    assert given.ok
    assert not any((given.document.get("Interface") or {}).values())
    assert str(desk.endpoints[OTHER].mac) == "02:aa:bb:cc:dd:01"


async def test_p_09_create_endpoint_twice_is_one_and_with_another_address_an_error(busy: Desk) -> None:
    """Two equal answers and one device; the third names the endpoint."""
    host = busy.kernel.resources()

    again = [await busy.endpoint(), await busy.endpoint()]
    other = await busy.endpoint(address="10.1.0.9/24")

    assert again[0] == again[1]
    assert again[0].ok
    assert ENDPOINT[:12] in other.error
    assert host == busy.kernel.resources()


async def test_p_10_what_is_deleted_thrice_is_gone_once(busy: Desk) -> None:
    """All succeed, and nothing of a neighbour is touched: not its link, not its address, not its pool."""
    await busy.network(OTHER, "10.2.0.0/24")
    neighbour = await busy.address(f"{SPACE}/10.2.0.0/24")
    await busy.endpoint("11" * 32, neighbour, network=OTHER)
    pools = {"PoolID": f"{SPACE}/10.1.0.0/24"}
    held = {lease for lease in busy.leases() if lease.startswith("10.2.")}
    links = {key for key in busy.kernel.resources() if key[0] == "link" and ("ef" in key[1] or "11" in key[1])}

    for method in ("Leave", "DeleteEndpoint"):
        assert [(await busy.about(method)).ok for _ in range(3)] == [True] * 3
    for name, request in (
        ("ReleaseAddress", pools | {"Address": "10.1.0.2"}),
        ("ReleasePool", pools),
    ):
        assert [(await busy.call(f"IpamDriver.{name}", request)).ok for _ in range(3)] == [True] * 3
    assert [(await busy.call("NetworkDriver.DeleteNetwork", {"NetworkID": NETWORK})).ok for _ in range(3)] == [True] * 3

    assert held == set(busy.leases())
    assert links == {key for key in busy.kernel.resources() if key[0] == "link"} - {("link", "lo")}


async def test_p_11_deletions_of_what_was_never_seen_succeed_and_are_counted(desk: Desk) -> None:
    """Docker cannot be vetoed, and an id that we never saw is worth a number."""
    for method in ("Leave", "DeleteEndpoint", "RevokeExternalConnectivity"):
        assert (await desk.about(method)).ok
    assert (await desk.call("NetworkDriver.DeleteNetwork", {"NetworkID": NETWORK})).ok
    assert (await desk.call("IpamDriver.ReleasePool", {"PoolID": f"{SPACE}/10.9.0.0/24"})).ok
    assert (await desk.call("IpamDriver.ReleaseAddress", {"PoolID": "", "Address": "10.9.0.1"})).ok

    calls = [told.call for told in desk.told if isinstance(told, UnknownId)]
    assert calls == ["Leave", "DeleteEndpoint", "RevokeExternalConnectivity", "DeleteNetwork"]


async def test_p_12_create_network_again_is_a_success_and_with_another_subnet_an_error(busy: Desk) -> None:
    """No second device, and the first one as it was."""
    host = busy.kernel.resources()

    assert (await busy.call("NetworkDriver.CreateNetwork", network_request())).ok
    other = await busy.call("NetworkDriver.CreateNetwork", network_request(pool="10.9.0.0/24", gateway="10.9.0.1/24"))

    assert "exists already" in other.error
    assert host == busy.kernel.resources()


async def test_p_13_join_hands_over_what_docker_can_move(desk: Desk) -> None:
    """A link that is there, of a name that fits, with a prefix; the gateway bare and in the pool."""
    await desk.network()
    await desk.endpoint()

    said = (await desk.join()).document

    source, prefix = said["InterfaceName"]["SrcName"], said["InterfaceName"]["DstPrefix"]
    assert ("link", source) in desk.kernel.resources()
    assert len(source.encode()) <= 15
    assert prefix == "eth"
    assert ip_address(said["Gateway"]) in ip_network("10.1.0.0/24")


async def test_p_14_an_internal_network_gives_no_gateway_and_no_second_nic(desk: Desk) -> None:
    """Docker would strip neither a gateway nor its own docker_gwbridge."""
    await desk.network(internal=True)
    await desk.endpoint()

    said = (await desk.join()).document

    assert not said.get("Gateway")
    assert not said.get("GatewayIPv6")
    assert said["DisableGatewayService"] is True


@pytest.mark.parametrize("name", ["DiscoverNew", "DiscoverDelete"])
@pytest.mark.parametrize(
    "document",
    [
        {"DiscoveryType": 1, "DiscoveryData": {"Address": "192.0.2.10", "BindAddress": "192.0.2.10", "Self": True}},
        {"DiscoveryType": 1, "DiscoveryData": {"Address": "192.0.2.11", "BindAddress": "", "Self": False}},
        {"DiscoveryType": 9, "DiscoveryData": "whatever"},
    ],
)
async def test_p_17_news_of_other_hosts_is_taken(desk: Desk, name: str, document: Any) -> None:
    """Only a swarm sends it; ``{}`` all the same."""
    said = await desk.call(f"NetworkDriver.{name}", document)

    assert (said.status, said.document) == (200, {})


async def test_p_18_what_a_manager_allocates_comes_back_as_text(desk: Desk) -> None:
    """AllocateNetwork's options are CreateNetwork's on each host; freeing twice is freeing once."""
    request = network_request() | {"Options": {"com.docker.network.driver.mtu": "1400"}}
    allocated = await desk.call("NetworkDriver.AllocateNetwork", request)
    assert allocated.document == {"Options": {"com.docker.network.driver.mtu": "1400"}}

    assert (await desk.network(options=allocated.document["Options"])).ok
    assert desk.kernel.resources()[BRIDGE].mtu == 1400  # type: ignore[union-attr]
    for _ in range(2):
        assert (await desk.call("NetworkDriver.FreeNetwork", {"NetworkID": NETWORK})).ok
    assert NETWORK in desk.networks
    assert (await desk.call("NetworkDriver.AllocateNetwork", request | {"Options": {"no": "1"}})).error


async def test_p_19_information_about_an_endpoint_is_an_object_and_about_none_an_error(busy: Desk) -> None:
    """20.10 rolls a container back over an error here, and asks after Leave as well."""
    known = await busy.about("EndpointOperInfo")
    await busy.about("Leave")
    left = await busy.about("EndpointOperInfo")
    unknown = await busy.about("EndpointOperInfo", OTHER)

    assert [said.document["Value"]["linkwright.state"] for said in (known, left)] == ["joined", "left"]
    assert OTHER[:12] in unknown.error


@pytest.mark.parametrize(
    ("plugin", "options", "skips"),
    [
        ("lw-bridge", {"gateway": "false"}, (True, True)),
        ("lw-bridge", {}, (False, False)),
        ("lw-bridge", {"com.docker.network.driver.mtu": "1400"}, (False, False)),
        ("lw-macvlan", {"parent": "eth9"}, (True, True)),
    ],
)
async def test_p_21_whether_a_gateway_is_needed_is_said_before_there_is_a_network(
    desk: Desk, plugin: str, options: dict[str, str], skips: tuple[bool, bool]
) -> None:
    """By the "no gateway" option, and by drivers that never need one; an unknown option is refused already here."""
    request = {"Options": {"com.docker.network.enable_ipv4": True, "com.docker.network.generic": options}}

    said = await desk.call("NetworkDriver.GwAllocCheck", request, plugin=plugin)

    assert (said.document["SkipIPv4"], said.document["SkipIPv6"]) == skips


async def test_p_22_a_misspelt_option_is_refused_with_the_nearest_known_one(desk: Desk) -> None:
    """Not ignored: the user would have a network without it. Docker's own labels pass."""
    refused = await desk.network(options={"com.example.nb.mut": "1400"})
    assert "com.example.nb.mut" in refused.error
    assert "mtu" in refused.error
    assert not desk.networks

    assert (await desk.network(OTHER, "10.2.0.0/24", options={"com.docker.network.advertise_addr_ms": "100"})).ok


async def test_p_23_the_name_inside_comes_with_create_endpoint_and_is_answered_by_join(desk: Desk) -> None:
    """Join's own options lack it (L19); what the kernel would not take is refused before anything is made."""
    ifname = "com.docker.network.endpoint.ifname"
    await desk.network()
    assert (await desk.endpoint(**{ifname: "foo0"})).ok
    assert (await desk.join()).document["InterfaceName"]["DstName"] == "foo0"

    for name in ("a" * 16, "a/b", ".", "..", "", "a b", "eth%d"):
        said = await desk.endpoint(OTHER, "10.1.0.3/24", **{ifname: name})
        assert "interface name" in said.error, name
    assert list(desk.endpoints) == [ENDPOINT]


# --- what goes wrong behind it -------------------------------------------------------------------------------------


async def test_a_call_that_takes_too_long_is_answered_and_leaves_nothing(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    """v1 plugins have no response timeout: Docker would hold the network's and the container's locks for ever."""
    await desk.network()
    before, host = await desk.stored(), desk.kernel.resources()
    desk.kernel.delay = 3600
    began = trio.current_time()

    said = await desk.endpoint()

    assert trio.current_time() - began == pytest.approx(10)
    assert "within 10 s" in said.error
    assert (before, host) == (await desk.stored(), desk.kernel.resources())
    assert await outcomes(desk) == {("NetworkDriver.CreateEndpoint", "unavailable"): 1}


@pytest.mark.parametrize("route", ROUTES)
def test_r_07_every_call_has_a_deadline_well_below_dockers_patience(route: Route) -> None:
    """15 s is what Docker waits for a plugin that is not there; one ``docker run`` is seven calls long."""
    assert 0 < route.effort.deadline <= 10


async def test_a_refusal_of_the_kernel_is_told_and_counted_as_the_kernels(desk: Desk) -> None:
    """With the step as a person would type it, and at level error: it is the host's move, or ours."""
    await desk.network()
    desk.kernel.fail_next()
    with captured() as lines:
        said = await desk.endpoint()

    assert "the kernel refused `ip link add" in said.error
    assert await outcomes(desk) == {("NetworkDriver.CreateEndpoint", "kernel"): 1}
    assert [(line["log_level"], line["event"]) for line in lines] == [("error", "failed")]


async def test_a_refusal_of_the_users_wish_is_no_error_of_ours(desk: Desk) -> None:
    """It is shown to the user and logged for whoever looks, not for whoever is on call."""
    with captured() as lines:
        await desk.network(options={"no.such": "1"})

    assert {line["log_level"] for line in lines} <= {"info", "debug"}
    assert "failed" in [line["event"] for line in lines]


async def test_a_bug_is_an_answer_with_a_traceback_in_the_log(desk: Desk) -> None:
    """Neither the connection nor the daemon ends with it, and the next call is served."""
    await desk.network()
    desk.parts.engine.endpoints._timer = lambda: 1 / 0  # a bug
    with captured() as lines:
        said = await desk.endpoint()

    assert "a bug in linkwright: ZeroDivisionError" in said.error
    assert [line["event"] for line in lines if line.get("exc_info")] == ["a bug in linkwright"]
    assert await outcomes(desk) == {("NetworkDriver.CreateEndpoint", "error"): 1}
    assert (await desk.call("Plugin.Activate")).ok


async def test_an_answer_that_cannot_be_written_is_a_bug_like_any_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of ``answer`` comes nothing but bytes: an exception there would end the connection without one."""

    def unwritable(_: wire.Reply) -> bytes:
        raise TypeError("not JSON")

    monkeypatch.setattr(wire, "encode", unwritable)

    assert "a bug in linkwright: TypeError" in (await desk.call("Plugin.Activate")).error


async def test_r_08_on_its_way_down_it_takes_no_new_work_and_says_what_it_is(busy: Desk) -> None:
    """Refused in words; what touches nothing is still answered, since Docker forgets a driver that cannot say it."""
    before = await busy.stored()
    busy.connections.close()

    assert "going down" in (await busy.endpoint(OTHER, "10.1.0.3/24")).error
    assert (await busy.call("NetworkDriver.GetCapabilities")).ok
    assert (await busy.call("Plugin.Activate")).ok
    assert before == await busy.stored()
    assert await outcomes(busy) == {("NetworkDriver.CreateEndpoint", "stopping"): 1}


async def test_what_one_call_is_about_is_not_said_of_the_next(desk: Desk) -> None:
    """The calls of a connection are one task's; its log lines carry the ids of their own call and no others."""
    await desk.network()
    with captured() as lines:
        await desk.endpoint(OTHER, "10.9.9.9/24", network="99" * 32)
        await desk.call("IpamDriver.RequestAddress", {"PoolID": "moon", "Address": ""})
        await desk.call("NetworkDriver.EndpointOperInfo", {"NetworkID": NETWORK, "EndpointID": ENDPOINT})

    failed = [line for line in lines if line["event"] == "failed"]
    ids = [{key: line[key] for key in ("network", "endpoint", "pool", "address") if key in line} for line in failed]
    assert ids == [
        {"network": "99" * 32, "endpoint": OTHER},
        {"pool": "moon"},
        {"network": NETWORK, "endpoint": ENDPOINT},
    ]
    assert len({line["request"] for line in failed}) == 3


# --- S-03 ----------------------------------------------------------------------------------------------------------

STRANGE = [
    'a"b',
    "a'b; rm -rf /",
    "line\nbreak",
    "../../etc/passwd",
    "\u202egnp.exe",
    "🦑",
    "\x1b[31mred",
    "$(reboot)",
    "x" * 5000,
]


@pytest.mark.parametrize("text", STRANGE)
async def test_s_03_strange_text_is_taken_as_text(desk: Desk, text: str) -> None:
    """As an option, a container's name, an auxiliary address's, a sandbox's path: kept as it is, or refused.

    How a log or a terminal shows it is ``logs``' promise; in the kernel nothing is named after it.
    """
    await desk.network("12" * 32, "10.3.0.0/24", options={"com.docker.network.bridge.name": text})
    await desk.network("13" * 32, "10.4.0.0/24", options={text: "1"})
    pool = await desk.pool()
    named = await desk.address(pool, name=text)
    await desk.address(pool, "10.1.0.77")
    gateway = await desk.address(pool, gateway=True)
    request = network_request(gateway=gateway, auxiliary={text: "10.1.0.77/24"})
    assert (await desk.call("NetworkDriver.CreateNetwork", request)).ok
    assert (await desk.endpoint(address=named)).ok
    joined = {"NetworkID": NETWORK, "EndpointID": ENDPOINT, "SandboxKey": text, "Options": {}}
    assert (await desk.call("NetworkDriver.Join", joined)).ok

    assert desk.endpoints[ENDPOINT].name == text
    assert desk.leases()["10.1.0.77"].owner == text
    assert set(desk.networks) == {NETWORK}
    assert not [key for key in desk.kernel.resources() if text[:8] in " ".join(key)]


# --- many at once --------------------------------------------------------------------------------------------------


async def test_endpoints_asked_for_at_once_are_all_made(desk: Desk, autojump_clock: trio.testing.MockClock) -> None:
    """64 containers on four networks; order per network, and nothing lost."""
    for number in range(4):
        await desk.network(f"{number:02x}" * 32, f"10.{number + 1}.0.0/24")
    failed: list[str] = []

    async def run(number: int) -> None:
        network = f"{number % 4:02x}" * 32
        address = await desk.address(f"{SPACE}/10.{number % 4 + 1}.0.0/24")
        endpoint = f"{number + 64:02x}" * 32
        said = await desk.endpoint(endpoint, address, network=network)
        failed.append(said.error)
        failed.append((await desk.join(endpoint, network)).error)

    async with trio.open_nursery() as nursery:
        for number in range(64):
            nursery.start_soon(run, number)

    assert set(failed) == {""}
    assert len(desk.endpoints) == 64
    addresses = [one.ipv4 for one in desk.endpoints.values()]
    assert len(set(addresses)) == 64
    assert len(desk.parts.engine.networks.locks) == 0


def test_a_refusal_is_read_by_both_interfaces() -> None:
    """Also one that never reached a call: a body too large, a request that came too slowly."""
    response = refusal(413, "too large")

    assert (response.status, json.loads(response.body)) == (413, {"Err": "too large", "Error": "too large"})
