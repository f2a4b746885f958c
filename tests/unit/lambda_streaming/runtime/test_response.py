from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from lambda_streaming.responses import Response, StreamingResponse, StreamOutcome


def test_a_response_needs_a_body() -> None:
    with pytest.raises(ValueError, match="empty"):
        Response(204, {}, b"")


@pytest.mark.parametrize("stall_seconds", [0, -1, float("nan")])
def test_a_stream_needs_a_time_to_stall(stall_seconds: float) -> None:
    async def body() -> AsyncGenerator[bytes, None]:
        yield b"x"

    async def finish(outcome: StreamOutcome, error: BaseException | None) -> None: ...

    with pytest.raises(ValueError, match="stall_seconds"):
        StreamingResponse(200, {}, body(), finish, stall_seconds=stall_seconds)
