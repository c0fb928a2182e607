"""The options of the bridge driver, under the labels that Docker's own bridge uses where it has them."""

from attrs import frozen

from linkwright import sdk


@frozen
class Options(sdk.CommonOptions):
    """``-o`` of ``docker network create -d lw-bridge``."""

    bridge_name: str = sdk.option(
        "com.docker.network.bridge.name",
        parse=sdk.interface_name,
        default="",
        help="name of the bridge; it begins with lw; without it, lwb and twelve digits of the network's id",
    )
    masquerade: bool = sdk.option(
        "com.docker.network.bridge.enable_ip_masquerade",
        parse=sdk.boolean,
        default=True,
        help="give traffic to the outside the host's address",
    )
    icc: bool = sdk.option(
        "com.docker.network.bridge.enable_icc",
        parse=sdk.boolean,
        default=True,
        help="let containers of this network talk to each other",
    )
    inhibit_ipv4: bool = sdk.option(
        "com.docker.network.bridge.inhibit_ipv4",
        parse=sdk.boolean,
        default=False,
        help="put no IPv4 address on the bridge: somebody else is the gateway",
    )
