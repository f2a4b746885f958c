"""Lambda freezes the environment as soon as the next event is asked for: no span may wait."""

from __future__ import annotations

import pytest

from tests.counts import count
from tests.fakes.local import local_stack, open_stream, read_short_stream

FREEZES = count(200) // 2  # each turn is two invocations


@pytest.mark.timeout(600)
def test_every_span_is_at_the_collector_before_the_next_invocation() -> None:
    with local_stack(
        LOCAL_CONCURRENCY="1", SSE_MAX_STREAM_SECONDS="0.5", SSE_POLL_SECONDS="0.1"
    ) as stack:
        read_short_stream(f"{stack.url}/stream")
        late: list[str] = []
        for _ in range(FREEZES):
            ended = read_short_stream(f"{stack.url}/stream")
            assert ended.names == ["ready", "end"]
            with open_stream(f"{stack.url}/stream") as (_, following):
                # One environment: its next first event says that it went on to this invocation.
                next(following)
                records = stack.stack.traces.records(ended.trace_id)
                arrived = {r.name for r in records if r.source == "otel"}
                if not {"sse_stream", "connection_release", "dynamodb_poll"} <= arrived:
                    late.append(ended.trace_id)
                for _ in following:
                    pass
        assert late == []
        log = "\n".join(stack.function_log())
        for complaint in (
            "SegmentNotFoundException",
            "Cannot create segments inside Lambda function",
            "Failed to detach context",
            "Traceback",
        ):
            assert complaint not in log
