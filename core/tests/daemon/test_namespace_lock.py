"""One daemon of an instance in a network namespace, and a clear word for the second."""

import os
import subprocess
import sys

import pytest

from linkwright.daemon.namespace_lock import NamespaceLock
from linkwright.errors import Conflict, Unavailable
from linkwright.testkit.namespaces import made


@pytest.fixture
def instance() -> str:
    """A name that no daemon on this machine has."""
    return f"test-{os.getpid() % 10_000_000}"


def test_the_second_of_an_instance_is_refused_with_who_the_first_is(instance: str) -> None:
    """Two would undo each other's work; an operator wants to know which process to stop."""
    lock = NamespaceLock(instance)

    with pytest.raises(Conflict, match=rf"instance '{instance}' .*process {os.getpid()}\b.*--instance"):
        NamespaceLock(instance)

    lock.release()
    NamespaceLock(instance).release()


def test_another_instance_is_nobodys_business(instance: str) -> None:
    """Marks, tables and ledgers are apart, so both may run."""
    lock, other = NamespaceLock(instance), NamespaceLock(f"{instance}b")

    lock.release()
    other.release()


def test_it_ends_with_its_process_however_that_ends(instance: str) -> None:
    """No file is left that would have to be told from a living one."""
    held = (
        "import os, signal; from linkwright.daemon.namespace_lock import NamespaceLock;"
        f"lock = NamespaceLock({instance!r}); os.kill(os.getpid(), signal.SIGKILL)"
    )

    assert subprocess.run([sys.executable, "-c", held], check=False).returncode == -9
    NamespaceLock(instance).release()


def test_a_child_does_not_keep_it(instance: str) -> None:
    """Tools that the daemon starts do not hold its lock when it is gone."""
    lock = NamespaceLock(instance)
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        lock.release()
        try:
            NamespaceLock(instance).release()
        finally:
            child.kill()


@pytest.mark.netns
def test_another_network_namespace_has_a_lock_of_its_own(instance: str) -> None:
    """The lock is of the namespace that is served, whichever mount namespace or container the daemon is in."""
    lock = NamespaceLock(instance)
    script = f"from linkwright.daemon.namespace_lock import NamespaceLock; NamespaceLock({instance!r})"
    with made() as namespace:
        namespace.run(sys.executable, "-c", script)
    lock.release()


def test_a_lock_that_cannot_be_asked_for_is_no_second_daemon() -> None:
    """Another refusal than "in use" is told as it is."""
    with pytest.raises(Unavailable, match="cannot take the lock"):
        NamespaceLock("x" * 200)
