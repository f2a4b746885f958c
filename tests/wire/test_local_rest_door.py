"""The REST API of the local stack: one stage streams, the other buffers."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import pytest_asyncio

from local_aws.lambda_side.doors.door_server import DoorServer
from local_aws.lambda_side.doors.request_log import RequestLog
from local_aws.lambda_side.invocation import Outcome
from local_aws.lambda_side.rest_api.server import RestApi
from local_aws.servers.http_connection import bound_socket
from tests.wire.local_lambda import (
    PRELUDE,
    STREAMED,
    LocalLambda,
    Step,
    answer,
    local_lambda,
    returned,
    script,
)

INTERNAL_ERROR = {"message": "Internal server error"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[LocalLambda]:
    async with local_lambda(timeout_seconds=3.0) as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(running: LocalLambda) -> AsyncIterator[httpx.AsyncClient]:
    base = running.door_url("rest_api")
    async with httpx.AsyncClient(base_url=base, timeout=20, trust_env=False) as http:
        yield http


@asynccontextmanager
async def impatient(running: LocalLambda) -> AsyncIterator[httpx.AsyncClient]:
    """An API whose limits are fractions of a second."""
    door = RestApi(
        running.service.invoker,
        timeout_seconds=3.0,
        show_disconnect=False,
        say=running.said.append,
        idle_seconds=0.3,
        answer_seconds=0.3,
    )
    server = DoorServer(door, name="rest_api", log=RequestLog())
    await server.start(bound_socket(0))
    base = f"http://127.0.0.1:{server.port}"
    try:
        async with httpx.AsyncClient(base_url=base, timeout=20, trust_env=False) as http:
            yield http
    finally:
        await server.stop()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_function_sees_the_request_as_payload_1(api: httpx.AsyncClient) -> None:
    response = await api.post(
        "/prod/a%20path/?x=1&x=%C3%A9&flag=",
        content=b"\xff\x00",
        headers=[("X-Repeated", "one"), ("X-Repeated", "two"), ("Content-Type", "image/png")],
    )
    event = response.json()["event"]
    assert (event["path"], event["resource"]) == ("/a%20path/", "/{proxy+}")
    assert event["requestContext"]["path"] == "/prod/a%20path/"
    assert (event["requestContext"]["stage"], event["httpMethod"]) == ("prod", "POST")
    assert event["pathParameters"] == {"proxy": "a path/"}
    assert event["queryStringParameters"] == {"x": "é", "flag": ""}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "é"], "flag": [""]}
    assert event["headers"]["x-repeated"] == "two"
    assert event["multiValueHeaders"]["x-repeated"] == ["one", "two"]
    assert (event["body"], event["isBase64Encoded"]) == ("/wA=", True)
    context = event["requestContext"]
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert context["apiId"]
    assert isinstance(context["requestTimeEpoch"], int)


async def test_a_request_with_nothing_has_null_where_nothing_came(api: httpx.AsyncClient) -> None:
    event = (await api.get("/prod")).json()["event"]
    assert (event["path"], event["resource"]) == ("/", "/")
    empty = ("body", "queryStringParameters", "multiValueQueryStringParameters", "pathParameters")
    assert [event[name] for name in empty] == [None] * 4
    assert event["isBase64Encoded"] is False


async def test_a_signature_names_the_user(api: httpx.AsyncClient) -> None:
    signature = (
        "AWS4-HMAC-SHA256 Credential=alice/20260101/us-east-1/execute-api/aws4_request, "
        "SignedHeaders=host, Signature=00"
    )
    event = (await api.get("/prod/", headers={"Authorization": signature})).json()["event"]
    assert event["requestContext"]["identity"]["userArn"] == "arn:aws:iam::123456789012:user/alice"


async def test_the_prelude_becomes_the_head_with_every_repeated_header(
    api: httpx.AsyncClient,
) -> None:
    prelude = {
        "statusCode": 201,
        "headers": {"content-type": "text/plain", "Content-Length": "5", "x-own": "1"},
        "multiValueHeaders": {"x-several": ["a", "b"]},
        "cookies": ["c=1", "d=2"],
    }
    response = await api.get("/prod" + script(*answer(json.dumps(prelude) + "\0" * 8, "hello")))
    assert (response.status_code, response.text) == (201, "hello")
    assert response.headers.get_list("x-several") == ["a", "b"]
    assert response.headers.get_list("set-cookie") == ["c=1", "d=2"]
    assert response.headers["x-amzn-remapped-content-length"] == "5"
    assert response.headers["transfer-encoding"] == "chunked"


async def test_the_client_gets_each_chunk_as_it_is_sent(api: httpx.AsyncClient) -> None:
    steps: list[Step] = [
        {"head": STREAMED},
        {"chunk": PRELUDE + "one"},
        {"sleep": 0.3},
        {"chunk": "two"},
        {"end": {}},
    ]
    async with api.stream("GET", "/prod" + script(*steps)) as response:
        arrived = [
            (chunk, asyncio.get_running_loop().time()) async for chunk in response.aiter_raw()
        ]
    assert [chunk for chunk, _ in arrived] == [b"one", b"two"]
    assert arrived[1][1] - arrived[0][1] > 0.2


@pytest.mark.parametrize(
    "steps",
    [
        answer("x" * (16 * 1024 + 1)),
        answer('{"statusCode":200}'),
        [returned('{"statusCode":200,"body":"x"}')],
        [{"head": {"Content-Type": "text/plain", **STREAMED}}, {"exit": 1}],
    ],
    ids=["no delimiter in 16 KB", "no delimiter", "buffered", "exit"],
)
async def test_an_answer_without_a_prelude_is_a_502(
    api: httpx.AsyncClient, steps: list[Step]
) -> None:
    response = await api.get("/prod" + script(*steps))
    assert (response.status_code, response.json()) == (502, INTERNAL_ERROR)


async def test_a_stream_that_falls_silent_is_cut(running: LocalLambda) -> None:
    steps = [*answer(PRELUDE, "one")[:-1], {"sleep": 1.0}, {"chunk": "late"}, {"end": {}}]
    async with impatient(running) as api:
        with pytest.raises(httpx.TransportError):
            await api.get("/prod" + script(*steps))
        assert (await running.finished()).outcome is Outcome.ANSWERED, "the function learns nothing"
        response = await api.get("/prod" + script({"sleep": 1.0}, *answer(PRELUDE, "x")))
        assert (response.status_code, response.json()["message"]) == (
            504,
            "Endpoint request timed out",
        )
        await running.finished()


async def test_another_path_than_a_stages_is_forbidden(
    api: httpx.AsyncClient, running: LocalLambda
) -> None:
    response = await api.get("/health")
    assert (response.status_code, response.json()) == (403, {"message": "Forbidden"})
    assert "the REST API's stages are /prod" in running.said[-1]


# the stage that buffers


async def test_the_answers_object_becomes_the_response(api: httpx.AsyncClient) -> None:
    body = base64.b64encode(b"\xff\x00").decode()
    document = {
        "statusCode": 202,
        "headers": {"content-type": "image/png", "x-one": "1", "x-several": "lost"},
        "multiValueHeaders": {"X-Several": ["a", "b"], "Set-Cookie": ["c=1", "d=2"]},
        "body": body,
        "isBase64Encoded": True,
    }
    response = await api.get("/buffered" + script(returned(json.dumps(document))))
    assert (response.status_code, response.content) == (202, b"\xff\x00")
    assert response.headers.get_list("x-several") == ["a", "b"]
    assert response.headers.get_list("set-cookie") == ["c=1", "d=2"]
    assert response.headers["content-length"] == "2"


async def test_a_stream_is_no_answer_at_the_stage_that_buffers(
    api: httpx.AsyncClient, running: LocalLambda
) -> None:
    response = await api.get("/buffered" + script(*answer(PRELUDE, "x")))
    assert response.status_code == 502
    assert "the function streamed, and this door cannot" in running.said[-1]


@pytest.mark.parametrize(
    "payload",
    [
        "[1]",
        "no json",
        "{}",
        '{"statusCode":"ok"}',
        '{"statusCode":99}',
        '{"statusCode":200,"body":{"a":1}}',
        '{"statusCode":200,"headers":{"a":1}}',
        '{"statusCode":200,"headers":{"a":"line\\nbreak"}}',
        '{"statusCode":200,"multiValueHeaders":{"a":"b"}}',
        '{"statusCode":200,"body":"?","isBase64Encoded":true}',
    ],
)
async def test_a_malformed_answer_is_a_502(
    api: httpx.AsyncClient, running: LocalLambda, payload: str
) -> None:
    response = await api.get("/buffered" + script(returned(payload)))
    assert (response.status_code, response.json()) == (502, INTERNAL_ERROR)
    assert running.said[-1].startswith("502 for GET ")


async def test_an_answer_to_head_has_its_length_and_no_body(api: httpx.AsyncClient) -> None:
    steps = returned('{"statusCode":200,"body":"hello"}')
    response = await api.head("/buffered" + script(steps))
    assert (response.headers["content-length"], response.content) == ("5", b"")
    assert (await api.head("/buffered" + script(returned("[]")))).status_code == 502
    again = await api.get("/buffered" + script(steps))
    assert again.text == "hello"


async def test_a_late_answer_is_a_504(running: LocalLambda) -> None:
    async with impatient(running) as api:
        late = script({"sleep": 1.0}, returned('{"statusCode":200}'))
        assert (await api.get("/buffered" + late)).status_code == 504
        assert (await running.finished()).outcome is Outcome.ANSWERED
