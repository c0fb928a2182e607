"""What others do to the host of the fake kernel: somebody with ip(8), Docker who moves links. And who hears of it.

Rule 1: what is told is what the real kernel tells (``core/tests/kernel``). Rule 2: nothing of ours is done here.
"""

import errno
import math
from collections.abc import Iterable

import trio
from attrs import evolve

from linkwright.errors import KernelError
from linkwright.model.mac import Mac
from linkwright.plan.resources import Element, Key, Link, Resource, Veth
from linkwright.plan.steps import Action, KernelEvent, Step
from linkwright.testkit.fake_kernel_state import FakeKernelState
from linkwright.testkit.fake_links import ELSEWHERE, Lent

#: What rtnetlink calls kinds of resources in its events. Of settings below /proc/sys nobody tells.
_TOLD = {
    "link": "link",
    "address": "addr",
    "route": "route",
    "neighbour": "neigh",
    "fdb": "neigh",
    "vlan": "vlan",
    "shaper": "qdisc",
    "redirect": "tfilter",
}


class FakeStrangers:
    """The state of an imaginary host, its sandboxes, and whoever else works there. ``events`` has what is told."""

    def __init__(self, sandboxes: Iterable[str]) -> None:
        self.sandboxes = set(sandboxes)
        self.state = FakeKernelState()
        self.state.resources[("link", "lo")] = Link("lo", mtu=65536, mac=Mac(bytes(6)), master="", up=True)
        self._events, self.events = trio.open_memory_channel[KernelEvent](math.inf)

    def foreign_create(self, resource: Resource) -> None:
        """Somebody makes *resource* (a link with the mark it carries, anything else without our protocol)."""
        self.state.do(Step(Action.CREATE, resource))
        self.state.ours.discard(resource.key)
        self._tell("new", resource.key)

    def foreign_change(self, resource: Resource) -> None:
        """Somebody changes what is there under the key of *resource*; whose it is stays."""
        ours = resource.key in self.state.ours
        self.state.do(Step(Action.CHANGE, resource))
        if not ours:
            self.state.ours.discard(resource.key)
        self._tell("new", resource.key)

    def foreign_delete(self, key: Key) -> None:
        """Somebody deletes what is there under *key*, and with it what falls with it.

        Of what falls with a link, only other links are told: the kernel is silent about IPv4 routes.
        """
        resource = self.state.resources[key]
        names = set(self.state.resources)
        self.state.do(Step(Action.DELETE, resource))
        self._tell("del", *(gone for gone in names - set(self.state.resources) if gone == key or gone[0] == "link"))

    def foreign_flush(self) -> None:
        """Somebody deletes our firewall table (``nft flush ruleset``)."""
        for key, resource in list(self.state.resources.items()):
            if isinstance(resource, Element):
                del self.state.resources[key]
        self.state.table = False
        self._events.send_nowait(KernelEvent("ruleset"))

    def overrun(self) -> None:
        """More happened than the event buffer holds: everything has to be read again."""
        self._events.send_nowait(KernelEvent("overrun"))

    def lend(self, name: str, sandbox: str) -> None:
        """Docker moves link *name* into *sandbox*, under whatever name; its addresses and routes stay behind, gone."""
        link = self.state.resources[("link", name)]
        assert isinstance(link, Link)  # noqa: S101 - the key says so
        if sandbox not in self.sandboxes:
            raise KernelError(errno.EINVAL, step=f"ip link set {name} netns {sandbox}", extack="no such sandbox")
        for key, resource in list(self.state.resources.items()):
            if getattr(resource, "link", None) == name:
                del self.state.resources[key]
        del self.state.resources[link.key]
        self.state.lent[name] = Lent(sandbox, evolve(link, master="", port=None, up=True))
        self._hide_peer(link, ELSEWHERE)
        self._tell("del", link.key)

    def give_back(self, name: str) -> None:
        """Docker moves link *name* back to the host, down and under its first name."""
        lent = self.state.lent.pop(name)
        link = evolve(lent.link, up=False)
        self.state.resources[link.key] = link
        self._hide_peer(link, name)
        self._tell("new", link.key)

    def destroy_sandbox(self, sandbox: str) -> None:
        """The network namespace goes, and with it the links lent to it (a veth takes its other end along)."""
        self.sandboxes.discard(sandbox)
        for name, lent in list(self.state.lent.items()):
            if lent.sandbox == sandbox:
                self._delete_lent(name)

    def _delete_lent(self, name: str) -> None:
        lent = self.state.lent.pop(name)
        if isinstance(lent.link.kind, Veth):
            names = set(self.state.resources)
            self.state.remove_link(lent.link.kind.peer)
            self._tell("del", *(gone for gone in names - set(self.state.resources) if gone[0] == "link"))

    def _hide_peer(self, link: Link, name: str) -> None:
        if isinstance(link.kind, Veth) and (other := self.state.link(link.kind.peer)):
            assert isinstance(other.kind, Veth)  # noqa: S101 - pairs come in twos
            self.state.resources[other.key] = evolve(other, kind=evolve(other.kind, peer=name))
            self._tell("new", other.key)

    def _tell(self, verb: str, *keys: Key) -> None:
        for key in sorted(keys):
            if key[0] in _TOLD:
                self._events.send_nowait(KernelEvent(f"{verb}{_TOLD[key[0]]}", frozenset({key})))
            elif key[0] == "element":
                self._events.send_nowait(KernelEvent("ruleset"))
