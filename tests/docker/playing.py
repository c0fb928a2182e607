"""Docker's part, played on linkwright's sockets call by call, without an engine, in the order that Docker has.

Ids are numbers and differ in their first digits, of which links are named.
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from itertools import count
from typing import Any, Self

from attrs import frozen

from tests.docker.daemon import Daemon, PluginConnection
from tests.engines import Host

SPACE = "linkwright-local"


@frozen
class Network:
    """A network that was made: its subnet is 10.A.B.0/24."""

    id: str
    pool: str
    subnet: IPv4Network

    @property
    def bridge(self) -> str:
        """What its bridge is called."""
        return f"lwb{self.id[:12]}"


@frozen
class Endpoint:
    """An endpoint that was made, with its address as Docker was given it."""

    id: str
    network: Network
    address: str

    @property
    def link(self) -> str:
        """What its link on the host is called."""
        return f"lwh{self.id[:12]}"

    @property
    def ids(self) -> dict[str, str]:
        """As most calls name it."""
        return {"NetworkID": self.network.id, "EndpointID": self.id}


class Refusal(Exception):
    """linkwright understood a call and refused it: the reason."""


class Player:
    """Speaks to *daemon* on two connections, which live as long as this (use it in ``with``).

    Several at once need different *first* numbers of the ids that they give; all numbers are below 65 536.
    Its networks are of *driver*, with *options*, as ``docker network create -o`` gives them.
    """

    def __init__(
        self, daemon: Daemon, *, first: int = 1, driver: str = "bridge", options: Mapping[str, str] | None = None
    ) -> None:
        self.daemon = daemon
        self._driver = driver
        self._options = {"com.docker.network.generic": dict(options)} if options else {}
        self._numbers: Iterator[int] = count(first)
        self._connections: dict[str, PluginConnection] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connections; the next call makes new ones."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def say(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make one call and return the answer; Refusal with the reason, OSError or HTTPException where none came."""
        name = "ipam" if method.startswith("Ipam") else self._driver
        connection = self._connections.get(name)
        if connection is None:
            connection = self._connections[name] = self.daemon.connect(name)
        status, answer = connection.post(method, body)
        if answer.get("Err") or answer.get("Error"):
            raise Refusal(f"{status}: {answer.get('Err') or answer.get('Error')}")
        return answer

    def new_id(self) -> str:
        """An id that nothing has yet."""
        return f"{next(self._numbers):012x}{'0' * 52}"

    # --- docker network create, docker network rm --------------------------------------------------------------

    def network(self) -> Network:
        """Make a network."""
        network = self.planned_network()
        self.make_network(network)
        return network

    def planned_network(self) -> Network:
        """A network that is not made yet."""
        identity = self.new_id()
        number = int(identity[:12], 16)
        subnet = IPv4Network(f"10.{number >> 8}.{number & 255}.0/24")
        return Network(identity, f"{SPACE}/{subnet}", subnet)

    def make_network(self, network: Network) -> None:
        """Make that network."""
        subnet = str(network.subnet)
        wanted = {"AddressSpace": SPACE, "Pool": subnet, "SubPool": "", "Options": {}, "V6": False}
        assert self.say("IpamDriver.RequestPool", wanted)["PoolID"] == network.pool
        gateway = self.address(network, options={"RequestAddressType": "com.docker.network.gateway"})
        data = {"AddressSpace": SPACE, "Pool": subnet, "Gateway": gateway}
        body = {"NetworkID": network.id, "Options": self._options, "IPv4Data": [data], "IPv6Data": []}
        self.say("NetworkDriver.CreateNetwork", body)

    def remove_network(self, network: Network) -> None:
        """Remove it. Docker gives its pool back first."""
        self.release(network, str(network.subnet[1]))
        self.say("IpamDriver.ReleasePool", {"PoolID": network.pool})
        self.say("NetworkDriver.DeleteNetwork", {"NetworkID": network.id})

    def address(self, network: Network, *, options: dict[str, str] | None = None) -> str:
        """Take an address of the network's pool, with its prefix length."""
        wanted = {"PoolID": network.pool, "Address": "", "Options": options}
        return str(self.say("IpamDriver.RequestAddress", wanted)["Address"])

    def release(self, network: Network, address: str) -> None:
        """Give an address back."""
        self.say("IpamDriver.ReleaseAddress", {"PoolID": network.pool, "Address": address.partition("/")[0]})

    # --- docker run, docker rm ---------------------------------------------------------------------------------

    def endpoint(self, network: Network) -> Endpoint:
        """Make an endpoint."""
        endpoint = Endpoint(self.new_id(), network, self.address(network))
        self.create(endpoint)
        return endpoint

    def create(self, endpoint: Endpoint) -> None:
        """Make that endpoint."""
        interface = {"Address": endpoint.address, "AddressIPv6": "", "MacAddress": ""}
        self.say("NetworkDriver.CreateEndpoint", {**endpoint.ids, "Interface": interface, "Options": {}})

    def join(self, endpoint: Endpoint, sandbox: str) -> str:
        """Join it to *sandbox*; the link that Docker would move there."""
        answer = self.say("NetworkDriver.Join", {**endpoint.ids, "SandboxKey": sandbox, "Options": {}})
        return str(answer["InterfaceName"]["SrcName"])

    def program(self, endpoint: Endpoint, ports: range) -> None:
        """Publish *ports* of the host, on all its addresses, each leading to the same port of the endpoint."""
        maps = [{"Proto": 6, "Port": port, "HostPort": port, "HostPortEnd": port} for port in ports]
        options = {"com.docker.network.portmap": maps}
        self.say("NetworkDriver.ProgramExternalConnectivity", {**endpoint.ids, "Options": options})

    def revoke(self, endpoint: Endpoint) -> None:
        """Take that back."""
        self.say("NetworkDriver.RevokeExternalConnectivity", endpoint.ids)

    def leave(self, endpoint: Endpoint) -> None:
        """Let it leave its sandbox."""
        self.say("NetworkDriver.Leave", endpoint.ids)

    def delete(self, endpoint: Endpoint) -> None:
        """Delete it, and give its address back."""
        self.say("NetworkDriver.DeleteEndpoint", endpoint.ids)
        self.release(endpoint.network, endpoint.address)


def sandbox(host: Host, name: str) -> str:
    """Make a network namespace on *host* that lives until its end; the path by which Docker would name it."""
    path = f"/run/docker/netns/{name}"
    host.run(["sh", "-ec", f"mkdir -p /run/docker/netns; touch {path}; unshare --net={path} true"])
    return path
