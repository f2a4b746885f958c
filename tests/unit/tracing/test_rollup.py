"""Many steps in one span: what can still be read from it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lambdas.sse_streaming.tracing.operation import Operation, Scalar
from lambdas.sse_streaming.tracing.rollup import WINDOW_NS, Rollup


def step(started_ms: float, ended_ms: float, **attributes: Scalar) -> Operation:
    return Operation(
        "poll", round(started_ms * 1e6), dict(attributes), ended_ns=round(ended_ms * 1e6)
    )


def rolled(*steps: Operation, error_type: str | None = None) -> Rollup:
    rollup = Rollup("poll", error_type, is_fault=False, started_ns=steps[0].started_ns)
    for one in steps:
        rollup.add(one)
    return rollup


def test_numbers_are_added_up_and_the_slowest_one_is_shown() -> None:
    rollup = rolled(
        step(0, 5, item_count=2, sentiment_type="positive"),
        step(10, 40, item_count=3, sentiment_type="negative"),
        step(50, 52, item_count=0, sentiment_type="neutral"),
    )

    assert rollup.attributes() == {
        "item_count": 5,
        "rolled_up": True,
        "count": 3,
        "duration_ms_sum": 37.0,
        "duration_ms_max": 30.0,
        "slowest_item_count": 3,
        "slowest_sentiment_type": "negative",
    }


def test_truth_values_are_not_numbers() -> None:
    attributes = rolled(step(0, 1, is_cold_start=True)).attributes()

    assert "is_cold_start" not in attributes
    assert attributes["slowest_is_cold_start"] is True


def test_an_error_type_is_named() -> None:
    assert rolled(step(0, 1), error_type="Throttled").attributes()["error_type"] == "Throttled"
    assert "error_type" not in rolled(step(0, 1)).attributes()


def test_it_spans_from_its_first_step_to_the_end_of_its_last() -> None:
    rollup = rolled(step(100, 300), step(110, 120))

    assert (rollup.started_ns, rollup.ended_ns) == (100_000_000, 300_000_000)


def test_it_is_over_after_a_window() -> None:
    rollup = rolled(step(0, 1))

    assert not rollup.is_over(WINDOW_NS - 1)
    assert rollup.is_over(WINDOW_NS)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), min_size=1))
def test_sums_are_exact_whatever_comes(given_steps: list[tuple[int, int]]) -> None:
    rollup = rolled(*(step(0, duration, n=value) for duration, value in given_steps))

    attributes = rollup.attributes()
    assert attributes["count"] == len(given_steps)
    assert attributes["n"] == sum(value for _, value in given_steps)
    assert attributes["duration_ms_sum"] == sum(duration for duration, _ in given_steps)
    assert attributes["duration_ms_max"] == max(duration for duration, _ in given_steps)
