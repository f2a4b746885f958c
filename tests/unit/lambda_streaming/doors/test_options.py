"""What is set for a deployment, applied to a request."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_streaming.doors.options import DoorOptions
from lambda_streaming.doors.recognise import recognise
from lambda_streaming.requests import Pairs, Request
from tests.fakes.events import http_api_event, rest_api_event


def read(event: dict[str, Any]) -> Request:
    return recognise(event).read_request(event, None)


def request(
    path: str = "/", headers: dict[str, str] | None = None, client: str | None = None
) -> Request:
    return Request("GET", path, path, headers=Pairs((headers or {}).items()), client=client)


def test_without_options_a_request_stays_as_it_is() -> None:
    given = request("/items", {"host": "a"})

    assert DoorOptions().apply(given) is given


@pytest.mark.parametrize(
    ("path", "applied"),
    [
        ("/v1/items", "/v1/items"),
        ("/items", "/v1/items"),
        ("/v1", "/v1/"),
        ("/v1/", "/v1/"),
        ("/v10/items", "/v1/v10/items"),
        ("/", "/v1/"),
    ],
)
@pytest.mark.parametrize("root_path", ["/v1", "v1", "/v1/"])
def test_a_root_path_is_always_there_and_never_twice(
    root_path: str, path: str, applied: str
) -> None:
    moved = DoorOptions(root_path=root_path).apply(request(path))

    assert (moved.root_path, moved.path, moved.raw_path) == ("/v1", applied, applied)


@pytest.mark.parametrize("raw_path", ["/a b/c%2Fd", "/a%20b/c%2Fd", "/%61%20b/c%2fd"])
def test_a_root_path_is_found_however_the_client_encoded_it(raw_path: str) -> None:
    given = Request("GET", raw_path, "/a b/c/d")

    moved = DoorOptions(root_path="/a b").apply(given)

    assert moved.path == "/a b/c/d"
    assert moved.raw_path.startswith("/a%20b/c")
    assert moved.raw_path.count("b") == 1


@pytest.mark.parametrize("root_path", ["", "/"])
def test_an_empty_root_path_takes_the_stage_away(root_path: str) -> None:
    for event in (rest_api_event(path="/items"), http_api_event(path="/dev/items", stage="dev")):
        moved = DoorOptions(root_path=root_path).apply(read(event))
        assert (moved.root_path, moved.path, moved.raw_path) == ("", "/items", "/items")


def test_a_root_path_takes_the_place_of_the_stage() -> None:
    moved = DoorOptions(root_path="/api").apply(read(rest_api_event(path="/items")))

    assert (moved.root_path, moved.path, moved.raw_path) == ("/api", "/api/items", "/api/items")


@pytest.mark.parametrize(
    ("forwarded", "connected", "hops", "client"),
    [
        # A proxy before the door, which appends who connected to it, or does not.
        ("203.0.113.1, 130.176.0.1", "130.176.0.1", 1, "203.0.113.1"),
        ("203.0.113.1", "130.176.0.1", 1, "203.0.113.1"),
        ("6.6.6.6, 203.0.113.1, 130.176.0.1", "130.176.0.1", 1, "203.0.113.1"),
        ("203.0.113.1, 130.176.0.1", "130.176.0.1", 0, "130.176.0.1"),
        # An edge-optimised REST API's own edge stands behind the client.
        ("6.6.6.6, 203.0.113.1, 130.176.0.1", "203.0.113.1", 1, "6.6.6.6"),
        ("203.0.113.1, 130.176.0.1", "203.0.113.1", 0, "203.0.113.1"),
        # Somebody who went round the proxy.
        ("203.0.113.1", "203.0.113.1", 1, "203.0.113.1"),
        ("", "203.0.113.1", 2, "203.0.113.1"),
        ("", None, 1, None),
    ],
)
def test_the_client_is_so_many_hops_before_the_door(
    forwarded: str, connected: str | None, hops: int, client: str | None
) -> None:
    given = request(headers={"x-forwarded-for": forwarded}, client=connected)

    assert DoorOptions(trusted_hops=hops).apply(given).client == client


@pytest.mark.parametrize("hops", [-1, True, 1.0, "1"])
def test_hops_are_a_number(hops: Any) -> None:
    with pytest.raises(ValueError, match="trusted_hops must be 0 or more"):
        DoorOptions(trusted_hops=hops)


def test_the_host_that_the_client_named_takes_the_place_of_the_doors() -> None:
    options = DoorOptions(host_header="X-Forwarded-Host")

    told = options.apply(request(headers={"host": "door", "x-forwarded-host": "example.com"}))
    untold = options.apply(request(headers={"host": "door"}))

    assert told.headers.all("host") == ["example.com"]
    assert untold.headers.all("host") == ["door"]


def test_the_authorization_of_the_client_takes_the_place_of_the_doors() -> None:
    options = DoorOptions(authorization_header="X-Authorization")

    told = options.apply(
        request(headers={"authorization": "AWS4-HMAC-SHA256 …", "x-authorization": "Bearer t"})
    )
    untold = options.apply(request(headers={"authorization": "Basic x"}))

    assert told.headers.pairs == (("authorization", "Bearer t"),)
    assert untold.headers.pairs == (("authorization", "Basic x"),)
