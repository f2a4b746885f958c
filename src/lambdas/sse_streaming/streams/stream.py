"""The life of one connection: event blocks while it lives, and an orderly end in every case.

The body only formats and yields. What can be slow runs beside it, in three tasks: one keeps the
lease, one polls, one puts metrics. A timer or a task ends the stream; no end waits for a poll.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from lambda_streaming.clock import Clock
from lambda_streaming.concurrency.wake_up import WakeUp
from lambda_streaming.responses import StreamOutcome
from lambda_streaming.sse import encode_comment
from lambda_streaming.tracing.header import xray_trace_id
from lambda_streaming.tracing.step import Scalar, Trace
from lambdas.sse_streaming.aws.errors import AwsError, AwsRefused, AwsUnavailable
from lambdas.sse_streaming.connections.keeper import LeaseKeeper
from lambdas.sse_streaming.connections.lease import AcquireRequest, ConnectionsTable, Lease, Refusal
from lambdas.sse_streaming.endings import Ending, EndReason, Lifetime, busy, end, fail
from lambdas.sse_streaming.feeds.poller import Poller
from lambdas.sse_streaming.feeds.position import PositionCodec
from lambdas.sse_streaming.feeds.position_clock import PositionClock
from lambdas.sse_streaming.feeds.reader import FeedReader
from lambdas.sse_streaming.feeds.request import StreamRequest
from lambdas.sse_streaming.feeds.resume import Resume, read_last_event_id
from lambdas.sse_streaming.feeds.schema import FeedSchema
from lambdas.sse_streaming.metrics import Metrics
from lambdas.sse_streaming.reporter import MetricSink, MetricsReporter
from lambdas.sse_streaming.sessions import SessionRecords
from lambdas.sse_streaming.settings import Settings
from lambdas.sse_streaming.streams.blocks import Block, BlockWriter, Opened, UnopenedBlocks

OPENING = encode_comment("open")
"""Sent before the first AWS request: the client's `onopen` fires, and no proxy waits."""
HEARTBEAT = encode_comment()
ANNOTATIONS = (
    "connection_id",
    "session_id",
    "connection_sequence",
    "previous_trace_id",
    "end_reason",
    "is_cold_start",
    "trace_from_client",
)
"""Attributes of the root span that X-Ray indexes."""

_RECORD_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Stream:
    """One connection. The runtime iterates `body`, then calls `finish` exactly once."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        random: Random,
        trace: Trace,
        resume: Resume,
        lifetime: Lifetime,
        *,
        blocks: UnopenedBlocks,
        keeper: LeaseKeeper,
        poller: Poller,
        reporter: MetricsReporter,
        records: SessionRecords,
        metrics: Metrics,
        is_cold_start: bool,
        trace_from_client: bool,
        refusal: Ending | None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._random = random
        self._trace = trace
        self._resume = resume
        self._lifetime = lifetime
        self._unopened = blocks
        self._blocks: UnopenedBlocks | BlockWriter = blocks
        self._keeper = keeper
        self._poller = poller
        self._reporter = reporter
        self._records = records
        self._metrics = metrics
        self._is_cold_start = is_cold_start
        self._trace_from_client = trace_from_client
        self._ending = refusal
        self._wake_up = WakeUp()
        self._items = 0
        self._latencies_ms: Counter[int] = Counter()
        self._events = 0
        self._bytes = 0

    @property
    def write_deadline(self) -> float | None:
        """When a blocked write has to be given up so that release and flush still fit in."""
        return self._lifetime.write_deadline

    async def body(self) -> AsyncGenerator[bytes, None]:
        """Blocks for the client, a heartbeat where nothing else came, and an `end` or `busy`.

        After an `end` of reason error, raises the error for the trailers.
        """
        self._trace.enter_streaming_phase()
        self._bytes += len(OPENING)
        yield OPENING
        loop = asyncio.get_running_loop()
        heartbeat_seconds = self._settings.heartbeat_seconds
        last_write = loop.time()
        lifetime = self._lifetime
        timer = loop.call_at(lifetime.ends_at, self._stop, end(lifetime.reason, self._random))
        background = asyncio.create_task(self._guarded(self._open_and_run))
        try:
            while self._ending is None:
                block = self._blocks.next()
                if block is not None:
                    yield block.data
                    self._count(block)
                    last_write = loop.time()
                    continue
                self._report_items()
                self._poller.drained.set()
                if not await self._wake_up.wait_until(last_write + heartbeat_seconds):
                    self._bytes += len(HEARTBEAT)
                    yield HEARTBEAT
                    last_write = loop.time()
        finally:
            timer.cancel()
            await _cancel([background])
        ending = self._ending
        event_id = await self._save_record() if ending.keeps_record else None
        last = self._blocks.last(ending, event_id)
        yield last.data
        self._count(last)
        if ending.error is not None:
            raise ending.error

    # The tasks beside the body

    async def _open_and_run(self) -> None:
        opened = await self._open()
        if isinstance(opened, Ending):
            self._stop(opened)
            return
        self._metrics.count("ConnectionsAcquired")
        self._blocks = self._unopened.open(opened, retry_ms=self._settings.retry_ms)
        self._wake_up.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._guarded(self._keep_lease, opened.lease))
            tasks.create_task(
                self._guarded(self._poller.poll_forever, opened.feed, self._wake_up.set)
            )
            tasks.create_task(self._guarded(self._reporter.put_forever))

    async def _open(self) -> Opened | Ending:
        """Get a slot, then a place in the feed. Raises AwsRefused."""
        limit = self._settings.max_connections
        try:
            lease = await self._keeper.acquire()
            if isinstance(lease, Refusal):
                return busy(lease.value, limit, self._random)
            return Opened(lease, await self._poller.open())
        except AwsUnavailable as error:
            _log.warning("refused as busy: %s", error)
            return busy("unavailable", limit, self._random)

    async def _keep_lease(self, lease: Lease) -> None:
        self._stop(end(await self._keeper.keep(lease), self._random))

    async def _guarded(
        self, run: Callable[..., Coroutine[Any, Any, None]], *arguments: object
    ) -> None:
        """Any failure of a task ends the stream, with that error."""
        try:
            await run(*arguments)
        except AwsError as error:
            is_permanent = isinstance(error, AwsRefused)
            self._stop(fail(error, self._random, is_permanent=is_permanent))
        except Exception as error:
            _log.exception("a defect ended the stream")
            self._stop(fail(error, self._random, is_permanent=False))

    def _stop(self, ending: Ending) -> None:
        """The first reason counts."""
        if self._ending is None:
            self._ending = ending
            self._wake_up.set()

    # Counts and the session's record

    def _count(self, block: Block) -> None:
        """The Runtime API has the block."""
        self._events += 1
        self._bytes += len(block.data)
        facts: dict[str, Scalar] = {"event_type": block.event, "is_cold_start": self._is_cold_start}
        if block.latency_ms is not None:
            facts["latency_ms"] = float(block.latency_ms)
            self._items += 1
            if block.is_live:
                self._latencies_ms[block.latency_ms] += 1
        self._trace.record("sse_event_dispatch", block.started_ns, **facts)
        if self._bytes >= self._settings.max_stream_bytes:
            self._stop(end(EndReason.BYTES, self._random))

    def _report_items(self) -> None:
        """Add the items sent to the metrics, once per batch: each call takes a lock."""
        if self._items:
            self._metrics.count("EventsSent", self._items)
            self._metrics.observe("EventLatencyMs", self._latencies_ms)
            self._items, self._latencies_ms = 0, Counter()

    async def _save_record(self) -> str | None:
        """Save the window that an id cannot carry; returns the id that the record is for. Before
        the last block is sent, since the client may be back within milliseconds."""
        record = self._blocks.record()
        if record is None:
            return None
        try:
            async with asyncio.timeout(_RECORD_SECONDS):
                await self._records.save(self._keeper.session.session_id, record)
        except (AwsError, ValueError, TimeoutError) as error:
            _log.warning("the record was lost, a resume may repeat events: %r", error)
            return None
        return record.position_id

    # After the client has had its answer

    async def finish(self, outcome: StreamOutcome, error: BaseException | None) -> None:
        """Release the slot and put the last metrics, side by side and bounded; then the trace
        ends."""
        reason, lived_seconds = self._reason(outcome), self._seconds_alive()
        self._report_items()
        self._metrics.count("ConnectionSeconds", lived_seconds)
        self._metrics.count("StreamsEnded", reason=reason)
        if reason == "busy":
            self._metrics.count("ConnectionsRefused")
        budget_seconds = self._lifetime.finish_seconds(
            self._clock.steady_seconds(), self._settings.flush_seconds
        )
        pending = [
            asyncio.create_task(self._keeper.release()),
            asyncio.create_task(self._reporter.put()),
        ]
        if outcome is StreamOutcome.SHUTDOWN:
            # The process has a few hundred milliseconds: spans leave while the slot is released.
            self._end_trace(reason, lived_seconds, error)
            self._trace.export()
        try:
            await asyncio.wait(pending, timeout=budget_seconds)
            await _cancel(pending)
            for task in pending:
                if not task.cancelled() and (defect := task.exception()) is not None:
                    _log.error("a defect while the stream was finished: %r", defect)
            if outcome is not StreamOutcome.SHUTDOWN:
                spent_seconds = self._seconds_alive() - lived_seconds
                await self._trace.settle(max(0.0, budget_seconds - spent_seconds))
        finally:  # SIGTERM may cancel the waits above
            if outcome is not StreamOutcome.SHUTDOWN:
                self._end_trace(reason, lived_seconds, error)

    def _reason(self, outcome: StreamOutcome) -> str:
        if outcome not in (StreamOutcome.COMPLETED, StreamOutcome.FAILED):
            return str(outcome.value)
        if self._ending is None:
            return EndReason.ERROR.value
        return "busy" if self._ending.event == "busy" else self._ending.reason

    def _seconds_alive(self) -> float:
        return self._clock.steady_seconds() - self._lifetime.began

    def _end_trace(self, reason: str, lived_seconds: float, error: BaseException | None) -> None:
        attributes = self._root_attributes(reason)
        is_fault = reason == EndReason.ERROR
        try:
            self._trace.end(
                attributes,
                annotations=ANNOTATIONS,
                error=error if is_fault else None,
                is_fault=is_fault,
                interrupted=reason == StreamOutcome.SHUTDOWN.value,
            )
        finally:
            self._log_end(attributes, lived_seconds)

    def _root_attributes(self, reason: str) -> dict[str, Scalar]:
        session = self._keeper.session
        attributes: dict[str, Scalar] = {
            "session_id": session.session_id,
            "connection_sequence": session.sequence,
            "events_yielded": self._events,
            "bytes_sent": self._bytes,
            "polls": self._poller.polls,
            "stream_ms": round(self._seconds_alive() * 1000, 3),
            "end_reason": reason,
            "is_cold_start": self._is_cold_start,
            **self._poller.clock_attributes,
        }
        if self._keeper.lease is not None:
            attributes["connection_id"] = self._keeper.lease.connection_id
        if self._trace_from_client:
            attributes["trace_from_client"] = True
        if self._resume.previous is not None:
            attributes["previous_trace_id"] = xray_trace_id(self._resume.previous[0])
        return attributes

    def _log_end(self, attributes: Mapping[str, Scalar], lived_seconds: float) -> None:
        _log.info(
            "stream ended",
            extra={
                # Empty where there is none: Powertools leaves a None out.
                "connection_id": attributes.get("connection_id", ""),
                "session_id": attributes["session_id"],
                "sequence": attributes["connection_sequence"],
                "trace_id": self._trace.trace_id or "",
                "reason": attributes["end_reason"],
                "seconds": round(lived_seconds, 3),
                "events": attributes["events_yielded"],
                "bytes": attributes["bytes_sent"],
                "polls": attributes["polls"],
                "poll_errors": self._poller.poll_errors,
                "duplicates_dropped": self._blocks.duplicates_dropped,
                "lease_seconds": self._settings.lease_seconds,
            },
        )


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have ended; their work on threads goes on."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Streams:
    """Opens the streams of one process, from what is built once."""

    schema: FeedSchema
    settings: Settings
    clock: Clock
    random: Random
    codec: PositionCodec
    connections: ConnectionsTable
    reader: FeedReader
    metrics: Metrics
    sink: MetricSink

    def read_position(
        self, request: StreamRequest, *, is_cold_start: bool
    ) -> tuple[PositionClock, Resume]:
        """The clock that the stream's positions are counted on, and where the stream begins."""
        clock = PositionClock(self.clock, request.received_ms, is_cold_start=is_cold_start)
        resume = read_last_event_id(
            request.last_event_id,
            self.codec,
            now=clock.read(),
            overlap_ms=self.settings.overlap_ms,
            replay_ms=self.settings.replay_ms,
        )
        return clock, resume

    def open(
        self,
        request: StreamRequest,
        resume: Resume,
        trace: Trace,
        position_clock: PositionClock,
        *,
        deadline: float | None,
        is_cold_start: bool,
        refusal: str | None = None,
    ) -> Stream:
        """`deadline` is the invocation's, on the steady clock. With a `refusal` the stream says
        `busy` for that reason, and ends."""
        settings, clock, random, metrics = self.settings, self.clock, self.random, self.metrics
        records = SessionRecords(self.connections, trace)
        acquire = AcquireRequest(resume.session_id, resume.sequence, resume.resumed_slot)
        poller = Poller(
            settings,
            self.reader,
            records,
            metrics,
            trace,
            position_clock,
            random,
            request,
            resume,
            self.schema,
        )
        rotation = settings.max_stream_seconds
        margin = settings.deadline_margin_seconds
        return Stream(
            settings,
            clock,
            random,
            trace,
            resume,
            Lifetime.plan(clock.steady_seconds(), deadline, rotation, margin, random),
            blocks=UnopenedBlocks(self.codec, resume, trace, clock, self.schema.event),
            keeper=LeaseKeeper(settings, self.connections, acquire, trace),
            poller=poller,
            reporter=MetricsReporter(settings, metrics, self.sink, trace, clock),
            records=records,
            metrics=metrics,
            is_cold_start=is_cold_start,
            trace_from_client=request.trace_from_client,
            refusal=None if refusal is None else busy(refusal, settings.max_connections, random),
        )
