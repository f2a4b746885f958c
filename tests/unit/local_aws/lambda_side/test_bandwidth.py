from __future__ import annotations

import pytest

from local_aws.lambda_side.bandwidth import (
    BURST_BYTES,
    MAX_RESPONSE_BYTES,
    RATE_BYTES_PER_SECOND,
    Bandwidth,
)


class Clock:
    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_the_burst_is_free() -> None:
    assert Bandwidth(Clock()).take(BURST_BYTES) == 0.0


def test_beyond_the_burst_bytes_wait_for_their_rate() -> None:
    clock = Clock()
    bandwidth = Bandwidth(clock)
    bandwidth.take(BURST_BYTES)
    assert bandwidth.take(RATE_BYTES_PER_SECOND) == pytest.approx(1.0)
    clock.now = 1.0
    assert bandwidth.take(RATE_BYTES_PER_SECOND // 2) == pytest.approx(0.5)


def test_idle_time_refills_no_more_than_the_burst() -> None:
    clock = Clock()
    bandwidth = Bandwidth(clock)
    bandwidth.take(BURST_BYTES)
    clock.now = 3600.0
    assert bandwidth.take(BURST_BYTES) == 0.0
    assert bandwidth.take(1) > 0.0


def test_the_total_is_200_mib() -> None:
    bandwidth = Bandwidth(Clock())
    bandwidth.take(MAX_RESPONSE_BYTES)
    assert bandwidth.exceeds_total(1)
    assert not bandwidth.exceeds_total(0)
