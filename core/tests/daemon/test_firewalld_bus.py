"""What is said on the bus, and what a bus may do to us: against a bus of the test's own, over a real socket."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import Factory, define
from jeepney import HeaderFields, Message, Parser, new_error, new_method_return, new_signal
from jeepney.wrappers import DBusAddress

from linkwright.daemon.firewalld import bus
from linkwright.daemon.firewalld.asked import Declined, Firewalld, Gone
from linkwright.errors import Unavailable

FIREWALLD = "org.fedoraproject.FirewallD1"
Answer = Callable[[Message], Message | None]


@define
class Bus:
    """A bus with a firewalld; *answers* by method, or nothing for one that never answers."""

    answers: dict[str, Answer]
    calls: list[str] = Factory(list)
    streams: list[trio.SocketStream] = Factory(list)
    greeting: bytes = b"OK 0123456789abcdef0123456789abcdef\r\n"

    async def serve(self, stream: trio.SocketStream) -> None:
        """Authenticate one client, and answer it."""
        self.streams.append(stream)
        heard = b""
        while b"\r\n" not in heard:
            heard += await stream.receive_some()
        await stream.send_all(self.greeting)
        if not self.greeting.startswith(b"OK"):
            return
        while b"BEGIN\r\n" not in heard:
            heard += await stream.receive_some()
        parser = Parser()
        parser.add_data(heard.partition(b"BEGIN\r\n")[2])
        serial = 0
        while True:
            while (message := parser.get_next_message()) is not None:
                serial += 1
                if (answer := self.answer(message)) is not None:
                    await stream.send_all(answer.serialise(serial))
            try:
                received = await stream.receive_some()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            if not received:
                return
            parser.add_data(received)

    def answer(self, message: Message) -> Message | None:
        """What comes back."""
        method = message.header.fields[HeaderFields.member]
        self.calls.append(" ".join((method, *map(str, message.body))))
        return self.answers[method](message)


def said(signature: str = "", *body: Any) -> Answer:
    """An answer that is no error."""
    return lambda message: new_method_return(message, signature or None, body)


def failed(name: str, text: str = "") -> Answer:
    """An error."""
    return lambda message: new_error(message, name, "s", (text,))


def usual(**answers: Answer) -> Bus:
    """A bus with a firewalld that does as it is told, but for *answers*."""
    own = {"Hello": said("s", ":1.7"), "AddMatch": said(), "NameHasOwner": said("b", True)}
    zones = {"public": {"interfaces": ["eth0"]}, "work": {"sources": ["10.0.0.0/8"]}}
    return Bus({**own, "getActiveZones": said("a{sa{sas}}", zones), **answers})


@asynccontextmanager
async def listening(bus: Bus, path: Path) -> AsyncIterator[Path]:
    """That bus, at *path*."""
    with trio.socket.socket(trio.socket.AF_UNIX) as door:
        await door.bind(str(path))
        door.listen(5)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, bus.serve, [trio.SocketListener(door)])
            yield path
            nursery.cancel_scope.cancel()
            for stream in bus.streams:
                await stream.aclose()


def told() -> tuple[trio.MemorySendChannel[Any], trio.MemoryReceiveChannel[Any]]:
    """Where signals go."""
    return trio.open_memory_channel[Any](1)


async def test_zones_are_read_and_links_are_put_and_taken(tmp_path: Path) -> None:
    """In firewalld's words; what has no interfaces has none. It is never started by being asked."""
    there = usual(addInterface=said("s", "trusted"), removeInterface=said("s", "trusted"))
    found: list[Any] = []

    async def serve(firewalld: Firewalld) -> None:
        found.extend([await firewalld.runs(), await firewalld.zones()])
        await firewalld.add("trusted", "lwb0")
        await firewalld.remove("trusted", "lwb1")

    async with listening(there, tmp_path / "bus") as path:
        await bus.talk(path, serve, told()[0])
    assert found == [True, {"public": {"eth0"}, "work": frozenset()}]
    assert there.calls[0] == "Hello"
    assert "member='NameOwnerChanged'" in there.calls[1]
    assert "member='Reloaded'" in there.calls[2]
    assert there.calls[3:] == [
        f"NameHasOwner {FIREWALLD}",
        "getActiveZones",
        "addInterface trusted lwb0",
        "removeInterface trusted lwb1",
    ]


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (failed(f"{FIREWALLD}.Exception", "ZONE_ALREADY_SET: 'lwb0' already bound"), None, ""),
        (
            failed(f"{FIREWALLD}.Exception", "ZONE_CONFLICT: 'lwb0' is in dmz"),
            Declined,
            "refused addInterface trusted lwb0",
        ),
        (failed(f"{FIREWALLD}.NotAuthorizedException", "Not Authorized(polkit): config"), Declined, "Not Authorized"),
        (failed("org.freedesktop.DBus.Error.AccessDenied"), Declined, "AccessDenied"),
        (failed("org.freedesktop.DBus.Error.NoReply", "Message recipient disconnected"), Gone, "went"),
        (failed("org.freedesktop.DBus.Error.ServiceUnknown", "not provided"), Gone, "went"),
    ],
)
async def test_what_is_refused_is_told_in_words(
    tmp_path: Path, answer: Answer, error: type[Exception] | None, text: str
) -> None:
    """By firewalld or by the bus; what is as it should be already is no failure."""
    raised: list[Exception] = []

    async def serve(firewalld: Firewalld) -> None:
        try:
            await firewalld.add("trusted", "lwb0")
        except Unavailable as failure:
            raised.append(failure)

    async with listening(usual(addInterface=answer), tmp_path / "bus") as path:
        await bus.talk(path, serve, told()[0])
    assert [type(one) for one in raised] == ([error] if error else [])
    assert all(text in str(one) for one in raised)


async def test_one_that_never_answers_is_left_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next question is answered all the same."""
    monkeypatch.setattr(bus, "DEADLINE", 0.05)
    found: list[Any] = []

    async def serve(firewalld: Firewalld) -> None:
        with pytest.raises(Unavailable, match="did not answer getActiveZones"):
            await firewalld.zones()
        monkeypatch.undo()
        found.append(await firewalld.runs())

    async with listening(usual(getActiveZones=lambda _: None), tmp_path / "bus") as path:
        await bus.talk(path, serve, told()[0])
    assert found == [True]


async def test_a_signal_is_a_reason_to_look(tmp_path: Path) -> None:
    """Any that the bus sends us: we asked for these two. More of them than are looked at are one."""
    there, (telling, listening_to) = usual(), told()

    async def serve(firewalld: Firewalld) -> None:
        signal = new_signal(DBusAddress("/", interface=FIREWALLD), "Reloaded")
        for serial in (100, 101, 102):
            await there.streams[0].send_all(signal.serialise(serial))
        await listening_to.receive()
        assert await firewalld.runs()

    async with listening(there, tmp_path / "bus") as path:
        await bus.talk(path, serve, telling)


async def test_a_bus_that_ends_is_no_bus(tmp_path: Path) -> None:
    """Whoever is just asking, or waiting, is let go."""
    there, reached = usual(getActiveZones=lambda _: None), []

    async def asking(firewalld: Firewalld) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(firewalld.zones)
            await trio.testing.wait_all_tasks_blocked(0.01)
            await there.streams[-1].aclose()

    async def waiting(_: Firewalld) -> None:
        await there.streams[-1].aclose()
        await trio.sleep_forever()

    async with listening(there, tmp_path / "bus") as path:
        for serve in (asking, waiting):
            await bus.talk(path, serve, told()[0])
            reached.append(serve)
    assert len(reached) == 2


@pytest.mark.parametrize("greeting", [b"REJECTED ANONYMOUS\r\n", b"OK", b"\r\n\r\n"])
async def test_what_is_no_bus_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, greeting: bytes) -> None:
    """It lets nobody in, says nothing more, or talks nonsense."""
    monkeypatch.setattr(bus, "DEADLINE", 0.2)
    there = usual()
    there.greeting = greeting

    async def serve(_: Firewalld) -> None:
        pytest.fail("nobody is there")

    async with listening(there, tmp_path / "bus") as path:
        await bus.talk(path, serve, told()[0])
    await bus.talk(tmp_path / "nothing", serve, told()[0])
    assert there.calls == []


async def test_a_stop_is_quiet_whatever_ends_first(tmp_path: Path) -> None:
    """Each stop of linkwright cancels all of it at once, in no order."""
    async with listening(usual(), tmp_path / "bus") as path:
        for _ in range(40):
            with trio.CancelScope() as scope:

                async def serve(_: Firewalld, scope: trio.CancelScope = scope) -> None:
                    scope.cancel()
                    await trio.sleep_forever()

                await bus.talk(path, serve, told()[0])
            assert scope.cancelled_caught
