"""The local Function URL, over real sockets, with a function that does what each test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from local_aws.lambda_side.invocation import Outcome
from tests.wire.local_lambda import (
    PRELUDE,
    STREAMED,
    LocalLambda,
    Step,
    answer,
    local_lambda,
    script,
    until,
)

INTERNAL_ERROR = {"Message": "Internal Server Error"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[LocalLambda]:
    async with local_lambda(timeout_seconds=2.0) as service:
        yield service


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_prelude_becomes_status_headers_and_cookies(running: LocalLambda) -> None:
    prelude = {
        "statusCode": 201,
        "headers": {"content-type": "text/plain", "x-own": "1", "Content-Length": "5"},
        "cookies": ["a=1", "b=2"],
    }
    response = await running.run(*answer(json.dumps(prelude) + "\0" * 8, "hello"))
    assert (response.status_code, response.text) == (201, "hello")
    assert response.headers["x-own"] == "1"
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert response.headers["x-amzn-remapped-content-length"] == "5"
    assert "content-length" not in response.headers


async def test_the_prelude_may_be_cut_at_every_byte(running: LocalLambda) -> None:
    response = await running.run(*answer(*(PRELUDE + "\0body\0")))
    assert response.headers["content-type"] == "text/event-stream"
    assert response.content == b"\0body\0"


async def test_the_client_gets_each_chunk_as_it_is_sent(running: LocalLambda) -> None:
    steps: list[Step] = [
        {"head": STREAMED},
        {"chunk": PRELUDE},
        {"chunk": "one"},
        {"sleep": 0.3},
        {"chunk": "two"},
        {"end": {}},
    ]
    async with running.http.stream("GET", script(*steps)) as response:
        arrived = [
            (chunk, asyncio.get_running_loop().time()) async for chunk in response.aiter_raw()
        ]
    assert [chunk for chunk, _ in arrived] == [b"one", b"two"]
    assert arrived[1][1] - arrived[0][1] > 0.2


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/event-stream", **dict(list(STREAMED.items())[1:])},
        {"Content-Type": STREAMED["Content-Type"]},
    ],
    ids=["no integration content type", "buffered"],
)
async def test_an_answer_that_is_no_http_integration_is_passed_on_raw(
    running: LocalLambda, headers: dict[str, str]
) -> None:
    response = await running.run({"head": headers}, {"chunk": PRELUDE + "x"}, {"end": {}})
    assert response.status_code == 200
    assert response.headers["content-type"] == headers["Content-Type"]
    assert response.content == (PRELUDE + "x").encode()


async def test_an_empty_body_hangs_until_the_timeout(running: LocalLambda) -> None:
    started = asyncio.get_running_loop().time()
    with pytest.raises(httpx.TransportError):
        await running.run(*answer(PRELUDE))
    assert asyncio.get_running_loop().time() - started >= 2.0
    assert running.last.outcome is Outcome.ANSWERED


async def test_an_error_report_is_a_502(running: LocalLambda) -> None:
    response = await running.run(
        {
            "post": "/invocation/{id}/error",
            "headers": {"Lambda-Runtime-Function-Error-Type": "Function.ValueError"},
            "body": '{"errorMessage":"no"}',
        }
    )
    assert (response.status_code, response.json()) == (502, INTERNAL_ERROR)
    invocation = await running.finished()
    assert invocation.error_type == "Function.ValueError"
    assert invocation.error_body == b'{"errorMessage":"no"}'
    assert invocation.outcome is Outcome.ERROR


@pytest.mark.parametrize(
    "prelude",
    [
        "no json" + "\0" * 8,
        '{"statusCode":200}',
        '{"statusCode":"200"}' + "\0" * 8,
        '{"headers":{"a":1}}' + "\0" * 8,
        '{"headers":{"a":"line\\nbreak"}}' + "\0" * 8,
    ],
)
async def test_an_unusable_prelude_is_a_502(running: LocalLambda, prelude: str) -> None:
    response = await running.run(*answer(prelude, "body"))
    assert (response.status_code, response.json()) == (502, INTERNAL_ERROR)


async def test_a_process_that_exits_before_its_answer_is_a_502(running: LocalLambda) -> None:
    response = await running.run({"print": "last words"}, {"exit": 3})
    assert response.status_code == 502
    assert (await running.finished()).outcome is Outcome.EXITED
    assert any("last words" in line for line in running.said)


async def test_a_process_that_exits_in_the_middle_breaks_the_transfer(
    running: LocalLambda,
) -> None:
    steps = [*answer(PRELUDE, "half")[:-1], {"exit": 1}]
    async with running.http.stream("GET", script(*steps)) as response:
        chunks = response.aiter_raw()
        assert await anext(chunks) == b"half"
        with pytest.raises(httpx.TransportError):
            await anext(chunks)
    assert (await running.finished()).outcome is Outcome.EXITED


async def test_a_response_without_terminating_chunk_breaks_the_transfer(
    running: LocalLambda,
) -> None:
    with pytest.raises(httpx.TransportError):
        await running.run(*answer(PRELUDE, "half")[:-1], {"close": True}, {"sleep": 0.1})
    assert (await running.finished()).outcome is Outcome.TRUNCATED


async def test_trailers_are_kept_and_not_passed_on(running: LocalLambda) -> None:
    trailers = {
        "Lambda-Runtime-Function-Error-Type": "Function.Broken",
        "Lambda-Runtime-Function-Error-Body": "e30=",
    }
    response = await running.run(*answer(PRELUDE, "x")[:-1], {"end": trailers})
    assert response.content == b"x"
    assert (await running.finished()).trailers == {k.lower(): v for k, v in trailers.items()}


async def test_the_function_does_not_notice_that_its_client_has_left(
    running: LocalLambda,
) -> None:
    steps = [
        *answer(PRELUDE, "first")[:-1],
        {"sleep": 0.2},
        {"pour": 4 << 20},
        {"end": {}},
        {"print": "went to the end"},
    ]
    async with running.http.stream("GET", script(*steps)) as response:
        await anext(response.aiter_raw())
    await running.log_has("went to the end")
    invocation = await running.finished()
    assert invocation.outcome is Outcome.ANSWERED
    assert invocation.client_left


async def test_cross_origin_rules_are_the_urls_own(running: LocalLambda) -> None:
    before = len(running.service.invoker.invocations)
    preflight = await running.http.options(
        "/stream",
        headers={"Origin": "http://console", "Access-Control-Request-Method": "GET"},
    )
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-methods"] == "GET,POST,DELETE"
    assert "last-event-id" in preflight.headers["access-control-allow-headers"]
    assert len(running.service.invoker.invocations) == before

    own = '{"headers":{"Access-Control-Allow-Origin":"http://mine"}}' + "\0" * 8
    response = await running.run(*answer(own, "x"), Origin="http://console")
    assert response.headers.get_list("access-control-allow-origin") == ["*"]
    assert response.headers["access-control-expose-headers"] == "x-amzn-trace-id,x-amzn-requestid"


async def test_without_cors_of_the_url_the_functions_own_reaches_the_client() -> None:
    own = '{"headers":{"Access-Control-Allow-Origin":"http://mine"}}' + "\0" * 8
    async with local_lambda(url_cors=False) as running:
        asks = {"Origin": "http://mine", "Access-Control-Request-Method": "GET"}
        preflight = await running.http.options(script(*answer(own, "x")), headers=asks)
        response = await running.run(*answer(own, "x"), Origin="http://mine")
    for allowed in (preflight, response):
        assert allowed.headers.get_list("access-control-allow-origin") == ["http://mine"]
        assert "access-control-expose-headers" not in allowed.headers


async def test_the_function_sees_the_request_as_payload_2(running: LocalLambda) -> None:
    response = await running.http.post(
        "/a%20path?x=1&x=2&y=%C3%A9",
        content=b"\xff\x00",
        headers={"Cookie": "a=1; b=2", "X-Repeated": "one", "Content-Type": "image/png"},
    )
    event = response.json()["event"]
    assert event["rawPath"] == "/a%20path"
    assert event["rawQueryString"] == "x=1&x=2&y=%C3%A9"
    assert event["queryStringParameters"] == {"x": "1,2", "y": "é"}
    assert event["cookies"] == ["a=1", "b=2"]
    assert (event["body"], event["isBase64Encoded"]) == ("/wA=", True)
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"


async def test_the_trace_goes_through_the_function_and_back(running: LocalLambda) -> None:
    sent = "Root=1-6b012333-95837e9e5dc74574d39297f7;Parent=53995c3f42cd8ad8;Sampled=0"
    response = await running.http.get("/", headers={"X-Amzn-Trace-Id": sent})
    received = response.json()["runtime"]["lambda-runtime-trace-id"]
    fields = dict(pair.split("=", 1) for pair in received.split(";"))
    assert fields["Root"] == "1-6b012333-95837e9e5dc74574d39297f7"
    assert fields["Parent"] != "53995c3f42cd8ad8"
    assert fields["Sampled"] == "0"
    assert fields["Lineage"]
    assert response.headers["x-amzn-trace-id"].startswith(f"Root={fields['Root']};")


async def test_sampled_invocations_leave_the_two_segments_of_lambda(
    running: LocalLambda,
) -> None:
    running.segments.clear()
    response = await running.http.get("/")
    await running.finished()
    begun, finished = running.segments[:2], running.segments[2:]
    assert [segment["in_progress"] for segment in begun] == [True, True]
    service, function = finished
    assert (service["origin"], function["origin"]) == ("AWS::Lambda", "AWS::Lambda::Function")
    assert function["parent_id"] == service["id"]
    assert f"Parent={function['id']}" in response.json()["runtime"]["lambda-runtime-trace-id"]
    assert function["end_time"] >= function["start_time"] >= service["start_time"]


async def test_an_unsigned_caller_is_anonymous_and_a_signed_one_has_an_arn(
    running: LocalLambda,
) -> None:
    signature = (
        "AWS4-HMAC-SHA256 Credential=alice/20260101/us-east-1/lambda/aws4_request, "
        "SignedHeaders=host, Signature=00"
    )
    anonymous = (await running.http.get("/")).json()["event"]["requestContext"]
    alice = (await running.http.get("/", headers={"Authorization": signature})).json()
    assert "authorizer" not in anonymous
    assert (
        alice["event"]["requestContext"]["authorizer"]["iam"]["userArn"]
        == "arn:aws:iam::123456789012:user/alice"
    )


async def test_a_request_that_is_no_http_gets_a_400(running: LocalLambda) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.service.url.port)
    writer.write(b"not http at all\r\n\r\n")
    assert b" 400 " in await reader.readline()
    writer.close()


async def test_one_connection_carries_many_requests(running: LocalLambda) -> None:
    for _ in range(3):
        assert (await running.run(*answer(PRELUDE, "again"))).text == "again"
    await until(lambda: running.last.finished_at > 0)
    assert len({i.environment_pid for i in list(running.service.invoker.invocations)[-2:]}) == 1
