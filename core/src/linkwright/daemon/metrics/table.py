"""Every metric, one row each: name, kind, labels, what it means, and where its numbers come from.

The manual, the dashboards' tests and the code are made from this table. Names follow Prometheus' advice: one prefix,
base units, ``_total`` for what only grows, times as timestamps, failures beside totals rather than a label for success.
"""

import enum
from typing import Final

from attrs import frozen

from linkwright.daemon.metrics import labels as of
from linkwright.daemon.metrics import readings
from linkwright.daemon.metrics.labels import Label
from linkwright.daemon.metrics.readings import Reading


class Kind(enum.Enum):
    """Prometheus' kinds of metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@frozen
class Row:
    """One metric. ``read`` None: recorded as it happens (``recording``)."""

    name: str
    kind: Kind
    help: str
    labels: tuple[Label, ...] = ()
    read: Reading | None = None
    buckets: tuple[float, ...] = ()

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of its labels, in order."""
        return tuple(label.name for label in self.labels)


#: Seconds. A call without kernel work takes about 1 ms, Docker's own bridge 20 ms per endpoint, and 10 s is the longest
#: deadline of a call (``wire.routes``).
_CALLS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0)
_STAGES: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)

_C, _G, _H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

_INFO: Final = (
    of.ENDPOINT,
    Label("network", "the network's id"),
    of.DRIVER,
    Label("sandbox", "the end of Docker's sandbox key, which `docker inspect` shows as SandboxKey"),
    Label("link", "the endpoint's link on the host; empty where it has moved into the container"),
    Label("mac", "its hardware address"),
    Label("ipv4", "its IPv4 address"),
    Label("ipv6", "its IPv6 address"),
    Label("name", "its name, where the engine tells it (29 and later)"),
)

_PORT: Final = (
    of.ENDPOINT,
    of.PROTOCOL,
    Label("host_address", "the host's address that it is published at: `0.0.0.0` and `::` are all of the family"),
    Label("host_port", "the port there, which linkwright chose where Docker named none"),
    Label("container_port", "the container's port that it leads to"),
    of.HELD,
)

# fmt: off
TABLE: Final[tuple[Row, ...]] = (
    # the daemon
    Row("linkwright_build_info", _G, "Which linkwright this is; always 1.", (of.VERSION, of.PYTHON), readings.build),
    Row("linkwright_start_time_seconds", _G, "When the daemon started, in seconds since the Unix epoch.", (),
        readings.started),
    Row("linkwright_ready", _G, "1 if every check of /readyz is well, else 0.", (), readings.ready),
    Row("linkwright_health_check", _G, "1 if the check of that name is well, else 0.", (of.CHECK,), readings.checks),
    Row("linkwright_scrape_source_failures_total", _C,
        "Times that a part of the metrics could not be read and was left out of a scrape.", (of.SOURCE,)),

    # what Docker asks
    Row("linkwright_rpc_duration_seconds", _H,
        "How long calls of Docker took, from the arrival of the request to its answer.",
        (of.PLUGIN, of.METHOD, of.OUTCOME), buckets=_CALLS),
    Row("linkwright_rpc_failures_total", _C, "Calls of Docker that were answered with an error.",
        (of.PLUGIN, of.METHOD, of.FAILURE)),
    Row("linkwright_rpc_in_flight", _G, "Calls of Docker that have no answer yet.", (of.PLUGIN,)),
    Row("linkwright_rpc_unknown_total", _C,
        "Calls that undo something, for an id that is not known here; answered with success.", (of.CALL,)),
    Row("linkwright_external_connectivity_calls_total", _C,
        "Times that Docker asked to publish an endpoint's ports, or to take that back.", (of.DRIVER, of.ACTION)),
    Row("linkwright_external_connectivity_ports_total", _C, "Ports in those calls.", (of.DRIVER, of.ACTION)),

    # networks and endpoints
    Row("linkwright_networks", _G, "Networks that exist.", (of.DRIVER,), readings.networks),
    Row("linkwright_networks_frozen", _G,
        "Networks that are left as they are, because their driver cannot be asked what they need.", (of.DRIVER,),
        readings.frozen),
    Row("linkwright_parent_up", _G,
        "1 if a link of the host that networks stand on, and that is not linkwright's, is there and up, else 0.",
        (of.PARENT,), readings.parents),
    Row("linkwright_endpoints", _G, "Endpoints that exist.", (of.DRIVER, of.ENDPOINT_STATE), readings.endpoints),
    Row("linkwright_endpoint_setup_seconds", _H, "How long the stages of making and joining an endpoint took.",
        (of.DRIVER, of.STAGE), buckets=_STAGES),
    Row("linkwright_published_ports", _G, "Ports of the host that lead into containers, one for each host address.",
        (of.DRIVER, of.PROTOCOL), readings.published),
    Row("linkwright_published_ports_lost", _G,
        "Those of them that another process took while linkwright was away: they lead into the container all the same.",
        (), readings.lost),
    Row("linkwright_port_info", _G, "Where a port of the host leads, for looking up and joining; always 1.", _PORT,
        readings.port_info),
    Row("linkwright_bridge_ports", _G, "Endpoints that are ports of a network's bridge; the kernel allows 1023.",
        (of.NETWORK,), readings.bridge_ports),
    Row("linkwright_firewall_dropped_packets_total", _C,
        "Packets that linkwright's own rules dropped; from 0 again when the rules were put back.", (of.RULE,),
        readings.drops),
    Row("linkwright_conntrack_forgotten_total", _C,
        "Tracked connections that were deleted because the port they came by leads elsewhere now, or nowhere."),
    Row("linkwright_announcements_total", _C, "Times that neighbours were to be told where a new endpoint is."),
    Row("linkwright_announcement_failures_total", _C, "Times that they could not be."),
    Row("linkwright_collected_total", _C,
        "Networks and endpoints that were removed because Docker had forgotten them, and published ports closed.",
        (of.WHAT,)),
    Row("linkwright_driver_info", _G, "Which package a driver came in, for joining; always 1.",
        (of.DRIVER, of.DISTRIBUTION, of.DRIVER_VERSION), readings.drivers),
    Row("linkwright_driver_overruns_total", _C, "Times that a driver did not answer before its deadline.",
        (of.DRIVER,)),
    Row("linkwright_driver_suspended", _G, "1 if the driver overran too often and is asked no more, else 0.",
        (of.DRIVER,), readings.suspended),

    # traffic
    Row("linkwright_endpoint_info", _G, "What an endpoint's id belongs to, for joining; always 1.", _INFO,
        readings.endpoint_info),
    Row("linkwright_endpoint_receive_bytes_total", _C, "Bytes that the container received through the endpoint.",
        (of.ENDPOINT,), readings.traffic(lambda one: one.receive_bytes)),
    Row("linkwright_endpoint_receive_packets_total", _C, "Packets that the container received through the endpoint.",
        (of.ENDPOINT,), readings.traffic(lambda one: one.receive_packets)),
    Row("linkwright_endpoint_receive_drop_total", _C, "Packets to the container that were dropped at its link.",
        (of.ENDPOINT,), readings.traffic(lambda one: one.receive_drop)),
    Row("linkwright_endpoint_transmit_bytes_total", _C, "Bytes that the container sent through the endpoint.",
        (of.ENDPOINT,), readings.traffic(lambda one: one.transmit_bytes)),
    Row("linkwright_endpoint_transmit_packets_total", _C, "Packets that the container sent through the endpoint.",
        (of.ENDPOINT,), readings.traffic(lambda one: one.transmit_packets)),
    Row("linkwright_endpoint_transmit_drop_total", _C, "Packets from the container that were dropped at its link.",
        (of.ENDPOINT,), readings.traffic(lambda one: one.transmit_drop)),

    # addresses
    Row("linkwright_ipam_addresses", _G,
        "Addresses of a pool: all of them (capacity), given to containers (allocated), given to nobody because they "
        "are network, broadcast, gateway or auxiliary addresses (reserved), and resting before they are given again "
        "(quarantined). Free is capacity less the others.", (of.POOL, of.SPACE, of.ADDRESS_STATE), readings.addresses),
    Row("linkwright_ipam_events_total", _C, "What happened to leases and pools beside being asked for and given back.",
        (of.HAPPENING,), readings.happenings),
    Row("linkwright_ipam_waiting_requests", _G, "Requests for pools and addresses that wait for their turn.", (),
        readings.ipam("waiting")),
    Row("linkwright_ipam_commits_total", _C, "Times that changes of pools and leases were made durable.", (),
        readings.ipam("commits")),
    Row("linkwright_ipam_commit_failures_total", _C, "Times that they could not be, and were taken back.", (),
        readings.ipam("failed_commits")),

    # the store
    Row("linkwright_store_commits_total", _C, "Changes that were made durable, by caller.", (),
        readings.store(lambda figures: figures.commits)),
    Row("linkwright_store_transactions_total", _C, "Transactions that this took: what gathers is committed together.",
        (), readings.store(lambda figures: figures.transactions)),
    Row("linkwright_store_changes_total", _C, "Records put and dropped.", (),
        readings.store(lambda figures: figures.changes)),
    Row("linkwright_store_written_bytes_total", _C, "Bytes of text in the records put.", (),
        readings.store(lambda figures: figures.bytes)),
    Row("linkwright_store_failures_total", _C, "Changes that could not be made durable.", (),
        readings.store(lambda figures: figures.failures)),
    Row("linkwright_store_withdrawn_total", _C, "Changes whose caller gave up before they had begun.", (),
        readings.store(lambda figures: figures.withdrawn)),
    Row("linkwright_store_waiting_commits", _G, "Changes that wait for the disk.", (),
        readings.store(lambda figures: figures.queue)),
    Row("linkwright_store_largest_group", _G, "The most changes in one transaction since the start.", (),
        readings.store(lambda figures: figures.largest_group)),
    Row("linkwright_store_copies_total", _C, "Good copies made of the state.", (),
        readings.store(lambda figures: figures.copies)),
    Row("linkwright_store_copy_failures_total", _C, "Good copies that could not be made.", (),
        readings.store(lambda figures: figures.copy_failures)),

    # the kernel
    Row("linkwright_kernel_operations_total", _C, "Things asked of the kernel.", (of.STEP, of.RESOURCE),
        readings.operations),
    Row("linkwright_kernel_batches_total", _C, "Batches in which they were asked: all of one happens, or nothing.", (),
        readings.kernel(lambda figures: figures.batches)),
    Row("linkwright_kernel_failures_total", _C, "Things that the kernel refused.", (),
        readings.kernel(lambda figures: figures.failures)),
    Row("linkwright_kernel_not_undone_total", _C,
        "Things done that could not be taken back after another was refused; the next look at the host removes them.",
        (), readings.kernel(lambda figures: figures.not_undone)),
    Row("linkwright_kernel_doomed_links", _G, "Links that are taken out of use and wait to be deleted together.", (),
        readings.kernel(lambda figures: figures.doomed_waiting)),
    Row("linkwright_kernel_doomed_removed_total", _C, "Links that were deleted in that way.", (),
        readings.kernel(lambda figures: figures.doomed_removed)),
    Row("linkwright_netlink_events_total", _C, "Changes by others, to what we look after, that the kernel told of.",
        (of.EVENT,), readings.events),
    Row("linkwright_netlink_overruns_total", _C,
        "Times that the kernel had more to tell than the buffer holds; everything is read again then.", (),
        readings.kernel(lambda figures: figures.overruns)),
    Row("linkwright_netlink_receive_buffer_bytes", _G, "Size of that buffer.", (),
        readings.kernel(lambda figures: figures.receive_buffer)),
    Row("linkwright_drift_found_total", _C, "Differences found between what the host must have and what it had.",
        (of.DRIFT,)),
    Row("linkwright_drift_repaired_total", _C, "Differences that were put right.", (of.DRIFT,)),
)
# fmt: on
