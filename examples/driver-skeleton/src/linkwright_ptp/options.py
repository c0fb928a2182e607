"""The options of the driver, beside those that every driver has."""

from attrs import frozen

from linkwright import sdk


@frozen
class Options(sdk.CommonOptions):
    """``-o`` of ``docker network create -d lw-ptp``."""

    open: bool = sdk.option(
        "open",
        parse=sdk.boolean,
        default=True,
        help="let containers reach each other, and let whoever has a route to them reach them all; false: neither",
    )
