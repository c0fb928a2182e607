"""The one constant rule in DOCKER-USER: accept what carries our mark. Nothing else of Docker's is ever touched.

Docker jumps to chain DOCKER-USER of ``filter`` first and leaves what is in it to others (Docker's manual, "Packet
filtering and firewalls"). Without this rule a FORWARD policy DROP stops even two containers on one bridge of ours
where br_netfilter is on; with it, our own table (``ruleset``) is the only one that judges our traffic.

Which iptables Docker uses, nft or legacy, shows by where the chain is: the rule goes into each that has it. Nothing is
looked for in legacy tables that do not exist, because looking makes them. With Docker's own nftables back-end there is
no such chain, and no need. The chain is never created: that it is missing means that Docker is not there.

The rule is put first, once. It is left where it is if an administrator then puts others before it (theirs may deny),
but not behind a bare RETURN, where Docker's own ends the chain and it would do nothing.
"""

import enum
import errno
import itertools
import shlex
import shutil
from collections.abc import Sequence

import trio
from attrs import frozen

from linkwright.errors import KernelError, LinkwrightError, Unavailable
from linkwright.kernel.nftables.watch import DOCKER_USER as CHAIN
from linkwright.kernel.ruleset import MARK_BIT

_DEADLINE = 10.0  # seconds for one command
_WAIT = "5"  # seconds that iptables waits for the lock of another (iptables(8), -w)
_RETURN = ["-A", CHAIN, "-j", "RETURN"]
_NO_CHAIN = "No chain/target/match by that name"


class Found(enum.Enum):
    """How it stands with the rule in one family."""

    PRESENT = "present"
    ADDED = "added"
    NO_CHAIN = "no chain"
    NO_BINARY = "no binary"


@frozen
class Outcome:
    """What ``ensure`` found or did."""

    ipv4: Found
    ipv6: Found


@frozen
class _Family:
    """How one address family's iptables is called, and where the kernel lists its legacy tables."""

    command: str
    legacy_tables: str


_IPV4 = _Family("iptables", "/proc/net/ip_tables_names")
_IPV6 = _Family("ip6tables", "/proc/net/ip6_tables_names")


class DockerUser:
    """Keeps the rule of one instance."""

    def __init__(
        self,
        *,
        instance: str = "default",
        mark_bit: int = MARK_BIT,
        prefix: Sequence[str] = (),
    ) -> None:
        """Describe the rule; *prefix* goes before every command (``nsenter …``, for another network namespace)."""
        self._comment = f"linkwright:{instance}"
        mark = f"{mark_bit:#x}/{mark_bit:#x}"
        self._rule = ["-m", "mark", "--mark", mark, "-m", "comment", "--comment", self._comment, "-j", "ACCEPT"]
        self._prefix = tuple(prefix)

    async def ensure(self) -> Outcome:
        """Put the rule where it belongs, for IPv4 and IPv6; what is right already is left alone.

        KernelError if iptables refuses, Unavailable if it does not answer in ten seconds; both families are tried.
        """
        results: list[Found | LinkwrightError] = []
        for family in (_IPV4, _IPV6):
            try:
                results.append(await self._ensure(family))
            except LinkwrightError as error:
                results.append(error)
        ipv4, ipv6 = results
        if isinstance(ipv4, LinkwrightError):
            raise ipv4
        if isinstance(ipv6, LinkwrightError):
            raise ipv6
        return Outcome(ipv4, ipv6)

    async def remove(self) -> None:
        """Take the rule away wherever it is: for uninstalling. Errors as in ``ensure``."""
        for family in (_IPV4, _IPV6):
            for binary in await self._binaries(family):
                ours = [line for line in await self._listed(binary) or () if self._is_ours(line)]
                if ours:
                    await self._restore(binary, [_deleted(line) for line in ours])

    async def _ensure(self, family: _Family) -> Found:
        if not any(shutil.which(family.command + variant) for variant in ("", "-nft", "-legacy")):
            return Found.NO_BINARY
        found = [await self._ensure_by(binary) for binary in await self._binaries(family)]
        # Most telling first: with Docker's chain in one back-end, that the other has none says nothing.
        return next((state for state in (Found.ADDED, Found.PRESENT) if state in found), Found.NO_CHAIN)

    async def _ensure_by(self, binary: str) -> Found:
        lines = await self._listed(binary)
        if lines is None:
            return Found.NO_CHAIN
        rules = [shlex.split(line) for line in lines]
        ours = [line for line in lines if self._is_ours(line)]
        effective = rules[: rules.index(_RETURN)] if _RETURN in rules else rules
        wanted = ["-A", CHAIN, *self._rule]
        if len(ours) == 1 and wanted in effective:
            return Found.PRESENT
        # One transaction: at no moment is there no rule if there was one before.
        await self._restore(binary, [*map(_deleted, ours), f"-I {CHAIN} 1 {shlex.join(self._rule)}"])
        return Found.ADDED

    def _is_ours(self, line: str) -> bool:
        words = shlex.split(line)
        return ("--comment", self._comment) in itertools.pairwise(words)

    async def _binaries(self, family: _Family) -> list[str]:
        """Which commands to look with: that of nf_tables, and that of the legacy tables if there are any."""
        in_use = "filter" in (await self._run(["cat", family.legacy_tables])).output.split()
        # Where there are no variants (iptables before 1.8), the plain command is the legacy one.
        legacy = [name for name in (f"{family.command}-legacy", family.command) if in_use and shutil.which(name)]
        modern = [name for name in (f"{family.command}-nft",) if shutil.which(name)]
        return modern + legacy[:1]

    async def _listed(self, binary: str) -> list[str] | None:
        """The rules of the chain as ``-S`` writes them; None if there is no such chain."""
        listing = await self._run([binary, "-w", _WAIT, "-S", CHAIN])
        if not listing.code:
            return [line for line in listing.output.splitlines() if line.startswith("-A ")]
        if _NO_CHAIN in listing.error:
            return None
        # iptables-nft 1.8.9 calls a chain "incompatible" that is merely not there; the list of chains knows better.
        everything = await self._run([binary, "-w", _WAIT, "-S"])
        if not everything.code and f"-N {CHAIN}" not in everything.output.splitlines():
            return None
        raise _refused(f"{binary} -S {CHAIN}", listing)

    async def _restore(self, binary: str, lines: Sequence[str]) -> None:
        text = "\n".join(["*filter", *lines, "COMMIT", ""])
        done = await self._run([f"{binary}-restore", "-w", _WAIT, "--noflush"], stdin=text)
        if done.code:
            raise _refused(f"{binary}-restore --noflush: {'; '.join(lines)}", done)

    async def _run(self, command: Sequence[str], *, stdin: str = "") -> "_Done":
        line = shlex.join(command)
        try:
            with trio.fail_after(_DEADLINE):
                done = await trio.run_process(
                    [*self._prefix, *command],
                    stdin=stdin.encode(),
                    capture_stdout=True,
                    capture_stderr=True,
                    check=False,
                )
        except trio.TooSlowError as error:
            raise Unavailable(f"`{line}` did not end within {_DEADLINE:g} s; is another iptables hanging?") from error
        except OSError as error:
            raise KernelError(error.errno or errno.EIO, step=line, extack=error.strerror or "") from error
        return _Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


@frozen
class _Done:
    """How a command ended, and what it wrote."""

    code: int
    output: str
    error: str


def _deleted(line: str) -> str:
    return line.replace("-A", "-D", 1)


def _refused(step: str, done: _Done) -> KernelError:
    return KernelError(errno.EIO, step=step, extack=f"exit status {done.code}, {done.error.strip()}")
