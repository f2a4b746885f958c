from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from lambda_streaming.bridge.adapter import AsgiAdapter
from lambda_streaming.bridge.types import Receive, Scope, Send
from lambda_streaming.responses import BufferedResponse, Response, StreamOutcome
from lambda_streaming.serving.answering import Answering
from lambda_streaming.serving.other_events import UnhandledEventError
from lambda_streaming.serving.settings import AppSettings
from tests.fakes.asgi import FakeContext, block, start
from tests.fakes.events import as_bytes, function_url_event, http_api_event


def answering(*headers: tuple[bytes, bytes], **settings: Any) -> Answering:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, *headers))
        await send(block(b"hello"))

    return Answering(AsgiAdapter(app), AppSettings(**settings))


async def handled(app: Answering, event: bytes) -> Any:
    context: Any = FakeContext()
    result = await app.handle(event, context)
    assert isinstance(result, Response | BufferedResponse)
    if result.finish is not None:
        await result.finish(StreamOutcome.COMPLETED, None)
    return result


@pytest.mark.parametrize("event", [b"", b"not json", b"[]", b"7", b"\xff"])
async def test_bytes_that_are_no_event_are_answered_with_400(event: bytes) -> None:
    result = await handled(answering(), event)

    assert json.loads(result.payload)["statusCode"] == 400


async def test_a_batch_of_pipes_fails_the_invocation() -> None:
    """Its event is a list; an answer would acknowledge the records."""
    records = [{"messageId": "1", "body": "work", "eventSource": "aws:sqs"}]

    with pytest.raises(UnhandledEventError, match="batch of EventBridge Pipes"):
        await handled(answering(), json.dumps(records).encode())


async def test_a_function_url_streams_and_an_http_api_gets_json() -> None:
    streamed = await handled(answering(), as_bytes(function_url_event("GET", "/")))
    buffered = await handled(answering(), as_bytes(http_api_event("GET", "/")))

    assert isinstance(streamed, Response)
    assert json.loads(buffered.payload)["statusCode"] == 200


@pytest.mark.parametrize("answers_too", [True, False])
async def test_two_answers_for_cors_are_told_once(
    answers_too: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Browsers refuse an answer with two of the header."""
    caplog.set_level(logging.WARNING)
    app = answering((b"Access-Control-Allow-Origin", b"*"), url_cors=answers_too)

    for _ in range(2):
        await handled(app, as_bytes(function_url_event("GET", "/")))

    assert caplog.text.count("both answer for CORS") == answers_too
