"""What is remembered of what happened lately: the newest things, each once, and nothing of everyday work."""

from linkwright.daemon.admin import Recent
from linkwright.daemon.admin.recent import Memory
from linkwright.engine.observation import Collected, Drift, SetupStage


def drift(text: str) -> Drift:
    """Something that differed and was repaired."""
    return Drift("link", repaired=True, text=text)


def clock_of(*times: float) -> Recent:
    """A memory whose clock says *times*, one after the other."""
    moments = iter(times)
    return Recent(lambda: next(moments), most=2)


def test_the_same_again_is_one_memory() -> None:
    """With when it was first and last, and how often."""
    recent = clock_of(1.0, 2.0, 3.0)
    for _ in range(3):
        recent(drift("a"))

    assert (Memory(drift("a"), first=1.0, last=3.0, times=3),) == recent.memories()


def test_the_newest_comes_first_and_the_oldest_goes() -> None:
    """What happened again is new again."""
    recent = clock_of(1.0, 2.0, 3.0, 4.0)
    for text in ("a", "b", "a", "c"):
        recent(drift(text))

    assert [getattr(memory.what, "text", "") for memory in recent.memories()] == ["c", "a"]


def test_what_every_start_of_a_container_does_is_not_remembered() -> None:
    """It would push everything else out."""
    recent = clock_of()
    recent(SetupStage("bridge", "kernel", 0.001))

    assert recent.memories() == ()


def test_a_listener_hears_what_happens_meanwhile_and_no_more() -> None:
    """Repeats included, also those that are remembered already."""
    recent = clock_of(*range(9))
    recent(drift("before"))
    with recent.listening() as heard, recent.listening() as other:
        recent(drift("a"))
        recent(Collected("endpoint", "gone", "e"))
        recent(drift("a"))
    recent(drift("after"))

    assert [drift("a"), Collected("endpoint", "gone", "e"), drift("a")] == heard == other
