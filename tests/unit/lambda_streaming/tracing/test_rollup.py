"""Many steps in one span: what can still be read from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_streaming.tracing.failures import ExceptionRecord, Failure
from lambda_streaming.tracing.rollup import (
    MAX_ERROR_TYPES,
    MAX_ROLLUPS,
    OTHER_ERRORS,
    WINDOW_NS,
    Rollup,
    Rollups,
)
from lambda_streaming.tracing.size import estimated_bytes
from lambda_streaming.tracing.step import Scalar, Step


def step(started_ms: float, ended_ms: float, **attributes: Scalar) -> Step:
    return Step("poll", round(started_ms * 1e6), dict(attributes), ended_ns=round(ended_ms * 1e6))


def rolled(*steps: Step, error_type: str | None = None) -> Rollup:
    rollup = Rollup("poll", error_type, steps[0].started_ns)
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


def test_a_limit_is_not_added_up() -> None:
    attributes = rolled(step(0, 1, max_connections=100), step(2, 3, max_connections=100))

    assert "max_connections" not in attributes.attributes()
    assert attributes.attributes()["slowest_max_connections"] == 100


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


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), min_size=1))
def test_sums_are_exact_whatever_comes(given_steps: list[tuple[int, int]]) -> None:
    rollup = rolled(*(step(0, duration, n=value) for duration, value in given_steps))

    attributes = rollup.attributes()
    assert attributes["count"] == len(given_steps)
    assert attributes["n"] == sum(value for _, value in given_steps)
    assert attributes["duration_ms_sum"] == sum(duration for duration, _ in given_steps)
    assert attributes["duration_ms_max"] == max(duration for duration, _ in given_steps)


# All of a stream's


def failed(started_ms: float, error_type: str, *, is_fault: bool = True) -> Step:
    made = step(started_ms, started_ms + 1, item_count=1)
    made.failure = Failure((ExceptionRecord("E", "m", "", ""),), error_type, is_fault)
    return made


def totals(rollups: Rollups, max_bytes: int = 1_000_000) -> dict[str, float]:
    drafts = rollups.drafts(max_bytes)
    names = ("count", "item_count", "duration_ms_sum")
    return {name: sum(float(draft.attributes.get(name, 0)) for draft in drafts) for name in names}


def test_each_minute_of_a_name_has_its_own() -> None:
    rollups = Rollups(began_ns=0)
    for second in range(180):
        rollups.add(step(second * 1000, second * 1000 + 5))

    assert [draft.attributes["count"] for draft in rollups.drafts(1_000_000)] == [60, 60, 60]


def test_each_error_type_has_its_own_and_is_a_fault_where_its_errors_are() -> None:
    rollups = Rollups(began_ns=0)
    for _ in range(3):
        rollups.add(failed(1, "ThrottlingException", is_fault=False))
        rollups.add(failed(2, "InternalServerError"))
        rollups.add(step(3, 4))

    found = {d.attributes.get("error_type"): d.is_fault for d in rollups.drafts(1_000_000)}
    assert found == {"ThrottlingException": False, "InternalServerError": True, None: False}


def test_windows_widen_until_everything_fits_and_nothing_is_left_out() -> None:
    rollups = Rollups(began_ns=0)
    for second in range(900):
        rollups.add(step(second * 1000, second * 1000 + 5, item_count=1))
    small = 3_000

    assert totals(rollups, small) == {"count": 900, "item_count": 900, "duration_ms_sum": 4500}
    drafts = rollups.drafts(small)
    assert sum(map(estimated_bytes, drafts)) <= small
    assert 1 < len(drafts) < 15


def test_the_slowest_ones_attributes_go_before_error_types_do() -> None:
    rollups = Rollups(began_ns=0)
    for number in range(4):
        rollups.add(failed(number, f"Error{number}"))
    all_of_it = sum(map(estimated_bytes, rollups.drafts(1_000_000)))

    tighter = rollups.drafts(all_of_it - 1)
    assert not any(name.startswith("slowest_") for d in tighter for name in d.attributes)
    assert {d.attributes["error_type"] for d in tighter} == {f"Error{n}" for n in range(4)}

    (joined,) = rollups.drafts(700)
    assert joined.attributes["error_type"] == OTHER_ERRORS
    assert joined.attributes["count"] == 4


def test_the_rarest_error_types_are_joined_first() -> None:
    rollups = Rollups(began_ns=0)
    for number in range(8):
        for _ in range(number + 1):
            rollups.add(failed(number, f"Error{number}"))
    all_of_it = sum(map(estimated_bytes, rollups.drafts(1_000_000)))

    found = {
        d.attributes["error_type"]: d.attributes["count"] for d in rollups.drafts(all_of_it // 2)
    }
    assert found == {OTHER_ERRORS: 21, "Error7": 8, "Error6": 7}


def test_errors_carry_the_first_ones_exception_shortened() -> None:
    rollups = Rollups(began_ns=0)
    for number in range(3):
        one = failed(number, "Throttled", is_fault=False)
        links = (
            ExceptionRecord("Cause", "c", "Traceback", "a.py:1"),
            ExceptionRecord("Effect", f"{number}" * 500, "Traceback", "a.py:2"),
        )
        one.failure = Failure(links, "Throttled", is_fault=False)
        rollups.add(one)
        rollups.add(step(number, number + 1))

    found = {d.attributes.get("error_type"): d.chain for d in rollups.drafts(1_000_000)}
    assert found == {None: (), "Throttled": (ExceptionRecord("Effect", "0" * 100, "", "a.py:2"),)}


def test_without_room_an_exception_is_its_type_alone() -> None:
    rollups = Rollups(began_ns=0)
    rollups.add(failed(1, "Throttled"))
    least = sum(map(estimated_bytes, rollups.drafts(0)))

    (draft,) = rollups.drafts(0)
    assert [(link.type, link.message) for link in draft.chain] == [("E", "")]
    assert least < 700


def test_memory_is_bounded_by_time_and_by_error_types() -> None:
    rollups = Rollups(began_ns=0)
    for minute in range(10_000):
        rollups.add(failed(minute * 60_000, f"Error{minute}"))
        assert len(rollups) <= MAX_ROLLUPS

    types = {draft.attributes["error_type"] for draft in rollups.drafts(1_000_000)}
    assert len(types) == MAX_ERROR_TYPES + 1
    assert OTHER_ERRORS in types
    assert MAX_ERROR_TYPES == 16
    assert totals(rollups)["count"] == 10_000


def test_a_slow_step_that_began_before_the_window_belongs_to_the_one_at_hand() -> None:
    """Steps are added when they end, in any thread: not in the order in which they began."""
    rollups = Rollups(began_ns=0)
    rollups.add(step(60_000, 60_005))
    rollups.add(step(59_000, 61_000))

    (draft,) = rollups.drafts(1_000_000)
    assert (draft.started_ns, draft.ended_ns) == (59_000_000_000, 61_000_000_000)
    assert draft.attributes["count"] == 2
    assert draft.ended_ns - draft.started_ns < WINDOW_NS


@pytest.mark.timeout(10)
def test_a_clock_that_was_set_back_makes_wide_windows_not_endless_ones() -> None:
    rollups = Rollups(began_ns=100_000_000_000)
    for number in range(10):
        for at_ms in (105_000, 80_000, 170_000):
            rollups.add(failed(at_ms, f"E{number}"))

    assert sum(int(str(d.attributes["count"])) for d in rollups.drafts(2_000)) == 30
