"""One network's conversation with Docker, from the first call to the last, as a list of calls in Docker's order.

So a case can say each call twice, let each fail, cut each short, or restart the daemon between any two of them. What a
call must be like is the cases'; here is only what Docker says and does.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_interface, ip_network
from typing import Final

from attrs import define, field, frozen

from linkwright import sdk
from linkwright.model import Mac
from linkwright.testkit.docker_side import SPACE, Daemon, Document
from linkwright.testkit.example import Example
from linkwright.testkit.surroundings import Dress

#: Where the ports that containers publish begin; each network has some of its own.
_FIRST_PORT: Final = 8080

_GATEWAY: Final = {"RequestAddressType": "com.docker.network.gateway"}


@frozen
class Call:
    """One thing that Docker says or does. ``of_driver`` is whether it says it to the network driver."""

    name: str
    do: Callable[[], Awaitable[None]]
    of_driver: bool = True


@define
class Container:
    """A container and its endpoint, as Docker knows them."""

    number: int
    id: str
    sandbox: str = ""
    addresses: tuple[sdk.Interface, ...] = ()
    made: Document = field(factory=dict)
    joined: Document = field(factory=dict)

    @property
    def link(self) -> str:
        """What Docker moves."""
        return str(self.joined["InterfaceName"]["SrcName"])

    @property
    def dress(self) -> Dress:
        """How it looks inside."""
        told = (self.made.get("Interface") or {}).get("MacAddress")
        prefix = self.joined["InterfaceName"]["DstPrefix"]
        return Dress(f"{prefix}0", Mac.parse(told) if told else None, self.addresses, tuple(self._routes()))

    def _routes(self) -> Iterator[str]:
        for route in self.joined.get("StaticRoutes") or ():
            yield f"{route['Destination']}{' via ' + route['NextHop'] if route.get('NextHop') else ''}"
        for name in ("Gateway", "GatewayIPv6"):
            if self.joined.get(name):
                yield f"default via {self.joined[name].partition('/')[0]}"


@define
class Talk:
    """A network like *example* at *daemon*; *name* makes its ids. Calls are to be done in their order."""

    daemon: Daemon
    example: Example
    name: str = "network"
    containers: list[Container] = field(init=False)
    _pools: dict[str, Document] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        """Know who there is to be."""
        numbers = range(self.example.containers)
        self.containers = [Container(number, _id(f"{self.name}/{number}")) for number in numbers]

    @property
    def id(self) -> str:
        """The network's."""
        return _id(self.name)

    def making(self) -> list[Call]:
        """``docker network create`` and ``docker run``."""
        calls = [
            Call("Plugin.Activate", self._activate),
            Call("IpamDriver.RequestPool", self._request_pools, of_driver=False),
            Call("NetworkDriver.CreateNetwork", self._create_network),
        ]
        for one in self.containers:
            calls += [
                Call("IpamDriver.RequestAddress", self._of(one, self._request_addresses), of_driver=False),
                Call("NetworkDriver.CreateEndpoint", self._of(one, self._create_endpoint)),
                Call("NetworkDriver.Join", self._of(one, self._join)),
                Call("the link's move", self._of(one, self._move_in), of_driver=False),
                Call("NetworkDriver.ProgramExternalConnectivity", self._of(one, self._program)),
                Call("NetworkDriver.EndpointOperInfo", self._of(one, self._look)),
            ]
        return calls

    def unmaking(self) -> list[Call]:
        """``docker rm -f`` and ``docker network rm``."""
        calls = []
        for one in self.containers:
            calls += [
                Call("NetworkDriver.RevokeExternalConnectivity", self._of(one, self._revoke)),
                Call("NetworkDriver.Leave", self._of(one, self._leave)),
                Call("the link's way back", self._of(one, self._move_back), of_driver=False),
                Call("NetworkDriver.DeleteEndpoint", self._of(one, self._delete_endpoint)),
                Call("IpamDriver.ReleaseAddress", self._of(one, self._release_addresses), of_driver=False),
            ]
        return [
            *calls,
            Call("IpamDriver.ReleasePool", self._release_pools, of_driver=False),
            Call("NetworkDriver.DeleteNetwork", self._delete_network),
        ]

    async def make(self) -> None:
        """Do all of ``making``."""
        for call in self.making():
            await call.do()

    async def unmake(self) -> None:
        """Do all of ``unmaking``."""
        for call in self.unmaking():
            await call.do()

    # --- of the network ---

    async def _activate(self) -> None:
        await self.daemon.call("Plugin.Activate")
        await self.daemon.call("NetworkDriver.GetCapabilities")

    async def _request_pools(self) -> None:
        skip = await self.daemon.call("NetworkDriver.GwAllocCheck", {"Options": self._options()})
        for text in self.example.subnets:
            six = ip_network(text).version == 6  # noqa: PLR2004
            asked = {"AddressSpace": SPACE, "Pool": text, "SubPool": "", "Options": {}, "V6": six}
            pool = await self.daemon.call("IpamDriver.RequestPool", asked)
            if not skip.get("SkipIPv6" if six else "SkipIPv4"):
                pool["Gateway"] = await self._request_address(pool["PoolID"], _GATEWAY)
            self._pools[text] = pool

    async def _create_network(self) -> None:
        data: dict[int, list[Document]] = {4: [], 6: []}
        for text, pool in self._pools.items():
            gateway = {"Gateway": pool["Gateway"]} if "Gateway" in pool else {}
            data[ip_network(text).version].append({"AddressSpace": SPACE, "Pool": text, "AuxAddresses": {}, **gateway})
        document = {"NetworkID": self.id, "Options": self._options(), "IPv4Data": data[4], "IPv6Data": data[6]}
        await self.daemon.call("NetworkDriver.CreateNetwork", document)

    async def _release_pools(self) -> None:
        for pool in self._pools.values():
            if "Gateway" in pool:
                await self._release_address(pool["PoolID"], pool["Gateway"])
            await self.daemon.call("IpamDriver.ReleasePool", {"PoolID": pool["PoolID"]})

    async def _delete_network(self) -> None:
        await self.daemon.call("NetworkDriver.DeleteNetwork", {"NetworkID": self.id})

    def _options(self) -> Document:
        versions = {ip_network(text).version for text in self.example.subnets}
        options: Document = {
            "com.docker.network.enable_ipv4": 4 in versions,  # noqa: PLR2004
            "com.docker.network.enable_ipv6": 6 in versions,  # noqa: PLR2004
            "com.docker.network.generic": dict(self.example.options),
        }
        return options | ({"com.docker.network.internal": True} if self.example.internal else {})

    # --- of a container ---

    async def _request_addresses(self, one: Container) -> None:
        given = [(await self._request_address(pool["PoolID"])) for pool in self._first_pools()]
        one.addresses = tuple(map(ip_interface, given))

    async def _create_endpoint(self, one: Container) -> None:
        found = {address.version: str(address) for address in one.addresses}
        interface = {"Address": found.get(4, ""), "AddressIPv6": found.get(6, ""), "MacAddress": ""}
        options = {"com.docker.network.endpoint.exposedports": [], "com.docker.network.portmap": self._ports(one)}
        asked = {**self._ids(one), "Interface": interface, "Options": {**options, **self.example.endpoint_options}}
        one.made = await self.daemon.call("NetworkDriver.CreateEndpoint", asked)

    async def _join(self, one: Container) -> None:
        one.sandbox = one.sandbox or await self.daemon.around.sandbox()
        asked = {**self._ids(one), "SandboxKey": one.sandbox, "Options": {}}
        one.joined = await self.daemon.call("NetworkDriver.Join", asked)

    async def _move_in(self, one: Container) -> None:
        await self.daemon.around.move_in(one.link, one.sandbox, one.dress)

    async def _program(self, one: Container) -> None:
        if one.joined.get("Gateway") or one.joined.get("GatewayIPv6"):
            asked = {**self._ids(one), "Options": {"com.docker.network.portmap": self._ports(one)}}
            await self.daemon.call("NetworkDriver.ProgramExternalConnectivity", asked)

    async def _look(self, one: Container) -> None:
        await self.daemon.call("NetworkDriver.EndpointOperInfo", self._ids(one))

    async def _revoke(self, one: Container) -> None:
        await self.daemon.call("NetworkDriver.RevokeExternalConnectivity", self._ids(one))

    async def _leave(self, one: Container) -> None:
        await self.daemon.call("NetworkDriver.Leave", self._ids(one))

    async def _move_back(self, one: Container) -> None:
        await self.daemon.around.move_back(one.link, one.sandbox, one.dress)

    async def _delete_endpoint(self, one: Container) -> None:
        await self.daemon.call("NetworkDriver.DeleteEndpoint", self._ids(one))

    async def _release_addresses(self, one: Container) -> None:
        for pool, address in zip(self._first_pools(), one.addresses, strict=True):
            await self._release_address(pool["PoolID"], str(address))

    def _ids(self, one: Container) -> Document:
        return {"NetworkID": self.id, "EndpointID": one.id}

    def _ports(self, one: Container) -> list[Document]:
        """A port of the host for each container, where the driver can publish any."""
        if not isinstance(self.daemon.registered.driver, sdk.Publishes):
            return []
        port = _FIRST_PORT + int(self.id[:3], 16) * 4 + one.number
        binding = {"Proto": 6, "IP": "", "Port": 80, "HostIP": "", "HostPort": port, "HostPortEnd": port}
        return [binding]

    # --- addresses ---

    def _first_pools(self) -> Iterator[Document]:
        """The pools that containers have addresses of: Docker takes one of each family."""
        for version in (4, 6):
            yield from [pool for text, pool in self._pools.items() if ip_network(text).version == version][:1]

    async def _request_address(self, pool: str, options: Document | None = None) -> str:
        asked = {"PoolID": pool, "Address": "", "Options": options or {}}
        return str((await self.daemon.call("IpamDriver.RequestAddress", asked))["Address"])

    async def _release_address(self, pool: str, address: str) -> None:
        asked = {"PoolID": pool, "Address": address.partition("/")[0]}
        await self.daemon.call("IpamDriver.ReleaseAddress", asked)

    def _of(self, one: Container, do: Callable[[Container], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        return lambda: do(one)


def _id(name: str) -> str:
    """An id like Docker's, the same for the same name."""
    return hashlib.sha256(name.encode()).hexdigest()
