"""A stream's polls: its place in the feed, and when the feed is read.

The feed is touched on the event loop's thread only; threads get requests and give back pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from lambda_streaming.tracing.step import Keep, Trace
from lambdas.sse_streaming.aws.errors import AwsError, AwsUnavailable
from lambdas.sse_streaming.feed.catch_up import CatchUpAllowance
from lambdas.sse_streaming.feed.feed import Feed
from lambdas.sse_streaming.feed.items import Item, ItemKey, Page
from lambdas.sse_streaming.feed.position_clock import PositionClock, Reading
from lambdas.sse_streaming.feed.request import StreamRequest
from lambdas.sse_streaming.feed.resume import Arrival
from lambdas.sse_streaming.parts import Parts

T = TypeVar("T")

_RETURN_MS = 60_000
_IDLE_AFTER_SECONDS = 10.0
_IDLE_FACTOR = 1.5
_MAX_BACKOFF_DOUBLINGS = 6
_HONEST_SKEW_SHARE = 5
"""The fifth of the overlap is for the difference between the clocks of two healthy machines."""


class Poller:
    """`wake` tells the body that something is ready; `drained` is set by the body when all that
    was ready is out. `polls` counts every cycle begun, `poll_errors` those that failed."""

    def __init__(
        self,
        parts: Parts,
        request: StreamRequest,
        arrival: Arrival,
        trace: Trace,
        position_clock: PositionClock,
        *,
        wake: Callable[[], None],
    ) -> None:
        self._parts = parts
        self._request = request
        self._arrival = arrival
        self._trace = trace
        self._position_clock = position_clock
        self._wake = wake
        self.drained = asyncio.Event()
        self.feed: Feed | None = None
        self._began_ms = 0
        self._first_settled_ms = 0
        self.polls = 0
        self.poll_errors = 0
        self.clock_facts: dict[str, int] = {}
        """What the root span says of clocks that disagreed; empty on a healthy machine."""

    # Where the stream begins

    async def find_place(self) -> None:
        position, settings = self._arrival.position, self._parts.settings
        if position is None:
            await self._start_fresh()
            return
        now = self._read_clock()
        settled_ms = self._resumable_ms(position.settled_ms, now)
        feed = Feed(self._request.filter, overlap_ms=settings.overlap_ms, settled_ms=settled_ms)
        # The other environment's clock may have been ahead of this one's by as much again.
        until_ms = now.latest_ms + 2 * settings.overlap_ms
        feed.inherit(await self._inherited_hashes(), until_ms=until_ms)
        self._first_settled_ms = settled_ms
        self.feed = feed

    def _resumable_ms(self, settled_ms: int, now: Reading) -> int:
        """Where to resume: never so late that an item may still become visible before it. An id
        that names a later position was minted by a clock that was ahead."""
        overlap_ms = self._parts.settings.overlap_ms
        latest_ms = now.earliest_ms - overlap_ms
        ahead_ms = settled_ms - latest_ms
        if ahead_ms <= overlap_ms // _HONEST_SKEW_SHARE:
            return settled_ms
        self.clock_facts["position_ahead_ms"] = ahead_ms
        self._parts.log.warning(
            "the position in the event id is %d ms ahead of this clock: reading from the present"
            " less the overlap, some events may repeat",
            ahead_ms,
        )
        return latest_ms

    def _read_clock(self, feed: Feed | None = None) -> Reading:
        """The time now. Steps of the wall clock are logged, and undone in the feed."""
        now = self._position_clock.read()
        goes_back = feed is not None and now.began_ms < self._began_ms
        self._began_ms = now.began_ms
        if feed is not None and goes_back:
            beginning_ms = now.began_ms - self._parts.settings.overlap_ms
            feed.go_back(min(self._first_settled_ms, beginning_ms))
        facts, disagreement_ms = self.clock_facts, self._position_clock.disagreement_ms
        if disagreement_ms and "clock_ahead_ms" not in facts:
            facts["clock_ahead_ms"] = disagreement_ms
            self._parts.log.warning(
                "this environment's clock is %+d ms off the time stamp of the request, by which"
                " positions are counted",
                disagreement_ms,
            )
        if now.step_ms:
            facts["clock_steps"] = facts.get("clock_steps", 0) + 1
            facts["clock_step_ms"] = now.step_ms
            self._parts.log.warning(
                "this environment's clock was set by %+d ms during the stream: %s",
                now.step_ms,
                "it may have been wrong before, so the feed is read again from the stream's"
                " beginning and some events may repeat"
                if goes_back
                else "positions do not follow it",
            )
        return now

    async def _inherited_hashes(self) -> tuple[bytes, ...]:
        """From the id, or from the session's record where the id says that there is one."""
        position, presented = self._arrival.position, self._arrival.presented_id
        assert position is not None
        assert presented is not None
        if not position.has_record:
            return position.hashes
        load = partial(self._parts.connections.load_record, position.session_id, presented)
        async with self._trace.step("session_record_load", keep=Keep.LAST) as step:
            record = await step.in_thread(load)
        if record is None:
            return position.hashes
        return record.long_hashes + record.short_hashes

    async def _start_fresh(self) -> None:
        """Read the overlap window once; what is there was there before the client came."""
        settings, reader = self._parts.settings, self._parts.reader
        wanted, count = self._request.filter, self._request.backfill
        now = self._read_clock()
        since_ms = now.earliest_ms - settings.overlap_ms
        until_ms = now.latest_ms + settings.overlap_ms

        def read() -> tuple[list[ItemKey], list[Item]]:
            baseline = reader.window(wanted, since_ms, until_ms)
            backfill = reader.newest(wanted, until_ms, count) if count else []
            return baseline, backfill

        feed = Feed(wanted, overlap_ms=settings.overlap_ms, settled_ms=since_ms)
        # The client has to come back before its id expires, at the end of the replay window.
        return_ms = min(settings.replay_ms // 10, settings.overlap_ms + _RETURN_MS)
        oldest_ms = now.latest_ms - settings.replay_ms + return_ms

        def begin_after(found: tuple[list[ItemKey], list[Item]]) -> tuple[int, int]:
            baseline, backfill = found
            feed.start_after(baseline, backfill, oldest_ms=oldest_ms)
            return len(baseline) + len(backfill), len(backfill)

        await self._cycle(read, begin_after)
        self._first_settled_ms = since_ms
        self.feed = feed

    # Reading on

    async def poll_forever(self) -> None:
        feed, settings = self.feed, self._parts.settings
        assert feed is not None
        steady = self._parts.clock.steady_seconds
        interval, failures = settings.poll_seconds, 0
        allowance = CatchUpAllowance(
            len(self._request.filter.sentiments) / settings.poll_seconds, steady()
        )
        last_match = steady() - _IDLE_AFTER_SECONDS
        await self._until_drained()
        while True:
            started = steady()
            try:
                fresh_count = await self._poll(feed)
            except AwsUnavailable as error:
                failures += 1
                feed.failed()
                if self.poll_errors == 1:
                    self._parts.log.warning("a poll failed, polling again with back-off: %s", error)
                started = steady()  # a pause after a failure that took its time, not beside it
                delay = self._backoff_seconds(failures)
            else:
                failures = 0
                if fresh_count:
                    last_match = steady()
                    allowance.earn(fresh_count)
                await self._until_drained()
                if feed.is_reading:
                    if feed.is_catching_up:
                        await asyncio.sleep(allowance.spend(len(feed.requests()), steady()))
                    continue
                if steady() - last_match < _IDLE_AFTER_SECONDS:
                    interval = settings.poll_seconds
                else:
                    interval = min(interval * _IDLE_FACTOR, settings.poll_max_seconds)
                delay = interval
            await asyncio.sleep(max(0.0, started + delay - steady()))

    async def _poll(self, feed: Feed) -> int:
        if not feed.is_reading:
            now = self._read_clock(feed)
            feed.begin(now.earliest_ms, now.latest_ms)
        requests = feed.requests()

        def absorb(pages: Mapping[str, Page]) -> tuple[int, int]:
            return sum(len(page.items) for page in pages.values()), feed.absorb(pages)

        return await self._cycle(lambda: self._parts.reader.pages(requests), absorb)

    async def _until_drained(self) -> None:
        """Back pressure: nothing more is read before the client took what there is."""
        if self.feed is not None and self.feed.has_ready:
            self.drained.clear()
            self._wake()
            await self.drained.wait()

    async def _cycle(self, read: Callable[[], T], take_in: Callable[[T], tuple[int, int]]) -> int:
        """Run one poll cycle inside a `dynamodb_poll` step; returns the number of new items.

        `take_in` gets what was read, and returns how many items that are and how many are new. A
        cycle that is cancelled is counted without item counts.
        """
        steady = self._parts.clock.steady_seconds
        started = steady()
        self.polls += 1
        step = self._trace.step(
            "dynamodb_poll", sentiment_type=",".join(self._request.filter.sentiments)
        )

        def measure(item_count: int, changed_count: int) -> float:
            elapsed_ms = (steady() - started) * 1000
            step.set(
                item_count=item_count,
                changed_count=changed_count,
                poll_duration_ms=round(elapsed_ms, 3),
                request_count=len(step.requests),
            )
            return elapsed_ms

        def read_or_count() -> T:
            try:
                return read()
            except Exception:
                # Here, since nobody may be waiting any more.
                measure(0, 0)
                self.poll_errors += 1
                self._parts.metrics.count("PollErrors")
                raise

        try:
            async with step:
                item_count, changed_count = take_in(await step.in_thread(read_or_count))
                self._parts.metrics.observe("PollDurationMs", measure(item_count, changed_count))
        except AwsError:
            self._trace.export_early()
            raise
        self._trace.export_early()
        return changed_count

    def _backoff_seconds(self, failures: int) -> float:
        settings = self._parts.settings
        doublings = min(failures, _MAX_BACKOFF_DOUBLINGS)
        longest = min(settings.poll_seconds * (1 << doublings), settings.poll_max_seconds)
        return max(settings.poll_seconds, longest * self._parts.random.uniform(0.5, 1.0))
