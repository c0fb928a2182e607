"""What is done to a link that Join lends, on the real kernel: into a sandbox, dressed, and back."""

import errno
import os
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest

from linkwright.errors import KernelError
from linkwright.kernel import lending
from linkwright.kernel.netns import inside
from linkwright.model import Mac
from linkwright.plan import Action, Link, Step, Veth
from linkwright.testkit import namespaces
from linkwright.testkit.namespaces import Namespace

pytestmark = pytest.mark.netns

MAC = Mac.parse("02:42:0a:00:00:02")


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A namespace with a pair of links in it."""
    with namespaces.made() as made:
        inside(made.path, partial(lending.do, Step(Action.CREATE, Link("lwh0", Veth("lwc0")))))
        yield made


@pytest.fixture
def sandbox() -> Iterator[Namespace]:
    """An empty one."""
    with namespaces.made() as made:
        yield made


def test_a_lent_link_is_dressed_and_given_back(host: Namespace, sandbox: Namespace) -> None:
    """Name, MAC, addresses and default routes as Docker sets them; and back: down, bare, under its first name."""
    addresses = (ip_interface("10.9.0.2/24"), ip_interface("fd00:9::2/64"))
    gateways = (ip_address("10.9.0.1"), ip_address("fd00:9::1"))
    inside(host.path, partial(lending.move, "lwc0", sandbox.path))
    inside(sandbox.path, partial(lending.dress, "lwc0", lending.Dress("eth0", MAC, addresses, gateways)))
    shown = sandbox.run("ip", "addr", "show", "dev", "eth0")
    assert f"link/ether {MAC}" in shown
    assert "inet 10.9.0.2/24" in shown
    assert "inet6 fd00:9::2/64" in shown
    assert "default via 10.9.0.1 dev eth0" in sandbox.run("ip", "-4", "route")
    assert "default via fd00:9::1 dev eth0" in sandbox.run("ip", "-6", "route")
    inside(sandbox.path, partial(lending.undress, "eth0", "lwc0"))
    inside(sandbox.path, partial(lending.move, "lwc0", host.path))
    back = host.run("ip", "addr", "show", "dev", "lwc0")
    assert "state DOWN" in back
    assert f"link/ether {MAC}" in back
    assert "inet" not in back


def test_a_link_that_is_not_there_is_named(host: Namespace, sandbox: Namespace) -> None:
    """With what was tried."""
    with pytest.raises(KernelError, match=r"ip link set lwc9 netns .*`: ENODEV: there is no link 'lwc9'"):
        inside(host.path, partial(lending.move, "lwc9", sandbox.path))


def test_a_sandbox_that_is_gone_is_named(host: Namespace) -> None:
    """The link stays where it is."""
    with pytest.raises(KernelError, match="ip link set lwc0 netns /run/netns/gone`: ENOENT") as caught:
        inside(host.path, partial(lending.move, "lwc0", "/run/netns/gone"))
    assert caught.value.code == errno.ENOENT
    assert "lwc0" in host.run("ip", "link")


def test_a_sandbox_that_is_something_else_is_refused_at_once(host: Namespace, tmp_path: Path) -> None:
    """A FIFO at that path would be waited for, with everything else that the thread has to do."""
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(KernelError, match=r"ip link set lwc0 netns .*fifo`: EINVAL"):
        inside(host.path, partial(lending.move, "lwc0", str(tmp_path / "fifo")))
    assert "lwc0" in host.run("ip", "link")


def test_what_the_kernel_refuses_is_told_as_a_command(host: Namespace) -> None:
    """And what was done before it stays done: a stranger has no undo."""
    with pytest.raises(KernelError, match="EEXIST") as caught:
        inside(host.path, partial(lending.dress, "lwc0", lending.Dress("lwh0", None, ())))
    assert caught.value.step == "ip link set lwc0 name lwh0"
