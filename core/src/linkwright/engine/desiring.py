"""What the stored networks need, asked of their drivers anew: at the start, and when one could not answer then.

A missing wish means "no longer wanted" and never "could not be asked": a network whose driver is gone, raises, or is
too slow is **frozen**. Nothing of it is repaired or swept; the reason is told, and it is asked for again at each look
and by each call that needs it.

A network that the state has lost (it was damaged and rebuilt from an older copy, or an older one was imported) and
that only the marks on links tell of is frozen likewise: nobody knows what it wished for, and its containers live.
"""

from collections.abc import Mapping

from linkwright.engine.asking import Asking
from linkwright.engine.desired import Desired
from linkwright.engine.state import State
from linkwright.errors import LinkwrightError, Unavailable

_LOST = (
    "it is known by the marks on its links only, since its record was lost; its containers keep what they have. "
    "Connect them to a new network, then remove this one with `docker network rm`, or its links with `ip link del`"
)


class Desiring:
    """Fills what is desired from the state, by way of the drivers. Callers hold the network's lock."""

    def __init__(self, *, state: State, asking: Asking, desired: Desired) -> None:
        """Take the parts."""
        self._state = state
        self._asking = asking
        self._desired = desired
        self._frozen: dict[str, str] = {}

    @property
    def frozen(self) -> Mapping[str, str]:
        """The networks that are left as they are, and why."""
        told = {network: reason for network, reason in self._frozen.items() if network in self._state.networks}
        return told | dict.fromkeys(self._state.lost, _LOST)

    async def desire(self, network_id: str) -> bool:
        """Ask what the network and its endpoints need; False if that could not be had, and it is frozen."""
        network = self._state.networks.get(network_id)
        if network is None:
            self._frozen.pop(network_id, None)
            return False
        endpoints = self._state.endpoints_of(network_id)
        desired = self._desired
        try:
            for scope, wishes in (await self._asking.wishes(network, endpoints)).items():
                desired.settle(desired.propose(scope, wishes))
        except LinkwrightError as error:
            self._frozen[network_id] = str(error)
            return False
        self._frozen.pop(network_id, None)
        return True

    async def ensure(self, network_id: str) -> None:
        """Have the network's wishes, or raise Unavailable with the reason why it is frozen."""
        if network_id in self._frozen and not await self.desire(network_id):
            raise Unavailable(
                f"network {network_id[:12]} is left as it is, since its driver could not say what it needs: "
                f"{self._frozen.get(network_id, 'it is gone')}"
            )
