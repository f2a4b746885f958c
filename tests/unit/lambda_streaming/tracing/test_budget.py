"""What a stream may spend of X-Ray's allowance, and what is kept for its errors and its end."""

from __future__ import annotations

from itertools import pairwise

import pytest

from lambda_streaming.tracing.budget import (
    EVENTFUL_CEILING_BYTES,
    KIND_BYTES,
    LAST_CEILING_BYTES,
    LAST_STEP_BYTES,
    LAST_STEPS,
    MAX_EVENTFUL_STEPS,
    MAX_SLOW_STEPS,
    OWN_CEILING_BYTES,
    RESERVED_KINDS,
    ROLLUP_CEILING_BYTES,
    TRACE_CEILING_BYTES,
    Claim,
    SpanBudget,
    UnlimitedBudget,
)
from lambda_streaming.tracing.drafts import SpanDraft, Stacks
from lambda_streaming.tracing.failures import ExceptionRecord
from lambda_streaming.tracing.size import estimated_bytes


def draft(
    *, name: str = "step", text: str = "", requests: int = 0, error_type: str | None = None
) -> SpanDraft:
    children = tuple(
        SpanDraft("DynamoDB.Query", 0, 1, {"aws.service": "dynamodb"}, service="dynamodb")
        for _ in range(requests)
    )
    attributes = {"text": text} | ({} if error_type is None else {"error_type": error_type})
    return SpanDraft(name, 0, 1, attributes, requests=children)


def allows(budget: SpanBudget, made: SpanDraft, *, is_slow: bool = False) -> bool:
    """As a stream asks: only for what has a claim at all."""
    error_type = made.attributes.get("error_type")
    claim = budget.claim(
        made.name, None if error_type is None else str(error_type), is_slow=is_slow
    )
    return claim is not None and budget.allows(made, claim)


def count_allowed(
    budget: SpanBudget, made: SpanDraft, *, is_slow: bool = False, tries: int = 50
) -> int:
    return sum(allows(budget, made, is_slow=is_slow) for _ in range(tries))


def failures(budget: SpanBudget, kinds: int, *, times: int = 1, text: str = "") -> list[bool]:
    """Whether each of so many kinds of failure, one after the other, found room."""
    return [
        allows(budget, draft(error_type=f"E{kind}", text=text))
        for kind in range(kinds)
        for _ in range(times)
    ]


def spent() -> SpanBudget:
    """One whose own spans took all the bytes that they may have."""
    budget = SpanBudget(1000)
    left = OWN_CEILING_BYTES - estimated_bytes(draft())
    assert allows(budget, draft(text="x" * left))
    assert not allows(budget, draft(text="x"))
    return budget


def test_each_ceiling_is_above_the_one_before_and_all_below_what_xray_takes() -> None:
    ceilings = [
        OWN_CEILING_BYTES,
        EVENTFUL_CEILING_BYTES,
        LAST_CEILING_BYTES,
        ROLLUP_CEILING_BYTES,
        TRACE_CEILING_BYTES,
        90_001,
    ]
    assert all(low < high for low, high in pairwise(ceilings))


@pytest.mark.parametrize("spans", [1, 5, 20])
def test_spans_are_allowed_until_they_are_spent(spans: int) -> None:
    assert count_allowed(SpanBudget(spans), draft()) == spans


def test_requests_cost_spans_too() -> None:
    assert count_allowed(SpanBudget(10), draft(requests=2)) == 3


def test_bytes_end_the_budget_before_the_spans_do() -> None:
    large = draft(text="x" * 10_000)

    allowed = count_allowed(SpanBudget(1000), large)

    assert allowed == OWN_CEILING_BYTES // estimated_bytes(large)


def test_a_spent_budget_stays_spent_for_small_steps() -> None:
    """Own spans after roll-ups have begun would leave holes that nobody can read."""
    budget = SpanBudget(1000)
    count_allowed(budget, draft(text="x" * 40_000), tries=2)

    assert not allows(budget, draft())


# Errors and slow steps


def test_eventful_steps_are_allowed_beyond_it_up_to_a_number() -> None:
    budget = SpanBudget(1)
    count_allowed(budget, draft(), tries=2)
    count_allowed(budget, draft(), is_slow=True)

    assert MAX_SLOW_STEPS + sum(failures(budget, 50, times=3)) == MAX_EVENTFUL_STEPS


def test_slow_steps_use_only_a_part_of_that_number() -> None:
    budget = SpanBudget(1)
    count_allowed(budget, draft(), tries=2)

    assert count_allowed(budget, draft(), is_slow=True) == MAX_SLOW_STEPS


def test_after_slow_steps_and_a_storm_of_one_kind_each_new_kind_finds_room() -> None:
    budget = spent()
    count_allowed(budget, draft(text="x" * 200), is_slow=True)
    count_allowed(budget, draft(error_type="Throttled", text="x" * 200))

    assert failures(budget, RESERVED_KINDS - 1, text="x" * 200) == [True] * (RESERVED_KINDS - 1)


def test_one_kind_with_much_to_say_leaves_room_for_the_others() -> None:
    budget = spent()

    assert not allows(budget, draft(error_type="Loud", text="x" * 2 * KIND_BYTES))
    assert all(failures(budget, RESERVED_KINDS, text="x" * 200))


def test_the_same_failure_of_another_step_is_another_kind() -> None:
    budget = spent()
    allowed = [allows(budget, draft(name=n, error_type="E", text="x" * 250)) for n in "aabb"]

    assert allowed == [True, False, True, False]


def test_errors_inside_the_common_budget_leave_the_reserve_to_others() -> None:
    """They are paid from it, and their kinds need no more room kept for them."""
    budget = SpanBudget(RESERVED_KINDS)
    failures(budget, RESERVED_KINDS)
    count_allowed(budget, draft(), tries=1)

    assert count_allowed(budget, draft(error_type="E0")) == MAX_EVENTFUL_STEPS


# What ends a stream


def test_the_last_steps_find_room_whatever_happened_before() -> None:
    budget = spent()
    failures(budget, 50, times=3, text="x" * 100)
    filled = LAST_STEP_BYTES - estimated_bytes(draft(name=max(LAST_STEPS, key=len)))

    for name in LAST_STEPS:
        assert budget.allows(draft(name=name, text="x" * filled), Claim.ONCE), name


def test_last_steps_that_come_after_the_roll_ups_find_room_too() -> None:
    """A process that is told to exit releases its slot while the spans leave."""
    budget = spent()
    failures(budget, 50, times=3, text="x" * 100)
    budget.spend(budget.rollup_bytes)
    budget.close()

    assert budget.allows(draft(name="connection_release", text="x" * 500), Claim.ONCE)
    assert budget.allows(draft(name="cloudwatch_put_metric", text="x" * 500), Claim.ONCE)
    assert budget.root_bytes >= TRACE_CEILING_BYTES - ROLLUP_CEILING_BYTES


def test_rollups_and_the_root_find_room_after_everything_else() -> None:
    budget = spent()
    count_allowed(budget, draft(text="x" * 200), is_slow=True)
    failures(budget, 50, times=3, text="x" * 200)
    for name in LAST_STEPS:
        budget.allows(draft(name=name, text="x" * 500), Claim.ONCE)

    assert budget.rollup_bytes >= ROLLUP_CEILING_BYTES - LAST_CEILING_BYTES
    budget.spend(budget.rollup_bytes)
    assert budget.root_bytes == TRACE_CEILING_BYTES - ROLLUP_CEILING_BYTES


def test_without_a_limit_everything_is_allowed() -> None:
    budget = UnlimitedBudget()
    claim = budget.claim("step", None, is_slow=False)

    assert all(budget.allows(draft(text="x" * 10_000), claim) for _ in range(100))


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
