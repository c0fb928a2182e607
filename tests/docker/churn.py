"""Networks and endpoints made and removed at random until linkwright is killed, and what is certain of them then.

What was answered is certain. What a call was about that had no answer is in doubt: it may be there or not, and is to be
deleted by whoever asked for it.
"""

import http.client
import threading
from collections.abc import Callable
from random import Random

from tests.docker.daemon import Daemon
from tests.docker.playing import Endpoint, Network, Player

_NETWORKS = 2
_ENDPOINTS = 12


class Calls:
    """Counts calls that were answered, of all workers, and wakes whoever waits for a number of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def one_more(self) -> None:
        """One was answered."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait_for(self, number: int, *, seconds: float) -> bool:
        """Wait until so many more have been answered; whether they have, in that time."""
        with self._changed:
            due = self._count + number
            return self._changed.wait_for(lambda: self._count >= due, seconds)


class Worker:
    """One client of linkwright, with networks of its own. *seed* decides what it does."""

    def __init__(self, daemon: Daemon, number: int, seed: float, sandbox: str, calls: Calls) -> None:
        self._random = Random(seed)  # noqa: S311 - nothing is secret here
        self._sandbox = sandbox
        self._player = _Counting(daemon, first=1 + number * 10_000, answered=calls.one_more)
        self.networks: dict[str, Network] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.joined: set[str] = set()
        self.removed: set[str] = set()
        self.doubtful_networks: list[Network] = []
        self.doubtful: list[Endpoint] = []

    def work(self) -> None:
        """Make and remove until nobody answers any more."""
        try:
            while True:
                self._random.choice([self._make, self._make, self._join, self._remove, self._change_networks])()
        except (OSError, http.client.HTTPException):
            self._player.hang_up()

    def _make(self) -> None:
        if not self.networks or len(self.endpoints) >= _ENDPOINTS:
            return self._change_networks()
        network = self._random.choice(list(self.networks.values()))
        endpoint = Endpoint(self._player.new_id(), network, self._player.address(network))
        self.doubtful.append(endpoint)
        self._player.create(endpoint)
        self.doubtful.remove(endpoint)
        self.endpoints[endpoint.id] = endpoint
        return None

    def _join(self) -> None:
        for endpoint in list(self.endpoints.values())[-2:]:
            if endpoint.id not in self.joined:
                self._player.join(endpoint, self._sandbox)
                self.joined.add(endpoint.id)

    def _remove(self) -> None:
        if self.endpoints:
            endpoint = self.endpoints.pop(self._random.choice(list(self.endpoints)))
            self.doubtful.append(endpoint)
            self._end(endpoint)
            self.doubtful.remove(endpoint)

    def _end(self, endpoint: Endpoint) -> None:
        if endpoint.id in self.joined:
            self._player.leave(endpoint)
            self.joined.discard(endpoint.id)
        self._player.delete(endpoint)
        self.removed.add(endpoint.id)

    def _change_networks(self) -> None:
        used = {endpoint.network.id for endpoint in (*self.endpoints.values(), *self.doubtful)}
        unused = [network for network in self.networks.values() if network.id not in used]
        if unused and self._random.random() < 0.5:
            network = self._random.choice(unused)
            self.doubtful_networks.append(self.networks.pop(network.id))
            self._player.remove_network(network)
            self.doubtful_networks.remove(network)
            self.removed.add(network.id)
        elif len(self.networks) < _NETWORKS:
            network = self._player.planned_network()
            self.doubtful_networks.append(network)
            self._player.make_network(network)
            self.doubtful_networks.remove(network)
            self.networks[network.id] = network
        elif not self.endpoints and self._random.random() < 0.5:
            self._make()

    def end_doubt(self) -> None:
        """Delete what is in doubt: each such call has to succeed."""
        for endpoint in self.doubtful:
            self._end(endpoint)
        self.doubtful.clear()
        for network in self.doubtful_networks:
            self._player.remove_network(network)
            self.removed.add(network.id)
        self.doubtful_networks.clear()

    def end(self) -> None:
        """Delete everything."""
        self.end_doubt()
        for endpoint in self.endpoints.values():
            self._end(endpoint)
        for network in self.networks.values():
            self._player.remove_network(network)
        self.endpoints.clear()
        self.networks.clear()
        self._player.hang_up()


class _Counting(Player):
    def __init__(self, daemon: Daemon, *, first: int, answered: Callable[[], None]) -> None:
        super().__init__(daemon, first=first)
        self._answered = answered

    def say(self, method: str, body: dict[str, object]) -> dict[str, object]:
        answer = super().say(method, body)
        self._answered()
        return answer
