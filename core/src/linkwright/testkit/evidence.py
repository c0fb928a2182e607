"""What one conversation on the real kernel shows, in words that can be judged elsewhere: another process, for one.

The same conversation is held on an imaginary host that knows of itself what the real one knows, and compared.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import trio
from attrs import evolve, frozen

from linkwright import sdk
from linkwright.engine.registry import Origin, register
from linkwright.plan import Key, Link, Resource, Sysctl, render_all
from linkwright.plan.compare import changed
from linkwright.testkit import surroundings
from linkwright.testkit.battery.running import played
from linkwright.testkit.docker_side import Daemon
from linkwright.testkit.example import Example
from linkwright.testkit.place import places
from linkwright.testkit.surroundings import Real, differences, missing
from linkwright.testkit.talk import Talk


@frozen
class Evidence:
    """Nothing anywhere, and each answer as the example has it, is as it should be."""

    missing: tuple[str, ...] = ()  # kernel features that the example needs
    error: str = ""  # how the conversation failed
    repaired: tuple[str, ...] = ()  # what a look found to do, when all was there
    otherwise: tuple[str, ...] = ()  # what the real kernel has otherwise than the imaginary one
    answers: tuple[tuple[str, bool], ...] = ()  # addresses of a container, and whether it answers its sibling
    left: tuple[str, ...] = ()  # what is there afterwards and was not before, and the other way round


def evidence(driver: type[sdk.Driver[Any]], example: Example) -> Evidence:
    """Hold the conversation about *example*, as a process that may make network namespaces."""
    return trio.run(partial(_gather, driver, example))


async def _gather(driver: type[sdk.Driver[Any]], example: Example) -> Evidence:
    registered, found = register(driver.name, driver, Origin("the package under test", "0")), Evidence()
    imagined: dict[Key, Resource] = {}
    with places() as make:
        async with surroundings.real(make) as around:
            facts = await around.kernel.host_facts()
            if lacking := missing(example.needs, facts):
                return Evidence(missing=lacking)

            async def imagine(daemon: Daemon, _: trio.Nursery) -> None:
                await Talk(daemon, example).make()
                imagined.update(await _observed(daemon))

            async def play(daemon: Daemon, _: trio.Nursery) -> None:
                nonlocal found
                before, talk = await around.has(), Talk(daemon, example)
                await talk.make()
                wishes = daemon.parts.engine.applying.desired.all()
                found = evolve(found, otherwise=tuple(_otherwise(wishes, imagined, await _observed(daemon))))
                report = await daemon.parts.engine.reconcile.heal()
                found = evolve(found, repaired=(*render_all(report.steps).splitlines(), *report.reported))
                if example.containers > 1:
                    found = evolve(found, answers=tuple(await _answers(around, talk)))
                await talk.unmake()
                found = evolve(found, left=tuple(differences(before, await around.has())))

            try:
                await played(surroundings.imaginary(facts=facts), registered, imagine)
                await played(around, registered, play)
            except Exception as error:  # noqa: BLE001 - whatever it is is what happened
                found = evolve(found, error=f"{type(error).__name__}: {error}")
    return found


async def _observed(daemon: Daemon) -> Mapping[Key, Resource]:
    return (await daemon.around.kernel.observe(daemon.parts.engine.applying.desired.all())).resources


async def _answers(around: Real, talk: Talk) -> list[tuple[str, bool]]:
    asking, answering = around.inside(talk.containers[0].sandbox), talk.containers[1]
    addresses = [str(address.ip) for address in answering.addresses]
    return [(one, await trio.to_thread.run_sync(asking.reaches, one)) for one in addresses]


def _otherwise(
    wishes: Mapping[Key, Resource], imagined: Mapping[Key, Resource], actual: Mapping[Key, Resource]
) -> Iterator[str]:
    """What both tell, and tell differently; which hardware address a link has is the kernel's choice without a wish."""
    for key, wish in wishes.items():
        one, other = imagined.get(key), actual.get(key)
        if one is None or other is None:
            names = frozenset() if one is other else frozenset({"presence"})
        else:
            names = changed(one, other) & changed(other, one)
        if isinstance(wish, Link) and wish.mac is None:
            names -= {"mac"}
        if names and not (isinstance(wish, Sysctl) and wish.hold is sdk.Hold.BORROW):
            yield f"{' '.join(key)}: {', '.join(sorted(names))}: imagined {one}, in fact {other}"
