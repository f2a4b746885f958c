"""The work of two routes of the tour in a function without a framework: `/fibonacci/6/numbers`, and
`/trace-test`."""

from __future__ import annotations

from typing import Any

from examples.tour.fibonacci import lines
from lambda_streaming import Request, StreamingResponse, streaming, trace_report


def plain(request: Request) -> StreamingResponse | dict[str, Any]:
    if request.path == "/trace-test":
        return trace_report()
    return StreamingResponse(lines(6), headers={"content-type": "text/plain"})


handler = streaming(plain)
