"""What was lost under living containers: the record of their network, or their link. There is a way out of either."""

import os
import shutil

from tests.docker.containers import Container, create, start
from tests.docker.daemon import Daemon
from tests.docker.leaks import nothing_leaked, snapshot
from tests.docker.until import until
from tests.engines import Dockerd

DUAL = ("--ipv6", "--subnet=10.3.0.0/24", "--subnet=fd00:3::/64")


def frozen(daemon: Daemon) -> dict[str, str]:
    """The networks that are left as they are, and why."""
    return {one["network"]: one["reason"] for one in daemon.cli_json("status")["frozen"]}


def test_a_network_made_since_the_last_good_copy_is_not_cut(fresh_dockerd: Dockerd, fresh_daemon: Daemon) -> None:
    """The state file is damaged, and the copy is older than the network: its containers talk on, and so do others.

    ``status`` says what is lost, through a restart; when its containers have moved, ``docker network rm`` ends it.
    """
    dockerd, daemon = fresh_dockerd, fresh_daemon
    daemon.start(options=("--period=1",))
    before = snapshot(dockerd.host, daemon)
    kept = create(dockerd, "kept", "--subnet=10.4.0.0/24")
    daemon.restart()  # at its end it makes a good copy
    database = daemon.state / "linkwright.db"
    older = shutil.copy(database.with_name("linkwright.db.good"), daemon.state.parent)
    lost = create(dockerd, "lost", "--subnet=10.3.0.0/24")
    first, second = start(dockerd, "first", "lost"), start(dockerd, "second", "lost")
    daemon.kill9()
    shutil.copy(older, database.with_name("linkwright.db.good"))
    os.truncate(database, database.stat().st_size // 2)
    database.with_name("linkwright.db-wal").unlink()
    for _ in range(2):
        daemon.start()
        assert daemon.cli_json("plan")["leftovers"]["steps"] == []
        assert {*frozen(daemon)} == {lost}
        assert first.reaches("10.3.0.1")
        assert first.reaches(second.addresses().pop().partition("/")[0])
        assert start(dockerd, "other", "kept").reaches("10.4.0.1")
        dockerd.docker("rm", "-f", "other")
        daemon.kill9()
    daemon.start()
    for container in ("first", "second"):
        dockerd.docker("network", "connect", "kept", container)
        dockerd.docker("network", "disconnect", "lost", container)
    assert Container(dockerd, "first").reaches("10.4.0.1")
    dockerd.docker("network", "rm", "lost")
    assert [network["id"] for network in daemon.cli_json("network", "ls")] == [kept]
    assert frozen(daemon) == {}
    dockerd.clean()
    nothing_leaked(before, lambda: snapshot(dockerd.host, daemon))
    assert "Traceback" not in daemon.log.read_text()


def test_a_joined_link_that_was_deleted_is_made_anew_by_repair(fresh_dockerd: Dockerd, fresh_daemon: Daemon) -> None:
    """The pair of a running container is deleted on the host: reported, and not touched, until somebody asks.

    Then the container has an interface of the same addresses again, and all works as before, restarts too.
    """
    dockerd, daemon = fresh_dockerd, fresh_daemon
    dockerd.host.run(["sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=1"])
    daemon.start()
    before = snapshot(dockerd.host, daemon)
    create(dockerd, "one", *DUAL)
    first, second = start(dockerd, "first", "one"), start(dockerd, "second", "one")
    had, hardware, routes = first.addresses(), first.links()["eth0"]["address"], first.default_routes()
    (endpoint,) = [one for one in daemon.cli_json("endpoint", "ls") if set(one["addresses"]) & had]
    dockerd.host.run(["ip", "link", "del", f"lwh{endpoint['id'][:12]}"])
    assert first.links() == {}
    until(lambda: daemon.cli_json("plan")["reported"], "it is reported")
    assert first.links() == {}

    assert "was made anew" in daemon.cli("repair")

    assert (first.addresses(), first.links()["eth0"]["address"]) == (had, hardware)
    for address in (*second.addresses(), "10.3.0.1/24", "fd00:3::1/64"):
        assert first.reaches(address.partition("/")[0])
    assert first.default_routes() == routes
    assert daemon.cli_json("plan")["reported"] == []
    dockerd.docker("restart", "first")
    assert Container(dockerd, "first").reaches("10.3.0.1")
    dockerd.clean()
    nothing_leaked(before, lambda: snapshot(dockerd.host, daemon))
    assert "Traceback" not in daemon.log.read_text()
