"""The metrics port: what it answers, to whom, and that health is told with reasons."""

import json
from typing import Any

import pytest
import trio
import trio.testing
from core.tests.daemon.test_metrics_recorded import KNOWN

from linkwright import __version__
from linkwright.daemon.exposition import Exposition, refusal
from linkwright.daemon.health import CHECKS, Health
from linkwright.daemon.http import Connections, HttpRequest, HttpResponse, serve
from linkwright.daemon.metrics import Metrics, Sources


def exposition(health: Health | None = None) -> Exposition:
    """The answers of a daemon that has just started."""
    return Exposition(Metrics(KNOWN), Sources(), health or Health())


async def answer(target: str, *, method: str = "GET", health: Health | None = None) -> HttpResponse:
    """What is answered to one request."""
    return await exposition(health).answer(HttpRequest(method, target))


def read(response: HttpResponse) -> Any:
    """The JSON of a response."""
    assert response.content_type == "application/json"
    return json.loads(response.body)


@pytest.mark.parametrize("target", ["/metrics", "/metrics?collect[]=all"])
async def test_metrics_are_served_as_prometheus_reads_them(target: str) -> None:
    """The text format, with its version, whatever query a scrape configuration adds."""
    response = await answer(target)
    assert (response.status, response.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b"\n# TYPE linkwright_build_info gauge\n" in response.body


async def test_the_landing_page_leads_everywhere() -> None:
    """Somebody who opens the port in a browser finds what there is."""
    response = await answer("/")
    assert (response.status, response.content_type) == (200, "text/html; charset=utf-8")
    for path in ("/metrics", "/healthz", "/readyz"):
        assert f'href="{path}"'.encode() in response.body
        assert (await answer(path)).status in {200, 503}


@pytest.mark.parametrize("target", ["/", "/metrics", "/healthz", "/readyz"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD"])
async def test_the_port_is_for_reading(target: str, method: str) -> None:
    """Nothing that could change anything is even looked at."""
    assert (await answer(target, method=method)).status == 405


@pytest.mark.parametrize("target", ["/x", "/metrics/", "//metrics", "/../etc/passwd", "*"])
async def test_there_is_nothing_else(target: str) -> None:
    """And the answer says what there is."""
    response = await answer(target)
    assert response.status == 404
    assert b"/metrics" in response.body


async def test_alive_says_so_whatever_is_wrong() -> None:
    """A restart would not mend a full disk."""
    health = Health("start", "store")
    health.ill("store", "the disk is full")
    response = await answer("/healthz", health=health)
    assert response.status == 200
    assert read(response) == {"status": "alive", "version": __version__}


async def test_ready_waits_for_every_check_and_tells_what_for() -> None:
    """At the start nothing is ready, and each check says what is missing."""
    health = Health("start", "store")
    response = await answer("/readyz", health=health)
    assert response.status == 503
    assert read(response) == {
        "status": "not ready",
        "checks": {name: {"ok": False, "reason": CHECKS[name]} for name in ("start", "store")},
    }
    health.well("start")
    assert (await answer("/readyz", health=health)).status == 503
    health.well("store")
    response = await answer("/readyz", health=health)
    assert response.status == 200
    assert read(response)["status"] == "ready"
    assert read(response)["checks"]["store"] == {"ok": True, "reason": ""}


async def test_o_07_a_check_that_looks_for_itself_becomes_well_by_itself() -> None:
    """The cluster's store is cut and comes back; nobody has to tell."""
    error = ["etcd at 10.0.0.1 did not answer within 2 s"]
    health = Health("cluster")
    health.watch("cluster", lambda: error[0])
    cut = await answer("/readyz", health=health)
    assert cut.status == 503
    assert read(cut)["checks"]["cluster"]["reason"] == error[0]
    assert (await answer("/healthz", health=health)).status == 200
    error[0] = ""
    assert (await answer("/readyz", health=health)).status == 200


def test_a_check_that_the_daemon_does_not_have_is_a_bug() -> None:
    """Names are label values: none is made up at run time."""
    health = Health("start")
    with pytest.raises(KeyError, match="no check 'disk'; this daemon has start"):
        health.ill("disk", "full")
    with pytest.raises(KeyError):
        health.well("store")
    with pytest.raises(KeyError):
        Health("disk")
    assert health.checks() == {"start": False}


async def conversation(request: bytes) -> bytes:
    """What comes over the wire in answer to *request*."""
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        handler = exposition().answer

        async def talk() -> None:
            await serve(theirs, handler, refusal=refusal, connections=Connections())

        nursery.start_soon(talk)
        await ours.send_all(request)
        await ours.send_eof()
        return b"".join([bytes(part) async for part in ours])
    raise AssertionError("unreachable")


async def test_it_speaks_http() -> None:
    """As Prometheus sends it, through the daemon's own server."""
    whole = await conversation(b"GET /metrics HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n")
    head, _, body = whole.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert f"content-length: {len(body)}".encode() in head.lower()
    assert body.endswith(b"\n")


async def test_what_is_no_request_is_refused_in_words() -> None:
    """And not with a traceback."""
    whole = await conversation(b"NONSENSE\r\n\r\n")
    assert whole.startswith(b"HTTP/1.1 400 ")
    assert b"Traceback" not in whole
