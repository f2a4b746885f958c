"""From an event to an answer: the front door is found, the app is asked, and its answer takes the
form that the door passes on."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn, Protocol

from lambda_streaming.doors.answering import (
    AnswerOptions,
    AnswerTooLarge,
    as_json,
)
from lambda_streaming.doors.door import Door, streams
from lambda_streaming.doors.events import NotHttp, decode
from lambda_streaming.doors.options import DoorOptions
from lambda_streaming.doors.recognise import Refused, recognise
from lambda_streaming.failure_answers import json_error, server_error
from lambda_streaming.requests import BadRequest, Request
from lambda_streaming.responses import (
    BUFFERED_LIMIT_BYTES,
    BufferedResponse,
    Finish,
    Response,
    Result,
    StreamingResponse,
    StreamOutcome,
    changed,
)
from lambda_streaming.runtime.invocation import LambdaContext
from lambda_streaming.runtime.response_stream import close_body
from lambda_streaming.serving.closing import Closing, DynamoWishes
from lambda_streaming.serving.other_events import UNKNOWN, OtherEvents, handle_event, handler_of
from lambda_streaming.serving.recording.access_log import AccessLog, Answer, Line
from lambda_streaming.serving.recording.instruments import Instruments, NoInstruments
from lambda_streaming.serving.settings import AppSettings
from lambda_streaming.sse import to_json

logger = logging.getLogger(__name__)


class App(Protocol):
    """What answers requests: a function, an ASGI app."""

    async def stream(self, request: Request) -> Response | StreamingResponse:
        """For a front door that streams."""

    async def buffer(self, request: Request, *, limit_bytes: int) -> Response:
        """For a front door that takes whole answers. Work after the answer is in `finish`."""


class ErrorStatus(Exception):
    """The app answered with a status that counts as a failed invocation."""


class Answering:
    """Answers the events of one app."""

    def __init__(
        self,
        app: App,
        settings: AppSettings,
        *,
        door_options: DoorOptions | None = None,
        answer_options: AnswerOptions | None = None,
        other_events: OtherEvents | None = None,
        steady_seconds: Callable[[], float] = time.monotonic,
        closing: Closing | None = None,
        instruments: Instruments | None = None,
    ) -> None:
        self._app = app
        self._settings = settings
        self._door_options = door_options or DoorOptions()
        self._answer_options = answer_options or AnswerOptions()
        self._other_events = other_events
        self._instruments = instruments or NoInstruments()
        self._access_log = AccessLog(steady_seconds, settings.log_level)
        self._has_warned = False
        table = settings.close_table
        self._closing = Closing(DynamoWishes(table)) if closing is None and table else closing

    async def handle(self, event: bytes, context: LambdaContext) -> Result:
        """The runtime's handler. Raises what is to fail the invocation: UnhandledEventError,
        ErrorStatus, what a handler of other events raises."""
        try:
            document = decode(event)
        except NotHttp as error:
            return _refusal(400, str(error))
        try:
            door = recognise(document)
        except (Refused, NotHttp) as error:
            return await self._answer_other(error, document, context)
        line = self._access_log.begin(door.NAME)
        if not streams(door, self._settings.invoke_mode):
            payload, finish = await self._buffered(door, document, context, line)
            return BufferedResponse(as_json(payload), finish=finish)
        try:
            request = line.request = self._door_options.apply(door.read_request(document, context))
        except BadRequest as error:
            return line.of(_bad_request(error, context))
        answer = await self._asked(self._app.stream, request, line)
        if self._closing is not None and isinstance(answer, StreamingResponse):
            answer = self._closing.watched(answer, request)
        self._warn_of_two_origins(answer)
        return line.of(answer)

    async def answer(
        self, document: Mapping[str, Any], context: object
    ) -> tuple[Any, Finish | None]:
        """The answer to an event as the JSON object of its front door, and the work after it."""
        event = dict(document)
        try:
            door = recognise(event)
        except (Refused, NotHttp) as error:
            other = await self._answer_other(error, event, context)
            return json.loads(other.payload), None
        return await self._buffered(door, event, context, self._access_log.begin(door.NAME))

    async def _buffered(
        self, door: Door, document: dict[str, Any], context: object, line: Line
    ) -> tuple[dict[str, Any], Finish | None]:
        request = Request("GET", "/", "/", context=context)
        response: Response
        try:
            request = line.request = self._door_options.apply(door.read_request(document, context))
        except BadRequest as error:
            response = _bad_request(error, context)
        else:
            ask = partial(self._app.buffer, limit_bytes=BUFFERED_LIMIT_BYTES)
            response = await self._asked(ask, request, line)
        try:
            payload = door.answer(response, document, self._answer_options)
            return payload, line.of(response).finish
        except AnswerTooLarge as error:
            logger.error("the answer was not sent: %s", error)
            instead = server_error(request, str(error))
        except (ValueError, TypeError) as error:  # a status or header that cannot be sent
            logger.error("the answer was not sent: %s", error)
            instead = server_error(request)
        sent = changed(instead, finish=response.finish, route=response.route)
        return door.answer(sent, document, AnswerOptions()), line.of(sent).finish

    async def _asked(
        self, ask: Callable[[Request], Awaitable[Answer]], request: Request, line: Line
    ) -> Answer | Response:
        """The app's answer, or the close route's."""
        try:
            closing = None if self._closing is None else await self._closing.answer(request)
            answer = await ask(request) if closing is None else closing
        except BaseException as error:
            line.unanswered(error)
            raise
        if closing is None and self._settings.is_error(answer.status):
            await _fail(line.of(answer))
        return answer

    async def _answer_other(
        self, why: Refused | NotHttp, document: dict[str, Any], context: object
    ) -> BufferedResponse:
        if isinstance(why, Refused):
            logger.error("refused: %s", why.reason)
            return _refusal(why.status, why.reason)
        source = why.source or UNKNOWN
        if why.source is None and handler_of(self._other_events, UNKNOWN) is None:
            return _refusal(400, why.reason)
        result = await self._instruments.run_event(
            lambda: handle_event(self._other_events, source, document, context), context
        )
        return BufferedResponse(to_json(result).encode())

    def _warn_of_two_origins(self, answer: Response | StreamingResponse) -> None:
        """Browsers refuse an answer with two Access-Control-Allow-Origin."""
        if self._settings.url_cors and not self._has_warned and _names_origin(answer):
            self._has_warned = True
            logger.warning(
                "the app and the Function URL both answer for CORS: browsers refuse two"
                " Access-Control-Allow-Origin. Remove one of them"
            )


async def _fail(answer: Response | StreamingResponse) -> NoReturn:
    """Does what has to follow an answer that nobody is sent. Raises ErrorStatus."""
    error = ErrorStatus(
        f"the app answered {answer.status}, which STREAMING_ERROR_STATUS counts as a failed"
        " invocation"
    )
    if isinstance(answer, StreamingResponse):
        await close_body(answer.body)
    if answer.finish is not None:
        await answer.finish(StreamOutcome.FAILED, error)
    raise error


def _names_origin(answer: Response | StreamingResponse) -> bool:
    headers = answer.headers
    if not isinstance(headers, Mapping | Sequence):  # an iterator can be read only once
        return False
    names = headers if isinstance(headers, Mapping) else (name for name, _ in headers)
    return any(name.lower() == "access-control-allow-origin" for name in names)


def _refusal(status: int, message: str) -> BufferedResponse:
    """To whoever invoked the function with an event that no front door sends."""
    document = {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": to_json({"error": message}),
        "isBase64Encoded": False,
    }
    return BufferedResponse(to_json(document).encode())


def _bad_request(error: BadRequest, context: object) -> Response:
    request = Request("GET", "/", "/", context=context)
    return json_error(400, error.code, error.message, request)
