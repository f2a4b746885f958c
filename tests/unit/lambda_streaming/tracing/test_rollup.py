"""Many steps in one span: what can still be read from it, and that it stays bounded."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_streaming.tracing.budget.planned import PlannedSpan
from lambda_streaming.tracing.budget.rollup import (
    MAX_ROLLUPS,
    OTHER,
    ROLLUP_BYTES,
    WINDOW_NS,
    Rollups,
)
from lambda_streaming.tracing.failures import ExceptionRecord, Failure
from lambda_streaming.tracing.step import Scalar, Step
from tests.fakes.aws_requests import aws_request


def step(started_ms: float, ended_ms: float, name: str = "poll", **attributes: Scalar) -> Step:
    return Step(name, round(started_ms * 1e6), attributes, ended_ns=round(ended_ms * 1e6))


def failed(started_ms: float, error_type: str, *, name: str = "poll", message: str = "m") -> Step:
    one = step(started_ms, started_ms + 1, name)
    record = ExceptionRecord("Error", message, "", "")
    one.failure = Failure((record,), error_type, is_fault=True)
    return one


def rolled(*steps: Step) -> list[PlannedSpan]:
    rollups = Rollups(0)
    for one in steps:
        rollups.add(one)
    return rollups.spans()


def test_numbers_are_added_up_and_the_slowest_one_is_shown() -> None:
    (span,) = rolled(
        step(0, 5, item_count=2, sentiment_type="positive"),
        step(10, 40, item_count=3, sentiment_type="negative"),
        step(50, 52, item_count=0, sentiment_type="neutral"),
    )

    assert span.attributes == {
        "rolled_up": True,
        "count": 3,
        "duration_ms_sum": 37.0,
        "duration_ms_max": 30.0,
        "item_count": 5,
        "slowest_item_count": 3,
        "slowest_sentiment_type": "negative",
    }
    assert (span.started_ns, span.ended_ns) == (0, 52_000_000)


def test_states_are_no_amounts() -> None:
    (span,) = rolled(step(0, 1, max_connections=100), step(1, 2, max_connections=100))

    assert "max_connections" not in span.attributes
    assert span.attributes["slowest_max_connections"] == 100


def test_aws_requests_are_counted() -> None:
    one = step(0, 20)
    one.add_request(aws_request(0, 4_000_000))
    one.add_request(aws_request(0, 9_000_000))
    (span,) = rolled(one)

    assert span.attributes["request_count"] == 2
    assert span.attributes["request_ms_sum"] == 13.0
    assert span.attributes["request_ms_max"] == 9.0


def test_one_of_failures_has_the_first_ones_exception_and_their_fault() -> None:
    success, first, second = rolled(step(0, 1), failed(1, "A", message="x" * 500), failed(2, "B"))

    assert not success.chain
    assert not success.is_fault
    assert [record.message for record in first.chain] == ["x" * 100]
    assert first.is_fault
    assert second.attributes["error_type"] == "B"


def test_windows_double_when_there_are_too_many() -> None:
    minutes = 40
    spans = rolled(*(step(60_000 * n, 60_000 * n + 1) for n in range(minutes)))

    assert len(spans) <= MAX_ROLLUPS
    assert sum(int(span.attributes["count"]) for span in spans) == minutes
    for span in spans:
        assert span.ended_ns - span.started_ns <= 4 * WINDOW_NS


def test_the_rarest_error_types_become_others_and_every_name_stays() -> None:
    steps = [failed(n, f"E{n % 40}", name=f"name{n % 3}") for n in range(400)]
    steps += [failed(n, "Frequent", name="name0") for n in range(500)]
    spans = rolled(*steps)

    assert len(spans) <= MAX_ROLLUPS
    types = {span.attributes["error_type"] for span in spans}
    assert {"Frequent", OTHER} <= types
    by_name = dict.fromkeys(("name0", "name1", "name2"), 0)
    for span in spans:
        by_name[span.name] += int(span.attributes["count"])
    assert by_name == {"name0": 134 + 500, "name1": 133, "name2": 133}
    assert all(span.is_fault and span.chain for span in spans), "an outage is never green"


def test_too_many_names_become_one() -> None:
    """Names with an id in them, say."""
    spans = rolled(*(step(n, n + 1, f"fetch {n}") for n in range(1000)))

    assert len(spans) <= MAX_ROLLUPS
    assert sum(int(span.attributes["count"]) for span in spans) == 1000
    assert OTHER in {span.name for span in spans}


@given(
    st.lists(st.text(max_size=300), min_size=1, max_size=8),
    st.dictionaries(st.text(max_size=40), st.text(max_size=400) | st.floats() | st.integers()),
)
def test_none_is_larger_than_its_bound(
    texts: list[str], attributes: dict[str, str | float | int]
) -> None:
    steps = [failed(n, text, name=text, message=text * 3) for n, text in enumerate(texts)]
    for one in steps:
        one.attributes.update(attributes)

    assert all(span.max_bytes <= ROLLUP_BYTES for span in rolled(*steps))


@pytest.mark.parametrize("seed", range(5))
def test_steps_may_end_in_any_order(seed: int) -> None:
    """They are added when they end, in any thread: not in the order in which they began."""
    chance = random.Random(seed)
    steps = [step(1000 * n, 1000 * n + chance.uniform(0, 90_000)) for n in range(900)]
    chance.shuffle(steps)
    spans = rolled(*steps)

    assert len(spans) <= MAX_ROLLUPS
    assert sum(int(span.attributes["count"]) for span in spans) == 900


def test_a_clock_that_was_set_back_breaks_nothing() -> None:
    rollups = Rollups(10**18)
    for n in range(100):
        rollups.add(step(-1000 * n, -1000 * n + 1))

    (span,) = rollups.spans()
    assert span.attributes["count"] == 100
