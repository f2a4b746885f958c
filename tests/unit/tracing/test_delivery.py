"""What becomes of a batch: one try per flush, one more for what failed, nothing without a count."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from lambdas.sse_streaming.tracing.delivery import MAX_KEPT_SPANS, Outcome, SpanDelivery
from tests.fakes.spans import MemoryWire

_numbers = iter(range(10**9))


def spans(count: int) -> list[ReadableSpan]:
    return [ReadableSpan(name=f"span{next(_numbers)}") for _ in range(count)]


def delivery_to(wire: MemoryWire, **options: int) -> SpanDelivery:
    return SpanDelivery(lambda: wire, flush_seconds=5, **options)


def add(delivery: SpanDelivery, *ended: ReadableSpan) -> None:
    for span in ended:
        delivery.add(span)


def test_a_flush_hands_over_everything_once() -> None:
    wire = MemoryWire()
    delivery = delivery_to(wire)
    batch = spans(3)
    add(delivery, *batch)

    delivery.flush()
    delivery.flush()

    assert wire.batches == [batch]
    assert delivery.last_outcome is Outcome.DELIVERED
    assert delivery.take_counts() == (0, 0)


def test_nothing_to_send_makes_no_wire() -> None:
    def no_wire() -> MemoryWire:
        raise AssertionError("an unsampled process never needs one")

    delivery = SpanDelivery(no_wire, flush_seconds=5)

    assert not delivery.has_work
    delivery.flush()


def test_what_failed_goes_along_with_the_next_flush() -> None:
    wire = MemoryWire([Outcome.FAILED, Outcome.DELIVERED])
    delivery = delivery_to(wire)
    first, second = spans(2), spans(1)

    add(delivery, *first)
    delivery.flush()
    has_work_left = delivery.has_work
    add(delivery, *second)
    delivery.flush()

    assert wire.batches == [first, first + second]
    assert (has_work_left, delivery.has_work) == (True, False)
    assert delivery.take_counts() == (0, 1)


def test_what_failed_twice_is_lost_and_what_came_later_has_its_second_try() -> None:
    wire = MemoryWire([Outcome.FAILED])
    delivery = delivery_to(wire)
    first, second = spans(2), spans(3)

    add(delivery, *first)
    delivery.flush()
    add(delivery, *second)
    delivery.flush()
    delivery.flush()

    assert wire.batches == [first, first + second, second]
    assert delivery.take_counts() == (5, 3)
    assert delivery.take_counts() == (0, 0), "a loss is handed out once"


def test_no_answer_in_time_is_not_sent_again() -> None:
    """The collector has the batch and goes on with it: twice would cost the trace twice."""
    wire = MemoryWire([Outcome.UNCONFIRMED, Outcome.DELIVERED])
    delivery = delivery_to(wire)
    add(delivery, *spans(2))

    delivery.flush()
    delivery.flush()

    assert len(wire.batches) == 1
    assert delivery.last_outcome is Outcome.UNCONFIRMED
    assert delivery.take_counts() == (0, 0)


def test_what_is_rejected_is_lost_at_once_and_spares_what_comes_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Kept, it would take the next stream's spans down with it."""
    wire = MemoryWire([Outcome.REJECTED, Outcome.DELIVERED])
    delivery = delivery_to(wire)
    poison, innocent = spans(2), spans(1)

    add(delivery, *poison)
    delivery.flush()
    add(delivery, *innocent)
    delivery.flush()

    assert wire.batches == [poison, innocent]
    assert delivery.take_counts() == (2, 1)
    assert [one.getMessage() for one in caplog.records] == [
        "the collector rejected 2 of 2 spans for good: lost"
    ]


def test_what_a_collector_would_not_have_of_a_batch_is_lost() -> None:
    wire = MemoryWire(rejected_spans=2)
    delivery = delivery_to(wire)
    add(delivery, *spans(3))

    delivery.flush()
    delivery.flush()

    assert len(wire.batches) == 1
    assert delivery.take_counts() == (2, 0)


def test_of_too_many_kept_spans_the_oldest_are_dropped_and_counted() -> None:
    wire = MemoryWire([Outcome.FAILED, Outcome.DELIVERED])
    delivery = delivery_to(wire)
    batch = spans(MAX_KEPT_SPANS + 7)
    add(delivery, *batch)

    delivery.flush()
    delivery.flush()

    assert wire.batches[1] == batch[7:]
    assert delivery.take_counts() == (7, 1)


def test_spans_that_nobody_flushes_stay_bounded_and_one_line_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    delivery = delivery_to(MemoryWire())
    add(delivery, *spans(4 * MAX_KEPT_SPANS + 10))

    assert delivery.take_counts() == (10, 0)
    assert len(caplog.records) == 1
    delivery.flush()


def test_what_is_left_when_the_process_exits_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    delivery = delivery_to(MemoryWire([Outcome.FAILED]))
    add(delivery, *spans(2))
    delivery.flush()  # kept for one more try, which will not be
    add(delivery, *spans(1))
    delivery.give_up()
    delivery.give_up()

    assert delivery.take_counts() == (3, 1)
    assert not delivery.has_work
    assert caplog.messages[1:] == ["the collector did not take 3 spans before the exit: lost"]


def test_a_flush_for_which_there_is_no_thread_is_left_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    wire = MemoryWire()
    delivery = delivery_to(wire)
    add(delivery, *spans(2))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        delivery.flush_in_background()
    delivery.flush()

    assert [len(batch) for batch in wire.batches] == [2]


def test_a_wire_with_a_defect_breaks_nothing() -> None:
    wire = MemoryWire()
    delivery = delivery_to(wire)

    def fail() -> None:
        raise RuntimeError("a defect")

    wire.on_post = fail
    batch = spans(1)
    add(delivery, *batch)
    delivery.flush()
    wire.on_post = lambda: None
    delivery.flush()

    assert wire.batches == [batch, batch]


def test_a_wire_that_cannot_be_made_breaks_nothing() -> None:
    def no_wire() -> MemoryWire:
        raise ImportError("the package is not in the zip")

    delivery = SpanDelivery(no_wire, flush_seconds=5)
    add(delivery, *spans(1))
    delivery.flush()
    delivery.flush()

    assert delivery.take_counts() == (1, 2)


def test_losses_of_others_are_counted_along() -> None:
    delivery = delivery_to(MemoryWire())
    delivery.lose(3, trace_id=1)

    assert delivery.lost_spans == 3
    assert delivery.take_counts() == (3, 0)


def spans_of(trace_id: int, count: int) -> list[ReadableSpan]:
    context = SpanContext(trace_id, 1, is_remote=False)
    return [ReadableSpan(name=f"span{next(_numbers)}", context=context) for _ in range(count)]


def test_each_trace_has_its_own_count_of_losses() -> None:
    delivery = delivery_to(MemoryWire([Outcome.FAILED]))
    add(delivery, *spans_of(7, 2), *spans_of(8, 1))
    delivery.flush()
    add(delivery, *spans_of(9, MAX_KEPT_SPANS + 4))
    delivery.flush()

    assert [delivery.lost_spans_of(trace_id) for trace_id in (7, 8, 9, 10)] == [2, 1, 4, 0]
    assert delivery.take_counts() == (7, 2)
    assert delivery.lost_spans_of(7) == 2, "what the environment hands out leaves the trace's own"


def test_what_is_rejected_is_lost_by_the_traces_it_is_of() -> None:
    delivery = delivery_to(MemoryWire([Outcome.REJECTED]))
    add(delivery, *spans_of(7, 2), *spans_of(8, 1))
    delivery.flush()

    assert [delivery.lost_spans_of(trace_id) for trace_id in (7, 8)] == [2, 1]
    assert delivery.take_counts() == (3, 1)


def test_a_part_that_is_rejected_is_lost_by_the_trace_that_most_of_its_batch_is_of() -> None:
    wire = MemoryWire()
    wire.rejected_spans = 2
    delivery = delivery_to(wire)
    add(delivery, *spans_of(7, 1), *spans_of(8, 3))
    delivery.flush()

    assert [delivery.lost_spans_of(trace_id) for trace_id in (7, 8)] == [0, 2]
    assert delivery.take_counts() == (2, 0)


def test_what_is_remembered_of_traces_is_bounded() -> None:
    delivery = delivery_to(MemoryWire())
    for trace_id in range(10_000):
        delivery.lose(1, trace_id)

    assert delivery.lost_spans_of(9_999) == 1
    assert delivery.lost_spans_of(0) == 0
    assert sum(delivery.lost_spans_of(trace_id) for trace_id in range(10_000)) <= 1_000


def test_full_detail_sends_every_full_batch_at_once() -> None:
    wire = MemoryWire()
    sent = threading.Event()
    wire.on_post = sent.set
    delivery = delivery_to(wire, batch_spans=5)

    add(delivery, *spans(5))

    assert sent.wait(5)
    delivery.flush()
    assert [len(batch) for batch in wire.batches] == [5]


# A wire that hangs


@contextmanager
def hanging(wire: MemoryWire) -> Iterator[tuple[threading.Event, threading.Event]]:
    """(a post has begun, let it go on)."""
    begun, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        go_on.wait(10)

    wire.on_post = hang
    try:
        yield begun, go_on
    finally:
        go_on.set()


def test_a_flush_waits_for_one_in_the_background_and_then_sends_the_rest() -> None:
    wire = MemoryWire()
    delivery = delivery_to(wire)
    first, second = spans(1), spans(1)
    with hanging(wire) as (begun, go_on):
        add(delivery, *first)
        delivery.flush_in_background()
        assert begun.wait(5)
        add(delivery, *second)
        flushing = threading.Thread(target=delivery.flush)
        flushing.start()
        go_on.set()
        flushing.join(5)

    assert wire.batches == [first, second]
    assert not delivery.has_work


def test_a_background_flush_under_way_is_not_doubled() -> None:
    wire = MemoryWire()
    delivery = delivery_to(wire)
    with hanging(wire) as (begun, go_on):
        add(delivery, *spans(1))
        delivery.flush_in_background()
        assert begun.wait(5)
        add(delivery, *spans(1))
        delivery.flush_in_background()
        go_on.set()
    delivery.flush()

    assert [len(batch) for batch in wire.batches] == [1, 1]


def test_a_hanging_background_flush_costs_the_next_one_its_budget_and_no_more() -> None:
    wire = MemoryWire()
    delivery = delivery_to(wire)
    with hanging(wire) as (begun, _):
        add(delivery, *spans(1))
        delivery.flush_in_background()
        assert begun.wait(5)
        add(delivery, *spans(1))

        started = time.monotonic()
        delivery.flush(0.05)

        assert time.monotonic() - started < 1
        assert len(wire.batches) == 1
        assert delivery.has_work, "what it could not send waits for the next flush"


def test_the_wire_gets_no_more_time_than_the_flush_has_left() -> None:
    wire = MemoryWire()
    delivery = delivery_to(wire)
    add(delivery, *spans(1))

    delivery.flush(0.25)

    assert 0 < wire.timeouts[0] <= 0.25


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.UNCONFIRMED])
def test_what_a_late_background_flush_learns_is_kept_to(outcome: Outcome) -> None:
    wire = MemoryWire([outcome, Outcome.DELIVERED])
    delivery = delivery_to(wire)
    batch = spans(2)
    with hanging(wire) as (begun, go_on):
        add(delivery, *batch)
        delivery.flush_in_background()
        assert begun.wait(5)
        delivery.flush(0.01)
        go_on.set()
        delivery.flush()
    delivery.flush()

    assert wire.batches == ([batch, batch] if outcome is Outcome.FAILED else [batch])
