"""What a stream does behind its body: open, poll, renew, put metrics, release."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from lambda_streaming.tracing.step import Keep, Step, Trace
from lambdas.sse_streaming.aws.errors import AwsError, AwsRefused, AwsUnavailable
from lambdas.sse_streaming.connections.lease import Granted, Lease, Refusal, Renewal, SessionRecord
from lambdas.sse_streaming.endings import Ending, busy, end, fail
from lambdas.sse_streaming.feed.poller import Poller
from lambdas.sse_streaming.feed.position_clock import PositionClock
from lambdas.sse_streaming.feed.request import StreamRequest
from lambdas.sse_streaming.feed.resume import Arrival
from lambdas.sse_streaming.parts import Parts


class Work:
    """The background of one stream. `wake` tells the body that something is ready; `stop` that the
    stream has to end, and how."""

    def __init__(
        self,
        parts: Parts,
        request: StreamRequest,
        arrival: Arrival,
        trace: Trace,
        position_clock: PositionClock,
        *,
        wake: Callable[[], None],
        stop: Callable[[Ending], None],
    ) -> None:
        self._parts = parts
        self._arrival = arrival
        self._trace = trace
        self._stop = stop
        self.poller = Poller(parts, request, arrival, trace, position_clock, wake=wake)
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
        request = self._arrival.acquire_request()
        async with self._trace.step(
            "connection_acquire", keep=Keep.LAST, max_connections=limit
        ) as step:
            granted = await step.in_thread(
                lambda: self._parts.connections.acquire(request), on_late_result=self._remember
            )
            self._remember(granted)
            if isinstance(granted, Refusal):
                step.set(refused=granted.value)
                return granted
            step.set(connection_id=granted.lease.connection_id)
            if granted.current_count is not None:
                step.set(current_count=granted.current_count)
            return None

    def _remember(self, granted: Granted | Refusal) -> None:
        """A slot that comes after the stream has ended has to be released too."""
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

        async with self._slot_step("connection_renew", lease) as step:
            return await step.in_thread(renew)

    def _slot_step(self, name: str, lease: Lease, keep: Keep = Keep.BUDGET) -> Step:
        limit = self._parts.settings.max_connections
        return self._trace.step(
            name, keep=keep, connection_id=lease.connection_id, max_connections=limit
        )

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

        def put() -> None:
            try:
                parts.sink.put(datums)
            except AwsUnavailable:
                parts.metrics.put_back(datums)  # here, since nobody may be waiting any more
                raise

        try:
            async with self._trace.step(
                "cloudwatch_put_metric",
                keep=Keep.LAST,
                metric_count=len(datums),
                namespace=parts.sink.namespace,
            ) as step:
                await step.in_thread(put)
        except AwsUnavailable as error:
            parts.log.warning("metrics were not put, kept for the next time: %s", error)
        except AwsRefused as error:
            parts.log.error("metrics were refused and are lost: %s", error)

    async def release(self) -> None:
        """Give the slot back, if there is one, or when it comes: an acquire may be under way."""
        if self.lease is None:
            await self._trace.settle()
        lease = self.lease
        if lease is None:
            return
        try:
            async with self._slot_step("connection_release", lease, Keep.LAST) as step:
                await step.in_thread(lambda: self._parts.connections.release(lease))
        except AwsError as error:
            self._parts.log.warning("the slot is not released, its lease will run out: %s", error)

    async def save_record(self, lease: Lease, record: SessionRecord) -> None:
        """Raises AwsError, and ValueError for a window that does not fit."""
        save = self._parts.connections.save_record
        hash_count = len(record.long_hashes) + len(record.short_hashes)
        async with self._trace.step(
            "session_record_save", keep=Keep.LAST, hash_count=hash_count
        ) as step:
            await step.in_thread(lambda: save(lease.session_id, record))
