"""One plugin socket: bytes from Docker in, bytes for Docker out. The one place where errors become bytes.

What each call means is a table (``_CALLS``), beside the one of ``wire.routes`` that says which calls there are.
HTTP 200 with the text in ``Err`` and ``Error`` is for a call that was understood and failed, 4xx for one that could
not be decoded (docs/remote.md of libnetwork).
"""

import itertools
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Protocol

import structlog
import trio
from attrs import field, frozen

from linkwright import wire
from linkwright.daemon.http import HttpRequest, HttpResponse
from linkwright.daemon.logs import identity
from linkwright.daemon.peer import Peer
from linkwright.engine.engine import Engine
from linkwright.engine.registry import Registered
from linkwright.errors import LinkwrightError, Refused, Stopping, Unavailable
from linkwright.ipam.actor import Actor
from linkwright.ipam.spaces import GLOBAL, LOCAL
from linkwright.model import LeaseKind
from linkwright.wire import replies, requests
from linkwright.wire.replies import Api, Empty

_log = structlog.get_logger(__name__)
_serial = itertools.count(1)


class Timed(Protocol):
    """What the metrics give for one call: a place to put its outcome."""

    outcome: str


@frozen
class Plugin:
    """A listener: its driver (None for the one that only does IPAM), and what stands behind it."""

    name: str
    engine: Engine
    ipam: Actor
    closing: Callable[[], bool]
    timing: Callable[[str, str], AbstractContextManager[Timed]]
    registered: Registered | None = None
    _seen: dict[str, str] = field(factory=dict)

    @property
    def driver(self) -> str:
        """The driver's name, as networks remember it."""
        return self.registered.name if self.registered else ""

    @property
    def implements(self) -> tuple[Api, ...]:
        """The interfaces served here."""
        return (Api.NETWORK_DRIVER, Api.IPAM_DRIVER) if self.registered else (Api.IPAM_DRIVER,)

    async def answer(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        """Answer one request of *peer*. Never raises but Cancelled."""
        try:
            route = self._route(request)
        except wire.Undecodable as error:
            _log.info("not a call", socket=self.name, target=request.target[:200], status=error.status)
            return refusal(error.status, str(error))
        serial = next(_serial)
        method = request.target[1:]
        with (
            structlog.contextvars.bound_contextvars(request=serial, plugin=self.name, call=method),
            self.timing(self.name, method) as timed,
        ):
            return await self._answer(route, request, peer, timed)

    def _route(self, request: HttpRequest) -> wire.Route:
        route = wire.find(request.target, method=request.method)
        if route.api is not Api.PLUGIN and route.api not in self.implements:
            raise wire.Undecodable(404, f"this socket serves {self.implements[0].value} only")
        return route

    def _admit(self, route: wire.Route) -> None:
        if self.closing() and route.effort.touches is not wire.Touches.NOTHING:
            raise Stopping("linkwright is going down; try again when it is back")

    async def _answer(self, route: wire.Route, request: HttpRequest, peer: Peer, timed: Timed) -> HttpResponse:
        began = time.perf_counter()
        try:
            call = wire.decode(request.target, request.body)
            self._admit(route)
            structlog.contextvars.bind_contextvars(**identity(call))
            with trio.fail_after(route.effort.deadline):
                self._begin_epoch(call, peer)
                reply = await _CALLS[type(call)](self, call)
        except wire.Undecodable as error:
            timed.outcome = "undecodable"
            _log.warning("cannot be decoded", error=str(error))
            return refusal(error.status, str(error))
        except trio.TooSlowError:
            timed.outcome = Unavailable.outcome
            text = f"linkwright could not do this within {route.effort.deadline:g} s and gave up; nothing was changed"
            _log.error("too slow", deadline=route.effort.deadline)
            return _failure(text)
        except LinkwrightError as error:
            timed.outcome = error.outcome
            _log.log(20 if isinstance(error, Refused | Stopping) else 40, "failed", error=str(error))
            return _failure(str(error))
        except Exception as error:  # noqa: BLE001 - a bug: Docker gets an answer, the log the traceback, and the others go on
            timed.outcome = LinkwrightError.outcome
            _log.exception("a bug in linkwright")
            return _failure(f"a bug in linkwright: {type(error).__name__}: {error}; its log has more")
        timed.outcome = "ok"
        _log.debug("done", seconds=round(time.perf_counter() - began, 6))
        return HttpResponse(200, wire.encode(reply), wire.CONTENT_TYPE)

    def _begin_epoch(self, call: wire.Request, peer: Peer) -> None:
        """Tell IPAM who asks: replay is told from new requests by the life of the dockerd that sends them."""
        activation = isinstance(call, requests.Activate)
        capabilities = isinstance(call, requests.IpamCapabilities) and not peer.pid
        if activation or capabilities or (peer.pid and self._seen.get("engine") != str(peer)):
            self._seen["engine"] = str(peer)
            self.ipam.begin_epoch(self.name, str(peer), activation=activation)


def refusal(status: int, text: str) -> HttpResponse:
    """Return *text* as Docker reads it, with *status*."""
    return HttpResponse(status, wire.encode_failure(text), wire.CONTENT_TYPE)


def _failure(text: str) -> HttpResponse:
    return refusal(200, text)


# --- NetworkDriver -----------------------------------------------------------------------------------------------


async def _activate(plugin: Plugin, _: requests.Activate) -> wire.Reply:
    return replies.ActivateReply(plugin.implements)


async def _capabilities(plugin: Plugin, _: requests.NetworkCapabilities) -> wire.Reply:
    assert plugin.registered is not None  # noqa: S101 - the route is served for drivers only
    connectivity = replies.Scope(plugin.registered.driver.capabilities.connectivity)
    return replies.CapabilitiesReply(replies.Scope.LOCAL, connectivity, checks_gateway=True)


async def _gateway_check(plugin: Plugin, call: requests.GwAllocCheck) -> wire.Reply:
    four, six = await plugin.engine.asking.skip_gateway(plugin.driver, call.options, internal=call.internal)
    return replies.GwAllocReply(four, six)


async def _allocate(plugin: Plugin, call: requests.AllocateNetwork) -> wire.Reply:
    plugin.engine.asking.options(plugin.driver, call.options)
    return replies.AllocateReply(call.options)


async def _create_network(plugin: Plugin, call: requests.CreateNetwork) -> wire.Reply:
    networks = plugin.engine.networks
    network = await networks.described(
        plugin.driver,
        call.network_id,
        subnets=call.subnets,
        ipv4=call.ipv4,
        ipv6=call.ipv6,
        internal=call.internal,
        options=call.options,
    )
    for subnet in call.subnets:  # RequestAddress does not say which addresses are auxiliary; this call does
        for address in subnet.auxiliary.values():
            await plugin.ipam.annotate(subnet.space, address, kind=LeaseKind.AUXILIARY)
    await networks.create(network)
    return Empty()


async def _delete_network(plugin: Plugin, call: requests.DeleteNetwork) -> wire.Reply:
    await plugin.engine.networks.delete(call.network_id)
    return Empty()


async def _create_endpoint(plugin: Plugin, call: requests.CreateEndpoint) -> wire.Reply:
    endpoints = plugin.engine.endpoints
    network = plugin.engine.state.network(call.network_id)
    endpoint = endpoints.described(
        call.network_id,
        call.endpoint_id,
        ipv4=call.ipv4,
        ipv6=call.ipv6,
        mac=call.mac,
        ports=call.ports,
        options=call.options,
        name=_owner(plugin, network, call),
    )
    made = await endpoints.create(endpoint)
    return replies.EndpointReply(call, mac=made.mac, ipv4=made.ipv4, ipv6=made.ipv6)


def _owner(plugin: Plugin, network: Any, call: requests.CreateEndpoint) -> str:
    """The endpoint's name, which newer engines tell IPAM and nobody tells a network driver (moby#52870)."""
    for address in (call.ipv4, call.ipv6):
        subnet = network.subnet_for(address)
        if address is not None and subnet is not None:
            lease = plugin.ipam.lease(subnet.space, address.ip)
            if lease is not None and lease.owner:
                return lease.owner
    return ""


async def _operational_info(plugin: Plugin, call: requests.EndpointInfo) -> wire.Reply:
    endpoint = plugin.engine.state.endpoint(call.network_id, call.endpoint_id)
    facts = {
        "linkwright.state": endpoint.state.value,
        "linkwright.mac": str(endpoint.mac or ""),
        "linkwright.addresses": " ".join(str(address) for address in endpoint.addresses),
        "linkwright.ports": " ".join(str(port) for port in endpoint.published),
    }
    return replies.EndpointInfoReply(facts)


async def _delete_endpoint(plugin: Plugin, call: requests.DeleteEndpoint) -> wire.Reply:
    await plugin.engine.endpoints.delete(call.network_id, call.endpoint_id)
    return Empty()


async def _join(plugin: Plugin, call: requests.Join) -> wire.Reply:
    joined = await plugin.engine.endpoints.join(call.network_id, call.endpoint_id, call.sandbox_key, call.ports)
    four = next((gateway for gateway in joined.join.gateways if isinstance(gateway, IPv4Address)), None)
    six = next((gateway for gateway in joined.join.gateways if isinstance(gateway, IPv6Address)), None)
    return replies.JoinReply(
        source=joined.join.source,
        prefix=joined.prefix,
        name=joined.name,
        gateway4=four,
        gateway6=six,
        routes=tuple(replies.StaticRoute(route.destination, route.via) for route in joined.join.routes),
        disable_gateway_service=not joined.join.gateway_service,
    )


async def _leave(plugin: Plugin, call: requests.Leave) -> wire.Reply:
    await plugin.engine.endpoints.leave(call.network_id, call.endpoint_id)
    return Empty()


async def _program(plugin: Plugin, call: requests.ProgramExternal) -> wire.Reply:
    await plugin.engine.endpoints.external(call.network_id, call.endpoint_id, call.ports)
    return Empty()


async def _revoke(plugin: Plugin, call: requests.RevokeExternal) -> wire.Reply:
    await plugin.engine.endpoints.revoke(call.network_id, call.endpoint_id)
    return Empty()


async def _nothing(_: Plugin, __: object) -> wire.Reply:
    return Empty()


# --- IpamDriver --------------------------------------------------------------------------------------------------


async def _ipam_capabilities(_: Plugin, __: requests.IpamCapabilities) -> wire.Reply:
    # Durable state alone would do; the replay is the one time Docker says what it still holds.
    return replies.IpamCapabilitiesReply(requires_mac=False, requires_replay=True)


async def _spaces(_: Plugin, __: requests.AddressSpaces) -> wire.Reply:
    return replies.AddressSpacesReply(LOCAL, GLOBAL)


async def _request_pool(plugin: Plugin, call: requests.RequestPool) -> wire.Reply:
    pool = await plugin.ipam.request_pool(
        space=call.space,
        version=call.version,
        subnet=call.subnet,
        size=call.prefix_length,
        subrange=call.sub_range,
        options=call.options,
        listener=plugin.name,
    )
    return replies.PoolReply(pool.id, pool.subnet)


async def _release_pool(plugin: Plugin, call: requests.ReleasePool) -> wire.Reply:
    await plugin.ipam.release_pool(call.pool)
    return Empty()


async def _request_address(plugin: Plugin, call: requests.RequestAddress) -> wire.Reply:
    address = await plugin.ipam.request_address(
        call.pool,
        address=call.address,
        kind=LeaseKind.GATEWAY if call.is_gateway else LeaseKind.ENDPOINT,
        owner=call.owner,
        mac=str(call.mac or ""),
        listener=plugin.name,
    )
    return replies.AddressReply(address)


async def _release_address(plugin: Plugin, call: requests.ReleaseAddress) -> wire.Reply:
    await plugin.ipam.release_address(call.pool, call.address)
    return Empty()


_CALLS: dict[type, Callable[[Plugin, Any], Awaitable[wire.Reply]]] = {
    requests.Activate: _activate,
    requests.NetworkCapabilities: _capabilities,
    requests.GwAllocCheck: _gateway_check,
    requests.AllocateNetwork: _allocate,
    requests.FreeNetwork: _nothing,
    requests.CreateNetwork: _create_network,
    requests.DeleteNetwork: _delete_network,
    requests.CreateEndpoint: _create_endpoint,
    requests.EndpointInfo: _operational_info,
    requests.DeleteEndpoint: _delete_endpoint,
    requests.Join: _join,
    requests.Leave: _leave,
    requests.ProgramExternal: _program,
    requests.RevokeExternal: _revoke,
    requests.DiscoverNew: _nothing,
    requests.DiscoverDelete: _nothing,
    requests.IpamCapabilities: _ipam_capabilities,
    requests.AddressSpaces: _spaces,
    requests.RequestPool: _request_pool,
    requests.ReleasePool: _release_pool,
    requests.RequestAddress: _request_address,
    requests.ReleaseAddress: _release_address,
}
