"""Bridges of Docker's own: the firewall keeps ours apart from them, by its set ``others``. No driver wishes for that.

Nobody but us can: Docker lets its containers go to any bridge that is not its own, and what we accept towards the
outside is accepted in DOCKER-USER, before Docker's own isolation. Which bridges they are is told by their names (moby
names them so unless it is told otherwise), by the operator (``--docker-bridges``) and by the witness; which of those
are not meant, by their mark and by the networks that have adopted one.

This room owns that set: what is in it and should not be goes, whoever put it there.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import trio

from linkwright.engine.applying import Applying
from linkwright.engine.desired import Scope
from linkwright.engine.observation import Drift, Observer
from linkwright.engine.ports import Kernel
from linkwright.errors import LinkwrightError
from linkwright.plan import Bridge, Element, Key, Link, Plan, Resource, Snapshot, Step, diff

#: The firewall's set (``kernel.ruleset``), and who wishes for what is in it: no network, the host.
SET: Final = "others"
SCOPE: Final = Scope("")

#: docker0 is the default bridge's, docker_gwbridge the swarm's, br-<12 digits of its id> a network's.
_DOCKERS: Final = re.compile(r"docker0|docker_gwbridge|br-[0-9a-f]{12}")


class Others:
    """Keeps the set as the host has bridges."""

    def __init__(
        self,
        *,
        applying: Applying,
        kernel: Kernel,
        observer: Observer,
        render: Callable[[Step], str],
        frozen: Callable[[], Iterable[str]],
        named: Iterable[str] = (),
        asks: bool = False,
    ) -> None:
        """Take the parts. *frozen* gives the networks of which it is not known what they have adopted.

        *named* are bridges that are Docker's whatever they are called. With *asks* there is a witness that will tell
        of more (``learn``); until it has, what is in the set stays. *render* puts a step in words, the firewall's
        tables called as this instance calls them.
        """
        self._desired = applying.desired
        self._applying = applying
        self._kernel = kernel
        self._observer = observer
        self._render = render
        self._frozen = frozen
        self._named = frozenset(named)
        self._learned: frozenset[str] | None = None if asks else frozenset()
        self._lock = trio.Lock()

    async def learn(self, names: Iterable[str]) -> None:
        """Docker says that it has the bridges *names*, and no others."""
        self._learned = frozenset(names)
        await self.follow(("link", name) for name in self._learned | {key[2] for key in self._desired.of(SCOPE)})

    async def follow(self, keys: Iterable[Key]) -> None:
        """Look at those of *keys* that may be such bridges, come or gone; what fails is told, and tried again later."""
        names = {key[1] for key in keys if key[0] == "link" and (self._may_be(key[1]) or self._holds(key[1]))}
        if not names:
            return
        async with self._lock:
            try:
                judged = await self._judged(names, frozenset(names) if self._learned is None else frozenset())
                standing = self._desired.of(SCOPE)
                await self._want({key: value for key, value in standing.items() if key[2] not in names} | judged)
            except LinkwrightError as error:
                self._observer(Drift("element", repaired=False, text=str(error)))

    async def look(self, seen: Snapshot, *, repair: bool) -> Plan:
        """Look at all of them, of what was *seen* a while ago and what is held; return what differs, put right or not.

        What the kernel refuses is told, and tried again at the next look.
        """
        held = {key[2] for key in seen.resources if key[:2] == ("element", SET)}
        names = {key[1] for key in seen.resources if key[0] == "link" and self._may_be(key[1])}
        names |= {key[2] for key in self._desired.of(SCOPE)} | held
        async with self._lock:
            wanted = await self._judged(names, frozenset(held) if self._learned is None else frozenset())
            if not repair:
                return diff(await self._held(names), wanted)
            try:
                await self._want(wanted)
                plan = diff(await self._held(names), wanted)
                await self._kernel.apply(plan.steps)
            except LinkwrightError as error:
                self._observer(Drift("element", repaired=False, text=str(error)))
                return Plan()
        for step in plan.steps:
            self._observer(Drift("element", repaired=True, text=self._render(step)))
        return plan

    async def _held(self, names: Iterable[str]) -> Mapping[Key, Resource]:
        return (await self._kernel.observe(("element", SET, name) for name in names)).resources

    def _may_be(self, name: str) -> bool:
        return _DOCKERS.fullmatch(name) is not None or name in self._named or name in (self._learned or ())

    def _holds(self, name: str) -> bool:
        return ("element", SET, name) in self._desired.of(SCOPE)

    async def _judged(self, names: Iterable[str], trusted: Iterable[str]) -> dict[Key, Resource]:
        """What the set has to hold of *names*; those *trusted* count as Docker's by being held."""
        names, trusted = tuple(names), frozenset(trusted)
        keys: list[Key] = [key for name in names for key in (("link", name), ("element", "bridges", name))]
        found = (await self._kernel.observe(keys)).resources
        elements = [Element(SET, (name,)) for name in names if self._is_dockers(name, found, trusted)]
        return {element.key: element for element in elements}

    def _is_dockers(self, name: str, found: Mapping[Key, Resource], trusted: frozenset[str]) -> bool:
        link = found.get(("link", name))
        if not isinstance(link, Link) or not isinstance(link.kind, Bridge) or link.mark is not None:
            return False
        if not (self._may_be(name) or name in trusted):
            return False
        ours = Element("bridges", (name,))
        adopted = not self._desired.unwanted({ours.key: ours}) or (ours.key in found and any(self._frozen()))
        return not adopted

    async def _want(self, wishes: Mapping[Key, Resource]) -> None:
        if wishes != self._desired.of(SCOPE):
            self._applying.settle(await self._applying.apply(SCOPE, wishes, look=False))
