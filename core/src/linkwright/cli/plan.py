"""``linkwright plan``: what would be done to the host, as the commands one would type. Nothing is ever done."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any, TypeVar

import click

from linkwright.cli.blocks import Block, Lines
from linkwright.cli.reaching import Daemon, at_daemon
from linkwright.cli.showing import as_json, short, show
from linkwright.model import Address, Prefix

F = TypeVar("F", bound=Callable[..., Any])


def _several(name: str, *flags: str, metavar: str, read: Callable[[str], Any], text: str) -> Callable[[F], F]:
    """An option that may be repeated, each value read by *read*; what that cannot read is a wrong usage."""

    def parse(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> list[Any]:
        try:
            return [read(value) for value in values]
        except ValueError as error:
            raise click.BadParameter(str(error), context, parameter) from error

    return click.option(*flags, name, multiple=True, metavar=metavar, callback=parse, help=text)


def _pair(text: str) -> tuple[str, str]:
    """Split an option as Docker does: at the first "=", and without one the value is empty."""
    key, _, value = text.partition("=")
    if not key:
        raise ValueError(f"{text!r} has no key; write KEY=VALUE")
    return key, value


@click.command()
@click.option("--driver", metavar="NAME", help="Plan a network of this driver that is not made yet.")
@_several("subnets", "--subnet", metavar="SUBNET", read=ip_network, text="A subnet of it; may be repeated.")
@_several("gateways", "--gateway", metavar="ADDRESS", read=ip_address, text="The gateway in one of its subnets.")
@click.option("--internal", is_flag=True, help="It leads nowhere outside.")
@_several("options", "-o", "--opt", metavar="KEY=VALUE", read=_pair, text="An option for its driver; may be repeated.")
@at_daemon
@as_json
def plan(
    daemon: Daemon,
    *,
    driver: str | None,
    subnets: Sequence[Prefix],
    gateways: Sequence[Address],
    internal: bool,
    options: Sequence[tuple[str, str]],
    as_json: bool,
) -> None:
    """Show what would be put right just now; or with --driver, what making a network would do.

    Nothing is done, and nothing is remembered.
    """
    if driver is None:
        if subnets or gateways or internal or options:
            raise click.UsageError("--subnet, --gateway, --internal and --opt describe a network; add its --driver")
        present = daemon.get("plan")
        show(present, lambda: _page(_present(present), "# nothing to do: the host is as it should be"), as_json=as_json)
        return
    asked = {
        "driver": driver,
        "subnets": _with_gateways(subnets, gateways),
        "internal": internal,
        "options": dict(options),
    }
    imagined = daemon.post("plan", document=asked)
    show(imagined, lambda: _page(_plan(imagined), "# nothing would be done"), as_json=as_json)


def _with_gateways(subnets: Sequence[Prefix], gateways: Sequence[Address]) -> list[dict[str, str]]:
    documents = [{"pool": str(subnet)} for subnet in subnets]
    for gateway in gateways:
        places = [at for at, subnet in enumerate(subnets) if gateway in subnet]
        if not places:
            raise click.UsageError(f"the gateway {gateway} is in no --subnet")
        documents[places[0]]["gateway"] = str(gateway)
    return documents


def _page(lines: Iterator[str], nothing: str) -> list[Block]:
    return [Lines(list(lines) or [nothing])]


def _present(document: Mapping[str, Any]) -> Iterator[str]:
    """Commands, with comments between them: what is written can be read by a person and by a shell."""
    for one in document["networks"]:
        yield f"# network {short(one['id'])} ({one['driver']})"
        yield from _plan(one)
    if document["host"]["steps"]:
        yield "# Docker's own bridges, which ours are kept apart from"
        yield from _plan(document["host"])
    if document["leftovers"]["steps"]:
        yield "# ours, and nobody wishes for it any more"
        yield from _plan(document["leftovers"])
    for text in document["reported"]:
        yield f"# not repaired by itself: {text}"
    for one in document["frozen"]:
        yield f"# network {short(one['network'])} ({one['driver']}) is left as it is: {one['reason']}"


def _plan(document: Mapping[str, Any]) -> Iterator[str]:
    for step in document["steps"]:
        yield from step["commands"]
    for step in document["pending"]:
        for command in step["commands"]:
            yield f"# would cut what is in use, and waits: {command}"
    for problem in document["problems"]:
        yield f"# cannot be had: {problem['text']}"
