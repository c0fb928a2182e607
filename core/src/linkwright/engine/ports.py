"""What the engine is handed from outside, as Protocols. The real ones are in ``kernel``, ``store`` and ``daemon``.

Each has one fake in ``testkit``, and both pass the same tests.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from linkwright.model import Address, Announcement, Flows, Handover, HostFacts, Mac, PortBinding, Prefix, StoredNetwork
from linkwright.plan.resources import Key
from linkwright.plan.steps import KernelEvent, Snapshot, Step
from linkwright.sdk.claims import Claim

__all__ = ["Allocator", "HostPorts", "Kernel", "KernelEvent"]


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

    async def addresses_inside(self, key: str) -> frozenset[Mac | Address]:
        """The hardware addresses of all links in the network namespace at path *key*, and the addresses on them."""

    async def raise_mtu(self, key: str, known_by: Collection[Mac | Address], was: int, mtu: int) -> bool:
        """Give the child link with one of the addresses *known_by*, in the namespace at *key*, the MTU *mtu* in bytes.

        Only if it has *was*; False where there is none such. KernelError.
        """

    def lowest_mtus(self) -> Mapping[str, int]:
        """The lowest, in bytes, that links had from before the first change of their MTU after this was last asked.

        Only of those of which it has changed, by name.
        """

    async def hand_over(self, handover: Handover) -> str:
        """Do with a link of the host what Docker does after Join, and return its name in the sandbox.

        KernelError; then it is in no sandbox, and what there still is of it on the host is the caller's to remove. So
        it is for a cancelled caller, when what has started has ended: before the next steps that are applied.
        """

    def boot_id(self) -> str:
        """The kernel's boot id (Documentation/admin-guide/sysctl/kernel.rst, random/boot_id)."""

    async def forget_flows(self, flows: Sequence[Flows]) -> int:
        """Delete the tracked connections of *flows* and nothing else; how many there were. KernelError."""

    async def announce(self, announcement: Announcement) -> bool:
        """Wait until its link is up in the sandbox, and tell; False if that was not to be within a few seconds."""


class HostPorts(Protocol):
    """Ports of the host, each held by a bound socket, so that no other process takes it and conflicts are found.

    *owner* is an endpoint's id. *targets* are the container's addresses, at most one a family: what comes to a held
    IPv6 port and is led nowhere by the firewall (from ::1, or for a container without IPv6) is relayed there.
    """

    async def hold(
        self, owner: str, groups: Sequence[Sequence[PortBinding]], targets: Sequence[Address]
    ) -> tuple[PortBinding, ...]:
        """Bind all of *groups* or none; return them with the ports that were chosen, the same within a group.

        Those that *owner* holds already and that are asked for again stay as they are, its others are let go.
        Conflict, naming protocol, address and port, if one is taken; Exhausted if no port is left to choose.
        """

    async def restore(self, owner: str, bindings: Sequence[PortBinding], targets: Sequence[Address]) -> None:
        """Bind again what was held, in an earlier life too, and let go of all else. Never raises: see ``lost``."""

    def release(self, owner: str) -> None:
        """Let go of all that *owner* holds. Of nothing is fine."""

    def lost(self) -> Mapping[PortBinding, str]:
        """Bindings that are published and not held, because another process took the port meanwhile; and why."""


class Allocator(Protocol):
    """Chooses what drivers claim, and keeps it, durably, until it is given back."""

    async def take(self, network: StoredNetwork, claim: Claim) -> str:
        """Choose what *claim* asks for, and hold it; the text is what the driver is handed.

        Refused, saying what to do, if that is not ours to choose; Conflict or Exhausted if it is not to be had.
        """

    async def give_back(self, network: StoredNetwork, claims: Mapping[str, str]) -> None:
        """Let go of *claims* (name → text) that *network* held. Of what is not held is fine."""
