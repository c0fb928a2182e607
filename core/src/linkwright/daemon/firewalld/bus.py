"""firewalld over D-Bus: what it is asked and told, and what it tells (firewalld.dbus(5)).

The only importer of jeepney, and itself imported only where there is a bus.
"""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import trio
from jeepney import DBusAddress, HeaderFields, MatchRule, MessageFlag, MessageType, message_bus, new_method_call
from jeepney.auth import BEGIN, AuthenticationError, Authenticator
from jeepney.io.common import RouterClosed
from jeepney.io.trio import DBusConnection

from linkwright.daemon.firewalld.asked import Declined, Firewalld, Gone
from linkwright.errors import Unavailable

#: Seconds for one answer; no call of Docker's waits for it. While firewalld starts or reloads it answers nobody, which
#: takes one to nine, and then answers what it was asked meanwhile.
DEADLINE: Final = 15.0

_NAME: Final = "org.fedoraproject.FirewallD1"
_ZONES: Final = DBusAddress("/org/fedoraproject/FirewallD1", bus_name=_NAME, interface=f"{_NAME}.zone")

#: Reasons to look: it comes or goes, or has read its configuration anew.
_OWNER: Final = MatchRule(
    type="signal", sender=message_bus.bus_name, interface=message_bus.interface, member="NameOwnerChanged"
)
_OWNER.add_arg_condition(0, _NAME)
_RELOADED: Final = MatchRule(type="signal", sender=_NAME, interface=_NAME, member="Reloaded")

#: What firewalld says where all is as it was asked for already (firewall/errors.py).
_AS_ASKED: Final = ("ZONE_ALREADY_SET", "UNKNOWN_INTERFACE")

#: What the bus says where there is nobody to ask, or is no more (D-Bus specification, and dbus-protocol.h).
_GONE: Final = frozenset(
    f"org.freedesktop.DBus.Error.{word}" for word in ("ServiceUnknown", "NameHasNoOwner", "NoReply")
)

#: How it shows that the bus has ended, or is none.
_NO_BUS: Final = (
    OSError,
    trio.TooSlowError,
    trio.EndOfChannel,
    trio.BrokenResourceError,
    AuthenticationError,
    RouterClosed,
    Unavailable,
)


async def talk(path: Path, serve: Callable[[Firewalld], Awaitable[None]], told: trio.MemorySendChannel[Any]) -> None:
    """Connect to the bus at *path* and *serve*, until that ends or the bus does.

    What may have changed something for us is sent to *told*; where that is full there is reason to look already.
    """
    try:
        async with await trio.open_unix_socket(str(path)) as stream, (await _let_in(stream)).router() as router:
            # Made and not entered: the router closes it. Who leaves a filter while the router ends, as every stop does,
            # changes the table that the router goes through (jeepney 0.9, DBusRouter._receiver: RuntimeError).
            router.filter(MatchRule(type="signal"), channel=told)
            firewalld = _OnBus(router)
            await firewalld.greet()
            await serve(firewalld)
    except* _NO_BUS:
        pass  # as if there were no firewalld


async def _let_in(stream: trio.SocketStream) -> DBusConnection:
    """Authenticate as who we are. jeepney's own way of opening leaves the socket open where that fails."""
    authenticator = Authenticator()
    with trio.fail_after(DEADLINE):
        for line in authenticator:
            await stream.send_all(line)
            if not (received := await stream.receive_some()):
                raise trio.EndOfChannel
            authenticator.feed(received)
        await stream.send_all(BEGIN)
    return DBusConnection(stream.socket)


class _OnBus:
    """``Firewalld`` by way of a router of jeepney's."""

    def __init__(self, router: Any) -> None:
        self._router = router

    async def greet(self) -> None:
        """Become known to the bus, and have it send us the signals."""
        await self._answer(message_bus.Hello(), "Hello")
        for rule in (_OWNER, _RELOADED):
            await self._answer(message_bus.AddMatch(rule), "AddMatch")

    async def runs(self) -> bool:
        (owned,) = await self._answer(message_bus.NameHasOwner(_NAME), "NameHasOwner")
        return bool(owned)

    async def zones(self) -> Mapping[str, frozenset[str]]:
        (active,) = await self._ask("getActiveZones")
        return {zone: frozenset(bound.get("interfaces", ())) for zone, bound in active.items()}

    async def add(self, zone: str, link: str) -> None:
        await self._ask("addInterface", zone, link)

    async def remove(self, zone: str, link: str) -> None:
        await self._ask("removeInterface", zone, link)

    async def _ask(self, method: str, *arguments: str) -> tuple[Any, ...]:
        message = new_method_call(_ZONES, method, "s" * len(arguments), arguments)
        message.header.flags |= MessageFlag.no_auto_start  # nobody asked us to start a firewall
        return await self._answer(message, " ".join((method, *arguments)))

    async def _answer(self, message: Any, what: str) -> tuple[Any, ...]:
        try:
            with trio.fail_after(DEADLINE):
                reply = await self._router.send_and_get_reply(message)
        except trio.TooSlowError as error:
            raise Unavailable(f"firewalld did not answer {what} within {DEADLINE:g} s; does it hang?") from error
        body: tuple[Any, ...] = reply.body
        if reply.header.message_type is not MessageType.error:
            return body
        name = str(reply.header.fields.get(HeaderFields.error_name, ""))
        if name in _GONE:
            raise Gone(f"firewalld went while it was asked {what}")
        said = str(body[0]) if body else ""
        if said.startswith(_AS_ASKED):
            return ()
        raise Declined(f"firewalld refused {what}: {said or name}")
