"""Acts one and two: the daemon comes up, and each driver has a network with two containers that talk."""

import platform
import shlex
from pathlib import Path

from attrs import evolve

from linkwright.cli.demo import host, scenes
from linkwright.cli.demo.docker import Docker
from linkwright.cli.demo.engine import RealDocker
from linkwright.cli.demo.play import Play, Running
from linkwright.cli.demo.played import PlayedDocker
from linkwright.cli.demo.scenes import Scene
from linkwright.cli.demo.served import Served
from linkwright.cli.demo.telling import Telling
from linkwright.errors import LinkwrightError


def introduce(tell: Telling, folder: Path) -> None:
    """Say where this is."""
    tell.chapter("A machine of its own")
    tell.say(f"Linux {platform.release()}, and in it namespaces for mounts, processes and the network, in which we are")
    tell.say(f"root and the machine's own links are not. {folder} here is empty, and a file system in memory.")
    tell.say(f"{host.UPLINK} is this host's uplink, {host.HOST}; behind it is a router, {host.ROUTER.ip}.")


def docker(tell: Telling, served: Served, folder: Path, *, real: bool) -> Docker:
    """Return who plays Docker's part: we, or the real one, started."""
    if not real:
        tell.say(f"There is no Docker: its calls come to the sockets in {served.plugins} all the same.")
        return PlayedDocker(served.plugins, folder / "docker" / "netns")
    tell.chapter("Docker")
    engine = RealDocker(folder)
    tell.promise(kept=True, text=f"Docker {engine.version} is ready after {engine.seconds:.2f} s")
    return engine


def start(play: Play) -> None:
    """Start the daemon."""
    tell, served = play.tell, play.served
    tell.chapter("The daemon")
    tell.say("A network that leads outside needs a host that forwards packets. This one does not, and nobody")
    tell.say("else here wants it to: --manage-forwarding has linkwright switch it on, and drop what is not its own.")
    tell.command(shlex.join(["linkwright", *served.arguments]))
    seconds = served.serve()
    tell.promise(kept=True, text=f"ready after {seconds:.2f} s, as process {served.pid}")
    play.scrapes["at the start"] = served.metrics()


def networks(play: Play) -> None:
    """Make a network and two containers for each driver that is installed and that the kernel can do."""
    drivers = tuple(str(one["name"]) for one in play.served.get("drivers")["drivers"])
    cast = scenes.cast(drivers, host.features())
    for driver, reason in cast.absent.items():
        play.tell.chapter(f"Driver {driver}: left out, {reason}")
    for scene in cast.scenes:
        play.tell.chapter(f"Driver {scene.wanted.driver}: {scene.says}")
        if _planned(play, scene):
            _made(play, scene)
    if not play.running:
        play.tell.promise(kept=False, text="a driver could be shown; `pip install linkwright-bridge` brings one")
    play.scrapes["in use"] = play.served.metrics()


def _planned(play: Play, scene: Scene) -> bool:
    """Show what making the network would do. A driver that we do not know may refuse it, and is left out."""
    wanted = scene.wanted
    words = ["plan", "--driver", wanted.driver, "--subnet", str(wanted.subnet)]
    words += ["--gateway", str(wanted.gateway)] if wanted.gateway else []
    words += [word for key, value in wanted.options.items() for word in ("-o", f"{key}={value}")]
    try:
        play.linkwright(*words)
    except LinkwrightError as error:
        if wanted.driver in scenes.SCENES:
            raise
        play.tell.say(f"It needs more than this demo can guess, and is left out. {error}")
        return False
    return True


def _made(play: Play, scene: Scene) -> None:
    play.tell.command(scene.wanted.command)
    play.docker.create_network(scene.wanted)
    play.show_calls()
    name, other = scene.containers
    first = play.docker_run(name, scene.wanted.name)
    play.show_wishes()
    second = play.docker_run(other, scene.wanted.name)
    running = Running(scene, play.served.get("networks")[-1]["id"], (first, second))
    play.show_links(running)
    talks = play.show_ping(first, second.address.ip, second.name)
    play.running.append(evolve(running, talks=talks))
    if scene.outside:
        play.show_ping(second, scenes.router(), "the router outside")
