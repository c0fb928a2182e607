"""Recorded conversations of real engines, said again to a linkwright in a host without any engine.

What was chosen by the plugin then (pools, addresses) is replaced by what linkwright chooses now wherever Docker repeats
it, and Docker's own moves of links, which no request tells of, are made as it makes them: into the sandbox after
``Join``, back and down under the first name after ``Leave``.
"""

import contextlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from tests.docker.daemon import Daemon
from tests.docker.moves import Moves

RECORDED = Path(__file__).parents[1] / "data" / "conversations"

#: The plugin that was called then → the sockets of ours that stand for its two drivers. Each is activated by itself.
_SOCKETS = {
    "": ("bridge", "bridge"),
    "rec": ("bridge", "bridge"),
    "recrep": ("bridge", "ipam"),
    "neto": ("bridge", "bridge"),
    "sub": ("bridge", "bridge"),
    "other": ("bridge", "ipam"),
}

#: Options that only the recorder knew; ours refuses what it does not know. And a bridge's name, which has to be ours.
_RECORDERS_OWN = frozenset({"foo", "k", "key", "o", "z", "com.example.k", "com.docker.network.bridge.name"})

_BUILT_IN_SPACES = frozenset({"LocalDefault", "GlobalDefault", "null"})
_OUR_SPACE = "linkwright-local"

_SHORT_ID = re.compile(r"\b[0-9a-f]{16}\b")


@frozen
class Line:
    """One call of a conversation: its number among the calls, and what it was made by."""

    number: int
    cli: str
    call: str
    plugin: str = ""
    request: Mapping[str, Any] | None = None
    failed: bool = False
    answer: Mapping[str, Any] = field(factory=dict)

    def __str__(self) -> str:
        return f"call {self.number}, {self.call} of `{self.cli}`"


@frozen
class Event:
    """Something that happened to dockerd itself."""

    what: str


def scenarios() -> list[str]:
    """Every scenario there is, as ``engine/name``."""
    return [str(path.relative_to(RECORDED).with_suffix("")) for path in sorted(RECORDED.glob("*/*.jsonl"))]


def read(scenario: str) -> Iterator[Line | Event]:
    """The conversation in order."""
    cli, number = "", 0
    for text in (RECORDED / f"{scenario}.jsonl").read_text().splitlines():
        document = json.loads(_SHORT_ID.sub(lambda short: short.group() * 4, text))
        if "cli" in document:
            cli = document["cli"]
            if cli.startswith("["):
                yield Event(cli)
        else:
            number += 1
            yield Line(number, cli, **document)


@frozen
class Answered:
    """What linkwright answered: the reason where it failed."""

    answer: Mapping[str, Any]
    reason: str = ""


@define
class _Lent:
    """A link that Docker has moved into a sandbox, or will have."""

    source: str
    sandbox: str
    inside: str


class Conversation:
    """One scenario, being said again to *daemon*. ``close`` says what Docker would still have to."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._sockets = contextlib.ExitStack()
        self._connections = {
            name: self._sockets.enter_context(daemon.connect(name, timeout=30)) for name in ("bridge", "ipam")
        }
        self._docker = Moves(daemon.host)
        self._values: dict[str, str] = {}  # what was chosen then → what is chosen now
        self._pool_ids: dict[str, str] = {}
        self._networks: dict[str, Mapping[str, Any]] = {}
        self._endpoints: dict[str, str] = {}  # endpoint → network
        self._lent: dict[str, _Lent] = {}
        self._pools: Counter[tuple[str, str]] = Counter()  # (socket, PoolID) → how often requested
        self._subnets: dict[str, IPv4Network | IPv6Network] = {}  # by PoolID
        self._leases: set[tuple[str, str]] = set()

    def say(self, line: Line) -> Answered:
        """Make one call, check that the answer is one that Docker can use, and make the move that follows."""
        network, ipam = _SOCKETS[line.plugin]
        name = network if line.call.startswith("NetworkDriver.") else ipam
        request = None if line.request is None else self._now(line.request)
        if line.call == "NetworkDriver.DeleteEndpoint" and request:
            self._give_link_back(request["EndpointID"])
        status, answer = self._connections[name].post(line.call, request)
        error, other = answer.get("Err", ""), answer.get("Error", "")
        assert error == other, f"{line}: Err {error!r} and Error {other!r} differ"
        assert status == 200 or error, f"{line}: status {status} without a reason"
        if error:
            return Answered(answer, f"{status}: {error}")
        checked = getattr(self, f"_after_{line.call.partition('.')[2]}", None)
        if checked is not None:
            checked(line, request or {}, answer, name)
        return Answered(answer)

    def happens(self, event: Event) -> None:
        """Take note of what happened to dockerd: without live-restore, a start finds no sandbox of an earlier life."""
        if event.what.startswith("[dockerd starts") and "--live-restore" not in event.what:
            for endpoint in tuple(self._lent):
                self._docker.end_sandbox(self._lent.pop(endpoint).sandbox)

    def close(self) -> None:
        """Say what is owed: the deletions that the recording ends before."""
        try:
            for endpoint, network in tuple(self._endpoints.items()):
                ids = {"NetworkID": network, "EndpointID": endpoint}
                self._owed("NetworkDriver.Leave", ids)
                self._give_link_back(endpoint)
                self._owed("NetworkDriver.DeleteEndpoint", ids)
            for name, pool in self._pools.elements():
                self._owed("IpamDriver.ReleasePool", {"PoolID": pool}, name)
            for network in self._networks:
                self._owed("NetworkDriver.DeleteNetwork", {"NetworkID": network})
        finally:
            self._docker.close()
            self._sockets.close()

    def _owed(self, call: str, request: Mapping[str, Any], name: str = "bridge") -> None:
        status, answer = self._connections[name].post(call, request)
        assert (status, answer) == (200, {}), f"{call} {request}: {status} {answer}"

    # --- then and now ------------------------------------------------------------------------------------------

    def _now(self, value: Any, key: str = "") -> Any:
        """*value* with what the plugin chose then replaced by what linkwright chose now."""
        if isinstance(value, dict):
            return {name: self._now(one, name) for name, one in value.items() if name not in _RECORDERS_OWN}
        if isinstance(value, list):
            return [self._now(one, key) for one in value]
        if key == "PoolID":
            return self._pool_ids.get(value, value)
        if key == "AddressSpace":
            return value if value in _BUILT_IN_SPACES else _OUR_SPACE
        return self._values.get(value, value) if isinstance(value, str) else value

    def _learn(self, then: str, now: str) -> None:
        if then:
            self._values[then] = now
            self._values[then.partition("/")[0]] = now.partition("/")[0]

    # --- what must hold of an answer, by call ------------------------------------------------------------------

    def _after_RequestPool(self, line: Line, request: Any, answer: Any, name: str) -> None:  # noqa: N802 - Docker's name
        pool = ip_network(answer["Pool"])
        assert pool.version == (6 if request["V6"] else 4)
        if not request["Pool"]:
            overlapping = [str(other) for other in self._subnets.values() if _overlap(pool, other)]
            assert not overlapping, f"{line}: {pool} overlaps {overlapping}"
        self._pools[name, answer["PoolID"]] += 1
        self._subnets[answer["PoolID"]] = pool
        if line.answer:
            self._pool_ids[line.answer["PoolID"]] = answer["PoolID"]
            if not request["Pool"]:
                self._values[line.answer["Pool"]] = answer["Pool"]

    def _after_ReleasePool(self, _: Line, request: Any, __: Any, name: str) -> None:  # noqa: N802
        self._pools[name, request["PoolID"]] -= 1
        if self._pools[name, request["PoolID"]] <= 0:
            del self._pools[name, request["PoolID"]]
            self._subnets.pop(request["PoolID"], None)
            self._leases = {lease for lease in self._leases if lease[0] != request["PoolID"]}

    def _after_RequestAddress(self, line: Line, request: Any, answer: Any, _: str) -> None:  # noqa: N802
        address = ip_interface(answer["Address"])
        if request["Address"]:
            assert address.ip == ip_address(request["Address"])
        else:
            assert (request["PoolID"], str(address.ip)) not in self._leases, f"{line}: {address} is held already"
        self._leases.add((request["PoolID"], str(address.ip)))
        self._learn(line.answer.get("Address", ""), answer["Address"])

    def _after_ReleaseAddress(self, _: Line, request: Any, __: Any, ___: str) -> None:  # noqa: N802
        self._leases.discard((request["PoolID"], request["Address"]))

    def _after_CreateNetwork(self, _: Line, request: Any, answer: Any, __: str) -> None:  # noqa: N802
        assert answer == {}
        self._networks[request["NetworkID"]] = request

    def _after_DeleteNetwork(self, _: Line, request: Any, __: Any, ___: str) -> None:  # noqa: N802
        self._networks.pop(request["NetworkID"], None)
        self._endpoints = {one: net for one, net in self._endpoints.items() if net != request["NetworkID"]}

    def _after_CreateEndpoint(self, line: Line, request: Any, answer: Any, _: str) -> None:  # noqa: N802
        given, made = request["Interface"], answer.get("Interface", {})
        for key in ("Address", "AddressIPv6", "MacAddress"):
            assert not (given.get(key) and made.get(key)), f"{line}: {key} was given, and is answered"
        if made.get("MacAddress"):
            first = int(made["MacAddress"][:2], 16)
            assert first & 3 == 2, f"{line}: {made['MacAddress']} is not unicast and locally administered"
        self._endpoints[request["EndpointID"]] = request["NetworkID"]

    def _after_Join(self, line: Line, request: Any, answer: Any, _: str) -> None:  # noqa: N802
        interface = answer["InterfaceName"]
        assert 0 < len(interface["SrcName"]) <= 15
        assert interface["DstPrefix"]
        network = self._networks[request["NetworkID"]]
        gateways = [ip_address(answer[key]) for key in ("Gateway", "GatewayIPv6") if answer.get(key)]
        pools = [ip_network(one["Pool"]) for one in (*(network["IPv4Data"] or ()), *(network["IPv6Data"] or ()))]
        assert all(any(gateway in pool for pool in pools) for gateway in gateways), f"{line}: {gateways} of {pools}"
        if network["Options"].get("com.docker.network.internal"):
            assert (gateways, answer["DisableGatewayService"]) == ([], True)
        if request["EndpointID"] not in self._lent:
            taken = {lent.inside for lent in self._lent.values() if lent.sandbox == request["SandboxKey"]}
            inside = next(name for name in map("eth{}".format, itertools.count()) if name not in taken)
            lent = _Lent(interface["SrcName"], request["SandboxKey"], inside)
            self._lent[request["EndpointID"]] = lent
            self._docker.move_in(lent.source, lent.sandbox, lent.inside)

    def _after_Leave(self, _: Line, request: Any, __: Any, ___: str) -> None:  # noqa: N802
        self._give_link_back(request["EndpointID"])

    def _after_DeleteEndpoint(self, _: Line, request: Any, __: Any, ___: str) -> None:  # noqa: N802
        self._endpoints.pop(request["EndpointID"], None)

    def _give_link_back(self, endpoint: str) -> None:
        lent = self._lent.pop(endpoint, None)
        if lent is not None:
            self._docker.move_back(lent.source, lent.sandbox, lent.inside)
            if all(other.sandbox != lent.sandbox for other in self._lent.values()):
                self._docker.end_sandbox(lent.sandbox)


def _overlap(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    return one.version == other.version and one.overlaps(other)
