"""Whatever the Runtime API hands over and a handler gives back or raises: it is answered, and the
loop takes the next invocation."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any

import pytest

from lambda_streaming.responses import (
    BufferedResponse,
    Response,
    Result,
    StreamingResponse,
)
from lambda_streaming.runtime.invocation import LambdaContext
from tests.fakes.hostile import EXCEPTIONS, pretender
from tests.fakes.runtime_api import Event, Exchange, FakeRuntimeApi
from tests.fakes.runtime_serving import Finished, serving, streaming, until_idle

HEADERS = (
    "Lambda-Runtime-Aws-Request-Id",
    "Lambda-Runtime-Invocation-Id",
    "Lambda-Runtime-Trace-Id",
    "Lambda-Runtime-Deadline-Ms",
    "Lambda-Runtime-Invoked-Function-Arn",
    "Lambda-Runtime-Client-Context",
    "Lambda-Runtime-Cognito-Identity",
    "Lambda-Runtime-Aws-Tenant-Id",
)
VALUES = {
    "NUL": "a\0b",
    "line feed": "a\nb",
    "carriage return": "a\rb",
    "escape": "\x1b[31m",
    "no UTF-8": "a\udcffb",
    "JSON that is no UTF-8": '{"custom":"\udcff","cognitoIdentityId":"\udcff"}',
    "long": "x" * 100_000,
    "digits": "9" * 10_000,
    "deep": "[" * 100_000,
    "NaN": "NaN",
}


def tell(event: bytes, context: LambdaContext) -> Result:
    """Everything that came with the event, as a handler may write it into an answer or a log."""
    custom = context.client_context.custom if context.client_context else None
    identity = context.identity.cognito_identity_id
    told = [context.aws_request_id, context.invoked_function_arn, context.tenant_id, identity]
    return Response(json.dumps([*told, custom], ensure_ascii=False).encode())


def good(event: bytes, context: LambdaContext) -> Result:
    return Response(b"good")


async def answers_to(
    handler: Callable[[bytes, LambdaContext], Result], *events: Event
) -> list[Exchange]:
    """With a good invocation after them, of which the loop must be able."""

    def then_good(event: bytes, context: LambdaContext) -> Result:
        return good(event, context) if event == b"good" else handler(event, context)

    with FakeRuntimeApi() as api:
        api.add(*events, Event(body=b"good"))
        async with serving(api, then_good) as task:
            await until_idle(api, len(events) + 2)
            assert not task.done()
        answers = api.answers()
    assert all(answer.status == 202 for answer in answers)
    assert answers[-1].payload == b"good"
    return answers[:-1]


class PlainHandler(logging.Handler):
    """Formats as the managed runtime's own does: what fails in it is not kept there."""

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        if record.levelno == logging.WARNING:
            self.warnings.append(line)


@pytest.fixture(autouse=True)
def managed_runtime_log(monkeypatch: pytest.MonkeyPatch) -> PlainHandler:
    runtime, handler = logging.getLogger("lambda_streaming.runtime"), PlainHandler()
    monkeypatch.setattr(runtime, "handlers", [handler])
    return handler


# What comes from the Runtime API


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
async def test_an_event_with_an_unusable_header_is_answered(name: str, value: str) -> None:
    is_request_id = name == HEADERS[0]
    event = Event(request_id=value) if is_request_id else Event(headers={name: value})

    (answer,) = await answers_to(tell, event)

    assert answer.path.endswith("/response")


@pytest.mark.parametrize("handler", [good, lambda event, context: 1 / 0], ids=["good", "failing"])
async def test_an_invocation_id_that_no_field_can_hold_is_not_echoed_and_logged_once(
    handler: Callable[[bytes, LambdaContext], Result], managed_runtime_log: PlainHandler
) -> None:
    event = Event(headers={"Lambda-Runtime-Invocation-Id": "secret\0value"})

    (answer,) = await answers_to(handler, event)

    assert "lambda-runtime-invocation-id" not in answer.headers
    assert managed_runtime_log.warnings == [
        "Lambda-Runtime-Invocation-Id has a control character: it is not echoed"
    ]


async def test_an_invocation_id_is_echoed_byte_for_byte() -> None:
    (answer,) = await answers_to(
        good, Event(headers={"Lambda-Runtime-Invocation-Id": "\udcff\u00e9"})
    )

    assert answer.headers["lambda-runtime-invocation-id"] == "\udcff\u00e9"


# What comes from a handler


# Captured by pytest, whose workers cannot hand on what is no UTF-8.
hostile = pytest.mark.parametrize(
    "make_error",
    [
        pytest.param(make, id=name)
        for name, make in EXCEPTIONS.items()
        if name != "with lone surrogates"
    ],
)


@hostile
async def test_a_handler_that_raises_a_hostile_exception_is_reported(
    make_error: Callable[[], BaseException],
) -> None:
    def handler(event: bytes, context: LambdaContext) -> Result:
        raise make_error()

    (answer,) = await answers_to(handler, Event())

    assert answer.path.endswith("/error")
    assert answer.headers["lambda-runtime-function-error-type"].startswith("Function.")
    assert set(json.loads(answer.body)) == {"errorMessage", "errorType", "stackTrace"}


@hostile
async def test_a_body_that_raises_a_hostile_exception_ends_in_trailers(
    make_error: Callable[[], BaseException],
) -> None:
    async def body() -> AsyncGenerator[bytes, None]:
        yield b"x"
        raise make_error()

    async def finish(*_: object) -> None:
        raise make_error()

    (answer,) = await answers_to(lambda event, context: streaming(body(), finish), Event())

    assert answer.payload == b"x"
    assert sum(len(name) + len(value) for name, value in answer.trailers.items()) < 4_000
    assert set(answer.error_report) == {"errorMessage", "errorType", "stackTrace"}


STREAM = StreamingResponse(None, finish=Finished(), stall_seconds=5)  # type: ignore[arg-type]
GARBAGE: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "a dictionary": lambda: {"statusCode": 200},
    "a class": lambda: Response,
    "what cannot be asked": pretender,
    "a body of numbers": lambda: Response([1, 2]),  # type: ignore[arg-type]
    "a payload of text": lambda: BufferedResponse("text"),  # type: ignore[arg-type]
    "headers that are none": lambda: Response(b"x", 200, 7),  # type: ignore[arg-type]
    "a stream with a bad head and no body": lambda: replace(STREAM, headers={"X": "\0"}),
}


@pytest.mark.parametrize("make_garbage", GARBAGE.values(), ids=GARBAGE)
async def test_a_handler_that_returns_garbage_is_reported(make_garbage: Callable[[], Any]) -> None:
    (answer,) = await answers_to(lambda event, context: make_garbage(), Event())

    assert answer.path.endswith("/error")


async def test_a_stream_without_a_body_ends_in_trailers() -> None:
    (answer,) = await answers_to(lambda event, context: STREAM, Event())

    assert answer.error_report["errorType"] == "TypeError"
