"""Docker's side of a conversation about both drivers: the whole daemon over a kernel and a store in memory."""

from collections.abc import Mapping
from typing import Any

import trio
from attrs import evolve, frozen
from core.tests.daemon.desk import SPACE, Desk, Said, a_desk, endpoint_request

from linkwright import sdk
from linkwright.engine.registry import Origin, register
from linkwright.plan import Key, Link, Resource
from linkwright_macvlan import Ipvlan, Macvlan

PACKAGE = Origin("linkwright-macvlan", "1")


@frozen
class Docker:
    """What a user's commands become. Networks and endpoints are called by one letter."""

    desk: Desk

    async def start(self, nursery: trio.Nursery) -> None:
        """Start the daemon, also again after a crash."""
        await self.desk.start()
        await nursery.start(self.desk.parts.ipam.run)
        await self.desk.parts.engine.reconcile.start()

    async def create(
        self,
        network: str,
        *pools: str,
        driver: str = "macvlan",
        internal: bool = False,
        auxiliary: Mapping[str, str] | None = None,
        ours: bool = True,
        **options: str,
    ) -> Said:
        """Answer ``docker network create``, with our IPAM or with Docker's own."""
        subnets = []
        for pool in pools:
            if ours:
                held = await self.desk.pool(pool)
                for address in (auxiliary or {}).values():
                    await self.desk.address(held, address)
            auxiliaries = {name: f"{address}/24" for name, address in (auxiliary or {}).items()}
            space = SPACE if ours else "LocalDefault"
            subnets.append({"AddressSpace": space, "Pool": pool, "AuxAddresses": auxiliaries})
        document = {
            "NetworkID": network * 64,
            "Options": {"com.docker.network.generic": options, "com.docker.network.internal": internal},
            "IPv4Data": [one for one in subnets if ":" not in str(one["Pool"])],
            "IPv6Data": [one for one in subnets if ":" in str(one["Pool"])],
        }
        return await self.desk.call("NetworkDriver.CreateNetwork", document, plugin=f"lw-{driver}")

    async def remove(self, network: str, *pools: str, driver: str = "macvlan") -> None:
        """``docker network rm``, in Docker's order."""
        for pool in pools:
            await self.desk.call("IpamDriver.ReleasePool", {"PoolID": f"{SPACE}/{pool}"}, plugin=f"lw-{driver}")
        said = await self.desk.call("NetworkDriver.DeleteNetwork", {"NetworkID": network * 64}, plugin=f"lw-{driver}")
        assert said.ok, said

    async def run(self, endpoint: str, network: str, address: str, *, driver: str = "macvlan", **more: Any) -> Said:
        """Answer ``docker run``: CreateEndpoint, and Join if that went well."""
        request = endpoint_request(endpoint * 64, address, network=network * 64, **more)
        made = await self.desk.call("NetworkDriver.CreateEndpoint", request, plugin=f"lw-{driver}")
        if not made.ok:
            return made
        sandbox = f"/run/docker/netns/{endpoint * 12}"
        self.desk.kernel.sandboxes.add(sandbox)
        document = {"NetworkID": network * 64, "EndpointID": endpoint * 64, "SandboxKey": sandbox, "Options": {}}
        joined = await self.desk.call("NetworkDriver.Join", document, plugin=f"lw-{driver}")
        assert joined.ok, joined
        self.desk.kernel.lend(joined.document["InterfaceName"]["SrcName"], sandbox)
        return evolve(joined, document={**joined.document, **made.document.get("Interface", {})})

    async def stop(self, endpoint: str, network: str, *, driver: str = "macvlan") -> None:
        """``docker rm -f``: the link comes back, and the endpoint is deleted."""
        names = {"EndpointID": endpoint * 64, "NetworkID": network * 64}
        await self.desk.call("NetworkDriver.Leave", names, plugin=f"lw-{driver}")
        self.desk.kernel.give_back(f"lw{driver[0]}{endpoint * 12}")
        assert (await self.desk.call("NetworkDriver.DeleteEndpoint", names, plugin=f"lw-{driver}")).ok

    # --- what the host has ---

    def has(self) -> dict[Key, Resource]:
        """Everything there is."""
        return self.desk.kernel.resources()

    def link(self, name: str) -> Link | None:
        """The link of that name, or none."""
        found = self.has().get(("link", name))
        return found if isinstance(found, Link) else None

    def on(self, link: str) -> set[Key]:
        """What lies on *link*."""
        return {key for key, resource in self.has().items() if getattr(resource, "link", None) == link}

    async def heal(self) -> tuple[str, ...]:
        """Look at everything, put it right, and answer what could not be."""
        return (await self.desk.parts.engine.reconcile.heal()).reported


def a_docker(*links: sdk.Link, features: frozenset[str] = frozenset()) -> Docker:
    """A host with eth0, eth1 and *links*, and both drivers."""
    desk = a_desk()
    for link in (sdk.Link("eth0", sdk.Veth("wire0")), sdk.Link("eth1", sdk.Veth("wire1")), *links):
        desk.kernel.foreign_create(link)
    desk.kernel.host = evolve(desk.kernel.host, features=frozenset({"ipv6"}) | features)
    drivers = tuple(register(one.name, one, PACKAGE) for one in (Macvlan, Ipvlan))
    return Docker(evolve(desk, drivers=drivers))
