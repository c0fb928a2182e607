"""Checks of the firewall that we live beside: which iptables it is, and whether it lets our containers' packets pass.

Looking only: nothing is looked for in legacy tables that do not exist, because looking would make them
(``kernel.docker_user``, which also puts the rule there).
"""

import shlex
from typing import Final

from attrs import frozen

from linkwright.daemon.admin.doctor.surroundings import Done, Finding, Status, Surroundings
from linkwright.daemon.firewalld import ZONE, Standing

_CHAIN: Final = "DOCKER-USER"
_COMMANDS: Final = {4: "iptables", 6: "ip6tables"}
_LEGACY_TABLES: Final = {4: "net/ip_tables_names", 6: "net/ip6_tables_names"}
_WAIT: Final = ("-w", "1")  # seconds for the lock of another iptables


@frozen
class _Listing:
    """The rules of one back-end's filter table, as ``-S`` writes them."""

    binary: str
    lines: tuple[str, ...]

    @property
    def drops(self) -> bool:
        """Whether what nobody accepted is dropped."""
        return "-P FORWARD DROP" in self.lines

    @property
    def has_chain(self) -> bool:
        """Whether Docker's extension point is there."""
        return f"-N {_CHAIN}" in self.lines

    def accepts(self, comment: str) -> bool:
        """Whether the rule with *comment* is in Docker's extension point, before the end of the chain."""
        for line in self.lines:
            words = shlex.split(line)
            if words[:2] != ["-A", _CHAIN]:
                continue
            if words[2:] == ["-j", "RETURN"]:
                return False
            if comment in words:
                return True
        return False


def back_end(surroundings: Surroundings) -> Finding:
    """Which iptables is in use: rules in two back-ends are both obeyed, and each tool shows half of them."""
    version = surroundings.run(["iptables", "--version"])
    if version.code:
        return Finding(Status.OK, "there is no iptables: nothing of it can be in the way")
    text = version.output.strip()
    if "filter" in _legacy_tables(surroundings, 4) and "nf_tables" in text:
        return Finding(
            Status.WARN,
            f"{text}, and the legacy filter table exists too: both are obeyed, and each tool shows its own only",
            "see what `iptables-legacy -S` has, and keep to one back-end (update-alternatives --config iptables)",
        )
    return Finding(Status.OK, text)


def rule(surroundings: Surroundings, *, version: int) -> Finding:
    """Whether our one rule is in Docker's extension point, where Docker drops what it does not know."""
    listings, failures = _listings(surroundings, version)
    if not listings and failures:
        return Finding(Status.WARN, f"iptables could not be asked: {failures[0].error}", "run this as root")
    bridged = surroundings.setting(f"net/bridge/bridge-nf-call-{_COMMANDS[version]}") == "1"
    through = " (br_netfilter is on: even containers of one network are cut off)" if bridged else ""
    for listing in listings:
        finding = _judged(surroundings, listing, through)
        if finding is not None:
            return finding
    return Finding(Status.OK, _as_it_is(listings))


def zones(surroundings: Surroundings) -> Finding:
    """Whether firewalld, where it runs, lets our bridges' packets pass: it refuses what is of no zone."""
    standing = surroundings.live.zones if surroundings.live else Standing()
    if standing.error:
        return Finding(
            Status.FAIL,
            f"{standing.error}; bridges that are not in its zone {ZONE} are cut off from the outside",
            f"see its log (journalctl -u firewalld); by hand: firewall-cmd --zone={ZONE} --add-interface=BRIDGE",
        )
    if not standing.runs:
        return Finding(Status.OK, "firewalld does not run here")
    if standing.chosen:
        chosen = ", ".join(f"{bridge} in {zone}" for bridge, zone in standing.chosen.items())
        return Finding(
            Status.OK, f"firewalld has our bridges in zone {ZONE}, but for those that somebody put: {chosen}"
        )
    return Finding(Status.OK, f"firewalld has our bridges in zone {ZONE}")


def _judged(surroundings: Surroundings, listing: _Listing, through: str) -> Finding | None:
    """What is wrong with one back-end's rules, None where nothing is."""
    mark = f"{surroundings.config.firewall_mark:#x}"
    if listing.has_chain and not listing.accepts(f"linkwright:{surroundings.config.instance}"):
        why = surroundings.live.rule_error if surroundings.live else ""
        return Finding(
            Status.FAIL if listing.drops else Status.WARN,
            f"{listing.binary}: the rule that lets our packets pass is not in effect in {_CHAIN}{through}"
            + (f"; keeping it failed: {why}" if why else ""),
            "`linkwright repair` puts it back; if it goes again, see which other program rewrites that chain",
        )
    if listing.drops and not listing.has_chain:
        return Finding(
            Status.FAIL,
            f"{listing.binary}: FORWARD drops what nobody accepts, and Docker's {_CHAIN} is not there{through}",
            f"let what we accepted pass: {listing.binary} -I FORWARD -m mark --mark {mark}/{mark} -j ACCEPT",
        )
    return None


def _as_it_is(listings: list[_Listing]) -> str:
    if any(listing.has_chain for listing in listings):
        return f"our rule is in {_CHAIN}"
    return f"FORWARD does not drop, and there is no {_CHAIN}" if listings else "no iptables rules"


def _listings(surroundings: Surroundings, version: int) -> tuple[list[_Listing], list[Done]]:
    """What each back-end in use has, and those that could not be asked."""
    command = _COMMANDS[version]
    legacy = "filter" in _legacy_tables(surroundings, version)
    listings, failures = [], []
    for binary in (f"{command}-nft", *([f"{command}-legacy"] if legacy else [])):
        done = surroundings.run([binary, *_WAIT, "-S"])
        if done.code == 0:
            listings.append(_Listing(binary, tuple(done.output.splitlines())))
        elif done.code != 127:  # noqa: PLR2004 - not installed
            failures.append(done)
    return listings, failures


def _legacy_tables(surroundings: Surroundings, version: int) -> list[str]:
    try:
        return (surroundings.proc / _LEGACY_TABLES[version]).read_text(encoding="ascii").split()
    except OSError:
        return []
