"""Docker's part, played: its calls over the real plugin sockets, in its order, and what it does with links.

The order is the one of Docker 28; ``wire.routes`` lists the calls. Nothing here knows how they are answered.
"""

import json
import secrets
from functools import partial
from ipaddress import IPv4Address, IPv4Interface, ip_address
from pathlib import Path
from typing import Any, Final

import trio
from attrs import frozen

from linkwright.cli.demo import host
from linkwright.cli.demo.docker import PREFIX, Container, Wanted
from linkwright.daemon import client
from linkwright.errors import Refused
from linkwright.kernel import lending, netns
from linkwright.model import Mac

Document = dict[str, Any]

_IPAM: Final = f"{PREFIX}ipam"
_GATEWAY: Final = {"RequestAddressType": "com.docker.network.gateway"}
_NO_PORTS: Final[Document] = {"com.docker.network.endpoint.exposedports": [], "com.docker.network.portmap": []}


@frozen
class _Network:
    id: str
    plugin: str
    pool: str
    subnet: str
    held: tuple[str, ...]  # the addresses that are the network's own: gateway, auxiliary


@frozen
class _Endpoint:
    id: str
    network: _Network
    address: str
    source: str  # the link's name on the host
    inside: str  # its name in the sandbox

    @property
    def ids(self) -> Document:
        return {"NetworkID": self.network.id, "EndpointID": self.id}


class PlayedDocker:
    """Plays dockerd: sockets in *plugins*, sandboxes bound below *sandboxes*."""

    def __init__(self, plugins: Path, sandboxes: Path) -> None:
        """Know nobody yet."""
        self.calls: list[str] = []
        self._plugins = plugins
        self._sandboxes = sandboxes
        self._activated: set[str] = set()
        self._networks: dict[str, _Network] = {}
        self._endpoints: dict[str, _Endpoint] = {}

    # --- networks ---

    def create_network(self, wanted: Wanted) -> None:
        """``docker network create``: a pool, its gateway and the addresses named, then the network."""
        plugin = f"{PREFIX}{wanted.driver}"
        options = {
            "com.docker.network.enable_ipv4": True,
            "com.docker.network.enable_ipv6": False,
            "com.docker.network.generic": dict(wanted.options),
        }
        skip = self._call(plugin, "NetworkDriver.GwAllocCheck", {"Options": options}).get("SkipIPv4", False)
        space = self._call(_IPAM, "IpamDriver.GetDefaultAddressSpaces")["LocalDefaultAddressSpace"]
        asked = {"AddressSpace": space, "Pool": str(wanted.subnet), "SubPool": "", "Options": {}, "V6": False}
        pool = self._call(_IPAM, "IpamDriver.RequestPool", asked)
        gateway = ""
        if wanted.gateway or not skip:
            gateway = self._address(pool["PoolID"], wanted.gateway, _GATEWAY)
        auxiliary = {name: self._address(pool["PoolID"], one) for name, one in wanted.auxiliary.items()}
        data = {"AddressSpace": space, "Pool": pool["Pool"], "AuxAddresses": auxiliary}
        network = _Network(
            secrets.token_hex(32),
            plugin,
            pool["PoolID"],
            pool["Pool"],
            tuple(_bare(one) for one in (gateway, *auxiliary.values()) if one),
        )
        data |= {"Gateway": gateway} if gateway else {}
        body = {"NetworkID": network.id, "Options": options, "IPv4Data": [data], "IPv6Data": []}
        try:
            self._call(plugin, "NetworkDriver.CreateNetwork", body)
        except Refused:
            self._release(network)
            raise
        self._networks[wanted.name] = network

    def remove_network(self, name: str) -> None:
        """``docker network rm``: its pool goes before the network does."""
        network = self._networks.pop(name)
        self._release(network)
        self._call(network.plugin, "NetworkDriver.DeleteNetwork", {"NetworkID": network.id})

    def _release(self, network: _Network) -> None:
        for address in network.held:
            self._call(_IPAM, "IpamDriver.ReleaseAddress", {"PoolID": network.pool, "Address": address})
        self._call(_IPAM, "IpamDriver.ReleasePool", {"PoolID": network.pool})

    # --- containers ---

    def run(self, name: str, network: str) -> Container:
        """``docker run``: an address, an endpoint, a sandbox that it joins, and the link moved into it."""
        net = self._networks[network]
        sandbox = self._sandboxes / secrets.token_hex(6)
        host.make_sandbox(sandbox)
        address = self._address(net.pool, None)
        ids = {"NetworkID": net.id, "EndpointID": secrets.token_hex(32)}
        interface = {"Address": address, "AddressIPv6": "", "MacAddress": ""}
        made = self._call(
            net.plugin, "NetworkDriver.CreateEndpoint", {**ids, "Interface": interface, "Options": _NO_PORTS}
        )
        joined = self._call(net.plugin, "NetworkDriver.Join", {**ids, "SandboxKey": str(sandbox), "Options": _NO_PORTS})
        names = joined["InterfaceName"]
        endpoint = _Endpoint(ids["EndpointID"], net, address, names["SrcName"], f"{names['DstPrefix']}0")
        self._hand_over(endpoint, sandbox, mac=(made.get("Interface") or {}).get("MacAddress"), joined=joined)
        if joined.get("Gateway"):
            self._call(net.plugin, "NetworkDriver.ProgramExternalConnectivity", {**ids, "Options": _NO_PORTS})
        self._call(net.plugin, "NetworkDriver.EndpointOperInfo", ids)
        self._endpoints[name] = endpoint
        return Container(name, network, str(sandbox), IPv4Interface(address))

    def _hand_over(self, endpoint: _Endpoint, sandbox: Path, *, mac: str | None, joined: Document) -> None:
        lending.move(endpoint.source, str(sandbox))
        gateways = (IPv4Address(joined["Gateway"]),) if joined.get("Gateway") else ()
        dress = lending.Dress(
            endpoint.inside, Mac.parse(mac) if mac else None, (IPv4Interface(endpoint.address),), gateways
        )
        netns.inside(str(sandbox), partial(lending.dress, endpoint.source, dress))

    def remove(self, container: Container) -> None:
        """``docker rm -f``: leave, the link moved back, and everything taken back in turn."""
        endpoint = self._endpoints.pop(container.name)
        net = endpoint.network
        self._call(net.plugin, "NetworkDriver.RevokeExternalConnectivity", endpoint.ids)
        self._call(net.plugin, "NetworkDriver.Leave", endpoint.ids)

        def give_back() -> None:
            lending.undress(endpoint.inside, endpoint.source)
            lending.move(endpoint.source, host.HERE)

        netns.inside(container.sandbox, give_back)
        host.remove_sandbox(Path(container.sandbox))
        self._call(net.plugin, "NetworkDriver.DeleteEndpoint", endpoint.ids)
        self._call(_IPAM, "IpamDriver.ReleaseAddress", {"PoolID": net.pool, "Address": _bare(endpoint.address)})

    def close(self) -> None:
        """There is no process to end."""

    # --- the sockets ---

    def _address(self, pool: str, address: IPv4Address | None, options: Document | None = None) -> str:
        asked = {"PoolID": pool, "Address": str(address or ""), "Options": options or {}}
        return str(self._call(_IPAM, "IpamDriver.RequestAddress", asked)["Address"])

    def _call(self, plugin: str, method: str, body: Document | None = None) -> Document:
        """Make one call, activating the plugin before its first as Docker does; Refused with the words of a failure."""
        if plugin not in self._activated:
            self._activated.add(plugin)
            for api in self._exchange(plugin, "Plugin.Activate", None)["Implements"]:
                if (api == "IpamDriver") == (plugin == _IPAM):
                    self._exchange(plugin, f"{api}.GetCapabilities", None)
        self.calls.append(method)
        return self._exchange(plugin, method, body)

    def _exchange(self, plugin: str, method: str, body: Document | None) -> Document:
        encoded = b"" if body is None else json.dumps(body).encode()
        socket = self._plugins / f"{plugin}.sock"
        answer = trio.run(partial(client.request, socket, f"/{method}", method="POST", body=encoded, host=plugin))
        document: Document = answer.json() or {}
        if document.get("Err"):
            raise Refused(f"{plugin} refused {method}: {document['Err']}")
        return document


def _bare(interface: str) -> str:
    return str(ip_address(interface.partition("/")[0]))
