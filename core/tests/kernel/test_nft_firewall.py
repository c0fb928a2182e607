"""The firewall service on the real kernel: what it puts there, keeps, replaces, refuses and undoes."""

import errno
import re
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from typing import cast

import pytest
import trio
from attrs import evolve

from linkwright.errors import KernelError, Stopping, Unavailable
from linkwright.kernel.netlink import Message
from linkwright.kernel.netns import enter
from linkwright.kernel.nftables.firewall import Firewall
from linkwright.kernel.nftables.keeper import Keeper
from linkwright.kernel.nftables.nfnetlink import Request
from linkwright.kernel.nftables.numbers import Family
from linkwright.kernel.nftables.text import render
from linkwright.kernel.nftables.transport import Transport
from linkwright.kernel.ruleset import ruleset
from linkwright.plan.resources import Element, Link, Resource
from linkwright.plan.steps import Action, Step, undo
from linkwright.testkit.namespaces import Namespace

pytestmark = pytest.mark.netns

LW0, LW1 = Element("bridges", ("lw0",)), Element("bridges", ("lw1",))
PAIR = Element("siblings", ("lw0", "lw1"))
PORT = Element("wildcard4", ("tcp", "8080"), ("10.0.0.2", "80"))
#: Of the other table, that of family bridge.
SENDER = Element("senders4", ("veth0", "10.0.0.2"))
WEB = Element("published4", ("203.0.113.7", "tcp", "80"), ("10.0.0.2", "8080"))
DNS = Element("published4", ("192.0.2.1", "udp", "53"), ("10.0.0.3", "53"))


def create(*elements: Element) -> list[Step]:
    """Steps that add *elements*."""
    return [Step(Action.CREATE, element) for element in elements]


def delete(*elements: Element) -> list[Step]:
    """Steps that delete *elements*."""
    return [Step(Action.DELETE, element) for element in elements]


def listed(namespace: Namespace) -> str:
    """Our tables as nft shows them, with names for nothing. What nft lists first depends on which was made last."""
    return "".join(namespace.run("nft", "-n", "list", "table", family, "linkwright") for family in ("inet", "bridge"))


@pytest.fixture
async def firewall(namespace: Namespace) -> AsyncIterator[Firewall]:
    """A firewall in a namespace of the test's own, with nothing there yet."""
    async with Firewall(ruleset(), netns=namespace.path) as opened:
        yield opened


async def test_the_table_is_made_once(namespace: Namespace, firewall: Firewall) -> None:
    """Where nothing is, the tables are put; where they are right already, nothing is done, elements or not."""
    assert await firewall.prepare() is True
    await firewall.apply(create(LW0, SENDER))
    assert await firewall.prepare() is False
    assert await firewall.elements() == {LW0, SENDER}
    assert namespace.run("nft", "list", "ruleset") == render(ruleset(), [LW0, SENDER])


_LIST = ("list", "chain", "inet", "linkwright")
#: What stands for a rule in a command; the chain it is in, and how it ends (the first of those).
_RULES = (
    ("first", "from_ours", "goto permit"),
    ("masquerade", "postrouting", "masquerade"),
    ("snat", "postrouting", "@source4"),
)


@pytest.mark.parametrize(
    "command",
    [
        "flush ruleset",
        "delete table inet linkwright",
        "flush chain inet linkwright forward",
        "insert rule inet linkwright forward accept",
        "add rule inet linkwright permit accept",
        "add chain inet linkwright more",
        "add set inet linkwright more { type ifname; }",
        "delete rule inet linkwright <first>",
        "replace rule inet linkwright <first> iifname . oifname != @siblings goto permit",
        "add table inet linkwright { flags dormant; }",
        "flush chain inet linkwright postrouting; delete chain inet linkwright postrouting",
        "add chain inet linkwright forward { type filter hook forward priority filter - 10; policy drop; }",
        "add counter inet linkwright more",
        "add quota inet linkwright more { over 1 mbytes }",
        "delete table bridge linkwright",
        "flush chain bridge linkwright spoofed",
        "add rule bridge linkwright check accept",
        "add set bridge linkwright more { type ifname; }",
        "replace rule inet linkwright <masquerade> iif 0 oifname @bridges ct status dnat masquerade random",
        "replace rule inet linkwright <snat> oifname != @bridges snat ip to iifname map @source4 persistent",
    ],
)
async def test_whatever_others_do_to_it_is_seen_and_put_right(
    namespace: Namespace, firewall: Firewall, command: str
) -> None:
    """One rule or chain more, less or other, and the table is not right; preparing makes it exactly what it was."""
    await firewall.prepare()
    before = listed(namespace)
    rules = {
        name: f"{chain} {re.findall(f'{ending} # (handle [0-9]+)', namespace.run('nft', '-a', *_LIST, chain))[0]}"
        for name, chain, ending in _RULES
    }
    namespace.run("nft", re.sub(r"<(\w+)>", lambda found: rules[found[1]], command))
    assert await firewall.prepare() is True
    assert listed(namespace) == before


async def test_replacing_a_table_keeps_the_elements(namespace: Namespace, firewall: Firewall) -> None:
    """A daemon of another version, or with other settings, takes over a live host without a gap in isolation."""
    await firewall.prepare()
    await firewall.apply(create(LW0, LW1, PAIR, PORT, SENDER))
    async with Firewall(ruleset(guard=True, mark_bit=0x400), netns=namespace.path) as successor:
        assert await successor.prepare() is True
        assert await successor.elements() == {LW0, LW1, PAIR, PORT, SENDER}
        listed = namespace.run("nft", "list", "table", "inet", "linkwright")
        assert "0x00000400" in listed
        assert 'iifkind "bridge"' in listed
    assert await firewall.prepare() is True


async def test_elements_of_a_set_of_another_type_are_not_kept(namespace: Namespace, firewall: Firewall) -> None:
    """A table of our name that is somebody else's work is replaced by ours; what cannot be an element of ours goes."""
    namespace.run(
        "nft", "add table inet linkwright { set bridges { type ipv4_addr; elements = { 192.0.2.1 } }; chain own { }; }"
    )
    assert await firewall.elements() == frozenset()
    assert await firewall.elements_of([LW0.key]) == frozenset()
    assert await firewall.prepare() is True
    assert namespace.run("nft", "list", "ruleset") == render(ruleset())


async def test_an_element_that_matches_everything_is_found_and_deleted(
    namespace: Namespace, firewall: Firewall
) -> None:
    """Others can add one, to sets and maps, with a key of one part or more; it is read, swept, and never wished for."""
    await firewall.prepare()
    await firewall.apply(create(LW0))
    for added in ("bridges { * }", "siblings { * }", "wildcard4 { * : 10.0.0.2 . 80 }"):
        namespace.run("nft", f"add element inet linkwright {added}")
    every = {Element("bridges", ("*",)), Element("siblings", ("*",)), evolve(PORT, parts=("*",))}
    assert await firewall.elements() == {LW0, *every}
    assert await firewall.elements_of([element.key for element in every]) == every
    await firewall.apply(delete(*every))
    assert await firewall.elements() == {LW0}
    assert await firewall.elements_of([element.key for element in every]) == frozenset()
    for element in every:
        with pytest.raises(ValueError, match=r"'\*'"):
            await firewall.apply(create(element))


async def test_replacing_a_table_keeps_no_element_that_cannot_be_ours(namespace: Namespace, firewall: Firewall) -> None:
    """What no wish could have put there goes with the table, and is no reason to leave that as it is."""
    await firewall.prepare()
    await firewall.apply(create(LW0))
    namespace.run("nft", "add element inet linkwright bridges { * }; add chain inet linkwright more")
    assert await firewall.prepare() is True
    assert await firewall.elements() == {LW0}


async def test_other_tables_are_never_touched(namespace: Namespace, firewall: Firewall) -> None:
    """Making, replacing and removing ours leaves another table, and another instance's, as they were."""
    namespace.run("nft", "add table inet theirs { chain c { type filter hook forward priority 0; policy drop; }; }")
    async with Firewall(ruleset("b"), netns=namespace.path) as other:
        await other.prepare()
        await other.apply(create(LW1))
        before = namespace.run("nft", "list", "ruleset")
        await firewall.prepare()
        await firewall.apply(create(LW0))
        await firewall.remove()
        assert before == namespace.run("nft", "list", "ruleset")
        assert await other.elements() == {LW1}


async def test_removing_what_is_not_there_succeeds(namespace: Namespace, firewall: Firewall) -> None:
    """Uninstalling twice is no error, and leaves nothing."""
    await firewall.prepare()
    await firewall.remove()
    await firewall.remove()
    assert namespace.run("nft", "list", "ruleset") == ""
    assert await firewall.elements() == frozenset()


async def test_adding_twice_and_deleting_twice_are_fine(firewall: Firewall) -> None:
    """Every call may come twice; an element that is there or is gone already is what was asked for."""
    await firewall.prepare()
    await firewall.apply(create(LW0, PAIR))
    await firewall.apply(create(LW0, LW1))
    await firewall.apply(delete(LW0))
    await firewall.apply([*delete(LW0, PAIR), *create(LW0)])
    assert await firewall.elements() == {LW0, LW1}


async def test_b_23_elements_go_into_a_table_made_anew(namespace: Namespace, firewall: Firewall) -> None:
    """Somebody flushes the rule set between two steps: the next one finds the table missing and makes it first."""
    await firewall.prepare()
    namespace.run("nft", "flush", "ruleset")
    await firewall.apply([*delete(LW1), *create(LW0)])
    assert await firewall.prepare() is False
    assert await firewall.elements() == {LW0}


async def test_both_tables_change_in_one_transaction(firewall: Firewall) -> None:
    """What cannot be in one table is not done in the other either; what can, whole."""
    await firewall.prepare()
    await firewall.apply(create(PORT))
    with pytest.raises(KernelError, match=r"add element inet linkwright wildcard4"):
        await firewall.apply(create(SENDER, evolve(PORT, data=("10.0.0.9", "80"))))
    assert await firewall.elements() == {PORT}
    await firewall.apply([*create(SENDER, LW0), *delete(PORT)])
    assert await firewall.elements() == {SENDER, LW0}


async def test_elements_are_read_by_their_keys(firewall: Firewall) -> None:
    """Of what is asked for that which is there, with its data, from either table; what cannot be there is not."""
    await firewall.prepare()
    await firewall.apply(create(LW0, LW1, PAIR, PORT, SENDER))
    absent = [("element", "bridges", "lw9"), ("element", "wildcard4", "udp", "8080")]
    impossible = [("element", "nonsense", "a"), ("element", "bridges", "a", "b"), ("link", "lw0")]
    keys = [LW0.key, PAIR.key, PORT.key, SENDER.key, *absent, *impossible]
    assert await firewall.elements_of(keys) == {LW0, PAIR, PORT, SENDER}
    assert await firewall.elements_of([]) == frozenset()


async def test_reading_by_key_before_there_is_a_table_finds_nothing(firewall: Firewall) -> None:
    """After a flush the elements are not there, which is no error."""
    assert await firewall.elements_of([LW0.key, SENDER.key]) == frozenset()


async def test_many_elements_are_read_by_key_without_reading_all(firewall: Firewall, namespace: Namespace) -> None:
    """Any number of keys is answered and nothing is ever listed, so one port costs the same beside ten thousand."""
    await firewall.prepare()
    many = [evolve(PORT, parts=("tcp", str(port))) for port in range(1, 1001)]
    await firewall.apply(create(*many))
    with ThreadPoolExecutor(1) as pool:
        transport = pool.submit(_WithoutDumps, namespace.path).result()
        asked = [evolve(PORT, parts=("tcp", str(port))).key for port in range(500, 1500)]
        assert Keeper(transport, ruleset()).elements_of(asked) == set(many[499:])
        transport.close()


class _WithoutDumps(Transport):
    """A socket in another namespace that lists nothing."""

    def __init__(self, path: str) -> None:
        enter(path)
        super().__init__()

    def dump(self, request: Request) -> list[Message]:
        raise AssertionError(f"asked for a list: {request}")


class _NoFamily(IntEnum):
    """A family that no kernel has tables for (NFPROTO_DECNET, gone since Linux 6.1)."""

    DECNET = 12


async def test_a_kernel_without_the_family_is_told_when_it_is_needed(namespace: Namespace) -> None:
    """Without nf_tables for bridges all goes on but the spoof check, whose wish is refused in words."""
    inet, bridge = ruleset()
    unknown = evolve(bridge, family=cast("Family", _NoFamily.DECNET))
    async with Firewall([inet, unknown], netns=namespace.path) as firewall:
        assert await firewall.prepare() is True
        assert await firewall.prepare() is False
        await firewall.apply([*create(LW0), *delete(SENDER)])
        with pytest.raises(KernelError, match=r"senders4.*no nf_tables of family decnet.*spoof check") as caught:
            await firewall.apply(create(LW1, SENDER))
        assert caught.value.code == errno.EOPNOTSUPP
        assert await firewall.elements() == {LW0}
        assert await firewall.elements_of([LW0.key, SENDER.key]) == {LW0}
        assert set(await firewall.drops()) == {"isolation", "loopback"}
        await firewall.remove()
    async with Firewall([inet, unknown], netns=namespace.path) as firewall:  # the wish comes before anything else
        with pytest.raises(KernelError, match="spoof check"):
            await firewall.apply(create(SENDER))


async def test_drops_are_counted_from_zero_by_reason(namespace: Namespace, firewall: Firewall) -> None:
    """Each reason is there from the start, the guard's only where it guards; without tables there is none."""
    assert await firewall.drops() == {}
    await firewall.prepare()
    assert await firewall.drops() == {"isolation": 0, "loopback": 0, "spoof": 0}
    async with Firewall(ruleset(guard=True), netns=namespace.path) as guarding:
        await guarding.prepare()
        assert await guarding.drops() == {"isolation": 0, "loopback": 0, "guard": 0, "spoof": 0}


async def test_a_wrong_step_is_refused_before_anything_is_done(firewall: Firewall) -> None:
    """What is no element, of no set of ours, of the wrong shape or oddly spelt never reaches the kernel."""
    await firewall.prepare()
    wrong: list[Resource] = [
        Link("lw0"),
        Element("nonsense", ("lw0",)),
        Element("bridges", ("lw0", "lw1")),
        Element("bridges", ("a-name-of-sixteen",)),
        Element("bridges", ("lw0",), ("accept",)),
    ]
    for resource in wrong:
        with pytest.raises(ValueError, match=r"lw0|sixteen"):
            await firewall.apply([*create(LW0), Step(Action.CREATE, resource)])
    assert await firewall.elements() == frozenset()


async def test_a_namespace_that_is_gone_is_told_on_entering() -> None:
    """Opening says what it tried and what came back, and leaves no thread behind."""
    with pytest.raises(Unavailable, match=r"network namespace /run/netns/lwt-not-there.*No such file"):
        await Firewall(ruleset(), netns="/run/netns/lwt-not-there").__aenter__()
    assert "linkwright-nft" not in {thread.name for thread in threading.enumerate()}


async def test_a_firewall_that_was_left_takes_no_work(namespace: Namespace) -> None:
    """After leaving, a call is refused at once and does not wait for ever."""
    async with Firewall(ruleset(), netns=namespace.path) as firewall:
        await firewall.prepare()
    with pytest.raises(Stopping):
        await firewall.elements()


async def test_a_key_with_other_data_fails_the_whole_transaction(firewall: Firewall) -> None:
    """Two containers cannot have one port: the second is told which, and nothing of its transaction is done."""
    await firewall.apply(create(WEB))
    with pytest.raises(
        KernelError, match=r"add element inet linkwright published4 .*203\.0\.113\.7.*other data"
    ) as caught:
        await firewall.apply(create(DNS, evolve(WEB, data=("10.0.0.9", "80"))))
    assert caught.value.code == errno.EEXIST
    assert await firewall.elements() == {WEB}


async def test_a_change_gives_the_key_its_new_data(firewall: Firewall) -> None:
    """A change is one transaction: no packet finds the key missing, and one that was not there is only added."""
    await firewall.apply(create(WEB, DNS))
    moved = evolve(WEB, data=("10.0.0.9", "80"))
    await firewall.apply([Step(Action.CHANGE, moved, WEB)])
    assert await firewall.elements() == {moved, DNS}
    await firewall.apply([*delete(DNS), Step(Action.CHANGE, DNS, evolve(DNS, data=("10.0.0.1", "1")))])
    assert await firewall.elements() == {moved, DNS}


async def test_what_is_done_can_be_undone(firewall: Firewall) -> None:
    """The inverse steps, last first, leave the table as it was."""
    await firewall.apply(create(DNS))
    done = [*create(WEB), Step(Action.CHANGE, evolve(DNS, data=("10.0.0.9", "53")), DNS)]
    await firewall.apply(done)
    await firewall.apply(undo(done))
    assert await firewall.elements() == {DNS}


async def test_ten_thousand_elements_are_one_transaction(firewall: Firewall) -> None:
    """A host with many networks is put right in one batch, and read in one dump, elements absent and equal among it."""
    await firewall.prepare()
    many = {Element("siblings", (f"lw{n // 100}", f"lw{n % 100}")) for n in range(10_000)}
    await firewall.apply(create(*sorted(many, key=lambda element: element.parts)))
    assert await firewall.elements() == many
    gone = {element for element in many if element.parts[0] == element.parts[1]}
    await firewall.apply(delete(*gone, LW0))
    assert await firewall.elements() == many - gone


async def test_a_cancelled_transaction_leaves_nothing(firewall: Firewall) -> None:
    """At whatever moment the caller is cancelled: either it returns and all is done, or nothing is."""
    await firewall.prepare()
    wanted = {Element("siblings", ("lw0", f"lw{n}")) for n in range(300)}  # so many that it takes a while
    with trio.CancelScope() as scope:
        scope.cancel()
        await firewall.apply(create(*wanted))
    assert await firewall.elements() == set()
    outcomes: list[bool] = []
    while outcomes.count(True) < 5:
        done = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_after, 20 * len(outcomes), nursery.cancel_scope)
            await firewall.apply(create(*wanted))
            done = True
            nursery.cancel_scope.cancel()
        outcomes.append(done)
        assert await firewall.elements() == (wanted if done else set())
        await firewall.apply(delete(*wanted))


async def _cancel_after(checkpoints: int, scope: trio.CancelScope) -> None:
    for _ in range(checkpoints):
        await trio.lowlevel.checkpoint()
    scope.cancel()


async def test_several_callers_are_served_in_order(firewall: Firewall) -> None:
    """Tasks that ask at once do not mix: each transaction is whole."""
    await firewall.prepare()
    async with trio.open_nursery() as nursery:
        for n in range(50):
            pair = (Element("bridges", (f"lw{n}",)), Element("outward", (f"lw{n}",)))
            nursery.start_soon(firewall.apply, create(*pair))
    found = await firewall.elements()
    assert len(found) == 100
