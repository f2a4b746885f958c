"""Why a stream ends, and when its client may come back."""

from __future__ import annotations

from random import Random

import pytest

from lambdas.sse_streaming.endings import Ending, busy, end, fail


@pytest.mark.parametrize(
    ("reason", "low", "high"),
    [
        ("rotate", 200, 1_000),
        ("deadline", 200, 1_000),
        ("bytes", 200, 1_000),
        ("error", 1_000, 5_000),
        ("evicted", 1_000, 5_000),
        ("superseded", 1_000, 5_000),
        ("drain", 5_000, 30_000),
        ("cancelled", 30_000, 60_000),
    ],
)
def test_a_retry_is_jittered_within_its_bounds(reason: str, low: int, high: int) -> None:
    """All clients of a deployment would otherwise come back in the same moment."""
    random = Random(1)
    retries = {end(reason, random).retry_ms for _ in range(500)}

    assert low <= min(retries) < low + (high - low) / 10
    assert high - (high - low) / 10 < max(retries) <= high


def test_a_refusal_comes_back_after_five_to_fifteen_seconds() -> None:
    refusal = busy("capacity", Random(1))

    assert (refusal.event, refusal.reason) == ("busy", "capacity")
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
        ("rotate", True),
        ("deadline", True),
        ("bytes", True),
        ("cancelled", True),
        ("drain", True),
        ("error", False),
        ("superseded", False),
        ("evicted", False),
    ],
)
def test_only_an_orderly_end_keeps_a_record(reason: str, keeps: bool) -> None:
    """A superseded stream's session has gone on elsewhere; its record would overwrite."""
    assert end(reason, Random(1)).keeps_record is keeps


def test_a_refusal_keeps_no_record() -> None:
    assert not Ending("busy", "drain", 1).keeps_record
