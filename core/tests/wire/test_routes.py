"""The table of calls: complete, consistent, and quick enough."""

from collections.abc import Mapping
from typing import Any, get_args

import pytest

import linkwright.wire
from linkwright.wire import ROUTES, Api, Reply, Request, Route, Touches, find
from linkwright.wire.readers import READERS
from linkwright.wire.routes import TABLE
from linkwright.wire.writers import WRITERS

PATHS = [
    "/IpamDriver.GetCapabilities",
    "/IpamDriver.GetDefaultAddressSpaces",
    "/IpamDriver.ReleaseAddress",
    "/IpamDriver.ReleasePool",
    "/IpamDriver.RequestAddress",
    "/IpamDriver.RequestPool",
    "/NetworkDriver.AllocateNetwork",
    "/NetworkDriver.CreateEndpoint",
    "/NetworkDriver.CreateNetwork",
    "/NetworkDriver.DeleteEndpoint",
    "/NetworkDriver.DeleteNetwork",
    "/NetworkDriver.DiscoverDelete",
    "/NetworkDriver.DiscoverNew",
    "/NetworkDriver.EndpointOperInfo",
    "/NetworkDriver.FreeNetwork",
    "/NetworkDriver.GetCapabilities",
    "/NetworkDriver.GwAllocCheck",
    "/NetworkDriver.Join",
    "/NetworkDriver.Leave",
    "/NetworkDriver.ProgramExternalConnectivity",
    "/NetworkDriver.RevokeExternalConnectivity",
    "/Plugin.Activate",
]


def test_the_table_has_every_call_of_libnetwork() -> None:
    """The 22 calls of libnetwork's drivers/remote/api and ipams/remote/api, and nothing else."""
    assert sorted(route.path for route in TABLE) == PATHS


def test_every_kind_of_request_and_reply_is_in_the_table() -> None:
    """A class that no call uses would be dead; one without a reader or writer would fail at the first use."""
    assert {route.request for route in TABLE} == set(get_args(Request)) == set(READERS)
    assert {route.reply for route in TABLE} == set(get_args(Reply)) == set(WRITERS)


def test_one_kind_of_request_comes_by_one_path() -> None:
    """So what was asked can be told from the request alone."""
    assert len({route.request for route in TABLE}) == len(TABLE)


@pytest.mark.parametrize("route", TABLE, ids=lambda route: route.path)
def test_deadlines_are_well_under_docker_s(route: Route) -> None:
    """A dead plugin costs a docker command 15 s per call; a living one must be better in any case."""
    assert 0 < route.effort.deadline <= 10


def test_p_03_what_must_answer_at_once_touches_nothing() -> None:
    """Capabilities and address spaces answer while disk and cluster are blocked; so do all without arguments."""
    untouching = {route.path for route in TABLE if route.effort.touches is Touches.NOTHING}
    assert untouching == {
        "/Plugin.Activate",
        "/NetworkDriver.GetCapabilities",
        "/IpamDriver.GetCapabilities",
        "/IpamDriver.GetDefaultAddressSpaces",
        "/NetworkDriver.GwAllocCheck",
        "/NetworkDriver.DiscoverNew",
        "/NetworkDriver.DiscoverDelete",
    }
    assert {route.path for route in TABLE if not route.takes_arguments} < untouching


def test_a_call_belongs_to_the_interface_in_its_path() -> None:
    """So a socket can answer 404 to an interface that it does not implement."""
    assert [find("/Plugin.Activate").api, find("/NetworkDriver.Join").api, find("/IpamDriver.RequestPool").api] == [
        Api.PLUGIN,
        Api.NETWORK_DRIVER,
        Api.IPAM_DRIVER,
    ]


def test_nobody_can_change_the_tables() -> None:
    """Two daemons may live in one process."""
    tables: list[Mapping[Any, Any]] = [ROUTES, READERS, WRITERS]
    for table in tables:
        assert not hasattr(table, "__setitem__")


def test_the_public_face() -> None:
    """What the rest of linkwright may use; changing it is a decision."""
    assert linkwright.wire.__all__ == [
        "CONTENT_TYPE",
        "ROUTES",
        "Api",
        "Effort",
        "Reply",
        "Request",
        "Route",
        "Touches",
        "Undecodable",
        "decode",
        "encode",
        "encode_failure",
        "find",
    ]
    assert linkwright.wire.CONTENT_TYPE == "application/vnd.docker.plugins.v1.2+json"
