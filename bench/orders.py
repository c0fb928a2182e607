"""In which order endpoints are made and ended, for who measures either. Standard library only.

``singly``: each is ended before the next is made. ``together``: none is ended before all are made; nothing that is
being deleted then holds up who makes.
"""

from collections.abc import Iterator


def ordered(order: str, rounds: int) -> Iterator[tuple[str, int]]:
    """What to do next, "make" or "end", and to which of *rounds* endpoints."""
    stages, numbers = ("make", "end"), range(rounds)
    if order == "singly":
        return ((stage, number) for number in numbers for stage in stages)
    return ((stage, number) for stage in stages for number in numbers)
