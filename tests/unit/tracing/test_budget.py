"""What a stream may spend of X-Ray's allowance, and what is kept back for its errors."""

from __future__ import annotations

import pytest

from lambdas.sse_streaming.tracing.budget import (
    EVENTFUL_BYTES,
    MAX_EVENTFUL_STEPS,
    OWN_BYTES,
    ROLLUP_BYTES,
    SpanBudget,
    UnlimitedBudget,
    estimated_bytes,
)
from lambdas.sse_streaming.tracing.operation import ExceptionRecord, Failure, Operation


def step(*, text: str = "", stack: str | None = None) -> Operation:
    made = Operation("step", 0, {"text": text})
    if stack is not None:
        record = ExceptionRecord("ValueError", "m", stack, "file.py:1")
        made.failure = Failure((record,), "ValueError", is_fault=True)
    return made


def count_allowed(budget: SpanBudget, made: Operation, *, is_eventful: bool, tries: int) -> int:
    return sum(budget.allows(made, is_eventful) for _ in range(tries))


def test_all_parts_together_stay_below_what_xray_takes_of_a_trickled_trace() -> None:
    assert OWN_BYTES + EVENTFUL_BYTES + ROLLUP_BYTES <= 90_000


@pytest.mark.parametrize("spans", [1, 5, 20])
def test_spans_are_allowed_until_they_are_spent(spans: int) -> None:
    assert count_allowed(SpanBudget(spans), step(), is_eventful=False, tries=50) == spans


def test_requests_cost_spans_too() -> None:
    made = step()
    for _ in range(2):
        made.add_request(
            service="dynamodb",
            region="r",
            name="Query",
            started_ns=0,
            ended_ns=1,
            status=200,
            request_id=None,
            table=None,
            error_code=None,
            error_message=None,
            error=None,
        )

    assert count_allowed(SpanBudget(10), made, is_eventful=False, tries=50) == 3


def test_bytes_end_the_budget_before_the_spans_do() -> None:
    large = step(text="x" * 10_000)

    allowed = count_allowed(SpanBudget(1000), large, is_eventful=False, tries=50)

    assert allowed == OWN_BYTES // estimated_bytes(large)


def test_a_spent_budget_stays_spent_for_small_steps() -> None:
    """Own spans after roll-ups have begun would leave holes that nobody can read."""
    budget = SpanBudget(1000)
    count_allowed(budget, step(text="x" * 40_000), is_eventful=False, tries=2)

    assert not budget.allows(step(), is_eventful=False)


def test_eventful_steps_are_allowed_beyond_it_up_to_a_number() -> None:
    budget = SpanBudget(1)
    budget.allows(step(), is_eventful=False)

    allowed = count_allowed(budget, step(), is_eventful=True, tries=50)

    assert allowed == MAX_EVENTFUL_STEPS


def test_eventful_steps_have_bytes_of_their_own() -> None:
    budget = SpanBudget(1)
    budget.allows(step(), is_eventful=False)
    large = step(text="x" * 5_000)

    allowed = count_allowed(budget, large, is_eventful=True, tries=50)

    assert allowed == EVENTFUL_BYTES // estimated_bytes(large)


def test_an_outage_in_the_first_minute_leaves_room_for_one_in_the_last() -> None:
    """Errors inside the common budget are paid from it, not from what is kept for later."""
    budget = SpanBudget(5)
    count_allowed(budget, step(), is_eventful=True, tries=5)

    assert count_allowed(budget, step(), is_eventful=True, tries=50) == MAX_EVENTFUL_STEPS


def test_a_stack_costs_only_where_it_goes_along() -> None:
    first = SpanBudget(1000)
    failed = step(stack="s" * 10_000)
    fresh = count_allowed(first, failed, is_eventful=True, tries=1000)

    knowing = SpanBudget(1000)
    assert knowing.wants_stack("ValueError", "file.py:1")
    known = count_allowed(knowing, failed, is_eventful=True, tries=1000)

    assert fresh < 10 < known


def test_a_stack_is_wanted_once_per_type_and_place() -> None:
    budget = SpanBudget(10)

    assert budget.wants_stack("ValueError", "a.py:1")
    assert not budget.wants_stack("ValueError", "a.py:1")
    assert budget.wants_stack("ValueError", "a.py:2")
    assert budget.wants_stack("KeyError", "a.py:1")


def test_what_is_remembered_of_stacks_is_bounded() -> None:
    budget = SpanBudget(10)
    for number in range(10_000):
        budget.wants_stack("ValueError", f"generated.py:{number}")

    assert len(budget._seen_places) <= 100


def test_without_a_limit_everything_is_allowed() -> None:
    budget = UnlimitedBudget()

    assert all(budget.allows(step(text="x" * 10_000), is_eventful=False) for _ in range(100))
    assert all(budget.wants_stack("ValueError", "a.py:1") for _ in range(2))
