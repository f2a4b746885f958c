"""The work of the tour's `/fibonacci/{n}/numbers`, in a function without a framework."""

from __future__ import annotations

from examples.tour.fibonacci import lines
from lambda_streaming import Request, StreamingResponse, streaming


def numbers(request: Request) -> StreamingResponse:
    return StreamingResponse(lines(6), headers={"content-type": "text/plain"})


handler = streaming(numbers)
