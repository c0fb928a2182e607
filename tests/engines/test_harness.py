"""What tests of the level docker rely on: engines start, crash and come back in pretend hosts, and leave nothing."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.engines import Dockerd, Host, Outside, Spawned, Trouble, busybox

ROOT = Path(__file__).parents[2]


def traces(*words: str) -> list[str]:
    """What the machine holds that mentions any of *words*: processes, mounts, cgroups and temporary files."""
    found = re.compile("|".join(map(re.escape, words)))
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    lines += [str(path) for path in Path("/tmp").iterdir()]
    lines += [folder for folder, _, _ in os.walk("/sys/fs/cgroup")]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            namespaces = [str(link.readlink()) for link in (process / "ns").iterdir()]
            command = (process / "cmdline").read_text().replace("\0", " ")
            lines.append(f"{process} {command} {' '.join(namespaces)} {(process / 'cgroup').read_text()}")
        except OSError:  # it ended while we looked
            continue
    return [line for line in lines if found.search(line)]


def machine() -> dict[str, str]:
    """The machine's own network: what no test may change. Without counters and lifetimes, which change anyway."""
    commands = ("ip -o link", "ip -o address", "ip rule", "ip route show table all", "iptables-save", "ip6tables-save")
    said = {}
    for command in commands:
        done = subprocess.run(command.split(), capture_output=True, text=True, check=True)
        said[command] = re.sub(r"# .*|\[\d+:\d+]|_lft \S+|expires \S+", "", done.stdout)
    return said | {"forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text()}


@pytest.fixture
def untouched() -> Iterator[None]:
    """The machine's own network is afterwards what it was before."""
    before = machine()
    yield
    assert before == machine()


@pytest.fixture
def host(docker_level: None) -> Iterator[Host]:
    """A host without any engine."""
    with Host("plain") as made:
        yield made


def test_a_host_has_its_own_network_name_run_and_boot(host: Host) -> None:
    """Programs in a host see its loopback alone, its hostname, a private /run and an empty /etc/docker."""
    script = "hostname; ls /sys/class/net; ls -A /etc/docker; touch /run/here; cat /proc/sys/kernel/random/boot_id"
    name, links, boot = host.run(["sh", "-c", script]).stdout.split()
    assert (host.name, "lo") == (name, links)
    assert Path("/proc/sys/kernel/random/boot_id").read_text().strip() != boot
    assert (host.run_folder / "here").exists()
    assert not Path("/run/here").exists()


def test_a_host_that_reboots_keeps_its_disk_and_nothing_else(host: Host) -> None:
    """A reboot ends processes and links, empties /run, changes the boot id, and leaves files on the disk."""
    read = ["cat", "/etc/machine-id", "/proc/sys/kernel/random/boot_id"]
    (host.state / "kept").write_text("disk")
    host.run(["sh", "-c", "touch /run/lost; ip link add left0 type bridge"])
    machine_id, boot = host.run(read).stdout.split()
    sleeper = host.popen(["sleep", "1000"])
    host.reboot()
    assert sleeper.returncode == -signal.SIGKILL
    assert host.run(read).stdout.split()[0] == machine_id
    assert host.run(read).stdout.split()[1] != boot
    assert not (host.run_folder / "lost").exists()
    assert (host.state / "kept").read_text() == "disk"
    assert "left0" not in host.run(["ip", "link"]).stdout


def test_a_program_that_fails_says_what_and_where(host: Host) -> None:
    """The error of a failed program names it, its host, its status and what it said; of a missing one likewise."""
    with pytest.raises(Trouble, match=rf"`ip link show nix0` on host {host.name}: exit status 1: Device .*nix0"):
        host.run(["ip", "link", "show", "nix0"])
    with pytest.raises(Trouble, match=rf"host {host.name}: no program nix"):
        host.spawn(["nix"], log=host.state / "log")


def test_a_closed_host_leaves_nothing(docker_level: None, untouched: None) -> None:
    """Closing a host ends daemons, their orphans and what tests opened, and removes its files; twice does no harm."""
    with Host("gone") as host, Path(f"/proc/{host.pid}/ns/net").open():  # open: so that no other gets its number
        inode = str(Path(f"/proc/{host.pid}/ns/net").readlink())
        host.spawn(["sh", "-c", "setsid sleep 1000 & setsid sleep 1001 & exec sleep 1002"], log=host.state / "log")
        host.popen(["sleep", "1003"])
        assert traces(host.name, inode)
        host.close()
        host.close()
        assert traces(host.name, inode) == []


def test_hosts_on_one_switch_reach_each_other(host: Host) -> None:
    """Two hosts plugged into one outside ping it, and each other, over IPv4 and IPv6, until one is unplugged."""
    with Outside() as outside, Host("other") as other:
        outside.plug(host, 1)
        outside.plug(other, 3)
        for target in ("192.0.2.2", "192.0.2.3", "2001:db8::2", "2001:db8::3"):
            host.run(["ping", "-c1", "-W2", target])
        outside.unplug(3)
        assert "up0" not in other.run(["ip", "link"]).stdout


def test_a_container_pings_its_gateway(dockerd: Dockerd) -> None:
    """A container on Docker's own bridge reaches the bridge."""
    said = dockerd.docker("run", "--rm", busybox.IMAGE, "ping", "-c1", "-W2", "172.17.0.1")
    assert "1 packets received" in said


def test_the_engine_is_the_one_asked_for(dockerd: Dockerd, engine: str) -> None:
    """Client and server are both of the engine's own package, and plain `docker` in the host finds the server."""
    client, server = dockerd.docker("version", "--format", "{{.Client.Version}} {{.Server.Version}}").split()
    assert client == server
    assert client.startswith(f"{engine}.")
    assert dockerd.api("GET", "/version")[1]["Version"] == server


def test_a_plugin_in_the_host_is_found_by_its_socket(dockerd: Dockerd) -> None:
    """A network driver listening in the host's /run/docker/plugins is activated and asked to create a network."""
    plugin = dockerd.host.popen([sys.executable, "-c", _PLUGIN], stdout=subprocess.PIPE, text=True)
    assert plugin.stdout is not None
    assert plugin.stdout.readline() == "ready\n"
    assert (dockerd.host.plugins / "probe.sock").is_socket()
    dockerd.docker("network", "create", "--driver", "probe", "--ipam-driver", "null", "probed")
    dockerd.docker("network", "rm", "probed")
    plugin.terminate()
    calls = plugin.stdout.read().split()
    assert calls[0] == "/Plugin.Activate"
    assert calls[-2:] == ["/NetworkDriver.CreateNetwork", "/NetworkDriver.DeleteNetwork"]


_PLUGIN = """
import http.server, json, os, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        print(self.path, flush=True)
        answer = json.dumps({"Implements": ["NetworkDriver"], "Scope": "local"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *_):
        pass
os.makedirs("/run/docker/plugins", exist_ok=True)
with socketserver.ThreadingUnixStreamServer("/run/docker/plugins/probe.sock", Handler) as server:
    print("ready", flush=True)
    server.serve_forever()
"""


def test_a_container_is_seen_outside_as_its_host(dockerd: Dockerd, outside: Outside) -> None:
    """A published port answers the outside world, and what a container sends is masqueraded as the host."""
    dockerd.docker("run", "-d", "-p", "8080:80", busybox.IMAGE, "httpd", "-f", "-h", "/var/www")
    assert outside.run(["curl", "-sS", "--max-time", "5", "http://192.0.2.1:8080/"]).stdout == "linkwright\n"
    listener = outside.popen(
        [sys.executable, "-c", _LISTEN],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert listener.stdout is not None
    assert listener.stdout.readline() == "ready\n"
    dockerd.docker("run", "--rm", busybox.IMAGE, "nc", "-w2", "192.0.2.2", "7000")
    assert listener.stdout.readline() == "192.0.2.1\n"


_LISTEN = """
import socket
with socket.create_server(("192.0.2.2", 7000)) as door:
    print("ready", flush=True)
    connection, (address, _) = door.accept()
    connection.close()
    print(address, flush=True)
"""


def test_a_graceful_restart_ends_containers_and_keeps_networks(dockerd: Dockerd) -> None:
    """After SIGTERM and a start the network is there, the container is not running, and can be started."""
    dockerd.docker("network", "create", "kept")
    dockerd.docker("run", "-d", "--name", "first", "--network", "kept", busybox.IMAGE)
    before, process = dockerd.pid, dockerd.container_pid("first")
    dockerd.restart()
    assert before != dockerd.pid
    assert not Path(f"/proc/{process}").exists()
    assert dockerd.docker("ps", "--format", "{{.Names}}") == ""
    dockerd.docker("start", "first")
    dockerd.docker("exec", "first", "ping", "-c1", "-W2", dockerd.docker(*_GATEWAY, "kept"))


_GATEWAY = ("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}")


def test_after_kill_9_it_starts_again(dockerd: Dockerd) -> None:
    """Killed, dockerd leaves its container running; started again it ends that container, and works."""
    dockerd.docker("run", "-d", "--name", "first", busybox.IMAGE)
    process = dockerd.container_pid("first")
    dockerd.kill9()
    assert not dockerd.running()
    assert Path(f"/proc/{process}").exists()
    dockerd.start()
    assert not Path(f"/proc/{process}").exists()
    assert "1 packets received" in dockerd.docker("run", "--rm", busybox.IMAGE, "ping", "-c1", "-W2", "172.17.0.1")


@pytest.mark.parametrize("how", ["stop", "kill9"])
def test_live_restore_keeps_a_container_running(dockerd: Dockerd, how: str) -> None:
    """With live-restore the same container process goes on through a stop or a crash, and is usable afterwards."""
    dockerd.restart(live_restore=True)
    dockerd.docker("run", "-d", "--name", "first", busybox.IMAGE)
    process = dockerd.container_pid("first")
    getattr(dockerd, how)()
    assert Path(f"/proc/{process}").exists()
    dockerd.start()
    assert dockerd.container_pid("first") == process
    assert "1 packets received" in dockerd.docker("exec", "first", "ping", "-c1", "-W2", "172.17.0.1")


def test_options_reach_the_daemon_and_are_taken_back(dockerd: Dockerd) -> None:
    """A dockerd restarted with --iptables=false writes no rule; with no options again it does."""
    host = dockerd.host
    assert "DOCKER-USER" in host.run(["iptables", "-S"]).stdout
    host.run(["iptables", "-F"])
    host.run(["iptables", "-X"])
    dockerd.restart(options=["--iptables=false"])
    assert "DOCKER-USER" not in host.run(["iptables", "-S"]).stdout
    dockerd.restart(options=[])
    assert "DOCKER-USER" in host.run(["iptables", "-S"]).stdout


def test_an_engine_survives_a_reboot_of_its_host(fresh_dockerd: Dockerd) -> None:
    """After the power was cut, containers with a restart policy come back by themselves when dockerd starts."""
    fresh_dockerd.docker("run", "-d", "--name", "first", "--restart=always", busybox.IMAGE)
    process = fresh_dockerd.container_pid("first")
    fresh_dockerd.host.reboot()
    assert not Path(f"/proc/{process}").exists()
    fresh_dockerd.start()
    assert "1 packets received" in fresh_dockerd.docker("exec", "first", "ping", "-c1", "-W2", "172.17.0.1")


def test_an_engine_that_does_not_start_says_why(host: Host, engine: str) -> None:
    """A dockerd that ends while starting raises the end of its log."""
    with pytest.raises(Trouble, match=rf"dockerd {engine} on {host.name} ended while starting:\n(?s:.*)nix"):
        Dockerd(host, engine, options=["--bip=nix"]).start()


def test_a_closed_host_leaves_nothing_of_its_engine(engine: str, untouched: None) -> None:
    """A host closed with dockerd and a container running leaves no process, mount, cgroup or file behind."""
    with Host(engine) as host:
        dockerd = Dockerd(host, engine)
        dockerd.start()
        dockerd.load_image()
        container = dockerd.docker("run", "-d", "-p", "8080:80", busybox.IMAGE)
        assert [line for line in traces(container) if "containerd-shim" in line]
    assert traces(host.name, container) == []


def test_tests_that_are_killed_leave_nothing(engine: str, untouched: None) -> None:
    """When the process that made a host is killed outright, the host goes with all that is in it."""
    tests = subprocess.Popen([sys.executable, "-c", _KILLED, engine], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    said = tests.communicate(timeout=60)[0].split()
    assert tests.returncode == -signal.SIGKILL
    name, container, holder = said
    with closing(Spawned(int(holder), Path())) as watched:
        assert watched.wait(20)
    assert traces(name, container) == []


_KILLED = """
import os, signal, sys
from tests.engines import Dockerd, Host, busybox
host = Host("killed")
dockerd = Dockerd(host, sys.argv[1])
dockerd.start()
dockerd.load_image()
print(host.name, dockerd.docker("run", "-d", busybox.IMAGE), host.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
