"""Why a stream ends, and when its client may come back."""

from __future__ import annotations

from random import Random

import pytest

from lambdas.sse_streaming.endings import Ending, EndReason, Lifetime, busy, end, fail


@pytest.mark.parametrize(
    ("reason", "low", "high"),
    [
        (EndReason.ROTATE, 200, 1_000),
        (EndReason.DEADLINE, 200, 1_000),
        (EndReason.BYTES, 200, 1_000),
        (EndReason.ERROR, 1_000, 5_000),
        (EndReason.EVICTED, 1_000, 5_000),
        (EndReason.SUPERSEDED, 1_000, 5_000),
        (EndReason.DRAIN, 5_000, 30_000),
        (EndReason.CANCELLED, 30_000, 60_000),
    ],
)
def test_a_retry_is_jittered_within_its_bounds(reason: EndReason, low: int, high: int) -> None:
    """All clients of a deployment would otherwise come back in the same moment."""
    random = Random(1)
    retries = {end(reason, random).retry_ms for _ in range(500)}

    assert low <= min(retries) < low + (high - low) / 10
    assert high - (high - low) / 10 < max(retries) <= high


def test_a_refusal_comes_back_after_five_to_fifteen_seconds() -> None:
    refusal = busy("capacity", 15, Random(1))

    assert (refusal.event, refusal.reason, refusal.limit) == ("busy", "capacity", 15)
    assert 5_000 <= refusal.retry_ms <= 15_000


@pytest.mark.parametrize(
    ("is_permanent", "low", "high"), [(True, 30_000, 60_000), (False, 1_000, 5_000)]
)
def test_a_permanent_fault_lets_clients_wait_longer(
    is_permanent: bool, low: int, high: int
) -> None:
    error = ValueError("defect")

    ending = fail(error, Random(1), is_permanent=is_permanent)

    assert (ending.event, ending.reason, ending.error) == ("end", "error", error)
    assert low <= ending.retry_ms <= high


@pytest.mark.parametrize(
    ("reason", "keeps"),
    [
        (EndReason.ROTATE, True),
        (EndReason.DEADLINE, True),
        (EndReason.BYTES, True),
        (EndReason.CANCELLED, True),
        (EndReason.DRAIN, True),
        (EndReason.ERROR, False),
        (EndReason.SUPERSEDED, False),
        (EndReason.EVICTED, False),
    ],
)
def test_only_an_orderly_end_keeps_a_record(reason: EndReason, keeps: bool) -> None:
    """A superseded stream's session has gone on elsewhere; its record would overwrite."""
    assert end(reason, Random(1)).keeps_record is keeps


def test_a_refusal_keeps_no_record() -> None:
    assert not Ending("busy", "drain", 1).keeps_record


# When


def plan(deadline: float | None, *, margin_seconds: float = 5, seed: int = 1) -> Lifetime:
    return Lifetime.plan(100.0, deadline, 300, margin_seconds, Random(seed))


def test_without_a_deadline_a_stream_rotates_after_80_to_100_percent() -> None:
    lifetimes = [plan(None, seed=seed) for seed in range(200)]

    seconds = [lifetime.ends_at - 100 for lifetime in lifetimes]
    assert 240 <= min(seconds) < 245
    assert 295 < max(seconds) <= 300
    assert {(one.reason, one.write_deadline) for one in lifetimes} == {(EndReason.ROTATE, None)}


def test_a_deadline_ends_a_stream_before_its_margin() -> None:
    lifetime = plan(160.0)

    assert (lifetime.ends_at, lifetime.reason) == (155.0, EndReason.DEADLINE)
    assert lifetime.write_deadline == 157.5


def test_of_a_short_invocation_half_is_for_the_stream() -> None:
    """Lambda's default timeout is 3 s, less than the default margin."""
    lifetime = plan(103.0)

    assert (lifetime.ends_at, lifetime.write_deadline) == (101.5, 102.25)


@pytest.mark.parametrize(
    ("deadline", "seconds"), [(None, 2.0), (160.0, 2.0), (103.0, 1.5), (101.0, 0.2), (90.0, 0.2)]
)
def test_finishing_leaves_time_for_a_flush(deadline: float | None, seconds: float) -> None:
    assert plan(deadline).finish_seconds(100.0, flush_seconds=1.5) == seconds
