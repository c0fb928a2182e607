"""What the engine is handed from outside, as Protocols. The real ones are in ``kernel``, ``store`` and ``daemon``.

Each has one fake in ``testkit``, and both pass the same tests.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from linkwright.model import HostFacts, Prefix
from linkwright.plan.resources import Key
from linkwright.plan.steps import KernelEvent, Snapshot, Step

__all__ = ["Kernel", "KernelEvent"]


class Kernel(Protocol):
    """The kernel as the engine sees it: reads values, does steps."""

    async def apply(self, steps: Sequence[Step]) -> None:
        """Do *steps* in order, all or none.

        When one fails, what was done is undone and KernelError of the first failure is raised. Deleting what is not
        there succeeds. A step that has started cannot be cancelled: a cancelled caller's steps are undone when their
        result comes.
        """

    async def prepare(self) -> bool:
        """Put the fixed firewall table there if it is missing or not as it should be; True if it had to."""

    async def observe(self, keys: Iterable[Key]) -> Snapshot:
        """Read what the kernel has under *keys*; absent ones are absent from the answer."""

    async def snapshot(self) -> Snapshot:
        """Read everything: all links, what lies on ours, and all that is ours."""

    async def host_facts(self, links: Iterable[str] = ()) -> HostFacts:
        """Read the uplink, the named *links* and the kernel's features."""

    async def host_routes(self) -> tuple[Prefix, ...]:
        """Read the destinations of all unicast routes of the host, for choosing a pool beside them."""

    async def sandbox_alive(self, key: str) -> bool:
        """Whether the network namespace at path *key* still exists."""

    def boot_id(self) -> str:
        """The kernel's boot id (Documentation/admin-guide/sysctl/kernel.rst, random/boot_id)."""
