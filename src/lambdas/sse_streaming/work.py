"""What a stream does behind its body: open, poll, renew, put metrics. Each AWS request runs on a
worker thread, so that a slow or dead service never delays a heartbeat.

The feed is touched on the event loop's thread only; threads get requests and give back pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from lambdas.sse_streaming.arrival import Arrival
from lambdas.sse_streaming.ending import Ending, busy, end, fail
from lambdas.sse_streaming.errors import AwsError, AwsRefused, AwsUnavailable
from lambdas.sse_streaming.items import Item, ItemKey
from lambdas.sse_streaming.lease import Granted, Lease, Refusal, Renewal, SessionRecord
from lambdas.sse_streaming.parts import Parts
from lambdas.sse_streaming.polling import Feed
from lambdas.sse_streaming.request import StreamRequest
from lambdas.sse_streaming.tracing.operation import Operation, StreamTrace

T = TypeVar("T")

_IDLE_AFTER_SECONDS = 10.0
_IDLE_FACTOR = 1.5
_MAX_BACKOFF_DOUBLINGS = 6


class Work:
    """The background of one stream. `drained` is set by the body when all that was ready is out.

    `wake` tells the body that something is ready; `stop` that the stream has to end, and how.
    """

    def __init__(
        self,
        parts: Parts,
        request: StreamRequest,
        arrival: Arrival,
        trace: StreamTrace,
        *,
        wake: Callable[[], None],
        stop: Callable[[Ending], None],
    ) -> None:
        self._parts = parts
        self._request = request
        self._arrival = arrival
        self._trace = trace
        self._wake = wake
        self._stop = stop
        self._in_flight: set[asyncio.Future[Any]] = set()
        self.drained = asyncio.Event()
        self.lease: Lease | None = None
        self.feed: Feed | None = None
        self._poll_started = 0.0
        self.polls = 0
        self.poll_errors = 0

    # Opening

    async def open(self) -> Ending | None:
        """Get a slot, then a place in the feed. None when the stream is open."""
        random = self._parts.random
        try:
            refusal = await self._acquire()
            if refusal is not None:
                return busy(refusal.value, random)
            await self._find_place()
        except AwsUnavailable as error:
            self._parts.log.warning("refused as busy: %s", error)
            return busy("unavailable", random)
        except AwsRefused as error:
            return fail(error, random, is_permanent=True)
        self._parts.metrics.count("ConnectionsAcquired")
        return None

    async def _acquire(self) -> Refusal | None:
        limit = self._parts.settings.max_connections
        step = self._trace.begin("connection_acquire", max_connections=limit)
        request = self._arrival.acquire_request()
        granted = await self._run(
            step, lambda: self._parts.connections.acquire(request), unwanted=self._give_back
        )
        if isinstance(granted, Granted):
            self.lease = granted.lease
            step.set(connection_id=granted.lease.connection_id)
            if granted.current_count is not None:
                step.set(current_count=granted.current_count)
        else:
            step.set(refused=granted.value)
        self._trace.finish(step)
        return None if isinstance(granted, Granted) else granted

    def _give_back(self, granted: Granted | Refusal) -> None:
        """A slot that came when the stream had ended already."""
        if isinstance(granted, Granted):
            self.lease = granted.lease

    async def _find_place(self) -> None:
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
        record = await self._run(step, load)
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

        step = self._begin_poll()
        baseline, backfill = await self._run(step, read)
        self._finish_poll(step, len(baseline) + len(backfill), len(backfill))
        self.feed = Feed(wanted, overlap_ms=settings.overlap_ms, settled_ms=since_ms)
        # Half of the replay window: the client has to come back before the id expires.
        oldest_ms = now_ms - settings.replay_ms // 2
        self.feed.start_after(baseline, backfill, oldest_ms=oldest_ms)

    # Running

    def loops(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        return [self._poll_forever, self._renew_forever, self._put_metrics_forever]

    async def _poll_forever(self) -> None:
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
                self._note_poll_error(feed, error)
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
        step = self._begin_poll()
        pages = await self._run(step, lambda: self._parts.reader.pages(requests))
        fresh_count = feed.absorb(pages)
        self._finish_poll(step, sum(len(page.items) for page in pages.values()), fresh_count)
        return fresh_count

    async def _until_drained(self) -> None:
        """Back pressure: nothing more is read before the client took what there is."""
        if self.feed is not None and self.feed.has_ready:
            self.drained.clear()
            self._wake()
            await self.drained.wait()

    def _begin_poll(self) -> Operation:
        self._poll_started = self._parts.clock.steady_seconds()
        return self._trace.begin(
            "dynamodb_poll", sentiment_type=",".join(self._request.filter.sentiments)
        )

    def _finish_poll(self, step: Operation, item_count: int, changed_count: int) -> None:
        elapsed_ms = (self._parts.clock.steady_seconds() - self._poll_started) * 1000
        step.set(
            item_count=item_count,
            changed_count=changed_count,
            poll_duration_ms=round(elapsed_ms, 3),
            request_count=len(step.requests),
        )
        self._trace.finish(step)
        self.polls += 1
        self._parts.metrics.observe("PollDurationMs", elapsed_ms)
        if self.polls == 1:
            self._trace.export_early()

    def _note_poll_error(self, feed: Feed, error: AwsError) -> None:
        feed.failed()
        self.polls += 1
        self.poll_errors += 1
        self._parts.metrics.count("PollErrors")
        if self.poll_errors == 1:
            self._parts.log.warning("a poll failed, polling again with back-off: %s", error)

    def _backoff_seconds(self, failures: int) -> float:
        settings = self._parts.settings
        doublings = min(failures, _MAX_BACKOFF_DOUBLINGS)
        longest = min(settings.poll_seconds * (1 << doublings), settings.poll_max_seconds)
        return max(settings.poll_seconds, longest * self._parts.random.uniform(0.5, 1.0))

    async def _renew_forever(self) -> None:
        lease = self.lease
        assert lease is not None
        period = self._parts.settings.lease_seconds / 3
        renewals = 0
        while True:
            await asyncio.sleep(period)
            renewals += 1
            try:
                ended = await self._renew(lease, looks_for_drain=renewals % 2 == 0)
            except AwsError as error:
                # A stream that cannot renew goes on: its items are worth more than its lease.
                self._parts.log.warning("the lease was not renewed: %s", error)
                continue
            if ended is not None:
                self._stop(end(ended, self._parts.random))
                return

    async def _renew(self, lease: Lease, *, looks_for_drain: bool) -> str | None:
        connections = self._parts.connections

        def renew() -> str | None:
            renewal = connections.renew(lease)
            if renewal is not Renewal.HELD:
                return str(renewal)
            return "drain" if looks_for_drain and connections.is_draining() else None

        step = self._trace.begin("connection_renew", connection_id=lease.connection_id)
        ended = await self._run(step, renew)
        self._trace.finish(step)
        return ended

    async def _put_metrics_forever(self) -> None:
        while True:
            await asyncio.sleep(self._parts.settings.metrics_seconds)
            await self.put_metrics()

    # Ending

    async def put_metrics(self) -> None:
        """Put what was collected; what CloudWatch could not take is kept for the next time."""
        parts = self._parts
        datums = parts.metrics.take(parts.clock.wall_ms() / 1000)
        if not datums:
            return
        step = self._trace.begin(
            "cloudwatch_put_metric", metric_count=len(datums), namespace=parts.sink.namespace
        )

        def put() -> None:
            try:
                parts.sink.put(datums)
            except AwsUnavailable:
                parts.metrics.put_back(datums)  # here, since nobody may be waiting any more
                raise

        try:
            await self._run(step, put)
        except AwsUnavailable as error:
            parts.log.warning("metrics were not put, kept for the next time: %s", error)
        except AwsRefused as error:
            parts.log.error("metrics were refused and are lost: %s", error)
        else:
            self._trace.finish(step)

    async def release(self) -> None:
        """Give the slot back, if there is one, or when it comes: an acquire may be under way."""
        if self.lease is None and self._in_flight:
            await asyncio.wait(tuple(self._in_flight))
        lease = self.lease
        if lease is None:
            return
        step = self._trace.begin("connection_release", connection_id=lease.connection_id)
        try:
            await self._run(step, lambda: self._parts.connections.release(lease))
        except AwsError as error:
            self._parts.log.warning("the slot is not released, its lease will run out: %s", error)
        else:
            self._trace.finish(step)

    async def settle(self, timeout_seconds: float) -> None:
        """Wait for requests under way, so that they are in the trace; not longer than bounded."""
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=timeout_seconds)

    async def save_record(self, lease: Lease, record: SessionRecord) -> None:
        """Raises AwsError, and ValueError for a window that does not fit."""
        step = self._trace.begin(
            "session_record_save", hash_count=len(record.long_hashes) + len(record.short_hashes)
        )
        save = self._parts.connections.save_record
        await self._run(step, lambda: save(lease.session_id, record))
        self._trace.finish(step)

    async def _run(
        self,
        step: Operation,
        work: Callable[[], T],
        *,
        unwanted: Callable[[T], None] | None = None,
    ) -> T:
        """Do a step's requests on a thread. The caller finishes the step, unless it failed.

        A stream that ends meanwhile does not wait here, and the step ends when the thread does;
        `unwanted` is then given what came of it.
        """
        future = asyncio.ensure_future(self._parts.offload(lambda: step.run(work)))
        self._in_flight.add(future)
        future.add_done_callback(self._in_flight.discard)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(lambda done: self._finish_late(step, done, unwanted))
            raise
        except Exception as error:
            self._trace.finish(step, error)
            raise

    def _finish_late(
        self, step: Operation, done: asyncio.Future[T], unwanted: Callable[[T], None] | None
    ) -> None:
        error = None if done.cancelled() else done.exception()
        self._trace.finish(step, error)
        if unwanted is not None and error is None and not done.cancelled():
            unwanted(done.result())
