"""Settings below /proc/sys: written only where they differ, and a clear word where they cannot be."""

import errno
import os
import sys
from pathlib import Path

import pytest

from linkwright.errors import KernelError
from linkwright.kernel.sysctls import Sysctls
from linkwright.plan.resources import Sysctl
from linkwright.plan.steps import Action, Step
from linkwright.testkit.namespaces import Namespace

FORWARD = "net/ipv4/ip_forward"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree like /proc/sys with two settings in it."""
    (tmp_path / "net/ipv4").mkdir(parents=True)
    (tmp_path / FORWARD).write_text("0\n")
    (tmp_path / "net/ipv4/ip_local_port_range").write_text("32768\t60999\n")
    return tmp_path


def test_a_setting_that_differs_is_written_and_can_be_taken_back(root: Path) -> None:
    """The way back is to what was there, whatever the plan believed."""
    sysctls = Sysctls(root)
    back = sysctls.do(Step(Action.CHANGE, Sysctl(FORWARD, "1"), Sysctl(FORWARD, "7")))
    assert sysctls.read(FORWARD) == "1"
    assert back is not None
    sysctls.do(back)
    assert sysctls.read(FORWARD) == "0"


def test_a_setting_that_is_right_is_not_touched(root: Path) -> None:
    """Neither its value nor the spaces in it make for a write."""
    for path, value in ((FORWARD, "0"), ("net/ipv4/ip_local_port_range", "32768 60999")):
        before = (root / path).stat().st_mtime_ns
        assert Sysctls(root).do(Step(Action.CREATE, Sysctl(path, value))) is None
        assert before == (root / path).stat().st_mtime_ns


def test_deleting_a_setting_leaves_it(root: Path) -> None:
    """A setting has no absence."""
    assert Sysctls(root).do(Step(Action.DELETE, Sysctl(FORWARD, "1"))) is None
    assert Sysctls(root).read(FORWARD) == "0"


def test_deleting_a_setting_gives_it_the_value_it_is_to_have_otherwise(root: Path) -> None:
    """The last wish for it has gone and its link stays; and that can be taken back like any other change."""
    sysctls, wish = Sysctls(root), Sysctl(FORWARD, "1", otherwise="2")
    back = sysctls.do(Step(Action.DELETE, wish, wish))
    assert sysctls.read(FORWARD) == "2"
    assert back is not None
    sysctls.do(back)
    assert sysctls.read(FORWARD) == "0"
    assert sysctls.do(Step(Action.DELETE, Sysctl("net/ipv4/conf/lwb1/route_localnet", "1", otherwise="0"))) is None


def test_a_setting_that_does_not_exist_is_refused_with_a_hint(root: Path) -> None:
    """It may be a module that is not loaded."""
    with pytest.raises(KernelError, match="a module may have to be loaded") as caught:
        Sysctls(root).do(Step(Action.CREATE, Sysctl("net/bridge/bridge-nf-call-iptables", "1")))
    assert caught.value.code == errno.ENOENT
    assert Sysctls(root).read("net/bridge/bridge-nf-call-iptables") is None


SCRIPT = f"""
from linkwright.errors import KernelError
from linkwright.kernel.sysctls import Sysctls
from linkwright.plan.resources import Sysctl
from linkwright.plan.steps import Action, Step

sysctls = Sysctls()
value = sysctls.read({FORWARD!r})
print(sysctls.do(Step(Action.CREATE, Sysctl({FORWARD!r}, value))))
for path in ({FORWARD!r}, "net/ipv6/conf/lwb1/accept_ra", "net/ipv6/conf/eth0.50/accept_ra"):
    try:
        sysctls.do(Step(Action.CREATE, Sysctl(path, "7")))
    except KernelError as error:
        print(error)
"""


@pytest.mark.netns
def test_b_19_with_proc_sys_read_only_what_is_right_is_fine_and_the_rest_a_clear_refusal(namespace: Namespace) -> None:
    """The message says what the value is, what it has to be, and where to set it.

    A link of ours is not there before we make it; what can be set beforehand is what links are made with.
    """
    for name in ("lwb1", "eth0.50"):
        namespace.run("ip", "link", "add", name, "type", "bridge")
    read_only = "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys"
    run = f'{read_only} && exec env PYTHONPATH="$2" "$0" -c "$1"'
    path = os.pathsep.join(sys.path)
    told = namespace.run("unshare", "--mount", "sh", "-c", run, sys.executable, SCRIPT, path)
    expected = [
        ("net.ipv4.ip_forward", "0", "net.ipv4.ip_forward"),
        ("net.ipv6.conf.lwb1.accept_ra", "1", "net.ipv6.conf.default.accept_ra"),
        ("net.ipv6.conf.eth0/50.accept_ra", "1", "net.ipv6.conf.eth0/50.accept_ra"),
    ]
    refusal = (
        "the kernel refused `sysctl -w {}=7`: EROFS: /proc/sys cannot be written here, and it is {}: "
        "set {}=7 on the host beforehand"
    )
    assert told.splitlines() == ["None", *(refusal.format(*words) for words in expected)]
