"""A stop that comes while the daemon starts, at whatever point: it ends, and nothing of it is left."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from linkwright.testkit.namespaces import made

pytestmark = [pytest.mark.netns, pytest.mark.slow]

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("whose", ["mine", pytest.param("every", marks=pytest.mark.long)])
def test_a_stop_at_any_checkpoint_of_the_start_ends_it_and_leaves_nothing(whose: str, tmp_path: Path) -> None:
    """No thread, no descriptor and no socket file stays behind, and the next start finds all locks free."""
    with made() as namespace:
        namespace.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        command = [sys.executable, "-W", "error", "-m", "core.tests.daemon.stopping", str(tmp_path), whose]
        done = subprocess.run(
            [*namespace.enter, *command],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    assert done.stderr == ""
    found = re.fullmatch(r"started at step (\d+)\n", done.stdout)
    assert found, done.stdout
    assert int(found[1]) > 20  # a start has that many at least, and a stop came at each before
