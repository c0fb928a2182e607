"""Network namespaces: entering one and telling whether one is alive."""

import os
import socket
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from linkwright.kernel.netns import appear, is_alive, run_inside
from linkwright.testkit.namespaces import Namespace


def _own() -> int:
    """The namespace of the calling thread, as its inode."""
    return Path("/proc/thread-self/ns/net").stat().st_ino


def _links() -> set[str]:
    return {name for _, name in socket.if_nameindex()}


@pytest.mark.netns
async def test_a_function_runs_inside_and_nothing_else_does(new_namespace: Callable[[], Namespace]) -> None:
    """The function sees the namespace's links; the caller's thread and those of the pool stay where they are."""
    namespace = new_namespace()
    namespace.run("ip", "link", "add", "lwonly", "type", "bridge")
    here = _own()
    inside = await run_inside(namespace.path, lambda: (_links(), threading.get_ident()))
    assert {"lo", "lwonly"} == inside[0]
    assert threading.get_ident() != inside[1]
    assert here == _own()
    assert here == await trio.to_thread.run_sync(_own)


@pytest.mark.netns
async def test_what_the_function_raises_comes_back(namespace: Namespace) -> None:
    """As if it had been called here."""

    def fail() -> None:
        raise LookupError("inside")

    with pytest.raises(LookupError, match="inside"):
        await run_inside(namespace.path, fail)


async def test_a_namespace_that_cannot_be_entered_is_an_error_and_nothing_runs(tmp_path: Path) -> None:
    """Neither a missing path nor an ordinary file is taken for one."""
    (tmp_path / "file").touch()
    ran: list[int] = []
    for name in ("missing", "file"):
        with pytest.raises(OSError, match=name):
            await run_inside(str(tmp_path / name), lambda: ran.append(1))
    assert ran == []


@pytest.mark.netns
async def test_a_cancelled_caller_leaves_and_the_function_runs_to_its_end() -> None:
    """The result of a caller that has gone is dropped."""
    began, release, ended = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        began.set()
        release.wait(10)
        ended.set()

    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:

            async def cancel() -> None:
                assert await trio.to_thread.run_sync(began.wait, 10)
                scope.cancel()

            nursery.start_soon(cancel)
            await run_inside("/proc/self/ns/net", slow)
        assert scope.cancelled_caught
        release.set()
        assert await trio.to_thread.run_sync(ended.wait, 10)


@pytest.mark.netns
async def test_what_nobody_waits_for_any_more_is_regretted() -> None:
    """A socket that was opened inside for a caller who has left is closed, not lost."""
    began, release, regretted = threading.Event(), threading.Event(), threading.Event()

    def slow() -> str:
        began.set()
        release.wait(10)
        return "made"

    def regret(made: str) -> None:
        assert made == "made"
        regretted.set()

    assert await run_inside("/proc/self/ns/net", lambda: "made", regret=regret) == "made"
    assert not regretted.is_set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(run_inside, "/proc/self/ns/net", slow, regret=regret))
        assert await trio.to_thread.run_sync(began.wait, 10)
        nursery.cancel_scope.cancel()
    release.set()
    assert await trio.to_thread.run_sync(regretted.wait, 10)


@pytest.mark.netns
async def test_a_namespace_that_is_to_come_is_waited_for(namespace: Namespace, tmp_path: Path) -> None:
    """An empty file in its place is not it."""
    path = tmp_path / "sandbox"
    path.touch()
    appeared = trio.Event()

    async def wait() -> None:
        await appear(str(path))
        appeared.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked(0.03)
        assert not appeared.is_set()
        path.unlink()
        path.symlink_to(namespace.path)
    assert appeared.is_set()


@pytest.mark.netns
def test_a_namespace_is_alive_until_it_is_unmounted(new_namespace: Callable[[], Namespace], tmp_path: Path) -> None:
    """What is left behind after Docker removed a sandbox is an empty file, or nothing."""
    namespace = new_namespace()
    assert is_alive(namespace.path)
    left = tmp_path / "sandbox"
    left.touch()
    assert not is_alive(str(left))
    assert not is_alive(str(tmp_path / "nothing"))
    os.mkfifo(tmp_path / "fifo")
    assert not is_alive(str(tmp_path / "fifo"))
    assert not is_alive("/proc/self/ns/uts")
