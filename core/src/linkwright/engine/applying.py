"""From wishes to the kernel and back out again: propose, plan, apply, settle.

On the way in the plan is made from what we know we made; the kernel is looked at first where something could lie in
the way (a network), where what is there has to be known (a setting, a borrowed link), and after EEXIST (an endpoint,
whose making is the hot path).
"""

import errno
from collections.abc import Iterable, Mapping

import trio
from attrs import frozen

from linkwright.engine.borrowing import Borrowing
from linkwright.engine.desired import Desired, Scope, Transition
from linkwright.engine.observation import Drift, Observer
from linkwright.engine.ports import Kernel
from linkwright.engine.strangers import stranger
from linkwright.errors import Conflict, KernelError, LinkwrightError, Refused
from linkwright.plan import PREFIX, Hold, Key, Link, Plan, Resource, Snapshot, Step, Sysctl, diff, undo

#: Seconds that taking something back may take when the caller has gone. Nobody waits for it, the daemon's stop might.
CLEANUP = 5.0


@frozen
class Applied:
    """A transition that the kernel has, and the steps that brought it there. Settle it, or take it back."""

    transition: Transition
    steps: tuple[Step, ...]


class Applying:
    """Brings the kernel to what is desired, one scope at a time."""

    def __init__(self, desired: Desired, kernel: Kernel, observer: Observer, borrowing: Borrowing) -> None:
        """Plan against *desired*, look through *borrowing*, act on *kernel*, tell *observer* what is not undone."""
        self.desired = desired
        self._kernel = kernel
        self._borrowing = borrowing
        self._observer = observer

    async def plan(self, scope: Scope, wishes: Mapping[Key, Resource]) -> Plan:
        """Look at the kernel and return what would be done; Refused if a wish cannot be had."""
        transition = self.desired.propose(scope, wishes)
        return _fitting(transition, await self._kernel.observe(transition.after))

    async def apply(self, scope: Scope, wishes: Mapping[Key, Resource], *, look: bool) -> Applied:
        """Do it. With *look* the kernel is read first, without it only if something is in the way.

        Raises Conflict if that is somebody else's, KernelError if the kernel refuses; then nothing has changed.
        """
        transition = self.desired.begin(scope, wishes)
        try:
            look = look or any(_to_be_known(wish) for key, wish in wishes.items() if key not in transition.before)
            plan = await self._looked(transition) if look else _planned(transition)
            try:
                await self._kernel.apply(plan.steps)
            except KernelError as error:
                if look or error.code != errno.EEXIST:
                    raise
                transition = self.desired.begin(scope, wishes)  # a leftover of ours, or a stranger: look and see
                plan = await self._looked(transition)
                await self._kernel.apply(plan.steps)
        except BaseException:
            await self._abandon(transition)
            raise
        return Applied(transition, plan.steps)

    def settle(self, applied: Applied) -> None:
        """Let it stand."""
        self.desired.settle(applied.transition)

    async def take_back(self, applied: Applied) -> None:
        """Undo what ``apply`` did, also when the caller has been cancelled. Raises nothing of its own.

        What cannot be undone is told: it is ours and nobody's wish, and the next look at everything removes it.
        """
        problem = f"it took longer than {CLEANUP:g} s"
        try:
            with trio.move_on_after(CLEANUP, shield=True):
                await self._kernel.apply(undo(applied.steps))
                problem = ""
        except LinkwrightError as error:
            problem = str(error)
        finally:
            await self._abandon(applied.transition)
        if problem:
            text = f"what was begun for {applied.transition.scope} could not be taken back: {problem}"
            self._observer(Drift("kernel", repaired=False, text=text, network=applied.transition.scope.network))

    async def _abandon(self, transition: Transition) -> None:
        """Forget *transition*, also when the caller has been cancelled; nothing stays borrowed for it."""
        self.desired.abandon(transition)
        with trio.move_on_after(CLEANUP, shield=True):
            await self._borrowing.put_back()

    async def remove(self, scopes: Iterable[Scope]) -> None:
        """Unmake all that *scopes* wish for, in one plan: all of it, or KernelError and nothing."""
        transitions = [self.desired.begin(scope, {}) for scope in scopes]
        before: dict[Key, Resource] = {}
        after: dict[Key, Resource] = {}
        for transition in transitions:  # a later one knows what the earlier ones let go of
            before |= transition.before
            after = {key: value for key, value in after.items() if key not in transition.before} | dict(
                transition.after
            )
        try:
            await self._kernel.apply(diff(await self._without_strangers(before, after), after).steps)
        except BaseException:
            for transition in transitions:
                self.desired.abandon(transition)
            raise
        for transition in transitions:
            self.desired.settle(transition)
        await self._borrowing.put_back()

    async def _without_strangers(
        self, before: Mapping[Key, Resource], after: Mapping[Key, Resource]
    ) -> Mapping[Key, Resource]:
        """*before*, less links that are to go and under whose name, which others give too, somebody else's is now."""
        suspects = {
            key: wish
            for key, wish in before.items()
            if key not in after and isinstance(wish, Link) and wish.hold is Hold.OWN
            if not wish.name.startswith(PREFIX)
        }
        if not suspects:
            return before
        seen = (await self._kernel.observe(suspects)).resources
        ours = {key for key, wish in suspects.items() if key in seen and not stranger(wish, seen[key], made=True)}
        return {key: value for key, value in before.items() if key not in suspects or key in ours}

    def forget(self, scopes: Iterable[Scope]) -> None:
        """Let *scopes* wish for nothing, and the kernel be as it is: what is left is swept as nobody's."""
        for scope in scopes:
            self.desired.settle(self.desired.propose(scope, {}))

    async def _looked(self, transition: Transition) -> Plan:
        return _fitting(transition, await self._borrowing.look(transition.after))


def _fitting(transition: Transition, seen: Snapshot) -> Plan:
    plan = diff(_admitted(transition, seen), transition.after)
    refuse_problems(plan)
    return plan


def _planned(transition: Transition) -> Plan:
    plan = diff(transition.before, transition.after)
    refuse_problems(plan)
    return plan


def _admitted(transition: Transition, seen: Snapshot) -> dict[Key, Resource]:
    """What is there, of what *transition* is about; Conflict if some of it is somebody else's."""
    actual: dict[Key, Resource] = dict(transition.before)
    for key, found in seen.resources.items():
        wanted = transition.after.get(key)
        problem = stranger(wanted, found, made=False) if wanted is not None else ""
        if problem:
            raise Conflict(problem)
        actual[key] = found
    # What we believed to be there and is not has to be made again.
    return {key: value for key, value in actual.items() if key in seen.resources or key not in transition.after}


def _to_be_known(wish: Resource) -> bool:
    """Whether a plan has to know what is there: a setting to be put back, something borrowed that may be missing."""
    return isinstance(wish, Sysctl) or getattr(wish, "hold", Hold.OWN) is Hold.BORROW


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
