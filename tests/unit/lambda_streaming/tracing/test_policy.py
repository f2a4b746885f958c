"""Which steps have a span of their own, and what is kept for errors and for the end."""

from __future__ import annotations

import pytest

from lambda_streaming.tracing.budget.planned import PlannedSpan
from lambda_streaming.tracing.budget.policy import (
    FIRST_PLACES,
    LAST_BYTES,
    LAST_PLACES,
    OTHER_PLACES,
    OWN_BYTES,
    PLACE_BYTES,
    SLOW_PLACES,
    SpanBudget,
    UnlimitedBudget,
)


def span(text: str = "", *, name: str = "step", requests: int = 0) -> PlannedSpan:
    children = tuple(
        PlannedSpan("DynamoDB.Query", 0, 1, {}, is_request=True) for _ in range(requests)
    )
    return PlannedSpan(name, 0, 1, {"text": text}, children=children)


def has_own(
    budget: SpanBudget, one: PlannedSpan, error_type: str | None = None, *, is_slow: bool = False
) -> bool:
    """As a trace asks: only for what has a place at all."""
    if not budget.has_place(one.name, error_type, is_slow=is_slow):
        return False
    return budget.place(one, error_type, is_slow=is_slow) is not None


def spent() -> SpanBudget:
    budget = SpanBudget(1)
    assert has_own(budget, span())
    assert not has_own(budget, span())
    return budget


@pytest.mark.parametrize("spans", [1, 5, 20])
def test_steps_have_their_own_spans_until_these_are_spent(spans: int) -> None:
    budget = SpanBudget(spans)

    assert sum(has_own(budget, span()) for _ in range(50)) == spans


def test_requests_are_spans_too() -> None:
    budget = SpanBudget(10)

    assert sum(has_own(budget, span(requests=2)) for _ in range(50)) == 3


def test_bytes_end_before_the_spans_do() -> None:
    budget, large = SpanBudget(1000), span("x" * 5_000)

    assert sum(has_own(budget, large) for _ in range(50)) == OWN_BYTES // large.max_bytes


def test_a_spent_budget_stays_spent_for_small_steps() -> None:
    """Own spans after roll-ups have begun would leave holes that nobody can read."""
    budget = SpanBudget(1000)
    while has_own(budget, span("x" * 9_000)):
        pass

    assert not has_own(budget, span())


def test_slow_steps_use_only_a_part_of_the_places() -> None:
    budget = spent()

    assert sum(has_own(budget, span(), is_slow=True) for _ in range(50)) == SLOW_PLACES


def test_after_slow_steps_and_a_storm_of_one_kind_each_new_kind_has_its_place() -> None:
    budget = spent()
    for _ in range(50):
        has_own(budget, span(), is_slow=True)
        has_own(budget, span(), "Throttled")

    kinds = [has_own(budget, span("x" * 2_000), f"E{n}") for n in range(FIRST_PLACES + 5)]
    assert kinds == [True] * (FIRST_PLACES - 1) + [False] * 6


def test_the_same_failure_of_another_step_is_another_kind() -> None:
    budget = spent()
    for _ in range(OTHER_PLACES + 1):
        assert has_own(budget, span(), "E")
    assert not has_own(budget, span(), "E")

    assert has_own(budget, span(name="other"), "E")


def test_a_span_in_a_place_is_no_larger_than_the_place() -> None:
    budget = spent()
    placed = budget.place(span("x" * 2_000, requests=3), "E", is_slow=False)

    assert placed is not None
    assert placed.max_bytes <= PLACE_BYTES
    assert placed.folded_requests == 3


def test_last_steps_have_places_whatever_was_spent() -> None:
    budget = spent()
    for n in range(100):
        has_own(budget, span(), f"E{n}")

    placed = [budget.last_place(span("x" * 2_000, requests=1)) for _ in range(LAST_PLACES + 1)]
    assert [one is not None for one in placed] == [True] * LAST_PLACES + [False]
    assert all(one.max_bytes <= LAST_BYTES for one in placed if one is not None)


def test_full_detail_has_no_limit() -> None:
    budget = UnlimitedBudget()

    assert all(has_own(budget, span("x" * 20_000)) for _ in range(100))
