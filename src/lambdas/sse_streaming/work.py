"""What a stream does behind its body: open, poll, renew, put metrics, release."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from lambdas.sse_streaming.aws.errors import AwsError, AwsRefused, AwsUnavailable
from lambdas.sse_streaming.connections.lease import Granted, Lease, Refusal, Renewal, SessionRecord
from lambdas.sse_streaming.endings import Ending, busy, end, fail
from lambdas.sse_streaming.feed.poller import Poller
from lambdas.sse_streaming.feed.position_clock import PositionClock
from lambdas.sse_streaming.feed.resume import Arrival
from lambdas.sse_streaming.parts import Parts
from lambdas.sse_streaming.query import StreamRequest
from lambdas.sse_streaming.steps import Steps
from lambdas.sse_streaming.tracing.operation import Operation, StreamTrace


class Work:
    """The background of one stream. `wake` tells the body that something is ready; `stop` that the
    stream has to end, and how."""

    def __init__(
        self,
        parts: Parts,
        request: StreamRequest,
        arrival: Arrival,
        trace: StreamTrace,
        position_clock: PositionClock,
        *,
        wake: Callable[[], None],
        stop: Callable[[Ending], None],
    ) -> None:
        self._parts = parts
        self._arrival = arrival
        self._trace = trace
        self._stop = stop
        self._steps = Steps(trace, parts.offload)
        self.poller = Poller(parts, request, arrival, trace, self._steps, position_clock, wake=wake)
        self.lease: Lease | None = None

    # Opening

    async def open(self) -> Ending | None:
        """Get a slot, then a place in the feed. None when the stream is open."""
        random = self._parts.random
        try:
            refusal = await self._acquire()
            if refusal is not None:
                return busy(refusal.value, random)
            await self.poller.find_place()
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
        granted = await self._steps.run(
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

    # Running

    def loops(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        return [self.poller.poll_forever, self._renew_forever, self._put_metrics_forever]

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

        step = self._begin_with_slot("connection_renew", lease)
        ended = await self._steps.run(step, renew)
        self._trace.finish(step)
        return ended

    def _begin_with_slot(self, name: str, lease: Lease) -> Operation:
        limit = self._parts.settings.max_connections
        return self._trace.begin(name, connection_id=lease.connection_id, max_connections=limit)

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
            await self._steps.run(step, put)
        except AwsUnavailable as error:
            parts.log.warning("metrics were not put, kept for the next time: %s", error)
        except AwsRefused as error:
            parts.log.error("metrics were refused and are lost: %s", error)
        else:
            self._trace.finish(step)

    async def release(self) -> None:
        """Give the slot back, if there is one, or when it comes: an acquire may be under way."""
        if self.lease is None:
            await self._steps.settle()
        lease = self.lease
        if lease is None:
            return
        step = self._begin_with_slot("connection_release", lease)
        try:
            await self._steps.run(step, lambda: self._parts.connections.release(lease))
        except AwsError as error:
            self._parts.log.warning("the slot is not released, its lease will run out: %s", error)
        else:
            self._trace.finish(step)

    async def settle(self, timeout_seconds: float) -> None:
        """Wait for requests under way, so that they are in the trace; not longer than bounded."""
        await self._steps.settle(timeout_seconds)

    async def save_record(self, lease: Lease, record: SessionRecord) -> None:
        """Raises AwsError, and ValueError for a window that does not fit."""
        step = self._trace.begin(
            "session_record_save", hash_count=len(record.long_hashes) + len(record.short_hashes)
        )
        save = self._parts.connections.save_record
        await self._steps.run(step, lambda: save(lease.session_id, record))
        self._trace.finish(step)
