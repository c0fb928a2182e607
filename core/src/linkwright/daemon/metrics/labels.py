"""The labels, and the values each can have. Rule: no value is made up at run time, and none comes from a user.

Four exceptions, bounded by what exists on the host: pools are named by their subnet, networks and endpoints by id,
published ports by where they are.
What is not known in advance is counted as ``OTHER``: a series for each typing error would fill Prometheus for ever.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Final

from attrs import field, frozen

from linkwright.daemon.metrics.facts import NAMES
from linkwright.errors import DriverFault, KernelError, LinkwrightError, Refused, Stopping, Unavailable
from linkwright.ipam.happenings import Happening
from linkwright.model import EndpointState, Protocol
from linkwright.plan import Action
from linkwright.wire.replies import Api
from linkwright.wire.routes import TABLE as ROUTES

OTHER: Final = "other"
OK: Final = "ok"
UNDECODABLE: Final = "undecodable"


@frozen
class Label:
    """A label: its values where they are the same for every daemon, and those that exist at 0 from the start."""

    name: str
    help: str
    values: tuple[str, ...] = ()
    initial: tuple[str, ...] = field()

    @initial.default
    def _all_but_other(self) -> tuple[str, ...]:
        return tuple(value for value in self.values if value != OTHER)


#: How a call can fail: the error tree, whose root stands for a bug, and a request that could not be read.
FAILURES: Final = (
    Refused.outcome,
    KernelError.outcome,
    DriverFault.outcome,
    Unavailable.outcome,
    Stopping.outcome,
    UNDECODABLE,
    LinkwrightError.outcome,
)

#: The first word of a resource's key.
_KEYS: Final = (
    "address",
    "element",
    "fdb",
    "hairpin",
    "link",
    "neighbour",
    "redirect",
    "route",
    "shaper",
    "sysctl",
    "vlan",
)

#: What a drift can be, beside a resource: see ``engine.reconcile``.
_DRIFTS: Final = (
    *_KEYS,
    "claim",  # what a driver claimed could not be given back
    "joined",  # a joined endpoint's link, which only `linkwright repair` makes again
    "kernel",  # the kernel refused the repair
    "leftover",  # ours, and nobody wishes for it
    "ruleset",  # the firewall's fixed rules
    "unavailable",  # the kernel, or a driver, could not be asked
    "zone",  # a bridge in firewalld's zone
    OTHER,
)

_EVENTS: Final = (
    "deladdr",
    "dellink",
    "delneigh",
    "delqdisc",
    "delroute",
    "deltfilter",
    "delvlan",
    "docker-user",
    "newaddr",
    "newlink",
    "newneigh",
    "newqdisc",
    "newroute",
    "newtfilter",
    "newvlan",
    "ruleset",
)

PLUGIN: Final = Label("plugin", "the plugin as Docker calls it, `lw-bridge`: one for each socket")
METHOD: Final = Label("method", "the call, as in its path: `NetworkDriver.CreateEndpoint`")
OUTCOME: Final = Label("outcome", "how the call ended", (OK, *FAILURES), initial=(OK,))
FAILURE: Final = Label("outcome", "how the call failed", FAILURES)
DRIVER: Final = Label("driver", "the driver's name, `bridge`")
STAGE: Final = Label("stage", "what took the time", ("driver", "kernel", "store", "join", "publish"))
ENDPOINT_STATE: Final = Label("state", "where the endpoint stands", tuple(state.value for state in EndpointState))
DRIFT: Final = Label("kind", "what differed", _DRIFTS)
CALL: Final = Label(
    "call", "the call", ("DeleteEndpoint", "DeleteNetwork", "Leave", "RevokeExternalConnectivity", OTHER)
)
WHAT: Final = Label("what", "what was removed", ("endpoint", "network", "ports", OTHER))
ACTION: Final = Label("action", "whether ports were made or taken back", ("program", "revoke", OTHER))
PROTOCOL: Final = Label("protocol", "the transport protocol", tuple(str(protocol) for protocol in Protocol))
HELD: Final = Label(
    "held", "whether a socket of linkwright's holds the port, or another process has it", ("true", "false")
)
NETWORK: Final = Label("network", "the network's id, as `docker network inspect` shows it")
RULE: Final = Label("rule", "which of them", ("guard", "isolation", "loopback", "spoof"))
PARENT: Final = Label("link", "the link's name: `eth0`")
POOL: Final = Label("pool", "the pool's subnet, and its range if it has one: `10.1.0.0/16`")
SPACE: Final = Label("space", "the address space: `linkwright-local`")
ADDRESS_STATE: Final = Label("state", "which addresses", ("capacity", "allocated", "reserved", "quarantined"))
HAPPENING: Final = Label("event", "what happened", tuple(sorted(happening.value for happening in Happening)))
STEP: Final = Label("action", "what was done", tuple(sorted(action.value for action in Action)))
RESOURCE: Final = Label("kind", "to what", _KEYS)
EVENT: Final = Label("event", "the kernel's message", _EVENTS)
CHECK: Final = Label("check", "the check, as `/readyz` calls it")
SOURCE: Final = Label("source", "what could not be read", NAMES)
VERSION: Final = Label("version", "linkwright's version")
PYTHON: Final = Label("python", "the interpreter's version")
DISTRIBUTION: Final = Label("distribution", "the package that the driver came in: `linkwright-bridge`")
DRIVER_VERSION: Final = Label("version", "that package's version")
ENDPOINT: Final = Label("endpoint", "the endpoint's id, as `docker inspect` shows it")


@frozen
class Known:
    """What a daemon knows of label values when it starts: methods by plugin, drivers, and health checks."""

    plugins: Mapping[str, Sequence[str]] = field(factory=dict)
    drivers: Sequence[str] = ()
    checks: Sequence[str] = ()
    _values: Mapping[str, tuple[str, ...]] = field(init=False)  # of the labels whose values it knows, by their name

    @_values.default
    def _(self) -> Mapping[str, tuple[str, ...]]:
        methods = sorted({method for methods in self.plugins.values() for method in methods})
        return {
            PLUGIN.name: tuple(self.plugins),
            METHOD.name: tuple(methods),
            DRIVER.name: tuple(self.drivers),
            CHECK.name: tuple(self.checks),
        }

    def initial(self, labels: Sequence[Label]) -> Iterable[tuple[str, ...]]:
        """Every combination of values that *labels* have from the start; none if one of them has none."""
        for values in product(*(self._values.get(label.name, label.initial) for label in labels)):
            pairs = dict(zip((label.name for label in labels), values, strict=True))
            if "method" not in pairs or pairs["method"] in self.plugins[pairs["plugin"]]:
                yield values

    def bounded(self, label: Label, value: str) -> str:
        """*value* if *label* can have it, else ``OTHER``."""
        return value if value in label.values or value in self._values.get(label.name, label.initial) else OTHER


def methods_of(implements: Iterable[Api]) -> tuple[str, ...]:
    """The calls that a socket answers which serves the interfaces *implements*, and Plugin.Activate."""
    served = {Api.PLUGIN, *implements}
    return tuple(route.path[1:] for route in ROUTES if route.api in served)
