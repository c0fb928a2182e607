"""Docker's own names inside ``Options``, and nothing else. No other package may know them.

They are libnetwork's ``netlabel`` constants. What a *user* writes with ``-o`` or ``--driver-opt`` is not
listed here: it passes through untouched, for the driver to judge.
"""

from typing import Final

#: CreateNetwork: the ``-o`` pairs. In Join the same name holds something else, legacy links.
GENERIC: Final = "com.docker.network.generic"
ENABLE_IPV4: Final = "com.docker.network.enable_ipv4"  # from 28 on
ENABLE_IPV6: Final = "com.docker.network.enable_ipv6"
INTERNAL: Final = "com.docker.network.internal"

PORT_MAP: Final = "com.docker.network.portmap"
#: ProgramExternalConnectivity, from 28 on, if another endpoint of the container is its way outside by IPv6.
NO_PROXY_6TO4: Final = "com.docker.network.driver.private.no_proxy_6to4"

#: In CreateEndpoint a copy of ``Interface.MacAddress`` in base64; in RequestAddress the address as text.
ENDPOINT_MAC: Final = "com.docker.network.endpoint.macaddress"
ENDPOINT_NAME: Final = "com.docker.network.endpoint.name"  # RequestAddress, from 29 on

ADDRESS_TYPE: Final = "RequestAddressType"
#: As a value of ADDRESS_TYPE: this address is for the gateway. As a key in RequestPool's ``Data``: the gateway itself.
GATEWAY: Final = "com.docker.network.gateway"

#: DiscoverNew: the kind of discovery that is about hosts (libnetwork's ``discoverapi.NodeDiscovery``).
NODE_DISCOVERY: Final = 1

#: Join: how a static route reaches its destination (libnetwork's ``types.NEXTHOP`` and ``types.CONNECTED``).
ROUTE_VIA: Final = 0
ROUTE_ON_LINK: Final = 1
