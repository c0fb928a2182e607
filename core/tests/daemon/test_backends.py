"""IPAM back-ends: which one is found, what it is asked, and that what it does wrong harms its own calls only."""

from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any, ClassVar

import pytest
import trio

from linkwright.daemon import backends
from linkwright.daemon.backends import Backed, Installed
from linkwright.engine.registry import Origin
from linkwright.errors import Conflict, DriverFault, Refused, Unavailable
from linkwright.ipam import LOCAL, AddressRequest, Ledger, PoolRequest, docker_defaults
from linkwright.ipam.backend import API, AddressAsked, Backend, Builtin, Held, PoolAsked
from linkwright.model import LeaseKind
from linkwright.model.address import Address, Prefix
from linkwright.store import MemoryStore

POOL = ip_network("10.1.0.0/24")
ORIGIN = Origin("linkwright-ipam-paper", "1.2")


class Paper(Backend):
    """Answers what a test hands in, and notes what it is asked."""

    name: ClassVar[str] = "paper"

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answers: dict[str, Callable[[Any], Any]] = {}

    def pool(self, asked: PoolAsked) -> Prefix | None:
        """By itself, no opinion."""
        return self._answer("pool", asked)

    def address(self, asked: AddressAsked) -> Address | None:
        """By itself, no opinion."""
        return self._answer("address", asked)

    def settle(self, held: tuple[Held, ...]) -> None:
        """Note it."""
        self._answer("settle", held)

    def _answer(self, method: str, asked: Any) -> Any:
        self.asked.append(asked)
        return self.answers.get(method, lambda _: None)(asked)


@pytest.fixture
def paper() -> Paper:
    """A back-end."""
    return Paper()


async def here(question: Callable[[], Any]) -> Any:
    """Run it in the loop: the autojump clock does not see threads work."""
    await trio.lowlevel.checkpoint()
    return question()


def backed(paper: Paper, **more: Any) -> Backed:
    """A ledger with *paper* behind it, not running yet."""
    return Backed(
        Ledger(docker_defaults("a host")),
        **{
            "installed": Installed(paper, ORIGIN),
            "commit": MemoryStore().commit,
            "routes": _routes,
            "clock": lambda: 1_000_000.0,
            "somewhere": here,
            **more,
        },
    )


async def _routes() -> tuple[Prefix, ...]:
    return (ip_network("192.0.2.0/24"),)


@pytest.fixture
async def ipam(paper: Paper, nursery: trio.Nursery) -> Backed:
    """It runs, and Docker has come."""
    found = backed(paper)
    await nursery.start(found.run)
    found.begin_epoch("lw-ipam", "dockerd", activation=True)
    return found


async def pool(ipam: Backed, subnet: Any = POOL, **more: Any) -> str:
    """RequestPool."""
    held = await ipam.request_pool(PoolRequest(LOCAL, 4, subnet, listener="lw-ipam", **more))
    return held.id


# --- what it is asked ------------------------------------------------------------------------------------------------


async def test_a_new_pool_and_a_new_address_are_the_back_ends_to_choose(paper: Paper, ipam: Backed) -> None:
    """It is told what Docker asked, and what is taken; its options are its own."""
    paper.answers["pool"] = lambda _: ip_network("10.9.0.0/26")
    paper.answers["address"] = lambda asked: asked.pool[9]
    options = {"paper.rack": "7", "linkwright.sticky": "name"}
    held = await ipam.request_pool(PoolRequest(LOCAL, 4, size=26, options=options, listener="lw-ipam"))
    given = await ipam.request_address(AddressRequest(held.id, owner="web", listener="lw-ipam"))
    assert (held.subnet, held.options, given) == (
        ip_network("10.9.0.0/26"),
        {"linkwright.sticky": "name"},
        ip_interface("10.9.0.9/26"),
    )
    assert paper.asked == [
        PoolAsked(4, None, 26, None, {"paper.rack": "7"}, (ip_network("192.0.2.0/24"),)),
        AddressAsked(ip_network("10.9.0.0/26"), None, None, LeaseKind.ENDPOINT, "web"),
    ]


async def test_without_an_opinion_it_is_as_without_a_back_end(paper: Paper, ipam: Backed) -> None:
    """None leaves the choice to the ledger, ranges and all."""
    held = await pool(ipam, range=ip_network("10.1.0.64/26"))
    given = [await ipam.request_address(AddressRequest(held, listener="lw-ipam")) for _ in range(2)]
    assert given == [ip_interface("10.1.0.64/24"), ip_interface("10.1.0.65/24")]


async def test_what_is_held_is_not_asked_for_again(paper: Paper, ipam: Backed) -> None:
    """Docker's replay, and a second network on the pool: the ledger judges them, and the back-end hears nothing."""
    held = await pool(ipam)
    given = await ipam.request_address(AddressRequest(held, listener="lw-ipam"))
    paper.asked.clear()
    ipam.begin_epoch("lw-ipam", "the next dockerd", activation=True)
    assert await pool(ipam) == held
    assert await ipam.request_address(AddressRequest(held, given.ip, listener="lw-ipam")) == given
    with pytest.raises(Conflict):
        await ipam.request_address(AddressRequest(held, given.ip, listener="lw-ipam"))
    assert paper.asked == []


async def test_it_is_told_all_that_is_held(paper: Paper, ipam: Backed) -> None:
    """What was given back is not in it, and so free again; what it was told before does not matter."""
    held = await pool(ipam)
    one, two = [await ipam.request_address(AddressRequest(held, listener="lw-ipam")) for _ in range(2)]
    await ipam.settle()
    await ipam.release_address(held, one.ip)
    await ipam.settle()
    await ipam.release_address(held, two.ip)
    await ipam.release_pool(held)
    await ipam.settle()
    told = [asked for asked in paper.asked if isinstance(asked, tuple)]
    assert told == [(Held(POOL, frozenset({one.ip, two.ip})),), (Held(POOL, frozenset({two.ip})),), ()]


async def test_nothing_is_settled_while_an_address_is_on_its_way(
    paper: Paper, nursery: trio.Nursery, autojump_clock: object
) -> None:
    """What is reserved there and not yet stored here would be taken for free."""
    told: list[str] = []

    async def slowly(question: Callable[[], Any]) -> Any:
        await trio.sleep(1)
        return question()

    ipam = backed(paper, somewhere=slowly)
    await nursery.start(ipam.run)
    held = await pool(ipam)
    paper.answers["address"] = lambda asked: told.append("reserved") or asked.pool[5]  # type: ignore[func-returns-value]
    paper.answers["settle"] = lambda all_held: told.append(f"settled with {len(all_held[0].addresses)}")
    async with trio.open_nursery() as asking:
        asking.start_soon(ipam.request_address, AddressRequest(held))
        await trio.testing.wait_all_tasks_blocked()
        asking.start_soon(ipam.settle)
    assert told == ["reserved", "settled with 1"]


# --- what it does wrong ----------------------------------------------------------------------------------------------


def _raise(error: BaseException) -> Any:
    raise error


WRONG: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "raises": ("address", lambda _: _raise(KeyError("token")), "it raised KeyError: 'token'"),
    "quits": ("address", lambda _: _raise(SystemExit(3)), "it raised SystemExit: 3"),
    "an address from elsewhere": ("address", lambda _: ip_address("192.0.2.7"), "it answered IPv4Address('192.0.2.7')"),
    "a text": ("address", lambda _: "10.1.0.7", "it answered '10.1.0.7'"),
    "another pool": ("pool", lambda _: ip_network("10.2.0.0/24"), "asked for 10.1.0.0/24 it answered 10.2.0.0/24"),
    "another family": ("pool", lambda _: ip_network("fd00::/64"), "asked for an IPv4 pool it answered IPv6Network"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_what_it_does_wrong_is_told_with_its_package(paper: Paper, ipam: Backed, what: str) -> None:
    """The call fails, nothing is stored, and the next one is served."""
    method, answer, text = WRONG[what]
    held = await pool(ipam) if method == "address" else ""
    before = ipam.records()
    paper.answers[method] = answer
    with pytest.raises(DriverFault) as fault:
        await (ipam.request_address(AddressRequest(held)) if method == "address" else pool(ipam))
    assert str(fault.value).startswith("IPAM back-end paper of linkwright-ipam-paper 1.2 broke its contract: ")
    assert text in str(fault.value)
    assert ipam.records() == before
    paper.answers.clear()
    assert await pool(ipam)


async def test_what_it_refuses_is_for_dockers_user(paper: Paper, ipam: Backed) -> None:
    """In its own words."""
    held = await pool(ipam)
    paper.answers["address"] = lambda _: _raise(Conflict("10.1.0.7 is the printer's"))
    with pytest.raises(Conflict, match=r"^10\.1\.0\.7 is the printer's$"):
        await ipam.request_address(AddressRequest(held, ip_address("10.1.0.7")))


async def test_one_that_hangs_is_not_waited_for(paper: Paper, nursery: trio.Nursery, autojump_clock: object) -> None:
    """The call fails before Docker's own patience ends, and names it."""

    async def never(_: object) -> Any:
        await trio.sleep_forever()

    ipam = backed(paper, somewhere=never)
    await nursery.start(ipam.run)
    began = trio.current_time()
    with pytest.raises(Unavailable, match=r"IPAM back-end paper of linkwright-ipam-paper 1\.2 did not answer within 4"):
        await pool(ipam)
    assert trio.current_time() - began == pytest.approx(backends.DEADLINE)


async def test_in_a_thread_of_its_own_it_may_block(paper: Paper, nursery: trio.Nursery) -> None:
    """As the daemon has it: one that hangs takes no thread that the kernel's part or the store needs."""
    ipam = backed(paper, somewhere=None)
    await nursery.start(ipam.run)
    others = trio.to_thread.current_default_thread_limiter()
    taken: list[int] = []

    def choose(asked: AddressAsked) -> Any:
        taken.append(trio.from_thread.run_sync(lambda: others.borrowed_tokens))
        return asked.pool[3]

    paper.answers["address"] = choose
    assert await ipam.request_address(AddressRequest(await pool(ipam))) == ip_interface("10.1.0.3/24")
    assert taken == [0]


# --- which one is found ----------------------------------------------------------------------------------------------


def offered(folder: Path, value: str, *, version: str = "1.2") -> Path:
    """Make a distribution that offers *value* as ``paper``."""
    info = folder / f"linkwright_ipam_paper-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: linkwright-ipam-paper\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[linkwright.ipam]\npaper = {value}\n")
    return folder


def test_it_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the package that it came in."""
    monkeypatch.syspath_prepend(str(offered(tmp_path, f"{__name__}:Paper")))
    found = backends.find("paper")
    assert (type(found.backend), str(found)) == (Paper, "IPAM back-end paper of linkwright-ipam-paper 1.2")
    assert isinstance(backends.find("builtin").backend, Builtin)


def test_one_that_is_not_there_is_refused_with_what_to_install() -> None:
    """And those that there are."""
    with pytest.raises(Refused, match=r"there are: .*builtin.*; pip install linkwright-ipam-netbox"):
        backends.find("netbox")


def test_one_that_cannot_be_imported_names_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a driver does."""
    monkeypatch.syspath_prepend(str(offered(tmp_path, "nowhere.to.be.found:Paper")))
    with pytest.raises(DriverFault, match=r"of linkwright-ipam-paper 1\.2 is not loaded: importing nowhere"):
        backends.find("paper")


class Half(Backend):
    """Not all of it."""

    name: ClassVar[str] = "paper"


BROKEN: dict[str, tuple[Any, str]] = {
    "no class": (Paper(), "no subclass"),
    "another class": (dict, "no subclass"),
    "another contract": (type("New", (Paper,), {"api": API + 1}), "contract version"),
    "another name": (type("Other", (Paper,), {"name": "other"}), "name is not its entry point's"),
    "half of it": (Half, "leaves methods"),
    "cannot be made": (type("Bad", (Paper,), {"__init__": lambda _: _raise(ValueError("no token"))}), "no token"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_one_that_breaks_a_rule_is_refused_by_it(how: str) -> None:
    """With its package and version."""
    candidate, text = BROKEN[how]
    with pytest.raises(DriverFault, match=text) as fault:
        backends.register("paper", candidate, ORIGIN)
    assert str(fault.value).startswith("IPAM back-end 'paper' of linkwright-ipam-paper 1.2 is not loaded: ")


def test_what_it_needs_it_may_ask_for_in_its_own_words() -> None:
    """A token that is missing is the operator's business."""
    with pytest.raises(Refused, match=r"^set PAPER_TOKEN$"):
        backends.register(
            "paper", type("Wanting", (Paper,), {"__init__": lambda _: _raise(Refused("set PAPER_TOKEN"))}), ORIGIN
        )
