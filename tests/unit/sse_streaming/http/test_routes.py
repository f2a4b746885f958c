"""Which route a path means."""

from __future__ import annotations

import pytest

from lambdas.sse_streaming.http.answers import RequestError
from lambdas.sse_streaming.http.routes import Match, Route, find_route


@pytest.mark.parametrize(
    ("method", "path", "match"),
    [
        ("GET", "/stream", Match(Route.STREAM, "GET /stream")),
        ("GET", "/stream/status", Match(Route.STATUS, "GET /stream/status")),
        (
            "GET",
            "/configurations/alerts%3Atech%20%2F/stream",
            Match(
                Route.CONFIGURATION_STREAM,
                "GET /configurations/{config_id}/stream",
                "alerts:tech /",
            ),
        ),
        ("DELETE", "/stream/7.abc", Match(Route.CLOSE, "DELETE /stream/{connection_id}", "7.abc")),
        (
            "POST",
            "/stream/7.abc/close",
            Match(Route.CLOSE, "POST /stream/{connection_id}/close", "7.abc"),
        ),
        (
            "GET",
            "/configurations/mine/stream",
            Match(Route.CONFIGURATION_STREAM, "GET /configurations/{config_id}/stream", "mine"),
        ),
        ("GET", "/health", Match(Route.HEALTH, "GET /health")),
        ("GET", "/trace", Match(Route.TRACE, "GET /trace")),
    ],
)
def test_every_route_is_found(method: str, path: str, match: Match) -> None:
    assert find_route(method, path, has_trace_route=True) == match


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/stream", "GET"),
        ("HEAD", "/stream", "GET"),
        ("PUT", "/stream/status", "GET"),
        ("DELETE", "/stream/status", "GET"),
        ("GET", "/stream/7.abc", "DELETE"),
        ("GET", "/stream/7.abc/close", "POST"),
        ("DELETE", "/configurations/mine/stream", "GET"),
        ("OPTIONS", "/health", "GET"),
        ("POST", "/trace", "GET"),
    ],
)
def test_another_method_is_405_saying_which(method: str, path: str, allowed: str) -> None:
    with pytest.raises(RequestError) as raised:
        find_route(method, path, has_trace_route=True)

    assert raised.value.status == 405
    assert raised.value.message == f"this path answers {allowed}"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/streams",
        "/Stream",
        "/stream/",
        "/stream/a/b/close",
        "/stream//close",
        "/configurations//stream",
        "/configurations/a/b/stream",
        "/configurations/mine",
        "/health\n",
        "/stream\n",
        "/favicon.ico",
    ],
)
def test_an_unknown_path_is_404(path: str) -> None:
    with pytest.raises(RequestError) as raised:
        find_route("GET", path, has_trace_route=True)

    assert (raised.value.status, raised.value.code) == (404, "not_found")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_trace_route_is_unknown_unless_switched_on(method: str) -> None:
    with pytest.raises(RequestError) as raised:
        find_route(method, "/trace", has_trace_route=False)

    assert raised.value.status == 404
