"""Where namespaces may be made: as root here, and as anybody in a process with namespaces of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from linkwright.testkit import inside, surroundings
from linkwright.testkit.example import ADDRESSES, UPLINK
from linkwright.testkit.place import places

pytestmark = pytest.mark.netns

NOBODY = 65534

#: Asks as somebody who is not root whether a network namespace can be made and worked in.
_ASK = """
from core.tests.testkit.test_inside import uplink
from linkwright.testkit import inside
print(inside.missing() or inside.isolated(uplink))
"""


def uplink() -> str:
    """Make a namespace with a link in it, and say what that is called."""
    with places() as make:
        place = make()
        place.ip("link add lwtry type bridge")
        return place.run("ip", "-o", "link", "show", "lwtry").split(": ")[1]


def test_as_root_it_is_done_here() -> None:
    """No further process."""
    assert inside.missing() is None
    assert inside.isolated(os.getpid) == os.getpid()


def test_anybody_can_run_the_level_where_the_system_lets_users_make_namespaces() -> None:
    """As nobody; where it does not, that is what is said."""
    prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "/usr/bin/env"]
    prefix.append(f"PYTHONPATH={os.pathsep.join(['.', *filter(None, sys.path)])}")
    usable = next((one for one in (sys.executable, "/usr/bin/python3.11") if _works(prefix, one)), None)
    if usable is None:
        pytest.skip("nobody may use no interpreter of this version here")
    done = subprocess.run([*prefix, usable, "-c", _ASK], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "lwtry" or done.stdout.startswith("not root, and no user namespaces: ")


def _works(prefix: list[str], python: str) -> bool:
    if not Path(python).exists():
        return False
    return not subprocess.run([*prefix, python, "-c", "import linkwright.testkit"], check=False).returncode


async def test_the_imaginary_host_is_the_real_one() -> None:
    """What a driver is told of either is the same, but for hardware addresses and what this kernel lacks."""
    with places() as make:
        async with surroundings.real(make) as real:
            fact = await real.kernel.host_facts([UPLINK])
    told = await surroundings.imaginary().kernel.host_facts([UPLINK])
    assert fact.addresses == told.addresses == ADDRESSES
    for one, other in ((fact.uplink, told.uplink), (fact.link(UPLINK), told.link(UPLINK))):
        assert one is not None
        assert other is not None
        assert (one.name, one.kind, one.mtu, one.up) == (other.name, other.kind, other.mtu, other.up)
    assert fact.features - {"br_netfilter"} <= told.features
