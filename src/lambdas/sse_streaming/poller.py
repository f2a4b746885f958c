"""A stream's polls: its place in the feed, and when the feed is read.

The feed is touched on the event loop's thread only; threads get requests and give back pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from lambdas.sse_streaming.arrival import Arrival
from lambdas.sse_streaming.errors import AwsError, AwsUnavailable
from lambdas.sse_streaming.items import Item, ItemKey, Page
from lambdas.sse_streaming.parts import Parts
from lambdas.sse_streaming.polling import Feed
from lambdas.sse_streaming.request import StreamRequest
from lambdas.sse_streaming.steps import Steps
from lambdas.sse_streaming.tracing.operation import StreamTrace

T = TypeVar("T")

_RETURN_MS = 60_000
_IDLE_AFTER_SECONDS = 10.0
_IDLE_FACTOR = 1.5
_MAX_BACKOFF_DOUBLINGS = 6


class Poller:
    """`wake` tells the body that something is ready; `drained` is set by the body when all that
    was ready is out. `polls` counts every cycle begun, `poll_errors` those that failed."""

    def __init__(
        self,
        parts: Parts,
        request: StreamRequest,
        arrival: Arrival,
        trace: StreamTrace,
        steps: Steps,
        *,
        wake: Callable[[], None],
    ) -> None:
        self._parts = parts
        self._request = request
        self._arrival = arrival
        self._trace = trace
        self._steps = steps
        self._wake = wake
        self.drained = asyncio.Event()
        self.feed: Feed | None = None
        self.polls = 0
        self.poll_errors = 0

    # Where the stream begins

    async def find_place(self) -> None:
        position, settings = self._arrival.position, self._parts.settings
        if position is None:
            await self._start_fresh()
            return
        feed = Feed(
            self._request.filter, overlap_ms=settings.overlap_ms, settled_ms=position.settled_ms
        )
        # The other environment's clock may have been ahead of this one's by as much again.
        until_ms = self._parts.clock.wall_ms() + 2 * settings.overlap_ms
        feed.inherit(await self._inherited_hashes(), until_ms=until_ms)
        self.feed = feed

    async def _inherited_hashes(self) -> tuple[bytes, ...]:
        """From the id, or from the session's record where the id says that there is one."""
        position, presented = self._arrival.position, self._arrival.presented_id
        assert position is not None
        assert presented is not None
        if not position.has_record:
            return position.hashes
        load = partial(self._parts.connections.load_record, position.session_id, presented)
        step = self._trace.begin("session_record_load")
        record = await self._steps.run(step, load)
        self._trace.finish(step)
        if record is None:
            return position.hashes
        return record.long_hashes + record.short_hashes

    async def _start_fresh(self) -> None:
        """Read the overlap window once; what is there was there before the client came."""
        settings, reader = self._parts.settings, self._parts.reader
        wanted, count = self._request.filter, self._request.backfill
        now_ms = self._parts.clock.wall_ms()
        since_ms, until_ms = now_ms - settings.overlap_ms, now_ms + settings.overlap_ms

        def read() -> tuple[list[ItemKey], list[Item]]:
            baseline = reader.window(wanted, since_ms, until_ms)
            backfill = reader.newest(wanted, until_ms, count) if count else []
            return baseline, backfill

        feed = Feed(wanted, overlap_ms=settings.overlap_ms, settled_ms=since_ms)
        # The client has to come back before its id expires, at the end of the replay window.
        return_ms = min(settings.replay_ms // 10, settings.overlap_ms + _RETURN_MS)
        oldest_ms = now_ms - settings.replay_ms + return_ms

        def begin_after(found: tuple[list[ItemKey], list[Item]]) -> tuple[int, int]:
            baseline, backfill = found
            feed.start_after(baseline, backfill, oldest_ms=oldest_ms)
            return len(baseline) + len(backfill), len(backfill)

        await self._cycle(read, begin_after)
        self.feed = feed

    # Reading on

    async def poll_forever(self) -> None:
        feed, settings = self.feed, self._parts.settings
        assert feed is not None
        steady = self._parts.clock.steady_seconds
        interval, failures = settings.poll_seconds, 0
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
                await self._until_drained()
                if feed.is_reading:
                    continue  # a long catch-up: the next page at once
                if steady() - last_match < _IDLE_AFTER_SECONDS:
                    interval = settings.poll_seconds
                else:
                    interval = min(interval * _IDLE_FACTOR, settings.poll_max_seconds)
                delay = interval
            await asyncio.sleep(max(0.0, started + delay - steady()))

    async def _poll(self, feed: Feed) -> int:
        if not feed.is_reading:
            feed.begin(self._parts.clock.wall_ms())
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
        """One poll, counted whatever comes of it. `take_in` says how many items were read and how
        many of them are new; the latter is returned. What a stream that ends meanwhile has read
        is taken in by nobody, and its step says no counts."""
        steady = self._parts.clock.steady_seconds
        started = steady()
        step = self._trace.begin(
            "dynamodb_poll", sentiment_type=",".join(self._request.filter.sentiments)
        )
        self.polls += 1

        def measure(item_count: int, changed_count: int) -> float:
            elapsed_ms = (steady() - started) * 1000
            step.set(
                item_count=item_count,
                changed_count=changed_count,
                poll_duration_ms=round(elapsed_ms, 3),
                request_count=len(step.requests),
            )
            return elapsed_ms

        def failed() -> None:
            measure(0, 0)
            self.poll_errors += 1
            self._parts.metrics.count("PollErrors")

        try:
            found = await self._steps.run(step, read, failed=failed)
        except AwsError:
            self._trace.export_early()
            raise
        item_count, changed_count = take_in(found)
        self._parts.metrics.observe("PollDurationMs", measure(item_count, changed_count))
        self._trace.finish(step)
        self._trace.export_early()
        return changed_count

    def _backoff_seconds(self, failures: int) -> float:
        settings = self._parts.settings
        doublings = min(failures, _MAX_BACKOFF_DOUBLINGS)
        longest = min(settings.poll_seconds * (1 << doublings), settings.poll_max_seconds)
        return max(settings.poll_seconds, longest * self._parts.random.uniform(0.5, 1.0))
