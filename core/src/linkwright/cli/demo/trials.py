"""Acts three and four: what goes wrong. The daemon is killed, and somebody deletes a bridge."""

from typing import Final

from linkwright.cli.demo import host
from linkwright.cli.demo.ping import INTERVAL, Pinging
from linkwright.cli.demo.play import Play, Running
from linkwright.cli.demo.served import total

#: Echoes that are answered before something is done to the daemon or the host, and while there is no daemon.
_BEFORE: Final = 5
_OUTAGE: Final = 25

#: Gauges that a crash must not change.
_LASTING: Final = ("linkwright_networks", "linkwright_endpoints", "linkwright_ipam_addresses")


def crash(play: Play) -> None:
    """Kill the daemon with -9 while everybody pings, and start it again."""
    talking = [running for running in play.running if running.talks]
    if not talking:
        return
    tell, served = play.tell, play.served
    tell.chapter("A crash")
    pings = {running.name: _pinging(running) for running in talking}
    links, addresses = host.identities(), {one.address for running in play.running for one in running.containers}
    tell.command(f"kill -9 {served.pid}")
    served.kill9()
    goals = [(pinging, pinging.count.answered + _OUTAGE) for pinging in pings.values()]
    alone = [pinging.wait_for(goal) for pinging, goal in goals]
    tell.promise(all(alone), f"for {_OUTAGE * INTERVAL:.1f} s there is no daemon, and all containers go on pinging")
    seconds = served.serve()
    tell.promise(kept=True, text=f"started again, and ready after {seconds:.2f} s, as process {served.pid}")
    play.linkwright("plan")
    plan = served.get("plan")
    tell.promise(not plan["networks"] and not plan["leftovers"]["steps"], "there was nothing to put right")
    tell.promise(host.identities() == links, f"no link was touched: all {len(links)} are the same")
    for name, pinging in pings.items():
        count = pinging.stop()
        tell.promise(not count.lost, f"network {name}: {count.sent} echoes sent, {count.lost} lost")
    play.scrapes["after the crash"] = after = served.metrics()
    same = all(total(after, name) == total(play.scrapes["in use"], name) for name in _LASTING)
    tell.promise(same, "networks, endpoints and addresses are counted as before")
    network = talking[0].name
    third = play.docker_run(f"{network}-3", network)
    play.extras.append(third)
    tell.promise(third.address not in addresses, f"{third.name} has {third.address}: no address was forgotten")


def drift(play: Play) -> None:
    """Delete the bridge of a network by hand, and see it come back."""
    tell = play.tell
    talking = (running for running in play.running if running.talks)
    found = [(running, row.name) for running in talking for row in running.host_links if row.kind == "bridge"]
    if not found:
        return
    running, bridge = found[0]
    tell.chapter("A slip of the hand")
    pinging = _pinging(running)
    tell.command(f"ip link del {bridge}")
    host.delete_link(bridge)
    back = pinging.wait_for(pinging.count.answered + 2 * _BEFORE)
    count = pinging.stop()
    lost = f"{count.lost} of {count.sent} echoes were lost, {count.lost * INTERVAL * 1000:.0f} ms"
    tell.promise(back, f"it is back, and the ping goes on: {lost}")
    recent = reversed(play.served.get("status")["recent"])
    repaired = [line for one in recent if one["what"] == "drift" for line in one["details"]["text"].splitlines()]
    tell.output(repaired)
    counted = total(play.served.metrics(), "linkwright_drift_repaired_total")
    tell.promise(counted, f"and it is counted: linkwright_drift_repaired_total is {counted:g}")


def _pinging(running: Running) -> Pinging:
    """An endless ping from the first container to the second, under way."""
    first, second = running.containers
    pinging = Pinging(first.sandbox, second.address.ip)
    pinging.start()
    pinging.wait_for(_BEFORE)
    return pinging
