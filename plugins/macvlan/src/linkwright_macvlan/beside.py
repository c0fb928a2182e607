"""Which networks exclude each other on one host. The kernel would say so too, but only to the first container.

A parent has macvlan children or ipvlan children; a passthru child has it alone; all its ipvlan children have one mode
and one flag. Two parents whose networks have overlapping subnets are most often one that was mistyped.
"""

from typing import Any

from linkwright import sdk

PASSTHRU = sdk.MacvlanMode.PASSTHRU


def admit(network: sdk.Network[Any], others: tuple[sdk.Network[Any], ...]) -> None:
    """Refuse (Conflict) *network* beside *others*, of whatever of the two drivers."""
    for other in others:
        if other.id == network.id:
            continue
        if network.options.parent and other.options.parent == network.options.parent:
            _on_one_parent(network, other)
        else:
            _on_two_parents(network, other)


def _on_one_parent(network: sdk.Network[Any], other: sdk.Network[Any]) -> None:
    parent, holder = network.options.parent, f"{other.driver} network {other.id[:12]}"
    if other.driver != network.driver:
        raise sdk.Conflict(
            f"parent {parent} carries {holder}, and the kernel lets a link carry macvlan or ipvlan, not both; "
            f"name another parent, a VLAN on it ({parent}.50, say), or use {other.driver} here too"
        )
    if network.driver == "ipvlan":
        mine, theirs = ((o.mode.value, o.flag.value) for o in (network.options, other.options))
        if mine != theirs:
            raise sdk.Conflict(
                f"parent {parent} carries {holder} in mode {' '.join(theirs)}, and all ipvlan links on one parent have "
                f"one mode and flag; use those, or name another parent or a VLAN on it ({parent}.50, say)"
            )
    elif PASSTHRU in {network.options.mode, other.options.mode}:
        text = "which has it alone (passthru)" if other.options.mode is PASSTHRU else "and passthru would need it alone"
        raise sdk.Conflict(f"parent {parent} carries {holder}, {text}; name another parent, or remove that network")


def _on_two_parents(network: sdk.Network[Any], other: sdk.Network[Any]) -> None:
    if network.options.overlap or other.options.overlap or not (_on_a_lan(network) and _on_a_lan(other)):
        return
    for mine in network.subnets:
        for theirs in other.subnets:
            if mine.space == theirs.space and mine.pool.overlaps(theirs.pool):
                raise sdk.Conflict(
                    f"subnet {mine.pool} overlaps {theirs.pool} of {other.driver} network {other.id[:12]} on parent "
                    f"{other.options.parent}, and this one's is {network.options.parent}. If these are two LANs that "
                    "are numbered alike, add -o overlap=true, and keep their addresses apart by another IPAM driver or "
                    "--ipam-opt linkwright.space=NAME"
                )


def _on_a_lan(network: sdk.Network[Any]) -> bool:
    """Nobody meets what is isolated."""
    return bool(network.options.parent)
