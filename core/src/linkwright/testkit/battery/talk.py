"""Level talk: whole conversations of Docker through the real engine and the real wire, on an imaginary host.

Needs nothing. The clock jumps whenever everybody waits, so nothing takes long and nothing depends on the machine.
"""

from collections.abc import Callable
from itertools import count
from typing import Any, ClassVar, Final

import pytest
import trio
from attrs import evolve

from linkwright import sdk
from linkwright.plan import Hold, Link
from linkwright.testkit import surroundings
from linkwright.testkit.battery.level import Level
from linkwright.testkit.battery.running import imagined
from linkwright.testkit.docker_side import Daemon, Refusal
from linkwright.testkit.example import Example
from linkwright.testkit.fake_kernel import FakeKernel
from linkwright.testkit.surroundings import Imaginary, differences
from linkwright.testkit.talk import Call, Talk

#: Calls after which Docker's user may stop and start linkwright, and find everything as it was. Between CreateEndpoint
#: and Join, and after Leave, an endpoint is nobody's for a moment: a daemon that starts just then collects it.
_RESTARTS: Final = frozenset(
    f"NetworkDriver.{name}"
    for name in ("CreateNetwork", "ProgramExternalConnectivity", "RevokeExternalConnectivity", "DeleteEndpoint")
)

#: Seconds that the kernel takes for a batch and the disk for a commit where calls are cut short.
_SLOW: Final = 1.0

#: Subnets of a second network, by version.
_BESIDE: Final = {4: "10.202.{}.0/24", 6: "fd00:202:{}::/64"}

_NOBODY: Final = {"NetworkID": "0" * 64, "EndpointID": "1" * 64}


class TalkLevel(Level):
    """Conversations. ``kernel`` makes the imaginary kernel that they are about."""

    kernel: ClassVar[Callable[..., FakeKernel]] = FakeKernel

    def test_talk_life(self, example: Example) -> None:
        """Networks and containers are made and removed, and nothing is left on the host or in the store."""

        async def play(daemon: Daemon, _: trio.Nursery) -> None:
            before = await daemon.around.has()
            talk = Talk(daemon, example)
            await talk.make()
            assert len(await daemon.stored()) == 1 + example.containers
            await talk.unmake()
            await _is_as_before(daemon, before, "after everything was removed")
            assert await daemon.stored() == []

        self._imagine(example, play)

    def test_talk_repeats(self, example: Example) -> None:
        """Each call may come twice: the second one succeeds and changes nothing."""

        async def play(daemon: Daemon, _: trio.Nursery) -> None:
            talk = Talk(daemon, example)
            for call in [*talk.making(), *talk.unmaking()]:
                await call.do()
                if call.of_driver:
                    before, stored = await daemon.around.has(), await daemon.stored()
                    await call.do()
                    await _is_as_before(daemon, before, f"after a second {call.name}")
                    assert await daemon.stored() == stored, f"a second {call.name} changed what is stored"

        self._imagine(example, play)

    def test_talk_unknown(self, example: Example) -> None:
        """What is not there can be deleted, and cannot be used; neither changes anything."""

        async def play(daemon: Daemon, _: trio.Nursery) -> None:
            before = await daemon.around.has()
            for name in ("DeleteNetwork", "DeleteEndpoint", "Leave", "RevokeExternalConnectivity"):
                await daemon.call(f"NetworkDriver.{name}", _NOBODY)
            for name, more in (("CreateEndpoint", {"Interface": {}}), ("Join", {"SandboxKey": "/run/nobody"})):
                with pytest.raises(Refusal):
                    await daemon.call(f"NetworkDriver.{name}", {**_NOBODY, **more, "Options": {}})
            await _is_as_before(daemon, before, "after calls about what is not there")

        self._imagine(example, play)

    def test_talk_misspelt_option(self) -> None:
        """An option that is misspelt by a letter is refused by its name, with the one that was meant."""
        one = self.wanted()[0]
        keys = [key for spec in sdk.specs(self.driver.options).values() for key in spec.keys]

        async def play(daemon: Daemon, _: trio.Nursery) -> None:
            before = await daemon.around.has()
            for key in keys:
                misspelt = f"{key[:-1]}{key[-1]}{key[-1]}"
                if misspelt in keys:
                    continue
                wrong = evolve(one, options={**one.options, misspelt: "1"})
                with pytest.raises(Refusal) as refused:
                    await Talk(daemon, wrong).make()
                assert misspelt in str(refused.value), f"the refusal of {misspelt} does not name it: {refused.value}"
                assert key in str(refused.value), f"the refusal of {misspelt} does not name {key}: {refused.value}"
                await _is_as_before(daemon, before, f"after {misspelt} was refused")

        self._imagine(one, play)

    def test_talk_failures(self, example: Example) -> None:
        """Whatever the kernel refuses, at whichever step: the call fails, the host is as before, and again it works."""

        async def play(daemon: Daemon, _: trio.Nursery) -> None:
            kernel, talk = _kernel(daemon), Talk(daemon, example)
            for call in talk.making():
                for step in count(1) if call.of_driver else ():
                    was, stored, attempted = await daemon.around.has(), await daemon.stored(), kernel.attempted
                    kernel.fail_next(step=step)
                    answer = await _said(call)
                    kernel.fail_at.clear()
                    if kernel.attempted - attempted < step:
                        assert not answer, f"{call.name} failed: {answer}"
                        break
                    where = f"after {call.name} whose step {step} the kernel refused"
                    assert answer, f"{call.name} succeeded, though the kernel refused its step {step}"
                    await _is_as_before(daemon, was, where)
                    assert await daemon.stored() == stored, f"{where} something else is stored"
                if not call.of_driver:
                    await call.do()

        self._imagine(example, play)

    def test_talk_failures_of_removal(self, example: Example) -> None:
        """What Docker takes back is taken back, though the kernel refuses a step: sooner or later nothing is left."""
        refusing, gone = True, self._gone(example)
        for step in count(1):

            async def play(daemon: Daemon, _: trio.Nursery, step: int = step) -> None:
                nonlocal refusing
                kernel, talk, refusing = _kernel(daemon), Talk(daemon, example), False
                await talk.make()
                for call in talk.unmaking():
                    attempted = kernel.attempted
                    if call.of_driver:
                        kernel.fail_next(step=step)
                    answer = await _said(call)
                    assert not answer, f"{call.name} failed, and Docker never asks again: {answer}"
                    refusing |= call.of_driver and kernel.attempted - attempted >= step
                    kernel.fail_at.clear()
                await daemon.heal()
                await _is_as_before(daemon, gone, f"after step {step} of each removal was refused")
                assert await daemon.stored() == []

            self._imagine(example, play)
            if not refusing:
                break

    def test_talk_cut_short(self, example: Example) -> None:
        """A call that Docker gives up, at whichever moment, leaves the host as before, and again it works."""

        async def play(daemon: Daemon, _: trio.Nursery) -> None:
            kernel, talk = _kernel(daemon), Talk(daemon, example)
            kernel.delay = _SLOW
            for call in talk.making():
                for moment in count() if call.of_driver else ():
                    was = await daemon.around.has()
                    with trio.move_on_after((moment + 0.5) * _SLOW) as patience:
                        await call.do()
                    if not patience.cancelled_caught:
                        break
                    await trio.sleep(10 * _SLOW)
                    await _is_as_before(daemon, was, f"after {call.name} was given up, {moment} things done")
                if not call.of_driver:
                    await call.do()

        self._imagine(example, play, disk=_SLOW)

    def test_talk_removal_cut_short(self, example: Example) -> None:
        """A removal that Docker gives up is finished all the same: sooner or later nothing is left."""
        cut, gone = True, self._gone(example)
        for moment in count():

            async def play(daemon: Daemon, _: trio.Nursery, moment: int = moment) -> None:
                nonlocal cut
                kernel, talk, cut = _kernel(daemon), Talk(daemon, example), False
                await talk.make()
                kernel.delay = _SLOW
                for call in talk.unmaking():
                    patience = (moment + 0.5) * _SLOW if call.of_driver else float("inf")
                    with trio.move_on_after(patience) as scope:
                        await call.do()
                    cut |= scope.cancelled_caught
                for _again in range(2):
                    await trio.sleep(10 * _SLOW)
                    await daemon.heal()
                await _is_as_before(daemon, gone, f"after each removal was given up, {moment} things done")
                assert await daemon.stored() == []

            self._imagine(example, play, disk=_SLOW)
            if not cut:
                break

    def test_talk_restarts(self, example: Example) -> None:
        """A daemon that is started anew finds everything as it should be, and goes on where it was."""

        async def play(daemon: Daemon, nursery: trio.Nursery) -> None:
            kernel, talk = _kernel(daemon), Talk(daemon, example)
            for call in [*talk.making(), *talk.unmaking()]:
                await call.do()
                if call.name in _RESTARTS:
                    before, attempted = await daemon.around.has(), kernel.attempted
                    await daemon.start(nursery)
                    await _is_as_before(daemon, before, f"after a restart behind {call.name}")
                    assert kernel.attempted == attempted, f"a restart behind {call.name} did things anew"
            assert await daemon.stored() == []

        self._imagine(example, play)

    def test_talk_repairs(self, example: Example) -> None:
        """What somebody deletes before the containers have joined is put back as it was."""

        async def play(daemon: Daemon, _: trio.Nursery) -> None:
            kernel, talk = _kernel(daemon), Talk(daemon, example)
            for call in talk.making():
                if call.name == "NetworkDriver.Join":
                    break
                await call.do()
            before = await daemon.around.has()
            for key, wish in daemon.parts.engine.applying.desired.all().items():
                if isinstance(wish, Link) and wish.hold is Hold.OWN:
                    kernel.foreign_delete(key)
                    await daemon.heal()
                    await _is_as_before(daemon, before, f"after somebody deleted {' '.join(key)}")

        self._imagine(example, play)

    def test_talk_neighbours(self, example: Example) -> None:
        """A second network like it is refused in words, or lives beside it and loses nothing when the first goes."""
        pools = [_BESIDE[6 if ":" in pool else 4].format(at) for at, pool in enumerate(example.subnets)]
        other = evolve(example, subnets=tuple(pools))
        alone: Any = None

        async def play_alone(daemon: Daemon, _: trio.Nursery) -> None:
            nonlocal alone
            await Talk(daemon, other, "beside").make()
            alone = await daemon.around.has()

        async def play(daemon: Daemon, _: trio.Nursery) -> None:
            first, second = Talk(daemon, example), Talk(daemon, other, "beside")
            await first.make()
            before = await daemon.around.has()
            for call in second.making():
                answer = await _said(call)
                if answer and call.name == "NetworkDriver.CreateNetwork":
                    assert "broke its contract" not in answer, answer
                    await _is_as_before(daemon, before, "after a second network was refused")
                    return
                assert not answer, f"{call.name} of a second network failed: {answer}"
            await first.unmake()
            await _is_as_before(daemon, alone, "after the first of two networks was removed")

        self._imagine(example, play_alone)
        self._imagine(example, play)

    def _gone(self, example: Example) -> Any:
        """What the host has after an undisturbed life: what is left by that is ``test_talk_life``'s to find."""
        has: Any = None

        async def play(daemon: Daemon, _: trio.Nursery) -> None:
            nonlocal has
            talk = Talk(daemon, example)
            await talk.make()
            await talk.unmake()
            has = await daemon.around.has()

        self._imagine(example, play)
        return has

    def _imagine(self, example: Example, play: Callable[[Daemon, trio.Nursery], Any], *, disk: float = 0.0) -> None:
        self.wait_for_right_answers(example)
        around = surroundings.imaginary(make=type(self).kernel)
        imagined(around, self.registered(), play, disk=disk)


def _kernel(daemon: Daemon) -> FakeKernel:
    assert isinstance(daemon.around, Imaginary), "this level imagines its host"
    return daemon.around.kernel


async def _said(call: Call) -> str:
    """Make *call*, and return the words of its failure, "" if it succeeds."""
    try:
        await call.do()
    except Refusal as refused:
        return str(refused)
    return ""


async def _is_as_before(daemon: Daemon, before: Any, when: str) -> None:
    found = differences(before, await daemon.around.has())
    assert not found, f"{when} the host is not as it was:\n" + "\n".join(found)
