"""What a stream may spend of X-Ray's allowance, and what is kept back for its errors."""

from __future__ import annotations

from itertools import pairwise

import pytest

from lambdas.sse_streaming.tracing.budget import (
    EVENTFUL_CEILING_BYTES,
    MAX_EVENTFUL_STEPS,
    OWN_CEILING_BYTES,
    ROLLUP_CEILING_BYTES,
    TRACE_CEILING_BYTES,
    SpanBudget,
    UnlimitedBudget,
)
from lambdas.sse_streaming.tracing.drafts import SpanDraft, Stacks
from lambdas.sse_streaming.tracing.operation import ExceptionRecord
from lambdas.sse_streaming.tracing.size import estimated_bytes


def draft(*, text: str = "", requests: int = 0) -> SpanDraft:
    children = tuple(
        SpanDraft("DynamoDB.Query", 0, 1, {"aws.service": "dynamodb"}, service="dynamodb")
        for _ in range(requests)
    )
    return SpanDraft("step", 0, 1, {"text": text}, requests=children)


def count_allowed(budget: SpanBudget, made: SpanDraft, *, is_eventful: bool, tries: int) -> int:
    return sum(budget.allows(made, is_eventful) for _ in range(tries))


def test_each_ceiling_is_above_the_one_before_and_all_below_what_xray_takes() -> None:
    ceilings = [
        OWN_CEILING_BYTES,
        EVENTFUL_CEILING_BYTES,
        ROLLUP_CEILING_BYTES,
        TRACE_CEILING_BYTES,
        90_001,
    ]
    assert all(low < high for low, high in pairwise(ceilings))


@pytest.mark.parametrize("spans", [1, 5, 20])
def test_spans_are_allowed_until_they_are_spent(spans: int) -> None:
    assert count_allowed(SpanBudget(spans), draft(), is_eventful=False, tries=50) == spans


def test_requests_cost_spans_too() -> None:
    assert count_allowed(SpanBudget(10), draft(requests=2), is_eventful=False, tries=50) == 3


def test_bytes_end_the_budget_before_the_spans_do() -> None:
    large = draft(text="x" * 10_000)

    allowed = count_allowed(SpanBudget(1000), large, is_eventful=False, tries=50)

    assert allowed == OWN_CEILING_BYTES // estimated_bytes(large)


def test_a_spent_budget_stays_spent_for_small_steps() -> None:
    """Own spans after roll-ups have begun would leave holes that nobody can read."""
    budget = SpanBudget(1000)
    count_allowed(budget, draft(text="x" * 40_000), is_eventful=False, tries=2)

    assert not budget.allows(draft(), is_eventful=False)


def test_eventful_steps_are_allowed_beyond_it_up_to_a_number() -> None:
    budget = SpanBudget(1)
    budget.allows(draft(), is_eventful=False)

    assert count_allowed(budget, draft(), is_eventful=True, tries=50) == MAX_EVENTFUL_STEPS


def test_what_own_spans_left_is_for_eventful_ones_and_not_a_byte_more() -> None:
    budget = SpanBudget(1)
    budget.allows(draft(), is_eventful=False)
    large = draft(text="x" * 9_000)

    allowed = count_allowed(budget, large, is_eventful=True, tries=50)

    left = EVENTFUL_CEILING_BYTES - estimated_bytes(draft())
    assert allowed == left // estimated_bytes(large)


def test_an_outage_in_the_first_minute_leaves_room_for_one_in_the_last() -> None:
    """Errors inside the common budget are paid from it, not from what is kept for later."""
    budget = SpanBudget(5)
    count_allowed(budget, draft(), is_eventful=True, tries=5)

    assert count_allowed(budget, draft(), is_eventful=True, tries=50) == MAX_EVENTFUL_STEPS


def test_rollups_and_the_root_find_room_after_everything_else() -> None:
    budget = SpanBudget(1000)
    for eventful in (False, True):
        count_allowed(budget, draft(text="x" * 500), is_eventful=eventful, tries=500)

    assert budget.rollup_bytes >= ROLLUP_CEILING_BYTES - EVENTFUL_CEILING_BYTES
    budget.spend(budget.rollup_bytes)
    assert budget.root_bytes == TRACE_CEILING_BYTES - ROLLUP_CEILING_BYTES


def test_without_a_limit_everything_is_allowed() -> None:
    budget = UnlimitedBudget()

    assert all(budget.allows(draft(text="x" * 10_000), is_eventful=False) for _ in range(100))


# Stacks


def link(type_name: str, place: str) -> ExceptionRecord:
    return ExceptionRecord(type_name, "m", "Traceback", place)


def has_stack(stacks: Stacks, one: ExceptionRecord) -> bool:
    (chosen,) = stacks.choose((one,))
    stacks.remember(SpanDraft("step", 0, 0, {}, (chosen,)))
    return bool(chosen.stack)


def test_a_stack_goes_along_once_per_type_and_place() -> None:
    stacks = Stacks()

    assert has_stack(stacks, link("ValueError", "a.py:1"))
    assert not has_stack(stacks, link("ValueError", "a.py:1"))
    assert has_stack(stacks, link("ValueError", "a.py:2"))
    assert has_stack(stacks, link("KeyError", "a.py:1"))


def test_a_stack_that_found_no_room_may_go_along_with_the_next() -> None:
    stacks = Stacks()
    stacks.choose((link("ValueError", "a.py:1"),))

    assert has_stack(stacks, link("ValueError", "a.py:1"))


def test_what_is_remembered_of_stacks_is_bounded() -> None:
    stacks = Stacks()
    sent = sum(has_stack(stacks, link("ValueError", f"a.py:{n}")) for n in range(10_000))

    assert sent == 100


def test_full_detail_sends_every_stack() -> None:
    stacks = UnlimitedBudget().stacks

    assert all(has_stack(stacks, link("ValueError", "a.py:1")) for _ in range(3))
