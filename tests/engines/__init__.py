"""Real Docker engines in pretend hosts, for tests: nothing is installed, and nothing of the machine's own is touched.

The public face of the harness, and the question whether its level can run here. ``fetch`` unpacks the engines, ``host``
makes hosts, ``outside`` connects them, ``dockerd`` and ``firewalld`` are daemons in one, ``fixtures`` hands them over.
"""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable

from tests.engines import shelf
from tests.engines.catalogue import ENGINES
from tests.engines.dockerd import Dockerd
from tests.engines.firewalld import Firewalld
from tests.engines.host import Host, Spawned
from tests.engines.outside import Outside
from tests.engines.trouble import Trouble

__all__ = ["ENGINES", "Dockerd", "Firewalld", "Host", "Outside", "Spawned", "Trouble", "missing"]

_TOOLS = ("ip", "iptables", "nsenter", "unshare")


def missing(names: Iterable[str] = (*ENGINES, "busybox", "firewalld")) -> str | None:
    """Why tests with the unpacked programs *names* cannot run on this machine, or None when they can."""
    if platform.system() != "Linux":
        return f"not Linux but {platform.system()}"
    if os.geteuid():
        return "not root: network and mount namespaces, and dockerd itself, need it"
    system = platform.freedesktop_os_release()
    if "debian" not in (system.get("ID"), *system.get("ID_LIKE", "").split()):
        return f"not Debian but {system.get('ID')}: the engines are unpacked Debian packages"
    if tools := [
        tool for tool in _TOOLS if shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None
    ]:
        return f"no {', '.join(tools)} on this machine: install iproute2, iptables, util-linux"
    if absent := [name for name in names if shelf.unpacked(name) is None]:
        return f"not unpacked in {shelf.cache()}: {', '.join(absent)}: run `python -m tests.engines.fetch`"
    tried = subprocess.run(
        ["unshare", "--mount", "--uts", "--net", "true"], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        return f"no namespaces for this root: {tried.stderr.strip()}"
    return None
