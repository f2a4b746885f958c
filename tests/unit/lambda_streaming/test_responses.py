from __future__ import annotations

import pytest

from lambda_streaming.responses import Response, StreamingResponse


def test_everything_but_a_streams_body_has_a_default() -> None:
    assert Response() == Response(b"", 200, None, ())
    assert StreamingResponse([]) == StreamingResponse([], 200, None, (), None, 30.0, None)


@pytest.mark.parametrize("stall_seconds", [0, -1, float("nan")])
def test_a_stream_needs_a_time_to_stall(stall_seconds: float) -> None:
    with pytest.raises(ValueError, match="stall_seconds"):
        StreamingResponse([], stall_seconds=stall_seconds)


@pytest.mark.parametrize("body", [b"whole", "whole"])
def test_a_whole_body_is_no_stream(body: bytes | str) -> None:
    """It would be sent byte by byte."""
    with pytest.raises(TypeError, match="use Response"):
        StreamingResponse(body)  # type: ignore[arg-type]
