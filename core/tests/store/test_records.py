"""Records as text: canonical, lossless, strict, and readable by the next linkwright."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import fields
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linkwright.errors import Refused
from linkwright.model.change import Drop, Put, Record
from linkwright.store import Contents
from linkwright.store.archive import Archive, export_text, import_text
from linkwright.store.records import KINDS, decode, decode_all, encode, kind_of, write_of
from linkwright.store.rows import FACT, Write

#: Drawing records is slow on a busy machine, and that is no failure.
CALM = settings(suppress_health_check=[HealthCheck.too_slow])
GOLDEN = Path(__file__).with_name("format-1.export")


@CALM
@given(data=st.data())
def test_any_record_comes_back_equal_and_as_the_same_bytes(any_record: st.SearchStrategy[Record], data: Any) -> None:
    """Decoding what was encoded gives an equal value, and encoding that gives the same text."""
    record = data.draw(any_record)
    text = encode(record)
    again = decode(kind_of(record), text)
    assert record == again
    assert text == encode(again)


@CALM
@given(data=st.data())
def test_text_is_one_line_of_sorted_ascii(any_record: st.SearchStrategy[Record], data: Any) -> None:
    """No encoding, no line break and no order of a dict can change the bytes."""
    text = encode(data.draw(any_record))
    assert text.isascii()
    assert "\n" not in text
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_format_is_the_golden_one(sample: Contents) -> None:
    """The stored form of every field of every class, full and at its defaults, is this text.

    If it fails because a stored class changed: raise ``schema.SCHEMA``, add the step from the old format, rename
    the file after the new one and delete its text; the next run writes it and fails once more. Keep the old file:
    the new linkwright must import it.
    """
    text = export_text(Archive(sample, instance="main", build="0.1.0"))
    if not GOLDEN.exists() or not GOLDEN.read_text():
        GOLDEN.write_text(text)
        pytest.fail(f"{GOLDEN.name} was written anew: read it, then run again")
    assert GOLDEN.read_text() == text


def test_golden_text_is_read(sample: Contents) -> None:
    """What that format says is understood as the values it was made from."""
    assert Archive(sample, instance="main", build="0.1.0") == import_text(GOLDEN.read_text())


def test_text_does_not_depend_on_the_run(sample: Contents) -> None:
    """Another process, with other hashes of strings, writes the same bytes."""
    program = (
        "import sys; from linkwright.store.archive import import_text, export_text;"
        "sys.stdout.write(export_text(import_text(sys.stdin.read())))"
    )
    for seed in ("1", "2"):
        result = subprocess.run(
            [sys.executable, "-c", program],
            input=GOLDEN.read_text(),
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert GOLDEN.read_text() == result.stdout


def test_missing_fields_take_their_defaults() -> None:
    """A text of an older linkwright, without the fields that came later, is read."""
    record = decode("endpoint", '{"id":"e","network":"n"}')
    assert kind_of(record) == "endpoint"
    assert {field.name for field in fields(type(record))} == json.loads(encode(record)).keys()


#: kind, text, and what the refusal says; `@ $.x` is where.
REFUSED = [
    ("network", "{", "not JSON"),
    ("network", "[]", r"a JSON object is needed, this is \[\]"),
    ("network", "[" * 100_000, "not JSON"),
    ("planet", "{}", "'planet' is no kind of record; there are network, endpoint, pool, lease, found"),
    ("endpoint", "{}", r"'id' is missing.* @ \$\.id; 'network' is missing"),
    ("endpoint", '{"id":"e","network":"n","colour":1}', r"unknown field colour \(written by a newer linkwright\?"),
    ("endpoint", '{"id":5,"network":"n"}', r"5 is no str @ \$\.id"),
    ("endpoint", '{"id":"e","network":"n","mac":"02:42"}', r"'02:42' is not a hardware address.* @ \$\.mac"),
    ("endpoint", '{"id":"e","network":"n","mac_given":1}', r"1 is no bool @ \$\.mac_given"),
    ("endpoint", '{"id":"e","network":"n","created":true}', r"True is no float @ \$\.created"),
    ("endpoint", '{"id":"e","network":"n","created":NaN}', r"nan is no float @ \$\.created"),
    ("endpoint", '{"id":"e","network":"n","created":1e999}', r"inf is no float @ \$\.created"),
    ("endpoint", '{"id":"e","network":"n","ipv4":"fd00::1/64"}', r"@ \$\.ipv4"),
    ("endpoint", '{"id":"e","network":"n","ipv4":167772161}', r"167772161 is no text @ \$\.ipv4"),
    ("endpoint", '{"id":"e","network":"n","state":"asleep"}', r"'asleep' is not a valid EndpointState @ \$\.state"),
    ("endpoint", '{"id":"e","network":"n","sandbox":[]}', r"wrong type @ \$\.sandbox"),
    ("endpoint", '{"id":"e","network":"n","ports":{}}', r"\{\} is no array @ \$\.ports"),
    ("endpoint", '{"id":"e","network":"n","ports":[{"protocol":"icmp","port":1}]}', r"@ \$\.ports\[0\]\.protocol"),
    ("endpoint", '{"id":"e","network":"n","ports":[{"protocol":"tcp","port":0}]}', r"must be >= 1.* @ \$\.ports\[0\]"),
    ("network", '{"id":"n","driver":"d","options":{"a":1}}', r"1 is no str @ \$\.options\['a'\]"),
    ("network", '{"id":"n","driver":"d","options":[]}', r"wrong type @ \$\.options"),
    ("network", '{"id":"n","driver":"d","options":{},"host":{"features":"abc"}}', r"'abc' is no array @ \$\.host"),
    ("network", '{"id":"n","driver":"d","options":{},"host":7}', r"wrong type @ \$\.host"),
    ("network", '{"id":"n","driver":"d","options":{},"subnets":[{"pool":"10.0.0.1/24"}]}', r"host bits.*\[0\]\.pool"),
    ("pool", '{"id":"p","space":"s","subnet":"10.0.0.0/33"}', r"@ \$\.subnet"),
    ("pool", '{"id":"p","space":"s","subnet":null}', r"None is no text @ \$\.subnet"),
    ("lease", '{"pool":"p","address":"10.0.0.300"}', r"@ \$\.address"),
]


@pytest.mark.parametrize(("kind", "text", "reason"), REFUSED)
def test_what_cannot_be_read_is_refused_with_the_field(kind: str, text: str, reason: str) -> None:
    """Nothing is guessed, coerced or dropped: the message says which field, and what is wrong with it."""
    with pytest.raises(Refused, match=reason):
        decode(kind, text)


def test_a_row_that_cannot_be_read_is_named() -> None:
    """Among many rows the message says which; facts are no records."""
    with pytest.raises(Refused, match=r"the stored endpoint e cannot be read: 'network' is missing"):
        decode_all([(FACT, "boot", "1"), ("endpoint", "e", '{"id":"e"}')])


def test_writes_are_named_after_the_records(sample: Contents) -> None:
    """A put carries the text, a drop only the name."""
    lease = sample.leases[0]
    assert Write("lease", "pool-full 10.0.0.2", encode(lease)) == write_of(Put(lease))
    assert Write("lease", "pool-full 10.0.0.2", None) == write_of(Drop(lease))


def test_sample_has_every_kind_and_every_field(sample: Contents) -> None:
    """The golden text would miss a field that the sample leaves at its default: none is, in the full ones."""

    def left_at_default(value: Any, path: str) -> Iterator[str]:
        for field in fields(type(value)):
            inner = getattr(value, field.name)
            if inner in (None, "", 0, (), {}, frozenset()):
                yield f"{path}.{field.name}"

    full = [record for record in sample if "full" in str(record)]
    assert list(KINDS) == [kind_of(record) for record in full]
    assert [name for record in full for name in left_at_default(record, kind_of(record))] == []
