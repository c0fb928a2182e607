"""What we answer: the JSON that Docker reads, and the mistakes that cannot be made."""

import json
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network, ip_address
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkwright.model import Mac, PortBinding, Protocol
from linkwright.wire import Api, Reply, encode, encode_failure
from linkwright.wire.replies import (
    ActivateReply,
    AddressReply,
    AddressSpacesReply,
    AllocateReply,
    CapabilitiesReply,
    Empty,
    EndpointInfoReply,
    EndpointReply,
    GwAllocReply,
    IpamCapabilitiesReply,
    JoinReply,
    PoolReply,
    Scope,
    StaticRoute,
)
from linkwright.wire.requests import CreateEndpoint

MAC = Mac.parse("02:42:0a:3c:07:07")
IPV4 = IPv4Interface("10.60.7.7/16")
IPV6 = IPv6Interface("fd00:60::77/64")
OPEN = CreateEndpoint("n1", "e1")
GIVEN = CreateEndpoint("n1", "e1", ipv4=IPV4, ipv6=IPV6, mac=MAC)

GOLDEN: list[tuple[Reply, str]] = [
    (Empty(), "{}"),
    (
        ActivateReply((Api.NETWORK_DRIVER, Api.IPAM_DRIVER)),
        '{"Implements":["NetworkDriver","IpamDriver"]}',
    ),
    (
        CapabilitiesReply(connectivity=Scope.GLOBAL, checks_gateway=True),
        '{"Scope":"local","ConnectivityScope":"global","GwAllocChecker":true}',
    ),
    (GwAllocReply(skip_ipv4=True), '{"SkipIPv4":true,"SkipIPv6":false}'),
    (AllocateReply({"vni": "4097"}), '{"Options":{"vni":"4097"}}'),
    (EndpointReply(OPEN, mac=MAC), '{"Interface":{"MacAddress":"02:42:0a:3c:07:07"}}'),
    (
        EndpointReply(OPEN, mac=MAC, ipv4=IPV4, ipv6=IPV6),
        '{"Interface":{"Address":"10.60.7.7/16","AddressIPv6":"fd00:60::77/64","MacAddress":"02:42:0a:3c:07:07"}}',
    ),
    (EndpointReply(OPEN), "{}"),
    (EndpointInfoReply(), '{"Value":{}}'),
    (EndpointInfoReply({"link": "lw70fd"}), '{"Value":{"link":"lw70fd"}}'),
    (EndpointInfoReply({}, ports=()), '{"Value":{"com.docker.network.portmap":[]}}'),
    (
        EndpointInfoReply(
            {},
            ports=(
                PortBinding(Protocol.TCP, 80, ip_address("0.0.0.0"), 8080, 8080),
                PortBinding(Protocol.UDP, 53, ip_address("::"), 5353),
                PortBinding(Protocol.SCTP, 9, None, 9),
            ),
            addresses=(ip_address("10.1.0.2"),),
        ),
        (
            '{"Value":{"com.docker.network.portmap":['
            '{"Proto":6,"IP":"10.1.0.2","Port":80,"HostIP":"0.0.0.0","HostPort":8080,"HostPortEnd":8080},'
            '{"Proto":17,"IP":"10.1.0.2","Port":53,"HostIP":"::","HostPort":5353,"HostPortEnd":5353},'
            '{"Proto":132,"IP":"10.1.0.2","Port":9,"HostIP":"","HostPort":9,"HostPortEnd":9}]}}'
        ),
    ),
    (JoinReply(), "{}"),
    (
        JoinReply(source="lw70fd", disable_gateway_service=True),
        '{"InterfaceName":{"SrcName":"lw70fd","DstPrefix":"eth"},"DisableGatewayService":true}',
    ),
    (
        JoinReply(
            source="lw70fd",
            prefix="net",
            name="foo0",
            gateway4=IPv4Address("10.60.5.254"),
            gateway6=IPv6Address("fd00:60::1"),
            routes=(
                StaticRoute(IPv4Network("10.99.0.0/16"), IPv4Address("10.60.0.9")),
                StaticRoute(IPv6Network("fd00:99::/64")),
            ),
        ),
        (
            '{"InterfaceName":{"SrcName":"lw70fd","DstPrefix":"net","DstName":"foo0"},'
            '"Gateway":"10.60.5.254","GatewayIPv6":"fd00:60::1",'
            '"StaticRoutes":[{"Destination":"10.99.0.0/16","RouteType":0,"NextHop":"10.60.0.9"},'
            '{"Destination":"fd00:99::/64","RouteType":1}]}'
        ),
    ),
    (
        IpamCapabilitiesReply(requires_replay=True),
        '{"RequiresMACAddress":false,"RequiresRequestReplay":true}',
    ),
    (
        AddressSpacesReply("local", "global"),
        '{"LocalDefaultAddressSpace":"local","GlobalDefaultAddressSpace":"global"}',
    ),
    (
        PoolReply("p1", IPv4Network("10.80.0.0/24")),
        '{"PoolID":"p1","Pool":"10.80.0.0/24","Data":{}}',
    ),
    (
        PoolReply("p1", IPv6Network("fd00:80::/64"), gateway=IPv6Interface("fd00:80::1/64")),
        '{"PoolID":"p1","Pool":"fd00:80::/64","Data":{"com.docker.network.gateway":"fd00:80::1/64"}}',
    ),
    (AddressReply(IPv4Interface("10.80.0.120/24")), '{"Address":"10.80.0.120/24"}'),
]


@pytest.mark.parametrize(("reply", "text"), GOLDEN)
def test_a_reply_is_written_as_docker_reads_it(reply: Reply, text: str) -> None:
    """One JSON object with Docker's keys; what says nothing is left out."""
    assert encode(reply).decode() == text


def test_every_reply_has_an_example() -> None:
    """The list above leaves no kind of reply out."""
    assert {type(reply) for reply, _ in GOLDEN} == set(get_args(Reply))


# --- what the request already carried is never said back ---------------------------------------------------------


def test_p_08_an_address_that_docker_gave_is_not_answered() -> None:
    """With an address and no MAC in the request, the MAC alone is news."""
    asked = CreateEndpoint("n1", "e1", ipv4=IPV4, ipv6=IPV6)
    answer = json.loads(encode(EndpointReply(asked, mac=MAC, ipv4=IPV4, ipv6=IPV6)))
    assert answer == {"Interface": {"MacAddress": "02:42:0a:3c:07:07"}}


def test_p_08_a_mac_that_docker_gave_is_not_answered() -> None:
    """The same value would be a "modification" that rolls the endpoint back."""
    assert encode(EndpointReply(GIVEN, mac=MAC, ipv4=IPV4, ipv6=IPV6)) == b"{}"


ASKED = st.builds(
    CreateEndpoint,
    st.just("n1"),
    st.just("e1"),
    ipv4=st.none() | st.just(IPV4),
    ipv6=st.none() | st.just(IPV6),
    mac=st.none() | st.just(MAC),
)


@given(ASKED, st.none() | st.just(MAC), st.none() | st.just(IPV4), st.none() | st.just(IPV6))
def test_p_08_no_reply_can_repeat_its_request(asked: CreateEndpoint, mac: Any, ipv4: Any, ipv6: Any) -> None:
    """For every request and every endpoint: the answer holds exactly what was made and not asked for."""
    reply = EndpointReply(asked, mac=mac, ipv4=ipv4, ipv6=ipv6)
    expected = {
        key: str(made)
        for key, made, given in [
            ("MacAddress", mac, asked.mac),
            ("Address", ipv4, asked.ipv4),
            ("AddressIPv6", ipv6, asked.ipv6),
        ]
        if made is not None and given is None
    }
    assert json.loads(encode(reply)).get("Interface", {}) == expected


@pytest.mark.parametrize(
    "made",
    [
        {"mac": Mac.parse("02:00:00:00:00:99")},
        {"ipv4": IPv4Interface("10.60.7.8/16")},
        {"ipv4": IPv4Interface("10.60.7.7/24")},
        {"ipv6": IPv6Interface("fd00:60::78/64")},
    ],
)
def test_p_08_an_endpoint_other_than_asked_for_cannot_be_answered(made: dict[str, Any]) -> None:
    """It would be silently dropped otherwise, and the container would run with what its user did not ask for."""
    with pytest.raises(ValueError, match="endpoint e1 was asked for with"):
        EndpointReply(GIVEN, **made)


# --- other answers that Docker would roll back -------------------------------------------------------------------


def test_p_13_a_gateway_is_a_bare_address() -> None:
    """Python's interfaces are addresses, too, and would be written with a prefix length."""
    with pytest.raises(ValueError, match=r"gateway4 10\.60\.5\.254/16 must be a bare address"):
        JoinReply(gateway4=IPv4Interface("10.60.5.254/16"))
    with pytest.raises(ValueError, match=r"gateway6 fd00::1/64 must be a bare address"):
        JoinReply(gateway6=IPv6Interface("fd00::1/64"))
    with pytest.raises(ValueError, match=r"via 10\.60\.0\.9/16 must be a bare address"):
        StaticRoute(IPv4Network("10.99.0.0/16"), IPv4Interface("10.60.0.9/16"))


def test_an_address_is_answered_with_its_prefix_length() -> None:
    """Docker answers ``invalid CIDR address`` otherwise."""
    bare: Any = IPv4Address("10.80.0.1")
    with pytest.raises(ValueError, match=r"address 10\.80\.0\.1 must carry the prefix length"):
        AddressReply(bare)
    with pytest.raises(ValueError, match=r"gateway 10\.80\.0\.1 must carry the prefix length"):
        PoolReply("p1", IPv4Network("10.80.0.0/24"), gateway=bare)


def test_p_13_a_link_name_has_at_most_fifteen_bytes() -> None:
    """Fifteen are taken, in whichever name; sixteen, also of fewer characters, are not."""
    assert JoinReply(source="a" * 15, prefix="b" * 15, name="c" * 15).source == "a" * 15
    for name in ("source", "prefix", "name"):
        for text in ("a" * 16, "ü" * 8):
            too_long: dict[str, Any] = {name: text}
            with pytest.raises(ValueError, match=f"{name} .* is longer than the 15 bytes"):
                JoinReply(**too_long)


def test_p_13_a_link_needs_a_prefix_for_its_name_inside() -> None:
    """Without one Docker would call it ``0``."""
    with pytest.raises(ValueError, match="needs a prefix"):
        JoinReply(source="lw70fd", prefix="")


def test_a_route_stays_in_its_family() -> None:
    """An IPv4 destination has no IPv6 next hop."""
    with pytest.raises(ValueError, match="another family"):
        StaticRoute(IPv4Network("10.0.0.0/8"), IPv6Address("fd00::1"))


def test_a_pool_has_an_id() -> None:
    """Docker names it in every later call."""
    with pytest.raises(ValueError, match="needs an id"):
        PoolReply("", IPv4Network("10.0.0.0/8"))


@pytest.mark.parametrize(("local", "global_"), [("a", "a"), ("", "a"), ("a", "")])
def test_p_03_address_spaces_differ(local: str, global_: str) -> None:
    """Docker tells the global one by comparing names, so they are two, and not empty."""
    with pytest.raises(ValueError, match="two names"):
        AddressSpacesReply(local, global_)


# --- failures ----------------------------------------------------------------------------------------------------


@given(st.text(st.characters(codec=None)))
def test_p_07_a_failure_says_the_same_to_both_interfaces(text: str) -> None:
    """The text stands in ``Err`` and ``Error``, is never empty, and any text can be said."""
    answer = json.loads(encode_failure(text))
    assert set(answer) == {"Err", "Error"}
    assert answer["Err"] == answer["Error"]
    assert answer["Err"] == (text.strip() or "the call failed and gave no reason; linkwright's log may have one")
