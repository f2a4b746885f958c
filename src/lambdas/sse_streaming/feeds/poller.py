"""A stream's polls: its place in the feed, and when the feed is read.

The feed is touched on the event loop's thread only; threads get requests and give back pages.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from random import Random
from typing import TypeVar

from lambda_streaming.tracing.step import Scalar, Step, Trace
from lambdas.sse_streaming.aws.errors import AwsUnavailable
from lambdas.sse_streaming.feeds.catch_up import CatchUpAllowance
from lambdas.sse_streaming.feeds.feed import Feed
from lambdas.sse_streaming.feeds.items import Item, ItemKey
from lambdas.sse_streaming.feeds.pace import PollPace
from lambdas.sse_streaming.feeds.position_clock import ClockReading, PositionClock
from lambdas.sse_streaming.feeds.reader import FeedReader
from lambdas.sse_streaming.feeds.request import StreamRequest
from lambdas.sse_streaming.feeds.resume import Presented, Resume
from lambdas.sse_streaming.feeds.schema import FeedSchema
from lambdas.sse_streaming.metrics import Metrics
from lambdas.sse_streaming.sessions import SessionRecords
from lambdas.sse_streaming.settings import Settings

T = TypeVar("T")

_RETURN_MS = 60_000
_SKEW_DIVISOR = 5
"""A fifth of the overlap is left for the difference between the clocks of two healthy machines."""

_log = logging.getLogger(__name__)


class Poller:
    """Opens one stream's place in the feed, then polls.

    The stream sets `drained` when it has sent all that was ready. `polls` counts every cycle begun,
    `poll_errors` those that failed.
    """

    def __init__(
        self,
        settings: Settings,
        reader: FeedReader,
        records: SessionRecords,
        metrics: Metrics,
        trace: Trace,
        clock: PositionClock,
        random: Random,
        request: StreamRequest,
        resume: Resume,
        schema: FeedSchema,
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._records = records
        self._metrics = metrics
        self._trace = trace
        self._clock = clock
        self._random = random
        self._wanted = request.filter
        self._backfill = request.backfill
        self._presented = resume.presented
        # A client's or a caller's partition is not for a trace: it may be a secret, or a person.
        self._followed: dict[str, Scalar] = {}
        if schema.fixed_values is not None:
            self._followed[schema.partition] = ",".join(request.filter.partitions)
        self.drained = asyncio.Event()
        self.polls = 0
        self.poll_errors = 0
        self.clock_attributes: dict[str, int] = {}
        """For the root span: how clocks disagreed; empty on a healthy machine."""

    # Where the stream begins

    async def open(self) -> Feed:
        """Find the stream's place in the feed. Raises AwsError."""
        if self._presented is None:
            return await self._start_fresh()
        return await self._resume_at(self._presented)

    async def _resume_at(self, presented: Presented) -> Feed:
        overlap_ms = self._settings.overlap_ms
        now = self._read_clock()
        settled_ms = self._resumable_ms(presented.position.settled_ms, now)
        feed = Feed(self._wanted, overlap_ms=overlap_ms, settled_ms=settled_ms)
        # The clock of the environment that minted the id may have been ahead by another overlap.
        until_ms = now.latest_ms + 2 * overlap_ms
        feed.inherit(await self._inherited_hashes(presented), until_ms=until_ms)
        return feed

    def _resumable_ms(self, settled_ms: int, now: ClockReading) -> int:
        """Where to resume: never so late that an item may still become visible before it. An id
        that names a later position was minted by a clock that was ahead."""
        overlap_ms = self._settings.overlap_ms
        latest_ms = now.earliest_ms - overlap_ms
        ahead_ms = settled_ms - latest_ms
        if ahead_ms <= overlap_ms // _SKEW_DIVISOR:
            return settled_ms
        self.clock_attributes["position_ahead_ms"] = ahead_ms
        _log.warning(
            "the position in the event id is %d ms ahead of this clock: reading from the present"
            " less the overlap, some events may repeat",
            ahead_ms,
        )
        return latest_ms

    async def _inherited_hashes(self, presented: Presented) -> tuple[bytes, ...]:
        """From the id, or from the session's record where the id says that there is one."""
        position = presented.position
        if position.has_record:
            record = await self._records.load(position.session_id, presented.event_id)
            if record is not None:
                return record.long_hashes + record.short_hashes
        return position.hashes

    async def _start_fresh(self) -> Feed:
        """Read the overlap window once: what is there is older than the stream."""
        settings = self._settings
        now = self._read_clock()
        since_ms = now.earliest_ms - settings.overlap_ms
        until_ms = now.latest_ms + settings.overlap_ms
        # The client has to come back before its id expires, at the end of the replay window.
        return_ms = min(settings.replay_ms // 10, settings.overlap_ms + _RETURN_MS)
        oldest_ms = now.latest_ms - settings.replay_ms + return_ms
        feed = Feed(self._wanted, overlap_ms=settings.overlap_ms, settled_ms=since_ms)
        self.polls += 1
        async with self._trace.step("dynamodb_poll") as step:
            step.attributes.update(self._followed)
            cycle = PollCycle(step, self._metrics, self._count_error)
            baseline, backfill = await cycle.read(lambda: self._read_first(since_ms, until_ms))
            feed.start_after(baseline, backfill, oldest_ms=oldest_ms)
            cycle.found(len(baseline) + len(backfill), len(backfill))
        self._trace.export_early()
        return feed

    def _read_first(self, since_ms: int, until_ms: int) -> tuple[list[ItemKey], list[Item]]:
        baseline = self._reader.window(self._wanted, since_ms, until_ms)
        if not self._backfill:
            return baseline, []
        return baseline, self._reader.newest(self._wanted, until_ms, self._backfill)

    # Polling

    async def poll_forever(self, feed: Feed, on_ready: Callable[[], None]) -> None:
        """Poll until cancelled; `on_ready` is called when there are items to take.

        Raises AwsRefused.
        """
        now, settings = asyncio.get_running_loop().time, self._settings
        pace = PollPace(settings.poll_seconds, settings.poll_max_seconds, self._random, now())
        pages_per_second = len(self._wanted.partitions) / settings.poll_seconds
        allowance = CatchUpAllowance(pages_per_second, now())
        await self._until_drained(feed, on_ready)
        while True:
            started = now()
            try:
                new_items = await self._poll(feed)
            except AwsUnavailable as error:
                self._trace.export_early()
                feed.failed()
                if self.poll_errors == 1:
                    _log.warning("a poll failed, polling again with back-off: %s", error)
                # From now, not from the poll's beginning: a timeout takes seconds itself.
                await asyncio.sleep(pace.failed())
                continue
            self._trace.export_early()
            pace.succeeded(new_items, now())
            allowance.earn(new_items)
            await self._until_drained(feed, on_ready)
            if not feed.is_reading:
                await asyncio.sleep(max(0.0, started + pace.next_interval(now()) - now()))
            elif feed.is_catching_up:
                await asyncio.sleep(allowance.spend(len(feed.requests()), now()))

    async def _poll(self, feed: Feed) -> int:
        """Read the next pages; returns the number of new items."""
        if not feed.is_reading:
            now = self._read_clock()
            if now.goes_back:
                feed.go_back(now.began_ms)
            feed.begin(now.earliest_ms, now.latest_ms)
        requests = feed.requests()
        self.polls += 1
        async with self._trace.step("dynamodb_poll") as step:
            step.attributes.update(self._followed)
            cycle = PollCycle(step, self._metrics, self._count_error)
            pages = await cycle.read(lambda: self._reader.pages(requests))
            new_items = feed.absorb(pages)
            cycle.found(sum(len(page.items) for page in pages.values()), new_items)
        return new_items

    def _count_error(self) -> None:
        self.poll_errors += 1

    async def _until_drained(self, feed: Feed, on_ready: Callable[[], None]) -> None:
        """Back pressure: nothing more is read before the client has taken what is ready."""
        if feed.has_ready:
            self.drained.clear()
            on_ready()
            await self.drained.wait()

    def _read_clock(self) -> ClockReading:
        """The time now. Clocks that disagree are logged, and noted for the root span."""
        now = self._clock.read()
        attributes, disagreement_ms = self.clock_attributes, self._clock.disagreement_ms
        if disagreement_ms and "clock_ahead_ms" not in attributes:
            attributes["clock_ahead_ms"] = disagreement_ms
            _log.warning(
                "this environment's clock is %+d ms off the time stamp of the request, by which"
                " positions are counted",
                disagreement_ms,
            )
        if now.step_ms:
            attributes["clock_steps"] = attributes.get("clock_steps", 0) + 1
            attributes["clock_step_ms"] = now.step_ms
            _log.warning(
                "this environment's clock was set by %+d ms during the stream: %s",
                now.step_ms,
                "it may have been wrong before, so the feed is read again from the stream's"
                " beginning and some events may repeat"
                if now.goes_back
                else "positions do not follow it",
            )
        return now


class PollCycle:
    """Runs the reads of one poll cycle; records them in its `dynamodb_poll` step and metrics."""

    def __init__(self, step: Step, metrics: Metrics, on_error: Callable[[], None]) -> None:
        self._step = step
        self._metrics = metrics
        self._on_error = on_error
        self._now = asyncio.get_running_loop().time
        self._started = self._now()

    async def read(self, read: Callable[[], T]) -> T:
        """Run blocking reads on a worker thread."""
        return await self._step.in_thread(lambda: self._read(read))

    def _read(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except Exception:
            # Here, on the worker thread: the task that awaited it may have ended.
            self._on_error()
            self._metrics.count("PollErrors")
            self._describe(0, 0)
            raise

    def found(self, item_count: int, new_count: int) -> None:
        self._metrics.observe("PollDurationMs", self._describe(item_count, new_count))

    def _describe(self, item_count: int, new_count: int) -> float:
        elapsed_ms = (self._now() - self._started) * 1000
        self._step.set(
            item_count=item_count,
            changed_count=new_count,
            poll_duration_ms=round(elapsed_ms, 3),
            request_count=len(self._step.requests),
        )
        return elapsed_ms
