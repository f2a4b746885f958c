"""Lambda's Invoke API of the local stack, as AWS's own SDK sees it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import boto3
import httpx
import pytest
import pytest_asyncio
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws.lambda_side.invocation import Outcome
from tests.wire.local_lambda import (
    PRELUDE,
    STREAMED,
    LocalLambda,
    Step,
    answer,
    local_lambda,
    returned,
)

NAME = "sse-streaming"
FAILS: Step = {
    "post": "/invocation/{id}/error",
    "headers": {"Lambda-Runtime-Function-Error-Type": "Function.ValueError"},
    "body": '{"errorMessage":"no","errorType":"ValueError"}',
}

Call = Callable[..., Awaitable[dict[str, Any]]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[LocalLambda]:
    async with local_lambda(timeout_seconds=5.0) as service:
        yield service


@pytest.fixture(scope="module")
def sdk(running: LocalLambda) -> Any:
    return boto3.session.Session(
        aws_access_key_id="x", aws_secret_access_key="y", region_name="us-east-1"
    ).client(
        "lambda",
        endpoint_url=running.door_url("invoke_api"),
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


@pytest.fixture
def invoke(sdk: Any) -> Call:
    async def call(event: object, **options: Any) -> dict[str, Any]:
        def whole() -> dict[str, Any]:
            given = {"FunctionName": NAME, "Payload": json.dumps(event), **options}
            reply = sdk.invoke(**given)
            return {**reply, "Payload": reply["Payload"].read()}

        return await asyncio.to_thread(whole)

    return call


@pytest.fixture
def stream(sdk: Any) -> Call:
    async def call(event: object, **options: Any) -> dict[str, Any]:
        def whole() -> dict[str, Any]:
            given = {"FunctionName": NAME, "Payload": json.dumps(event), **options}
            reply = sdk.invoke_with_response_stream(**given)
            return {**reply, "events": list(reply["EventStream"])}

        return await asyncio.to_thread(whole)

    return call


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_the_function_returns_is_the_payload(invoke: Call) -> None:
    reply = await invoke({"script": [returned('{"statusCode":200,"body":"x"}')]})
    assert (reply["StatusCode"], reply["ExecutedVersion"]) == (200, "$LATEST")
    assert reply["Payload"] == b'{"statusCode":200,"body":"x"}'
    assert "FunctionError" not in reply


async def test_what_the_function_streams_is_the_payload_prelude_included(invoke: Call) -> None:
    reply = await invoke({"script": answer(PRELUDE, "one", "two")})
    assert reply["Payload"] == (PRELUDE + "onetwo").encode()


async def test_an_error_is_a_payload_with_a_mark(invoke: Call) -> None:
    reply = await invoke({"script": [FAILS]})
    assert (reply["StatusCode"], reply["FunctionError"]) == (200, "Unhandled")
    assert json.loads(reply["Payload"])["errorType"] == "ValueError"


async def test_a_function_that_exits_or_overruns_is_named_as_lambda_does(
    invoke: Call, running: LocalLambda
) -> None:
    exited = await invoke({"script": [{"exit": 1}]})
    assert json.loads(exited["Payload"])["errorType"] == "Runtime.ExitError"
    overran = await invoke({"script": [{"sleep": 20}]})
    assert json.loads(overran["Payload"])["errorType"] == "Sandbox.Timedout"
    assert "timed out after 5.00 seconds" in json.loads(overran["Payload"])["errorMessage"]
    assert running.last.outcome is Outcome.TIMED_OUT


async def test_a_stream_that_fails_under_way_is_marked(invoke: Call, stream: Call) -> None:
    trailers = {
        "Lambda-Runtime-Function-Error-Type": "Function.Broken",
        "Lambda-Runtime-Function-Error-Body": base64.b64encode(b'{"why":"x"}').decode(),
    }
    event = {"script": [*answer("half")[:-1], {"end": trailers}]}
    reply = await invoke(event)
    assert (reply["FunctionError"], reply["Payload"]) == ("Unhandled", b"half")
    *_, complete = (await stream(event))["events"]
    assert complete["InvokeComplete"]["ErrorCode"] == "Function.Broken"
    assert complete["InvokeComplete"]["ErrorDetails"] == '{"why":"x"}'


async def test_the_log_comes_where_it_is_asked_for(invoke: Call, stream: Call) -> None:
    event = {"script": [{"print": "a line"}, *answer("x"), {"print": "after the answer"}]}
    assert "LogResult" not in await invoke(event)
    reply = await invoke(event, LogType="Tail")
    log = base64.b64decode(reply["LogResult"]).decode()
    start, *lines, end, report, _ = log.split("\n")
    request_id = reply["ResponseMetadata"]["RequestId"]
    assert start == f"START RequestId: {request_id} Version: $LATEST"
    assert lines == ["a line", 'reply 202 {"status":"OK"}', "after the answer"]
    assert end == f"END RequestId: {request_id}"
    assert "Duration: " in report
    *_, complete = (await stream(event, LogType="Tail"))["events"]
    assert "a line" in base64.b64decode(complete["InvokeComplete"]["LogResult"]).decode()


async def test_an_event_is_taken_at_once(invoke: Call, running: LocalLambda) -> None:
    script = [{"sleep": 0.2}, *answer("x")]
    reply = await invoke({"script": script}, InvocationType="Event")
    assert (reply["StatusCode"], reply["Payload"]) == (202, b"")
    assert not running.last.finished_at
    assert (await running.finished()).outcome is Outcome.ANSWERED


async def test_a_dry_run_runs_nothing(invoke: Call, running: LocalLambda) -> None:
    before = len(running.service.invoker.invocations)
    assert (await invoke({}, InvocationType="DryRun"))["StatusCode"] == 204
    assert len(running.service.invoker.invocations) == before


async def test_a_stream_comes_chunk_by_chunk(sdk: Any) -> None:
    script = [
        {"head": STREAMED},
        {"chunk": PRELUDE},
        {"sleep": 0.3},
        {"chunk": "two"},
        {"end": {}},
    ]

    def arrivals() -> list[tuple[dict[str, Any], float]]:
        loop = asyncio.new_event_loop()
        try:
            reply = sdk.invoke_with_response_stream(
                FunctionName=NAME, Payload=json.dumps({"script": script})
            )
            return [(event, loop.time()) for event in reply["EventStream"]]
        finally:
            loop.close()

    (first, began), (second, went_on), (complete, _) = await asyncio.to_thread(arrivals)
    assert first["PayloadChunk"]["Payload"] == PRELUDE.encode()
    assert second["PayloadChunk"]["Payload"] == b"two"
    assert went_on - began > 0.2
    assert complete == {"InvokeComplete": {}}


async def test_a_stream_of_a_failed_invocation_says_so_at_its_end(stream: Call) -> None:
    (complete,) = (await stream({"script": [FAILS]}))["events"]
    assert complete["InvokeComplete"]["ErrorCode"] == "Function.ValueError"
    assert "no" in complete["InvokeComplete"]["ErrorDetails"]


@pytest.mark.parametrize(
    "name",
    [
        NAME,
        f"123456789012:function:{NAME}",
        f"arn:aws:lambda:us-east-1:123456789012:function:{NAME}",
        f"{NAME}:$LATEST",
    ],
)
async def test_a_function_is_found_by_its_name_or_arn(invoke: Call, name: str) -> None:
    assert (await invoke({"script": answer("x")}, FunctionName=name))["Payload"] == b"x"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"FunctionName": "other"}, "ResourceNotFoundException"),
        ({"Qualifier": "live"}, "ResourceNotFoundException"),
        ({"Payload": "not json"}, "InvalidRequestContentException"),
        ({"ClientContext": "!"}, "InvalidRequestContentException"),
        ({"InvocationType": "Event", "Payload": "1" * 1_100_000}, "RequestTooLargeException"),
        ({"Payload": "1" * 6_300_000}, "RequestTooLargeException"),
    ],
)
async def test_what_lambda_refuses_is_refused_by_the_same_name(
    invoke: Call, options: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as refused:
        await invoke({}, **options)
    assert refused.value.response["Error"]["Code"] == code


async def test_the_refusal_of_a_name_says_which_one_is_here(invoke: Call) -> None:
    with pytest.raises(ClientError, match=f"the local stack's function is {NAME}"):
        await invoke({}, FunctionName="f")


async def test_a_call_beyond_the_limit_is_throttled() -> None:
    async with local_lambda(concurrency=1) as service:
        url = f"{service.door_url('invoke_api')}/2015-03-31/functions/{NAME}/invocations"
        waits = {"script": [{"sleep": 30}]}
        event = await service.http.post(url, json=waits, headers={"X-Amz-Invocation-Type": "Event"})
        refused = await service.http.post(url, json=waits)
    assert event.status_code == 202
    assert (refused.status_code, refused.headers["x-amzn-errortype"]) == (
        429,
        "TooManyRequestsException",
    )


async def test_context_and_event_reach_the_function(invoke: Call) -> None:
    context = base64.b64encode(b'{"custom":{"a":"1"}}').decode()
    reply = await invoke({"mine": 1}, ClientContext=context)
    said = json.loads(reply["Payload"].partition(b"\0" * 8)[2])
    assert said["event"] == {"mine": 1}
    assert said["runtime"]["lambda-runtime-client-context"] == '{"custom":{"a":"1"}}'


async def test_no_page_may_invoke(running: LocalLambda) -> None:
    url = f"{running.door_url('invoke_api')}/2015-03-31/functions/{NAME}/invocations"
    reply = await running.http.post(url, json={}, headers={"Origin": "http://evil.example"})
    assert reply.status_code == 403


async def test_another_path_is_told_what_is_here(running: LocalLambda) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        reply = await http.get(f"{running.door_url('invoke_api')}/2015-03-31/functions/")
    assert reply.status_code == 404
    assert "/2015-03-31/functions/NAME/invocations" in reply.text
