"""From wishes to the kernel and back out again: propose, plan, apply, settle. The only caller of ``Kernel.apply``.

On the way in the plan is made from what we know we made; the kernel is looked at first where something could lie in
the way (a network) and after EEXIST (an endpoint, whose making is the hot path).
"""

import errno
from collections.abc import Mapping

import trio
from attrs import frozen

from linkwright.engine.desired import Desired, Scope, Transition
from linkwright.engine.ports import Kernel
from linkwright.errors import Conflict, KernelError, Refused
from linkwright.plan import Hold, Key, Link, Plan, Resource, Snapshot, Step, Sysctl, diff, undo

#: Seconds that taking something back may take when the caller has gone. Nobody waits for it, the daemon's stop might.
CLEANUP = 5.0


@frozen
class Applied:
    """A transition that the kernel has, and the steps that brought it there. Settle it, or take it back."""

    transition: Transition
    steps: tuple[Step, ...]


class Applying:
    """Brings the kernel to what is desired, one scope at a time."""

    def __init__(self, desired: Desired, kernel: Kernel) -> None:
        """Plan against *desired*, act on *kernel*."""
        self.desired = desired
        self._kernel = kernel

    async def plan(self, scope: Scope, wishes: Mapping[Key, Resource]) -> tuple[Transition, Plan]:
        """Look at the kernel and return what would be done; Refused if a wish cannot be had."""
        transition = self.desired.propose(scope, wishes)
        seen = await self._kernel.observe(transition.after)
        plan = diff(self._admitted(transition, seen), transition.after)
        refuse_problems(plan)
        return transition, plan

    async def apply(self, scope: Scope, wishes: Mapping[Key, Resource], *, look: bool) -> Applied:
        """Do it. With *look* the kernel is read first, without it only if something is in the way.

        Raises Conflict if that is somebody else's, KernelError if the kernel refuses; then nothing has changed.
        """
        if look:
            transition, plan = await self.plan(scope, wishes)
        else:
            transition = self.desired.propose(scope, wishes)
            plan = diff(transition.before, transition.after)
            refuse_problems(plan)
        try:
            await self._kernel.apply(plan.steps)
        except KernelError as error:
            if look or error.code != errno.EEXIST:
                raise
            transition, plan = await self.plan(scope, wishes)  # a leftover of ours, or a stranger: look and see
            await self._kernel.apply(plan.steps)
        return Applied(transition, plan.steps)

    def settle(self, applied: Applied) -> None:
        """Let it stand."""
        self.desired.settle(applied.transition)

    async def take_back(self, applied: Applied) -> None:
        """Undo what ``apply`` did, also when the caller has been cancelled."""
        with trio.move_on_after(CLEANUP, shield=True):
            await self._kernel.apply(undo(applied.steps))

    def _admitted(self, transition: Transition, seen: Snapshot) -> dict[Key, Resource]:
        actual: dict[Key, Resource] = dict(transition.before)
        for key, found in seen.resources.items():
            wanted = transition.after.get(key)
            if isinstance(wanted, Link) and isinstance(found, Link) and wanted.hold is Hold.OWN:
                _refuse_strangers(wanted, found, ours=key in seen.ours)
            actual[key] = found
        # What we believed to be there and is not has to be made again.
        return {key: value for key, value in actual.items() if key in seen.resources or key not in transition.after}


def refuse_problems(plan: Plan) -> None:
    """Raise Refused if *plan* has wishes that no step can fulfil, or that need something in use to be replaced."""
    texts = [_explained(problem.resource, problem.text) for problem in plan.problems]
    texts += [f"{' '.join(step.resource.key)} is there already with other properties" for step in plan.pending]
    if texts:
        raise Refused("; ".join(texts))


def _explained(resource: Resource, text: str) -> str:
    if isinstance(resource, Sysctl):
        name = resource.path.replace("/", ".")
        return (
            f"{text}. A network that leads outside needs the host to forward packets: set it with "
            f"`sysctl -w {name}={resource.value}` (Docker does so when it starts), start linkwright with "
            "--manage-forwarding, or create the network with --internal"
        )
    return text


def _refuse_strangers(wanted: Link, found: Link, *, ours: bool) -> None:
    if not ours:
        raise Conflict(
            f"the host has a link {found.name!r} that is not linkwright's; remove or rename it and try again"
        )
    if wanted.mark is not None and not wanted.mark.same_owner(found.mark):
        raise Conflict(f"link {found.name!r} belongs to {found.mark}, whose id begins alike")
