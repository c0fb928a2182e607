"""Two hosts for one suite of tests: an imaginary one, and a network namespace. Each has our kernel, and a stranger.

What passes on ``fake_host`` and fails on ``real_host`` is a fault of the fake.
"""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

import trio

from linkwright.engine.ports import Kernel
from linkwright.errors import KernelError
from linkwright.kernel.batch import HostIndexes
from linkwright.kernel.encode import encode
from linkwright.kernel.linux import LinuxKernel
from linkwright.kernel.netns import run_inside
from linkwright.kernel.nftables.firewall import Firewall
from linkwright.kernel.ruleset import ruleset
from linkwright.kernel.transport import Rtnetlink
from linkwright.plan.resources import Key, Link, Resource
from linkwright.plan.steps import Action, KernelEvent, Step
from linkwright.testkit.fake_kernel import FakeKernel
from linkwright.testkit.namespaces import Namespace

#: The protocol of what a stranger makes (RTPROT_STATIC), and of what it deletes: whoever's it is (RTPROT_UNSPEC).
STATIC, ANY = 4, 0


class Host(Protocol):
    """A kernel under test, what it tells, and what somebody else may do to it."""

    @property
    def kernel(self) -> Kernel:
        """The kernel under test."""

    @property
    def events(self) -> trio.MemoryReceiveChannel[KernelEvent]:
        """What it tells of changes by others."""

    @property
    def sandbox(self) -> str:
        """A sandbox that is alive."""

    async def create(self, resource: Resource) -> None:
        """Somebody makes *resource*; KernelError if the kernel refuses."""

    async def delete(self, resource: Resource) -> None:
        """Somebody deletes *resource*."""

    async def lend(self, name: str) -> None:
        """Docker moves link *name* into the sandbox."""

    async def give_back(self, name: str) -> None:
        """Docker moves it back, down and under its first name."""


class FakeHost:
    """The fake kernel, and its own ways to play a stranger."""

    sandbox = "/run/netns/imaginary"

    def __init__(self) -> None:
        self.kernel = FakeKernel(sandboxes={self.sandbox})
        self.events = self.kernel.events

    async def create(self, resource: Resource) -> None:
        """Somebody makes *resource*."""
        self.kernel.foreign_create(resource)

    async def delete(self, resource: Resource) -> None:
        """Somebody deletes *resource*."""
        self.kernel.foreign_delete(resource.key)

    async def lend(self, name: str) -> None:
        """Docker moves link *name* into the sandbox."""
        self.kernel.lend(name, self.sandbox)

    async def give_back(self, name: str) -> None:
        """Docker moves it back."""
        self.kernel.give_back(name)


class RealHost:
    """A namespace with the real kernel's code in it; the stranger has a socket of its own."""

    def __init__(
        self,
        namespace: Namespace,
        sandbox: Namespace,
        kernel: LinuxKernel,
        events: trio.MemoryReceiveChannel[KernelEvent],
    ) -> None:
        self.namespace = namespace
        self._sandbox = sandbox
        self.kernel = kernel
        self.events = events

    @property
    def sandbox(self) -> str:
        """The path of its namespace."""
        return self._sandbox.path

    async def create(self, resource: Resource) -> None:
        """Somebody makes *resource*."""
        await self._do(Step(Action.CREATE, resource), STATIC)

    async def delete(self, resource: Resource) -> None:
        """Somebody deletes *resource*."""
        await self._do(Step(Action.DELETE, resource), ANY)

    async def lend(self, name: str) -> None:
        """Docker moves link *name* into the sandbox."""
        self.namespace.run("ip", "link", "set", name, "netns", self.sandbox)
        self._sandbox.run("ip", "link", "set", name, "name", "eth0")

    async def give_back(self, name: str) -> None:
        """Docker moves it back."""
        self._sandbox.run("ip", "link", "set", "eth0", "down")
        self._sandbox.run("ip", "link", "set", "eth0", "name", name)
        self._sandbox.run("ip", "link", "set", name, "netns", self.namespace.path)

    async def _do(self, step: Step, protocol: int) -> None:
        await run_inside(self.namespace.path, partial(_do, step, protocol))


def _do(step: Step, protocol: int) -> None:
    netlink = Rtnetlink()
    try:
        for failure in netlink.execute(encode(step, HostIndexes(), protocol)).values():
            raise KernelError(failure.code, step=str(step), extack=failure.text)
    finally:
        netlink.close()


@asynccontextmanager
async def real_host(namespace: Namespace, sandbox: Namespace, *, linger: float = 0.02) -> AsyncIterator[RealHost]:
    """Run the real thing in *namespace*."""
    sending, events = trio.open_memory_channel[KernelEvent](math.inf)
    firewall = Firewall(ruleset(), netns=namespace.path)
    kernel = LinuxKernel(events=sending, firewall=firewall, netns=namespace.path, linger=linger)
    async with firewall, kernel, trio.open_nursery() as nursery:
        await nursery.start(kernel.run)
        yield RealHost(namespace, sandbox, kernel, events)
        nursery.cancel_scope.cancel()


async def told_of(host: Host, key: Key) -> set[Key]:
    """Wait until an event names *key*; return all keys that were told up to then."""
    told: set[Key] = set()
    with trio.fail_after(10):
        while key not in told:
            told |= (await host.events.receive()).keys
    return told


async def link(host: Host, name: str) -> Link | None:
    """The link of that name as the kernel has it; None if there is none."""
    found = (await host.kernel.observe([("link", name)])).resources.get(("link", name))
    return found if isinstance(found, Link) else None
