"""The one place that sees every AWS request, without botocore: who records it, and what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aws_xray_sdk import global_sdk_config
from botocore.exceptions import ClientError

from lambda_streaming.tracing.aws_requests import record_aws_requests, unrecorded
from lambda_streaming.tracing.step import AwsRequest, Trace


class ScriptedRecorder:
    """The two methods of aws_xray_sdk's recorder that its patches funnel through."""

    def __init__(self) -> None:
        self.recorded: list[str] = []
        self.record_subsegment: Callable[..., Any] = self._record
        self.record_subsegment_async: Callable[..., Any] = self._record_async

    def _record(self, wrapped: Any, instance: Any, args: Any, kwargs: Any, **named: Any) -> Any:
        self.recorded.append(named["name"])
        return wrapped(*args, **kwargs)

    async def _record_async(
        self, wrapped: Any, instance: Any, args: Any, kwargs: Any, **named: Any
    ) -> Any:
        self.recorded.append(named["name"])
        return await wrapped(*args, **kwargs)


class World:
    """One process: its recorder, its class of clients, one client."""

    def __init__(self) -> None:
        self.recorder = ScriptedRecorder()
        self.answer: Callable[[], Any] = lambda: {
            "ResponseMetadata": {"HTTPStatusCode": 200, "RequestId": "ID"}
        }
        world = self

        class Client:
            meta = SimpleNamespace(
                region_name="eu-west-1",
                events=SimpleNamespace(register_first=lambda *_: None),
                service_model=SimpleNamespace(service_id="DynamoDB", endpoint_prefix="dynamodb"),
            )

            def _make_api_call(self, operation_name: str, api_params: Any) -> Any:
                return world.answer()

        self.client_class: type[Any] = Client
        self.times = iter(range(0, 1000, 10))
        record_aws_requests(self.recorder, lambda: next(self.times), Client)
        self.client = Client()

    def call(self) -> Any:
        return self.client._make_api_call("GetItem", {"TableName": "t"})


@pytest.fixture
def world() -> World:
    return World()


class Stray(Trace):
    """Keeps the requests that no step made."""

    def __init__(self) -> None:
        super().__init__(None)
        self.requests: list[AwsRequest] = []

    def add_request(self, request: AwsRequest) -> None:
        self.requests.append(request)


def test_a_request_of_the_handler_phase_is_xrays(world: World) -> None:
    world.call()

    assert world.recorder.recorded == ["dynamodb"]


def test_a_request_inside_a_step_is_the_steps(world: World) -> None:
    with Trace(None).step("poll") as step:
        world.call()

    assert world.recorder.recorded == []
    assert step.requests == [
        AwsRequest("DynamoDB", "dynamodb", "GetItem", "eu-west-1", 0, 10, 200, "ID", "t")
    ]
    assert step.requests[0].name == "DynamoDB.GetItem"


async def test_a_request_of_the_streaming_phase_outside_a_step_is_the_traces(world: World) -> None:
    trace = Stray()

    async def stream() -> None:
        trace.enter_streaming_phase()
        world.call()
        await asyncio.to_thread(world.call)

    await asyncio.create_task(stream())

    assert len(trace.requests) == 2
    assert world.recorder.recorded == []


def fail_with(world: World, error: Exception) -> AwsRequest:
    def fail() -> None:
        raise error

    world.answer = fail
    with Trace(None).step("poll") as step, pytest.raises(type(error)):
        world.call()
    (request,) = step.requests
    return request


def refusal(code: str, status: int, message: str = "m") -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "ID"},
    }
    return ClientError(answer, "GetItem")


def test_a_refused_request_says_awss_code_and_its_first_line(world: World) -> None:
    message = "does not match.\n\nThe Canonical String: x-amz-security-token:SECRET"
    request = fail_with(world, refusal("InvalidSignatureException", 403, message))

    assert (request.status, request.request_id) == (403, "ID")
    assert request.failure is not None
    assert request.failure.error_type == "InvalidSignatureException"
    assert not request.failure.is_fault
    assert [one.message for one in request.failure.chain] == ["does not match."]


def test_a_lost_conditional_write_is_an_answer(world: World) -> None:
    request = fail_with(world, refusal("ConditionalCheckFailedException", 400))

    assert (request.status, request.failure) == (None, None)
    assert request.request_id == "ID"


def test_a_request_without_an_answer_has_its_exception(world: World) -> None:
    request = fail_with(world, ConnectionError("refused"))

    assert request.status is None
    assert request.failure is not None
    assert request.failure.is_fault


def test_the_sdks_own_patch_records_no_request_a_second_time(world: World) -> None:
    """Whichever was installed first: one record."""
    ours = world.client_class._make_api_call

    def patched(client: Any, *args: Any) -> Any:
        return world.recorder.record_subsegment(
            lambda *rest: ours(client, *rest), client, args, {}, name="sdk", namespace="aws"
        )

    world.client_class._make_api_call = patched
    world.call()

    assert world.recorder.recorded == ["dynamodb"]


def test_other_libraries_are_recorded_in_the_handler_phase_only(world: World) -> None:
    def get() -> Any:
        return world.recorder.record_subsegment(max, None, (1, 2), {}, name="http")

    assert get() == 2
    with Trace(None).step("fetch"):
        assert get() == 2
    assert world.recorder.recorded == ["http"]


def test_the_gate_passes_failures_on(world: World) -> None:
    with pytest.raises(ZeroDivisionError), Trace(None).step("fetch"):
        world.recorder.record_subsegment(lambda: 1 / 0, None, (), {}, name="http")


async def test_the_gate_stands_before_the_asynchronous_recorder_too(world: World) -> None:
    async def call() -> str:
        return "answer"

    async def get() -> Any:
        return await world.recorder.record_subsegment_async(call, None, (), {}, name="http")

    assert await get() == "answer"
    async with Trace(None).step("fetch"):
        assert await get() == "answer"
    assert world.recorder.recorded == ["http"]


def test_the_exporters_own_requests_are_in_no_trace(world: World) -> None:
    with unrecorded():
        world.call()
        world.recorder.record_subsegment(max, None, (1, 2), {}, name="http")

    assert world.recorder.recorded == []


def test_installing_twice_changes_nothing(world: World) -> None:
    before = world.client_class._make_api_call, world.recorder.record_subsegment
    record_aws_requests(world.recorder, lambda: 0, world.client_class)

    assert before == (world.client_class._make_api_call, world.recorder.record_subsegment)


def test_the_sdks_own_switch_holds(world: World) -> None:
    global_sdk_config.set_sdk_enabled(False)
    try:
        assert world.call()["ResponseMetadata"]["HTTPStatusCode"] == 200
    finally:
        global_sdk_config.set_sdk_enabled(True)
    assert world.recorder.recorded == []
