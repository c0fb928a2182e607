"""What is refused, and in which words: they are all that a user of ``docker run`` gets to see."""

import json
from typing import Any

import pytest

from linkwright.errors import Refused
from linkwright.wire import ROUTES, Undecodable, decode, encode_failure, find

TAKING_ARGUMENTS = [path for path, route in ROUTES.items() if route.takes_arguments]
NO_REQUEST = {
    "truncated": b'{"NetworkID": "3bf420ba',
    "array": b"[]",
    "null": b"null",
    "number": b"7",
    "text": b'"NetworkID"',
    "invalid UTF-8": b'{"NetworkID": "\xff"}',
    "UTF-16": '{"NetworkID": "n1"}'.encode("utf-16"),
    "two objects": b"{}{}",
    "no JSON": b"NetworkID=n1",
    "NaN": b'{"Extra": NaN}',
    "nested": b"[" * 100_000,
    "endless number": b'{"Extra": ' + b"9" * 10_000 + b"}",
}


def _refusal(path: str, body: bytes) -> Undecodable:
    with pytest.raises(Undecodable) as caught:
        decode(path, body)
    return caught.value


def _refusal_of(call: str, **document: Any) -> str:
    return str(_refusal(f"/{call}", json.dumps(document).encode()))


# --- bodies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("body", NO_REQUEST.values(), ids=NO_REQUEST)
def test_p_05_what_is_no_json_object_is_refused_on_every_call(path: str, body: bytes) -> None:
    """A body that is not one JSON object is a 4xx whose answer has a text, also where no arguments are needed."""
    error = _refusal(path, body)
    assert error.status == 400
    assert json.loads(encode_failure(str(error)))["Err"].startswith("cannot decode the request: ")


@pytest.mark.parametrize("path", TAKING_ARGUMENTS)
@pytest.mark.parametrize("body", [b"", b"\n", b" \r\n"])
def test_p_05_a_missing_body_is_refused_where_arguments_are_needed(path: str, body: bytes) -> None:
    """Docker repeats a request without its body: answering ``{}`` would be a success for work that was not done."""
    assert _refusal(path, body).status == 400


def test_p_05_a_body_cut_anywhere_is_refused(recording: Any) -> None:
    """No beginning of a real request is a request, so a broken connection never does half of something."""
    if recording.document is None:
        return
    whole = recording.body.rstrip()
    for length in range(1, len(whole)):
        assert _refusal(recording.path, whole[:length]).status == 400


@pytest.mark.parametrize("path", TAKING_ARGUMENTS)
def test_p_06_an_object_without_its_fields_is_refused_by_name(path: str) -> None:
    """``{}`` names nothing; the first missing field is told. Only GwAllocCheck can do with nothing at all."""
    if path == "/NetworkDriver.GwAllocCheck":
        decode(path, b"{}")
    else:
        assert str(_refusal(path, b"{}")).endswith(" is missing")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            b"",
            (
                "the request has no body, but this call has arguments, so nothing was done; Docker sends no body when "
                "it repeats a request whose answer it did not get: run the command again"
            ),
        ),
        (b"[1, 2]", "cannot decode the request: the body is a list; it must be a JSON object"),
        (b"null", "cannot decode the request: the body is null; it must be a JSON object"),
        (
            b'{"NetworkID": "\xff"}',
            "cannot decode the request: it is not UTF-8 from byte 15 on; it must be one JSON object in UTF-8",
        ),
        (
            b'{"NetworkID": ',
            "cannot decode the request: it is not JSON from character 14 on; it must be one JSON object in UTF-8",
        ),
        (
            b'{"Extra": -Infinity}',
            (
                "cannot decode the request: it holds a number that JSON does not have, or one of thousands of digits; "
                "it must be one JSON object in UTF-8"
            ),
        ),
        (
            b"[" * 100_000,
            "cannot decode the request: it is nested too deeply; it must be one JSON object in UTF-8",
        ),
        (b"{}", "cannot decode the request: NetworkID is missing"),
    ],
)
def test_the_words_for_a_bad_body(body: bytes, text: str) -> None:
    """Where reading stopped, and what it should have been."""
    assert str(_refusal("/NetworkDriver.DeleteNetwork", body)) == text


# --- values ------------------------------------------------------------------------------------------------------

NETWORK: dict[str, Any] = {"NetworkID": "n1", "Options": {}, "IPv4Data": [], "IPv6Data": []}
ENDPOINT: dict[str, Any] = {"NetworkID": "n1", "EndpointID": "e1", "Interface": {}, "Options": {}}
POOL: dict[str, Any] = {"AddressSpace": "s", "Pool": "", "SubPool": "", "Options": {}, "V6": False}
ADDRESS: dict[str, Any] = {"PoolID": "p", "Address": "", "Options": {}}
GENERIC = "com.docker.network.generic"
PORT_MAP = "com.docker.network.portmap"
DOCKER_MAC = "com.docker.network.endpoint.macaddress"
ID = "an id of 1 to 128 letters, digits, '.', '_' or '-'"
CIDR4 = "an IPv4 address with its prefix length, like 10.0.0.2/24"
CIDR6 = "an IPv6 address with its prefix length, like fd00::2/64"
BARE = "an IP address without a prefix length, like 10.0.0.2 or fd00::2"
PUBLISHABLE = "the number of a protocol whose ports can be published: 6 (tcp), 17 (udp), 132 (sctp)"
MAC = "a hardware address like 02:42:0a:00:00:02"


def _ports(**changes: Any) -> dict[str, Any]:
    port = {"Proto": 6, "IP": "", "Port": 80, "HostIP": "", "HostPort": 8080, "HostPortEnd": 8080}
    return {"Options": {PORT_MAP: [port, port | changes]}}


@pytest.mark.parametrize(
    ("call", "document", "problem"),
    [
        # types
        ("CreateNetwork", NETWORK | {"Options": None}, "Options is null; it must be a JSON object"),
        ("CreateNetwork", NETWORK | {"Options": []}, "Options is a list; it must be a JSON object"),
        ("CreateNetwork", NETWORK | {"IPv4Data": None}, "IPv4Data is null; it must be a list"),
        ("CreateNetwork", NETWORK | {"IPv6Data": {}}, "IPv6Data is an object; it must be a list"),
        ("CreateNetwork", NETWORK | {"IPv4Data": [7]}, "IPv4Data[0] is 7; it must be a JSON object"),
        (
            "CreateNetwork",
            NETWORK | {"Options": {"com.docker.network.enable_ipv6": "true"}},
            'Options["com.docker.network.enable_ipv6"] is "true"; it must be true or false',
        ),
        (
            "CreateNetwork",
            NETWORK | {"Options": {GENERIC: {"mtu": 1400}}},
            'Options["com.docker.network.generic"].mtu is 1400; it must be a string',
        ),
        (
            "CreateNetwork",
            NETWORK | {"Options": {GENERIC: {"a.b": None}}},
            'Options["com.docker.network.generic"]["a.b"] is null; it must be a string',
        ),
        (
            "CreateNetwork",
            NETWORK | {"Options": {GENERIC: {"k": "a\ud800"}}},
            'Options["com.docker.network.generic"].k is "a\\ud800"; it must be Unicode text without NUL',
        ),
        (
            "CreateNetwork",
            NETWORK | {"Options": {GENERIC: {"a\0": "v"}}},
            'a key of Options["com.docker.network.generic"] is "a\\u0000"; it must be Unicode text without NUL',
        ),
        ("CreateEndpoint", ENDPOINT | {"Options": None}, "Options is null; it must be a JSON object"),
        ("CreateEndpoint", ENDPOINT | {"Interface": None}, "Interface is null; it must be a JSON object"),
        # ids
        ("DeleteNetwork", {"NetworkID": ""}, f'NetworkID is ""; it must be {ID}'),
        ("DeleteNetwork", {"NetworkID": "../x"}, f'NetworkID is "../x"; it must be {ID}'),
        ("DeleteNetwork", {"NetworkID": "n1\n"}, f'NetworkID is "n1\\n"; it must be {ID}'),
        ("DeleteNetwork", {"NetworkID": 7}, f"NetworkID is 7; it must be {ID}"),
        (
            "DeleteNetwork",
            {"NetworkID": "f" * 300},
            f'NetworkID is "{"f" * 60}" and 240 characters more; it must be {ID}',
        ),
        ("Leave", {"NetworkID": "n1"}, "EndpointID is missing"),
        (
            "Join",
            {"NetworkID": "n1", "EndpointID": "e1", "SandboxKey": "", "Options": {}},
            'SandboxKey is ""; it must be a string that is not empty',
        ),
        # addresses
        (
            "CreateEndpoint",
            ENDPOINT | {"Interface": {"Address": "999.1.1.1/24"}},
            f'Interface.Address is "999.1.1.1/24"; it must be {CIDR4}',
        ),
        (
            "CreateEndpoint",
            ENDPOINT | {"Interface": {"Address": "10.0.0.2"}},
            f'Interface.Address is "10.0.0.2"; it must be {CIDR4}',
        ),
        (
            "CreateEndpoint",
            ENDPOINT | {"Interface": {"Address": "10.0.0.2/255.255.255.0"}},
            f'Interface.Address is "10.0.0.2/255.255.255.0"; it must be {CIDR4}',
        ),
        (
            "CreateEndpoint",
            ENDPOINT | {"Interface": {"Address": "fd00::2/64"}},
            f'Interface.Address is "fd00::2/64"; it must be {CIDR4}',
        ),
        (
            "CreateEndpoint",
            ENDPOINT | {"Interface": {"AddressIPv6": "fe80::2%eth0/64"}},
            f'Interface.AddressIPv6 is "fe80::2%eth0/64"; it must be {CIDR6}',
        ),
        (
            "CreateEndpoint",
            ENDPOINT | {"Interface": {"MacAddress": "zz"}},
            f'Interface.MacAddress is "zz"; it must be {MAC}',
        ),
        (
            "CreateEndpoint",
            ENDPOINT | {"Interface": {"MacAddress": False}},
            "Interface.MacAddress is false; it must be a string",
        ),
        (
            "CreateNetwork",
            NETWORK | {"IPv4Data": [{"Pool": "10.0.0.0/24", "Gateway": "10.0.0.1"}]},
            f'IPv4Data[0].Gateway is "10.0.0.1"; it must be {CIDR4}',
        ),
        ("CreateNetwork", NETWORK | {"IPv4Data": [{"AddressSpace": "s"}]}, "IPv4Data[0].Pool is missing"),
        (
            "CreateNetwork",
            NETWORK | {"IPv6Data": [{"Pool": "fd00::/64", "AuxAddresses": {"a": "10.0.0.5/24"}}]},
            f'IPv6Data[0].AuxAddresses.a is "10.0.0.5/24"; it must be {CIDR6}',
        ),
        # ports
        (
            "CreateEndpoint",
            ENDPOINT | _ports(Proto=1),
            f'Options["com.docker.network.portmap"][1].Proto is 1; it must be {PUBLISHABLE}',
        ),
        (
            "CreateEndpoint",
            ENDPOINT | _ports(Proto="tcp"),
            'Options["com.docker.network.portmap"][1].Proto is "tcp"; it must be a whole number from 0 to 255',
        ),
        (
            "CreateEndpoint",
            ENDPOINT | _ports(Port=0),
            'Options["com.docker.network.portmap"][1].Port is 0; it must be a whole number from 1 to 65535',
        ),
        (
            "CreateEndpoint",
            ENDPOINT | _ports(Port=True),
            'Options["com.docker.network.portmap"][1].Port is true; it must be a whole number from 1 to 65535',
        ),
        (
            "CreateEndpoint",
            ENDPOINT | _ports(HostPort=80.0),
            'Options["com.docker.network.portmap"][1].HostPort is 80.0; it must be a whole number from 0 to 65535',
        ),
        (
            "CreateEndpoint",
            ENDPOINT | _ports(HostPort=10**30),
            (
                'Options["com.docker.network.portmap"][1].HostPort is a number beyond 64 bits; '
                "it must be a whole number from 0 to 65535"
            ),
        ),
        (
            "CreateEndpoint",
            ENDPOINT | _ports(HostPortEnd=8000),
            (
                'Options["com.docker.network.portmap"][1].HostPortEnd is 8000; '
                "it must be 0 or not less than HostPort, which is 8080"
            ),
        ),
        (
            "CreateEndpoint",
            ENDPOINT | _ports(HostIP="localhost"),
            f'Options["com.docker.network.portmap"][1].HostIP is "localhost"; it must be {BARE}',
        ),
        (
            "CreateEndpoint",
            ENDPOINT | {"Options": {PORT_MAP: {}}},
            'Options["com.docker.network.portmap"] is an object; it must be a list',
        ),
    ],
)
def test_p_06_a_wrong_value_is_refused_by_name(call: str, document: dict[str, Any], problem: str) -> None:
    """The text names the field in Docker's words, shows what was there, and says what is wanted."""
    assert _refusal_of(f"NetworkDriver.{call}", **document) == f"cannot decode the request: {problem}"


@pytest.mark.parametrize(
    ("call", "document", "problem"),
    [
        ("RequestPool", POOL | {"V6": "false"}, 'V6 is "false"; it must be true or false'),
        ("RequestPool", POOL | {"Pool": "fd00::/64"}, f'Pool is "fd00::/64"; it must be {CIDR4}'),
        ("RequestPool", POOL | {"Pool": "10.0.0.0/24", "V6": True}, f'Pool is "10.0.0.0/24"; it must be {CIDR6}'),
        ("RequestPool", POOL | {"Pool": "10.0.0.0/33"}, f'Pool is "10.0.0.0/33"; it must be {CIDR4}'),
        ("RequestPool", POOL | {"SubPool": "fd00::/80"}, f'SubPool is "fd00::/80"; it must be {CIDR4}'),
        ("RequestPool", POOL | {"Options": []}, "Options is a list; it must be a JSON object"),
        ("RequestPool", POOL | {"Options": {"k": 1}}, "Options.k is 1; it must be a string"),
        ("RequestAddress", ADDRESS | {"Address": "10.0.0.2/24"}, f'Address is "10.0.0.2/24"; it must be {BARE}'),
        ("RequestAddress", ADDRESS | {"Address": None}, f"Address is null; it must be {BARE}"),
        (
            "RequestAddress",
            ADDRESS | {"Options": {DOCKER_MAC: "AkKl7s3m"}},
            f'Options["com.docker.network.endpoint.macaddress"] is "AkKl7s3m"; it must be {MAC}',
        ),
        (
            "RequestAddress",
            ADDRESS | {"Options": {"RequestAddressType": 1}},
            "Options.RequestAddressType is 1; it must be a string",
        ),
        ("ReleaseAddress", {"PoolID": "p", "Address": ""}, f'Address is ""; it must be {BARE}'),
        ("ReleasePool", {"PoolID": None}, "PoolID is null; it must be a string"),
    ],
)
def test_p_06_a_wrong_value_is_refused_by_name_in_address_management(
    call: str, document: dict[str, Any], problem: str
) -> None:
    """The same for the other interface."""
    assert _refusal_of(f"IpamDriver.{call}", **document) == f"cannot decode the request: {problem}"


def test_p_06_ten_megabytes_are_refused_in_a_few_words() -> None:
    """Whatever size the nonsense has, the message fits into a terminal and a log."""
    for document in ({"NetworkID": "n" * 10_000_000}, {"NetworkID": ["n"] * 1_000_000}, {"N" * 10_000_000: 1}):
        assert len(_refusal_of("NetworkDriver.DeleteNetwork", **document)) < 250


# --- calls -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/NetworkDriver.Nope", "/../x", "", "/", "/VolumeDriver.List", "/networkdriver.join", "/Plugin.Activate?x"]
)
def test_p_04_an_unknown_path_is_404(path: str) -> None:
    """Docker takes 404 for "this plugin is older than that call"."""
    assert _refusal(path, b"{}").status == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "post", ""])
def test_p_04_another_method_is_405(method: str) -> None:
    """There are only POSTs; an unknown path is unknown by any method."""
    with pytest.raises(Undecodable) as known:
        find("/Plugin.Activate", method=method)
    with pytest.raises(Undecodable) as unknown:
        find("/NetworkDriver.Nope", method=method)
    assert (known.value.status, unknown.value.status) == (405, 404)


def test_p_04_the_words_for_a_wrong_call() -> None:
    """What was called, and what there is."""
    with pytest.raises(Undecodable) as wrong_method:
        find("/Plugin.Activate", method="GET")
    assert [str(_refusal("/NetworkDriver.Nope", b"")), str(wrong_method.value)] == [
        (
            'there is no call "/NetworkDriver.Nope" here; '
            "there are /Plugin.Activate and libnetwork's /NetworkDriver.* and /IpamDriver.*"
        ),
        '/Plugin.Activate takes POST, not "GET"',
    ]


def test_a_refusal_is_the_callers_fault() -> None:
    """It stands in the error tree where the log and the metrics look for it."""
    error = _refusal("/Plugin.Nope", b"")
    assert isinstance(error, Refused)
    assert error.outcome == "undecodable"
