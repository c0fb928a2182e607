"""The options of the macvlan driver, under the names that Docker's own macvlan driver uses."""

from attrs import frozen

from linkwright import sdk

#: The modes on offer. Each endpoint's link has its own, so networks of different modes can share a parent; "passthru"
#: would take the parent for itself, and "source" needs a list of senders.
_MODES = {mode.value: mode for mode in (sdk.MacvlanMode.BRIDGE, sdk.MacvlanMode.PRIVATE, sdk.MacvlanMode.VEPA)}


def _mode(text: str) -> sdk.MacvlanMode:
    if text not in _MODES:
        raise ValueError("write bridge, private or vepa, other modes are not offered")
    return _MODES[text]


@frozen
class Options(sdk.CommonOptions):
    """``-o`` of ``docker network create -d lw-macvlan``."""

    parent: str = sdk.option(
        "parent",
        parse=sdk.interface_name,
        default="",
        help="the link of the host that the containers stand on; it has to exist, and is left as it is (required)",
    )
    mode: sdk.MacvlanMode = sdk.option(
        "macvlan_mode",
        parse=_mode,
        default=sdk.MacvlanMode.BRIDGE,
        help="bridge: containers on one parent reach each other; private: they do not; vepa: if the switch sends back",
    )
