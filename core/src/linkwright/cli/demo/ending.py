"""The last acts: what was counted, and that everything goes."""

from collections.abc import Mapping
from typing import Final

import trio

from linkwright.cli.blocks import Table
from linkwright.cli.demo import host
from linkwright.cli.demo.play import Play
from linkwright.cli.demo.served import total
from linkwright.kernel.nftables.firewall import Firewall
from linkwright.kernel.ruleset import ruleset

#: Rows of the table: the metric, and labels that its series must have.
_NUMBERS: Final[tuple[tuple[str, Mapping[str, str]], ...]] = (
    ("linkwright_networks", {}),
    ("linkwright_endpoints", {"state": "joined"}),
    ("linkwright_ipam_addresses", {"state": "allocated"}),
    ("linkwright_rpc_duration_seconds_count", {}),
    ("linkwright_kernel_operations_total", {"action": "create", "kind": "link"}),
    ("linkwright_endpoint_receive_packets_total", {}),
    ("linkwright_netlink_events_total", {}),
    ("linkwright_drift_repaired_total", {"kind": "link"}),
)


def numbers(play: Play) -> None:
    """Show the metrics that moved."""
    play.tell.chapter("What Prometheus would have seen")
    play.scrapes["now"] = play.served.metrics()
    rows = [
        (_named(name, labels), *(f"{total(scrape, name, **labels):g}" for scrape in play.scrapes.values()))
        for name, labels in _NUMBERS
    ]
    play.tell.table(Table(("metric", *play.scrapes), rows))
    play.tell.say("What only counts up begins at 0 with each start of the daemon.")


def clean_up(play: Play) -> None:
    """Remove everything as Docker does, end the daemon, and look at what is left."""
    tell, served = play.tell, play.served
    tell.chapter("The way out")
    for running in play.running:
        containers = [*running.containers, *(one for one in play.extras if one.network == running.name)]
        tell.command(f"docker rm -f {' '.join(one.name for one in containers)}; docker network rm {running.name}")
        for container in containers:
            play.docker.remove(container)
        play.docker.remove_network(running.name)
        play.docker.calls.clear()
    status = served.get("status")
    left = {what: status[what]["total"] for what in ("networks", "endpoints", "pools")}
    tell.promise(not any(left.values()), f"linkwright knows of {_listed(left)}")
    play.docker.close()
    tell.command(f"kill {served.pid}")
    status = served.stop()
    tell.promise(status == 0, f"the daemon has ended, with exit status {status}")
    sockets = sorted(path.name for path in served.plugins.glob("*.sock"))
    tell.promise(not sockets, f"its sockets are gone{_named_if(sockets)}")
    after = host.look()
    tell.promise(after.links == play.before.links, f"links on the host: {', '.join(sorted(after.links))}, as before")
    tell.promise(after.routes == play.before.routes, f"routes on the host: {len(after.routes)}, as before")
    elements = trio.run(_elements)
    tell.promise(not elements, f"its firewall table waits for the next start, with {elements} elements in it")


async def _elements() -> int:
    async with Firewall(ruleset(guard=True)) as firewall:
        return len(await firewall.elements())


def _named(metric: str, labels: Mapping[str, str]) -> str:
    written = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{metric}{{{written}}}" if written else metric


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items())


def _named_if(names: list[str]) -> str:
    return f": {', '.join(names)}" if names else ""
