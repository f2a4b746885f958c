"""The life of one connection: event blocks while it lives, and an orderly end in every case.

The body only formats and yields. Everything that can be slow happens behind it (work.py), and
everything that ends a stream does so by a timer or a message, never by a poll's turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from typing import Any

from lambda_streaming.responses import StreamOutcome
from lambda_streaming.sse import encode_comment
from lambda_streaming.tracing.header import hex_trace_id, xray_trace_id
from lambda_streaming.tracing.step import Scalar, Trace
from lambda_streaming.wake_up import Wake
from lambdas.sse_streaming.aws.errors import AwsError, AwsRefused
from lambdas.sse_streaming.blocks import Block, BlockWriter
from lambdas.sse_streaming.connections.lease import SessionRecord
from lambdas.sse_streaming.endings import Ending, end, fail
from lambdas.sse_streaming.feed.position_clock import PositionClock
from lambdas.sse_streaming.feed.request import StreamRequest
from lambdas.sse_streaming.feed.resume import Arrival
from lambdas.sse_streaming.parts import Parts
from lambdas.sse_streaming.work import Work

OPENING = encode_comment("open")
"""Sent before anything is asked of anyone: the client's `onopen` fires, and no proxy waits."""
HEARTBEAT = encode_comment()
ANNOTATIONS = (
    "connection_id",
    "session_id",
    "connection_sequence",
    "previous_trace_id",
    "end_reason",
    "is_cold_start",
)
"""Attributes of the root span that X-Ray indexes."""

_RECORD_SECONDS = 1.0
_FINISH_SECONDS = 2.0
_MIN_FINISH_SECONDS = 0.2
_SHORTEST_ROTATION = 0.8


class Stream:
    """One connection. The runtime iterates `body`, then calls `finish` exactly once.

    `deadline` is the invocation's, on the steady clock, or None. A `refusal` known beforehand is
    all that the stream will say. Made inside a running loop.
    """

    def __init__(
        self,
        parts: Parts,
        request: StreamRequest,
        arrival: Arrival,
        trace: Trace,
        *,
        position_clock: PositionClock,
        deadline: float | None,
        is_cold_start: bool,
        refusal: Ending | None = None,
    ) -> None:
        self._parts = parts
        self._settings = parts.settings
        self._arrival = arrival
        self._trace = trace
        self._deadline = deadline
        self._is_cold_start = is_cold_start
        self._started = parts.clock.steady_seconds()
        # Of an invocation shorter than twice the margin, half is for the stream.
        self._margin_seconds = parts.settings.deadline_margin_seconds
        if deadline is not None:
            self._margin_seconds = min(self._margin_seconds, (deadline - self._started) / 2)
        self._loop = asyncio.get_running_loop()
        self._wake = Wake(self._loop)
        self._work = Work(
            parts,
            request,
            arrival,
            trace,
            position_clock,
            wake=self._wake.set,
            stop=self._stop,
        )
        span_id = trace.span_id
        self._blocks = BlockWriter(
            parts.codec,
            arrival,
            trace=(hex_trace_id(trace.trace_id), span_id) if trace.trace_id and span_id else None,
            arrived_ms=parts.clock.wall_ms(),
        )
        self._ready: deque[Callable[[], Block]] = deque()
        self._ending = refusal
        self._events = 0
        self._bytes = 0

    @property
    def give_up_at(self) -> float | None:
        """When a blocked write has to be given up so that release and flush still fit in."""
        if self._deadline is None:
            return None
        return self._deadline - self._margin_seconds / 2

    async def body(self) -> AsyncGenerator[bytes, None]:
        """Blocks for the client, a heartbeat where nothing else came, and an `end` or `busy`.

        After an `end` of reason error, raises the error for the trailers.
        """
        self._trace.enter_streaming_phase()
        self._bytes += len(OPENING)
        yield OPENING
        loop, wake, work = self._loop, self._wake, self._work
        heartbeat_seconds = self._settings.heartbeat_seconds
        last_write = loop.time()
        seconds_to_live, reason = self._lifetime()
        timer = loop.call_later(seconds_to_live, self._live_no_longer, reason)
        living = asyncio.create_task(self._guarded(self._live()))
        try:
            while self._ending is None:
                block = self._next_block()
                if block is not None:
                    yield block.data
                    self._written(block)
                    last_write = loop.time()
                    continue
                work.poller.drained.set()
                if not await wake.wait_until(last_write + heartbeat_seconds):
                    self._bytes += len(HEARTBEAT)
                    yield HEARTBEAT
                    last_write = loop.time()
        finally:
            timer.cancel()
            await _cancelled([living])
        ending = self._ending
        event_id = await self._save_record() if ending.keeps_record else None
        last = self._blocks.last(
            ending,
            limit=self._settings.max_connections,
            started_ns=self._parts.clock.wall_ns(),
            event_id=event_id,
        )
        yield last.data
        self._written(last)
        if ending.error is not None:
            raise ending.error

    # What the stream lives on

    async def _live(self) -> None:
        if self._ending is not None:
            return
        refused = await self._work.open()
        if refused is not None:
            self._stop(refused)
            return
        self._announce()
        async with asyncio.TaskGroup() as group:
            for run in self._work.loops():
                group.create_task(self._guarded(run()))

    async def _guarded(self, run: Coroutine[Any, Any, None]) -> None:
        """Whatever fails behind the body ends the stream, saying so."""
        try:
            await run
        except AwsError as error:
            is_permanent = isinstance(error, AwsRefused)
            self._stop(fail(error, self._parts.random, is_permanent=is_permanent))
        except Exception as error:
            self._parts.log.exception("the stream failed by a defect")
            self._stop(fail(error, self._parts.random, is_permanent=False))

    def _announce(self) -> None:
        lease, feed = self._work.lease, self._work.poller.feed
        assert lease is not None
        self._blocks.lease, self._blocks.feed = lease, feed
        ready = {
            "connection_id": lease.connection_id,
            "session_id": lease.session_id,
            "sequence": lease.sequence,
            "trace_id": self._trace.trace_id,
            "resumed": self._arrival.position is not None,
        }
        self._ready.append(
            lambda: self._blocks.control(
                "ready",
                ready,
                retry_ms=self._settings.retry_ms,
                started_ns=self._parts.clock.wall_ns(),
            )
        )
        if (reset := self._arrival.reset) is not None:
            self._ready.append(
                lambda: self._blocks.control(
                    "reset",
                    {"reason": reset.value},
                    started_ns=self._parts.clock.wall_ns(),
                )
            )
        self._wake.set()

    def _stop(self, ending: Ending) -> None:
        """The first reason counts."""
        if self._ending is None:
            self._ending = ending
            self._wake.set()

    def _lifetime(self) -> tuple[float, str]:
        """How many seconds the stream may last, and why it ends then."""
        rotation = self._settings.max_stream_seconds
        rotation *= self._parts.random.uniform(_SHORTEST_ROTATION, 1.0)
        if self._deadline is None:
            return rotation, "rotate"
        left = self._deadline - self._margin_seconds - self._parts.clock.steady_seconds()
        return (max(0.0, left), "deadline") if left < rotation else (rotation, "rotate")

    def _live_no_longer(self, reason: str) -> None:
        self._stop(end(reason, self._parts.random))

    def _seconds_alive(self) -> float:
        return self._parts.clock.steady_seconds() - self._started

    # What goes out

    def _next_block(self) -> Block | None:
        if self._ready:
            return self._ready.popleft()()
        feed = self._blocks.feed
        item = feed.take() if feed is not None else None
        if item is None:
            return None
        return self._blocks.item(item, started_ns=self._parts.clock.wall_ns())

    def _written(self, block: Block) -> None:
        """The Runtime API has the block."""
        self._events += 1
        self._bytes += len(block.data)
        said: dict[str, Scalar] = {"event_type": block.event, "is_cold_start": self._is_cold_start}
        if block.latency_ms is not None:
            said["latency_ms"] = float(block.latency_ms)
        self._trace.record("sse_event_dispatch", block.started_ns, **said)
        if block.latency_ms is not None:
            self._parts.metrics.count("EventsSent")
            if block.is_live:
                self._parts.metrics.observe("EventLatencyMs", block.latency_ms)
        if self._bytes >= self._settings.max_stream_bytes:
            self._stop(end("bytes", self._parts.random))

    async def _save_record(self) -> str | None:
        """Where an id cannot carry the window, the session's record does, for exactly the id
        returned. Written before the last block: a client may be back within milliseconds."""
        feed, lease = self._blocks.feed, self._blocks.lease
        if feed is None or lease is None or not feed.overflows_id:
            return None
        position_id = self._blocks.mint(has_record=True)
        long_hashes, short_hashes = feed.window_hashes()
        record = SessionRecord(position_id, tuple(long_hashes), tuple(short_hashes))
        try:
            await asyncio.wait_for(self._work.save_record(lease, record), _RECORD_SECONDS)
        except (AwsError, ValueError, TimeoutError) as error:
            self._parts.log.warning("a resume may repeat events, the record was lost: %r", error)
            return None
        return position_id

    # After the client has had its answer

    async def finish(self, outcome: StreamOutcome, error: BaseException | None) -> None:
        """Release the slot and put the last metrics, side by side and bounded; then the trace
        ends."""
        reason, lived = self._reason(outcome), self._seconds_alive()
        self._parts.metrics.count("ConnectionSeconds", lived)
        self._parts.metrics.count("StreamsEnded", reason=reason)
        if reason == "busy":
            self._parts.metrics.count("ConnectionsRefused")
        budget = self._finish_seconds()
        pending = [
            asyncio.create_task(self._work.release()),
            asyncio.create_task(self._work.put_metrics()),
        ]
        if outcome is StreamOutcome.SHUTDOWN:
            # The process has a few hundred milliseconds: spans leave while the slot is released.
            self._end_trace(reason, lived, error)
            self._trace.export()
        try:
            await asyncio.wait(pending, timeout=budget)
            await _cancelled(pending)
            for task in pending:
                if not task.cancelled() and (defect := task.exception()) is not None:
                    self._parts.log.error("finishing the stream failed by a defect: %r", defect)
            if outcome is not StreamOutcome.SHUTDOWN:
                await self._trace.settle(max(0.0, budget - (self._seconds_alive() - lived)))
        finally:  # also where SIGTERM came meanwhile and leaves no time for the rest
            if outcome is not StreamOutcome.SHUTDOWN:
                self._end_trace(reason, lived, error)

    def _end_trace(self, reason: str, lived: float, error: BaseException | None) -> None:
        facts = self._facts(reason)
        try:
            self._trace.end(
                facts,
                annotations=ANNOTATIONS,
                error=error if reason == "error" else None,
                is_fault=reason == "error",
                interrupted=reason == StreamOutcome.SHUTDOWN.value,
            )
        finally:
            self._log_end(facts, lived)

    def _reason(self, outcome: StreamOutcome) -> str:
        if outcome not in (StreamOutcome.COMPLETED, StreamOutcome.FAILED):
            return str(outcome.value)
        if self._ending is None:
            return "error"
        return "busy" if self._ending.event == "busy" else self._ending.reason

    def _finish_seconds(self) -> float:
        if self._deadline is None:
            return _FINISH_SECONDS
        left = self._deadline - self._parts.clock.steady_seconds()
        return min(_FINISH_SECONDS, max(_MIN_FINISH_SECONDS, left - self._settings.flush_seconds))

    def _facts(self, reason: str) -> dict[str, Scalar]:
        """What the root span says."""
        lease, previous = self._work.lease, self._arrival.previous
        facts: dict[str, Scalar] = {
            "session_id": lease.session_id if lease else self._arrival.session_id,
            "connection_sequence": lease.sequence if lease else self._arrival.sequence,
            "events_yielded": self._events,
            "bytes_sent": self._bytes,
            "polls": self._work.poller.polls,
            "stream_ms": round(self._seconds_alive() * 1000, 3),
            "end_reason": reason,
            "is_cold_start": self._is_cold_start,
            **self._work.poller.clock_facts,
        }
        if lease is not None:
            facts["connection_id"] = lease.connection_id
        if previous is not None:
            facts["previous_trace_id"] = xray_trace_id(previous[0])
        return facts

    def _log_end(self, facts: Mapping[str, Scalar], lived: float) -> None:
        feed = self._blocks.feed
        self._parts.log.info(
            "stream ended",
            extra={
                # Empty where there is none: Powertools leaves a None out.
                "connection_id": facts.get("connection_id", ""),
                "session_id": facts["session_id"],
                "sequence": facts["connection_sequence"],
                "trace_id": self._trace.trace_id or "",
                "reason": facts["end_reason"],
                "seconds": round(lived, 3),
                "events": facts["events_yielded"],
                "bytes": facts["bytes_sent"],
                "polls": facts["polls"],
                "poll_errors": self._work.poller.poll_errors,
                "duplicates_dropped": feed.duplicates_dropped if feed is not None else 0,
                "lease_seconds": self._settings.lease_seconds,
            },
        )


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks and see them end; what they were doing on a thread goes on there."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
