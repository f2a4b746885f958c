"""The console's list of requests and its form, against the whole stack around an app."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from local_aws.background import BackgroundStack
from local_aws.settings import DoorName, Settings
from tests.fakes.local import wait_until

APP = """
import asyncio
import os
from lambda_streaming import EventStream, Response, ServerSentEvent, StreamingResponse, streaming

def answer(request):
    if request.path == "/events":
        return EventStream(events(), heartbeat_seconds=60, retry_ms=1000)
    if request.path == "/waits":
        return StreamingResponse(waits(), headers={"content-type": "text/plain"})
    if request.path == "/bytes":
        return Response(bytes(range(256)) * 4, headers={"content-type": "image/png"})
    if request.path == "/breaks":
        return StreamingResponse(breaks(), headers={"content-type": "text/plain"})
    seen = f"{request.method} {request.path} {dict(request.headers).get('x-a')} "
    return Response(seen.encode() + request.body, 418, {"content-type": "text/plain"})

async def events():
    yield ServerSentEvent("one", event="token", id="7")
    yield "two"

async def waits():
    yield "h\\u00e9"
    await asyncio.sleep(60)

async def breaks():
    yield "begun"
    os._exit(1)

handler = streaming(answer, tracing="off")
"""
Line = dict[str, Any]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackgroundStack]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "main.py").write_text(APP, encoding="utf-8")
    environ = {"PORT": "0", "APP": "main:handler", "APP_DIR": str(folder)}
    # Else the door holds a connection whose client has left, as on AWS, and nobody can see it.
    settings = Settings.from_environ({**environ, "LOCAL_SHOW_DISCONNECT": "1"})
    with BackgroundStack(settings) as running:
        yield running


@pytest.fixture
def console(stack: BackgroundStack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.console_url, trust_env=False, timeout=20) as client:
        yield client


def listed(console: httpx.Client) -> list[Line]:
    requests = console.get("/api/requests").json()["requests"]
    assert isinstance(requests, list)
    return requests


def one_listed(console: httpx.Client, number: int) -> Line:
    (found,) = (one for one in listed(console) if one["number"] == number)
    return found


def sent(console: httpx.Client, path: str, door: str = "function_url", **more: str) -> list[Line]:
    answer = console.post("/api/requests", json={"door": door, "path": path, **more})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def kinds(lines: list[Line]) -> list[str]:
    return [line["kind"] for line in lines if line["kind"] != "chunk"]


@pytest.mark.parametrize(
    ("door", "prefix", "is_streamed"),
    [
        ("function_url", "", True),
        ("rest_api", "/prod", True),
        ("alb_multi_value", "", False),
        ("http_api", "", False),
        ("alb", "", False),
    ],
)
def test_a_request_to_any_door_is_listed_without_its_secrets(
    stack: BackgroundStack, console: httpx.Client, door: DoorName, prefix: str, is_streamed: bool
) -> None:
    url = f"{stack.door_url(door)}{prefix}/some/path?key=query-secret"
    answer = httpx.put(url, headers={"x-a": "header-secret"}, content=b"body", trust_env=False)
    # An app with STREAMING_INVOKE_MODE=stream answers doors that buffer, too.
    assert answer.status_code == 418
    wait_until(lambda: listed(console)[0]["took_ms"] is not None, "the answer's end is noted")
    newest = listed(console)[0]
    assert {
        "door": door,
        "method": "PUT",
        "path": f"{prefix}/some/path",
        "status": 418,
        "is_streamed": is_streamed,
        "bytes": len(answer.content),
        "is_whole": True,
        "is_sampled": True,
    }.items() <= newest.items()
    assert 0 < newest["head_ms"] <= newest["took_ms"]
    assert console.get(f"/api/traces/{newest['trace_id']}").status_code == 200
    assert "secret" not in console.get("/api/requests").text


def test_what_a_door_refuses_itself_has_no_trace(
    stack: BackgroundStack, console: httpx.Client
) -> None:
    url = f"{stack.door_url('rest_api')}/no_stage"
    assert httpx.get(url, trust_env=False).status_code == 403
    newest = listed(console)[0]
    assert (newest["path"], newest["status"], newest["trace_id"]) == ("/no_stage", 403, None)


def test_a_body_that_is_no_http_is_listed_with_its_refusal(
    stack: BackgroundStack, console: httpx.Client
) -> None:
    port = httpx.URL(stack.url).port
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(
            b"POST /cut HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n"
        )
        assert client.recv(1024).startswith(b"HTTP/1.1 400 ")
    newest = listed(console)[0]
    assert (newest["path"], newest["status"], newest["trace_id"]) == ("/cut", 400, None)


@pytest.mark.parametrize(
    ("door", "prefix", "is_streamed"),
    [
        ("function_url", "", True),
        ("rest_api_prod", "/prod", True),
        ("http_api", "", False),
        ("alb", "", False),
    ],
)
def test_the_form_sends_through_a_door(
    console: httpx.Client, door: str, prefix: str, is_streamed: bool
) -> None:
    head, chunk, end = sent(console, "/a", door, method="POST", headers="X-A: 1", body="é")
    assert (head["kind"], head["status"]) == ("head", 418)
    assert ["content-type", "text/plain"] in [[k.lower(), v] for k, v in head["headers"]]
    assert head["request"]["is_streamed"] is is_streamed
    assert head["request"]["number"] == listed(console)[0]["number"]
    assert chunk["text"] == f"POST {prefix}/a 1 é"
    assert chunk["size"] == len(chunk["text"].encode())
    assert end["kind"] == "end"
    assert 0 < head["at_ms"] <= chunk["at_ms"] <= end["at_ms"]


def test_an_event_stream_comes_as_events(console: httpx.Client) -> None:
    lines = sent(console, "/events")
    assert lines[0]["has_events"]
    assert "chunk" in {line["kind"] for line in lines}
    events = [line for line in lines if line["kind"] == "event" and line["text"] is not None]
    named = [(line["event"], line["id"], line["text"]) for line in events[:2]]
    assert named == [("token", "7", "one"), (None, None, "two")]
    assert "comment" in kinds(lines)
    assert any(line.get("retry") == "1000" for line in lines)
    assert kinds(lines)[-1] == "end"
    assert not lines[-1]["has_unfinished_event"]


def test_what_is_no_text_is_shown_as_its_first_bytes(console: httpx.Client) -> None:
    _, chunk, _ = sent(console, "/bytes")
    assert chunk["hex"].startswith("00 01 02")
    assert (chunk["size"], chunk["is_cut"]) == (1024, True)


def test_an_answer_that_breaks_says_so(console: httpx.Client) -> None:
    lines = sent(console, "/breaks")
    assert kinds(lines) == ["head", "broken"]
    assert lines[1]["text"] == "begun"
    assert "in the middle" in lines[-1]["message"]
    wait_until(lambda: listed(console)[0]["took_ms"] is not None, "its end is noted")
    assert not listed(console)[0]["is_whole"]


def test_a_stream_is_shown_while_it_runs_and_a_cancelled_one_is_left(
    console: httpx.Client,
) -> None:
    body = {"door": "function_url", "path": "/waits"}
    with console.stream("POST", "/api/requests", json=body) as answer:
        lines = answer.iter_lines()
        head = json.loads(next(lines))
        assert json.loads(next(lines))["text"] == "hé"
        number = head["request"]["number"]
        running = one_listed(console, number)
        assert (running["took_ms"], running["bytes"]) == (None, 3)
    wait_until(lambda: one_listed(console, number)["took_ms"], "the door's client has left")
    assert not one_listed(console, number)["is_whole"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"door": "function_url", "path": "x"}, "a path begins with /"),
        ({"door": "function_url", "path": "/", "headers": "Host: a"}, "Host cannot be given"),
    ],
)
def test_a_bad_form_is_refused_by_what_is_wrong(
    console: httpx.Client, body: dict[str, str], words: str
) -> None:
    before = listed(console)[:1]
    answer = console.post("/api/requests", json=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]
    assert listed(console)[:1] == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
    ],
    ids=str,
)
def test_no_foreign_page_sends_a_request_through_the_console(
    console: httpx.Client, headers: dict[str, str], status: int
) -> None:
    before = listed(console)[:1]
    given = {"Content-Type": "application/json", **headers}
    body = b'{"door":"function_url","path":"/"}'
    assert console.post("/api/requests", content=body, headers=given).status_code == status
    assert listed(console)[:1] == before
