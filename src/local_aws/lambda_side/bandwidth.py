"""Lambda's limits on a streamed response: bytes a second, and bytes in all.

The token bucket is RAPID's (aws-lambda-runtime-interface-emulator, core/bandwidthlimiter): 6 MiB at
once, then 2 MiB a second, refilled every 125 ms. The total is the documented 200 MB.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

_MIB = 1024 * 1024
BURST_BYTES = 6 * _MIB
RATE_BYTES_PER_SECOND = 2 * _MIB
REFILL_SECONDS = 0.125
MAX_RESPONSE_BYTES = 200 * _MIB


@dataclass(slots=True)
class Bandwidth:
    """Says how long each chunk must wait; the caller does the waiting."""

    clock: Callable[[], float]
    burst_bytes: int = BURST_BYTES
    rate_bytes_per_second: int = RATE_BYTES_PER_SECOND
    max_bytes: int = MAX_RESPONSE_BYTES
    sent_bytes: int = 0
    _tokens: float = field(init=False)
    _refilled_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._tokens = self.burst_bytes
        self._refilled_at = self.clock()

    def take(self, size_bytes: int) -> float:
        """Takes the chunk's tokens and gives the seconds to wait before it may pass."""
        steps = int((self.clock() - self._refilled_at) / REFILL_SECONDS)
        self._refilled_at += steps * REFILL_SECONDS
        refill = steps * REFILL_SECONDS * self.rate_bytes_per_second
        self._tokens = min(self.burst_bytes, self._tokens + refill) - size_bytes
        self.sent_bytes += size_bytes
        if self._tokens >= 0:
            return 0.0
        steps_to_wait = -(-(-self._tokens / self.rate_bytes_per_second) // REFILL_SECONDS)
        return self._refilled_at + steps_to_wait * REFILL_SECONDS - self.clock()

    def exceeds_total(self, size_bytes: int) -> bool:
        """Whether the response would be too large with a chunk of this size."""
        return self.sent_bytes + size_bytes > self.max_bytes
