"""Whatever comes: a request that is valid in every field, or a refusal, and nothing else."""

import json
from collections.abc import Iterator
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from linkwright.wire import ROUTES, Request, Undecodable, decode, encode_failure

PATHS = st.sampled_from(sorted(ROUTES))
LABELS = [
    "com.docker.network.generic",
    "com.docker.network.enable_ipv4",
    "com.docker.network.enable_ipv6",
    "com.docker.network.portmap",
    "com.docker.network.endpoint.macaddress",
    "com.docker.network.endpoint.name",
    "RequestAddressType",
]
FIELDS = [
    *("NetworkID", "EndpointID", "SandboxKey", "Options", "Interface", "Address", "AddressIPv6", "MacAddress"),
    *("IPv4Data", "IPv6Data", "AddressSpace", "Pool", "SubPool", "Gateway", "AuxAddresses", "V6", "PoolID"),
    *("DiscoveryType", "DiscoveryData", "Self", "Proto", "Port", "HostIP", "HostPort", "HostPortEnd"),
]
TEXTS = st.one_of(
    st.text(),
    st.text(st.characters(codec=None)),  # lone surrogates, too
    st.ip_addresses().map(str),
    st.ip_addresses(network="10.0.0.0/8").map(lambda address: f"{address}/24"),
    st.ip_addresses(v=6).map(lambda address: f"{address}/64"),
    st.from_regex(r"[0-9a-f:.%/]{0,20}", fullmatch=True),
    st.sampled_from(["", "0.0.0.0/0", "::/0", "02:42:0a:00:00:02", "com.docker.network.gateway"]),
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
KEYS = st.sampled_from(FIELDS + LABELS) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=30
)


def _request_or_refusal(path: str, body: bytes) -> None:
    result: Request | Undecodable
    try:
        result = decode(path, body)
    except Undecodable as refusal:
        result = refusal
    if isinstance(result, Undecodable):
        text = str(result)
        assert result.status == 400
        assert len(text) < 1000
        assert json.loads(encode_failure(text)) == {"Err": text, "Error": text}
    else:
        assert type(result) is ROUTES[path].request
        for text in _texts(attrs.asdict(result)):
            text.encode()  # can be logged and stored


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _texts(member)


@given(PATHS, st.binary(max_size=200))
def test_p_05_any_bytes_are_a_request_or_a_refusal(path: str, body: bytes) -> None:
    """No bytes make the codec raise anything else than Undecodable."""
    _request_or_refusal(path, body)


@given(PATHS, VALUES)
def test_p_06_any_json_is_a_request_or_a_refusal(path: str, value: Any) -> None:
    """Nor does any JSON value, with Docker's keys and with others."""
    _request_or_refusal(path, json.dumps(value).encode())


@given(st.data())
def test_p_06_any_change_of_a_real_request_is_a_request_or_a_refusal(recordings: Any, data: st.DataObject) -> None:
    """Nor does a real request of which one value was replaced by anything, or one key was lost."""
    recording = data.draw(st.sampled_from([one for one in recordings if one.document is not None]))
    document = json.loads(json.dumps(recording.document))
    holder: Any = document
    key: Any = data.draw(st.sampled_from(sorted(document)))
    while isinstance(holder[key], dict | list) and holder[key] and data.draw(st.booleans()):
        holder = holder[key]
        key = data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
    if data.draw(st.booleans()):
        holder[key] = data.draw(VALUES)
    else:
        del holder[key]
    _request_or_refusal(recording.path, json.dumps(document).encode())
