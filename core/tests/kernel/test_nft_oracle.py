"""Our bytes against nft(8) and pyroute2, both ways: what we write they read as meant, what they write we read."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_NEWSETELEM, nft_set_elem_list_msg

from linkwright.kernel.netlink import NLM_F_CREATE, text
from linkwright.kernel.netns import enter
from linkwright.kernel.nftables import expressions, installed, messages
from linkwright.kernel.nftables import nfnetlink as nf
from linkwright.kernel.nftables.numbers import Kind, RuleAttribute
from linkwright.kernel.nftables.table import Chain, Set, Table
from linkwright.kernel.nftables.text import render
from linkwright.kernel.nftables.transport import Transport
from linkwright.kernel.ruleset import ruleset
from linkwright.plan.resources import Element
from linkwright.testkit.namespaces import Namespace

pytestmark = pytest.mark.netns

#: Every type in our table, alone and in concatenations, as set and as map.
TYPES = Table(
    "types",
    (
        Set("names", ("ifname",)),
        Set("four", ("ipv4_addr",)),
        Set("six", ("ipv6_addr",)),
        Set("hardware", ("ether_addr",)),
        Set("services", ("inet_proto", "inet_service")),
        Set("spoof", ("ifname", "ether_addr", "ipv4_addr")),
        Set("ports", ("inet_service",), ("ipv4_addr", "inet_service")),
        Set("any", ("inet_proto", "inet_service"), ("ipv6_addr", "inet_service")),
        Set("some", ("ipv4_addr", "inet_proto", "inet_service"), ("ipv4_addr", "inet_service")),
        Set("some6", ("ipv6_addr", "inet_service"), ("ipv6_addr",)),
    ),
)
MEMBERS = (
    Element("names", ("lwbr-0123456789",)),
    Element("names", ("a",)),
    Element("four", ("192.0.2.1",)),
    Element("six", ("2001:db8::1",)),
    Element("hardware", ("02:42:0a:00:00:02",)),
    Element("services", ("sctp", "80")),
    Element("services", ("tcp", "65535")),
    Element("spoof", ("veth0", "02:42:0a:00:00:02", "10.0.0.2")),
    Element("ports", ("8080",), ("10.0.0.2", "80")),
    Element("any", ("tcp", "8000"), ("fd00::2", "80")),
    Element("any", ("udp", "53"), ("fd00::2", "53")),
    Element("some", ("192.0.2.1", "tcp", "8080"), ("10.0.0.2", "80")),
    Element("some", ("198.51.100.1", "udp", "1"), ("10.0.0.3", "1")),
    Element("some", ("203.0.113.7", "sctp", "9"), ("10.0.0.3", "9")),
    Element("some6", ("2001:db8::1", "443"), ("fd00::2",)),
)


def normal(listing: str) -> str:
    """The same listing with the elements of each set in the order of their text."""

    def in_order(found: re.Match[str]) -> str:
        return "elements = { " + ",\n".join(sorted(re.split(r",\s*", found[1].strip()))) + " }"

    return re.sub(r"elements = \{(.*?)\}", in_order, listing, flags=re.DOTALL)


@pytest.fixture
def transport(namespace: Namespace) -> Iterator[Transport]:
    """A socket in a namespace of the test's own."""

    def inside() -> Transport:
        enter(namespace.path)
        return Transport()

    with ThreadPoolExecutor(1) as pool:
        opened = pool.submit(inside).result()
    yield opened
    opened.close()


#: An element for each set and map of our tables, of both families where there are two.
EACH = (
    Element("bridges", ("lw0",)),
    Element("siblings", ("lw0", "lw0")),
    Element("outward", ("lw0",)),
    Element("hairpin", ("lw0", "lw0")),
    Element("others", ("docker0",)),
    Element("trusted", ("eth1", "lw0")),
    *(Element(f"{name}{version}", ("lw0",)) for name in ("unprotected", "routed", "masquerade") for version in (4, 6)),
    Element("open4", ("10.0.0.2", "tcp", "80")),
    Element("open6", ("fd00::2", "sctp", "9")),
    Element("source4", ("lw0",), ("192.0.2.7",)),
    Element("source6", ("lw0",), ("2001:db8::7",)),
    Element("published4", ("192.0.2.1", "udp", "53"), ("10.0.0.2", "5353")),
    Element("published6", ("2001:db8::1", "tcp", "8080"), ("fd00::2", "80")),
    Element("wildcard4", ("tcp", "8080"), ("10.0.0.2", "80")),
    Element("wildcard6", ("udp", "53"), ("fd00::2", "5353")),
    Element("relayed6", ("2001:db8::1", "tcp", "8080")),
    Element("relayed_wildcard6", ("udp", "53")),
    Element("checked", ("veth0",)),
    Element("macs", ("veth0", "02:42:0a:00:00:02")),
    Element("senders4", ("veth0", "10.0.0.2")),
    Element("senders6", ("veth0", "fd00::2")),
)


@pytest.mark.parametrize("guard", [False, True])
def test_what_we_install_nft_lists_as_we_print_it(namespace: Namespace, transport: Transport, guard: bool) -> None:
    """The text in the documentation is what an administrator sees on the host."""
    tables = ruleset("one-two", guard=guard)
    for table in tables:
        assert transport.transact(list(messages.install(table))) == ()
    assert namespace.run("nft", "list", "ruleset") == render(tables)


@pytest.mark.parametrize("guard", [False, True])
def test_what_nft_installs_from_our_text_we_find_right(namespace: Namespace, transport: Transport, guard: bool) -> None:
    """The same text through nft gives, expression by expression, what our own codec would have sent.

    So a host that saves its rules with ``nft list ruleset`` and loads them when it starts has ours as they were.
    """
    tables = ruleset(guard=guard)
    namespace.run("nft", "-f", "-", stdin=render(tables, EACH))
    assert all(installed.is_right(transport, table) for table in tables)
    assert set(EACH) == {element for table in tables for element in installed.elements(transport, table)}


def test_there_is_an_element_for_each_set_here() -> None:
    """A new set of our tables gets its row above."""
    assert {element.set for element in EACH} == {one.name for table in ruleset() for one in table.sets}


def test_names_of_sets_are_unique_over_the_tables() -> None:
    """An element names a set and no table."""
    names = [one.name for table in ruleset() for one in table.sets]
    assert len(names) == len(set(names))


def test_elements_of_every_type_are_listed_as_we_print_them(namespace: Namespace, transport: Transport) -> None:
    """Sets, maps, concatenations and ranges that we add are those that nft shows."""
    requests = [*messages.install(TYPES), *(messages.new_element(TYPES, element) for element in MEMBERS)]
    assert transport.transact(requests) == ()
    assert normal(namespace.run("nft", "list", "table", "inet", "types")) == normal(render([TYPES], MEMBERS))


def test_elements_of_every_type_that_nft_adds_we_read_back(namespace: Namespace, transport: Transport) -> None:
    """What nft makes of our text reads back as the same values, and can be deleted by our key."""
    namespace.run("nft", "-f", "-", stdin=render([TYPES], MEMBERS))
    assert set(MEMBERS) == set(installed.elements(transport, TYPES))
    assert transport.transact([messages.delete_element(TYPES, element) for element in MEMBERS]) == ()
    assert set() == set(installed.elements(transport, TYPES))


FOREIGN_TABLE = """
table inet t {
    map ports { type inet_service : ipv4_addr . inet_service; }
    map some { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
    set known { type ipv4_addr . inet_proto . inet_service; }
    chain other { }
    chain a {
        type nat hook prerouting priority dstnat; policy accept;
        RULE
    }
    chain b { type nat hook prerouting priority dstnat; policy accept; }
}
"""


@pytest.mark.parametrize(
    "rule",
    [
        "meta l4proto tcp dnat ip to tcp dport map @ports",
        "fib daddr type local ip daddr . meta l4proto . th dport @known accept",
        "meta l4proto udp fib daddr type local dnat ip to ip daddr . meta l4proto . th dport map @some",
        "ct direction reply ip6 saddr fe80::/10 return",
        "ct mark != 0x00000005 jump other",
    ],
)
def test_expressions_read_and_sent_again_say_the_same(namespace: Namespace, transport: Transport, rule: str) -> None:
    """Each expression of the table survives reading and packing, those too that no rule of ours uses yet."""
    namespace.run("nft", "-f", "-", stdin=FOREIGN_TABLE.replace("RULE", rule))
    table = Table("t", chains=(Chain("a"),))
    (reply,) = transport.dump(messages.of_table(Kind.GETRULE, table))
    _, said = messages.read_rule(reply)
    body = text(RuleAttribute.TABLE, "t") + text(RuleAttribute.CHAIN, "b")
    again = nf.Request(Kind.NEWRULE, 1, body + expressions.pack(said, RuleAttribute.EXPRESSIONS), NLM_F_CREATE)
    assert transport.transact([again]) == ()
    a, b = (namespace.run("nft", "list", "chain", "inet", "t", name).splitlines()[3] for name in "ab")
    assert a == b
    assert rule.rsplit(maxsplit=1)[-1] in b


def test_pyroute2_reads_our_elements_as_meant() -> None:
    """A second reader of the same bytes: table, set, key and data of a map element."""
    request = messages.new_element(TYPES, Element("ports", ("8080",), ("10.0.0.2", "80")))
    read = nft_set_elem_list_msg(request.framed(7))
    read.decode()
    assert (read["header"]["type"], read["header"]["sequence_number"]) == (10 << 8 | NFT_MSG_NEWSETELEM, 7)
    assert (read.get_attr("NFTA_SET_ELEM_LIST_TABLE"), read.get_attr("NFTA_SET_ELEM_LIST_SET")) == ("types", "ports")
    (element,) = read.get_attr("NFTA_SET_ELEM_LIST_ELEMENTS")
    assert bytes(element.get_attr("NFTA_SET_ELEM_KEY").get_attr("NFTA_DATA_VALUE")) == b"\x1f\x90"
    data = bytes(element.get_attr("NFTA_SET_ELEM_DATA").get_attr("NFTA_DATA_VALUE"))
    assert data == bytes([10, 0, 0, 2, 0, 80, 0, 0])


def test_pyroute2_writes_an_element_that_we_read() -> None:
    """And a second writer: what it packs is what we would have."""
    value = {"attrs": [["NFTA_DATA_VALUE", b"lw0".ljust(16, b"\0")]]}
    message = nft_set_elem_list_msg()
    message["attrs"] = [
        ["NFTA_SET_ELEM_LIST_TABLE", "types"],
        ["NFTA_SET_ELEM_LIST_SET", "names"],
        ["NFTA_SET_ELEM_LIST_ELEMENTS", [{"attrs": [["NFTA_SET_ELEM_KEY", value]]}]],
    ]
    message["nfgen_family"] = 1
    message.encode()
    ours = messages.new_element(TYPES, Element("names", ("lw0",)))
    # After both headers; pyroute2 does not set the flag that marks an attribute as nested.
    assert bytes(message.data)[20:].replace(b"\x80", b"\0") == ours.framed(0)[20:].replace(b"\x80", b"\0")
