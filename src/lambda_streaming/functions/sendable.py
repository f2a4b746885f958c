"""Whether a function's answer can be sent: said before the first byte of it."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import TypeAlias

from lambda_streaming.responses import Response, StreamingResponse, changed
from lambda_streaming.runtime.framing import check_head

Answer: TypeAlias = Response | StreamingResponse


def sendable(answer: Answer) -> Answer:
    """The answer, with headers and cookies that can be read more than once.

    Raises ValueError or TypeError, naming the header, for what cannot be sent.
    """
    headers, cookies = answer.headers, tuple(answer.cookies)
    if not isinstance(headers, Mapping | Sequence | None):
        headers = tuple(headers)
    check_head(answer.status, headers, cookies)
    if headers is not answer.headers or cookies != answer.cookies:
        answer = changed(answer, headers=headers, cookies=cookies)
    return _with_whole_body(answer) if isinstance(answer, Response) else _with_body(answer)


def _with_whole_body(answer: Response) -> Response:
    body: object = answer.body
    if isinstance(body, bytearray | memoryview):
        return changed(answer, body=bytes(body))
    if isinstance(body, str):
        if not body.isascii():
            body.encode()
    elif not isinstance(body, bytes):
        raise TypeError(f"the body of a Response is bytes or a str, not {type(body).__name__}")
    return answer


def _with_body(answer: StreamingResponse) -> StreamingResponse:
    body: object = answer.body
    if not isinstance(body, AsyncIterable | Iterable) and not callable(body):
        raise TypeError(
            "the body of a StreamingResponse is an iterable or a function of `write`, not "
            f"{type(body).__name__}"
        )
    opening: object = answer.opening
    if not isinstance(opening, bytes):
        raise TypeError(
            f"the opening of a StreamingResponse is bytes, not {type(opening).__name__}"
        )
    return answer
