"""A connection's slot over its life: acquired, renewed until it is lost, given back."""

from __future__ import annotations

import asyncio
import logging

from lambda_streaming.tracing.step import Keep, Step, Trace
from lambdas.sse_streaming.aws.errors import AwsError
from lambdas.sse_streaming.connections.lease import (
    AcquireRequest,
    Connections,
    Granted,
    Lease,
    Refusal,
    Renewal,
)
from lambdas.sse_streaming.endings import EndReason
from lambdas.sse_streaming.settings import Settings

_log = logging.getLogger(__name__)


class LeaseKeeper:
    """Holds the slot of one connection. `lease` is None until a slot is granted."""

    def __init__(
        self, settings: Settings, connections: Connections, request: AcquireRequest, trace: Trace
    ) -> None:
        self._connections = connections
        self._request = request
        self._trace = trace
        self._max_connections = settings.max_connections
        self._renewal_seconds = settings.lease_seconds / 3
        self.lease: Lease | None = None

    @property
    def session(self) -> Lease | AcquireRequest:
        """Whose connection it is: a client that turns out to be a clone gets a session of its own
        with its lease."""
        return self.lease or self._request

    async def acquire(self) -> Lease | Refusal:
        """Raises AwsError."""
        async with self._trace.step(
            "connection_acquire", keep=Keep.LAST, max_connections=self._max_connections
        ) as step:
            granted = await step.in_thread(
                lambda: self._connections.acquire(self._request), on_late_result=self._hold
            )
            self._hold(granted)
            if isinstance(granted, Refusal):
                step.set(refused=granted.value)
                return granted
            step.set(connection_id=granted.lease.connection_id)
            if granted.current_count is not None:
                step.set(current_count=granted.current_count)
            return granted.lease

    def _hold(self, granted: Granted | Refusal) -> None:
        """A slot granted after the stream has ended has to be released too."""
        if isinstance(granted, Granted):
            self.lease = granted.lease

    async def keep(self, lease: Lease) -> EndReason:
        """Renew the lease until the connection has to end; returns why."""
        looks_for_drain = False
        while True:
            await asyncio.sleep(self._renewal_seconds)
            try:
                reason = await self._renew(lease, looks_for_drain=looks_for_drain)
            except AwsError as error:
                # A stream that cannot renew goes on: its items are worth more than its lease.
                _log.warning("the lease was not renewed: %s", error)
            else:
                if reason is not None:
                    return reason
            looks_for_drain = not looks_for_drain

    async def _renew(self, lease: Lease, *, looks_for_drain: bool) -> EndReason | None:
        async with self._slot_step("connection_renew", lease) as step:
            renewal = await step.in_thread(lambda: self._connections.renew(lease))
            if renewal is not Renewal.HELD:
                return EndReason(renewal)
            if looks_for_drain and await step.in_thread(self._connections.is_draining):
                return EndReason.DRAIN
        return None

    async def release(self) -> None:
        """Give the slot back, also one that is still being acquired."""
        if self.lease is None:
            await self._trace.settle()
        lease = self.lease
        if lease is None:
            return
        try:
            async with self._slot_step("connection_release", lease, Keep.LAST) as step:
                await step.in_thread(lambda: self._connections.release(lease))
        except AwsError as error:
            _log.warning("the slot is not released, its lease will run out: %s", error)

    def _slot_step(self, name: str, lease: Lease, keep: Keep = Keep.BUDGET) -> Step:
        return self._trace.step(
            name,
            keep=keep,
            connection_id=lease.connection_id,
            max_connections=self._max_connections,
        )
