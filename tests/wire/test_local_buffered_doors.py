"""The HTTP API and the load balancer of the local stack, which cannot stream."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio

from local_aws.lambda_side.doors.door_server import DoorServer
from local_aws.lambda_side.doors.request_log import RequestLog
from local_aws.lambda_side.http_api.server import HttpApi
from local_aws.servers.http_connection import bound_socket
from local_aws.settings import DoorName
from tests.wire.local_lambda import (
    PRELUDE,
    LocalLambda,
    Step,
    answer,
    local_lambda,
    returned,
    script,
)

BUFFERED: tuple[DoorName, ...] = ("http_api", "alb", "alb_multi_value")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[LocalLambda]:
    async with local_lambda(timeout_seconds=3.0) as service:
        yield service


@asynccontextmanager
async def door(running: LocalLambda, name: DoorName) -> AsyncIterator[httpx.AsyncClient]:
    base = running.door_url(name)
    async with httpx.AsyncClient(base_url=base, timeout=20, trust_env=False) as http:
        yield http


async def answered(running: LocalLambda, name: DoorName, document: object) -> httpx.Response:
    """What the client gets where the function returns this."""
    async with door(running, name) as http:
        return await http.get(script(returned(json.dumps(document))))


async def event_of(
    running: LocalLambda, name: DoorName, target: str, **request: Any
) -> dict[str, Any]:
    """What the function gets. It streams its echo, which no client of these doors can read."""
    async with door(running, name) as http:
        await http.request(request.pop("method", "GET"), target, **request)
    event: dict[str, Any] = json.loads(running.last.event)
    return event


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("name", BUFFERED)
async def test_text_and_bytes_are_passed_on(running: LocalLambda, name: DoorName) -> None:
    headers = {"content-type": "text/plain"}
    both = {"headers": headers, "multiValueHeaders": {k: [v] for k, v in headers.items()}}
    text = await answered(running, name, {"statusCode": 201, **both, "body": "é"})
    assert (text.status_code, text.text) == (201, "é")
    assert text.headers["content-length"] == "2"
    encoded = base64.b64encode(b"\xff\x00").decode()
    binary = {"statusCode": 200, **both, "body": encoded, "isBase64Encoded": True}
    assert (await answered(running, name, binary)).content == b"\xff\x00"
    nothing = await answered(running, name, {"statusCode": 204, "body": "ignored"})
    assert (nothing.status_code, nothing.content) == (204, b"")


@pytest.mark.parametrize(("name", "status"), [("http_api", 500), ("alb", 502)])
async def test_a_failed_or_streaming_function_is_the_doors_own_error(
    running: LocalLambda, name: DoorName, status: int
) -> None:
    async with door(running, name) as http:
        assert (await http.get(script({"exit": 1}))).status_code == status
        assert (await http.get(script(*answer(PRELUDE, "x")))).status_code == status
        assert "the function streamed, and this door cannot" in running.said[-1]
        assert (await http.head(script({"exit": 1}))).status_code == status


# HTTP API


async def test_an_http_api_delivers_payload_2_with_its_path_decoded(running: LocalLambda) -> None:
    event = await event_of(
        running,
        "http_api",
        "/a%20b/%C3%A9%3Fcut?x=1&x=%C3%A9",
        method="POST",
        content=b"\xff\x00",
        headers=[("Cookie", "a=1; b=2"), ("X-R", "one"), ("X-R", "two")],
    )
    assert event["version"] == "2.0"
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/a b/é"
    assert event["rawQueryString"] == "x=1&x=%C3%A9"
    assert event["queryStringParameters"] == {"x": "1,é"}
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-r"] == "one,two"
    assert (event["body"], event["isBase64Encoded"]) == ("/wA=", True)
    assert ".execute-api." in event["requestContext"]["domainName"]
    assert event["requestContext"]["stage"] == "$default"


async def test_an_http_api_takes_cookies_and_json_without_a_status(running: LocalLambda) -> None:
    cookies = await answered(running, "http_api", {"statusCode": 200, "cookies": ["a=1", "b=2"]})
    assert cookies.headers.get_list("set-cookie") == ["a=1", "b=2"]
    plain = await answered(running, "http_api", {"message": "hello"})
    assert (plain.status_code, plain.json()) == (200, {"message": "hello"})
    assert plain.headers["content-type"] == "application/json"
    assert (await answered(running, "http_api", "hello")).text == "hello"


async def test_an_http_api_waits_for_30_seconds(running: LocalLambda) -> None:
    api = HttpApi(running.service.invoker, say=running.said.append)
    assert api.answer_seconds == 30.0
    impatient = HttpApi(running.service.invoker, say=running.said.append, answer_seconds=0.2)
    server = DoorServer(impatient, name="http_api", log=RequestLog())
    await server.start(bound_socket(0))
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            late = script({"sleep": 1.0}, returned('{"statusCode":200}'))
            response = await http.get(f"http://127.0.0.1:{server.port}{late}")
    finally:
        await server.stop()
    assert (response.status_code, response.json()) == (503, {"message": "Service Unavailable"})
    await running.finished()


# Application Load Balancer


async def test_a_load_balancer_keeps_the_last_value_and_decodes_nothing(
    running: LocalLambda,
) -> None:
    event = await event_of(
        running,
        "alb",
        "/a%20b?x=1&x=%2B&flag",
        method="PUT",
        content='{"a":1}',
        headers=[
            ("Content-Type", "application/json"),
            ("X-R", "one"),
            ("X-R", "two"),
            ("X-Forwarded-For", "192.0.2.1"),
        ],
    )
    assert (event["httpMethod"], event["path"]) == ("PUT", "/a%20b")
    assert event["queryStringParameters"] == {"x": "%2B", "flag": ""}
    assert event["headers"]["x-r"] == "two"
    assert event["headers"]["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"
    assert (event["body"], event["isBase64Encoded"]) == ('{"a":1}', False)
    assert ":targetgroup/" in event["requestContext"]["elb"]["targetGroupArn"]
    assert "multiValueHeaders" not in event


async def test_a_load_balancer_with_multi_value_headers_keeps_every_value(
    running: LocalLambda,
) -> None:
    event = await event_of(
        running, "alb_multi_value", "/?x=1&x=%2B", headers=[("X-R", "one"), ("X-R", "two")]
    )
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "%2B"]}
    assert event["multiValueHeaders"]["x-r"] == ["one", "two"]
    assert not {"headers", "queryStringParameters"} & event.keys()
    assert event["body"] == ""


async def test_compressed_text_comes_as_base64(running: LocalLambda) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    event = await event_of(running, "alb", "/", method="POST", content=b"{}", headers=headers)
    assert event["isBase64Encoded"] is True


async def test_a_load_balancer_reads_only_the_headers_of_its_kind(running: LocalLambda) -> None:
    document = {
        "statusCode": 200,
        "headers": {"x-kind": "single"},
        "multiValueHeaders": {"x-kind": ["a", "b"]},
    }
    single = await answered(running, "alb", document)
    assert single.headers.get_list("x-kind") == ["single"]
    several = await answered(running, "alb_multi_value", document)
    assert several.headers.get_list("x-kind") == ["a", "b"]
    ignored = await answered(running, "alb", {"statusCode": 200, "multiValueHeaders": {"a": ["b"]}})
    assert "a" not in ignored.headers
    assert "reads no multiValueHeaders" in running.said[-1]


async def test_a_load_balancer_takes_one_megabyte_in_either_direction(
    running: LocalLambda,
) -> None:
    def body_of(size_bytes: int) -> str:
        opening: list[Step] = [
            {"head": {}},
            {"chunk": '{"statusCode":200,"body":"'},
            {"pour": size_bytes},
        ]
        return script(*opening, {"chunk": '"}'}, {"end": {}})

    async with door(running, "alb") as http:
        posted = await http.post("/", content=b"x" * ((1 << 20) + 1))
        assert (posted.status_code, posted.headers["content-type"]) == (413, "text/html")
        assert (await http.get(body_of(1 << 19))).status_code == 200
        assert (await http.get(body_of(1 << 20))).status_code == 502
        assert "more than 1048576 bytes" in running.said[-1]
    async with door(running, "http_api") as http:
        assert len((await http.get(body_of(1 << 20))).content) == 1 << 20
