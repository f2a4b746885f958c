"""What becomes of a batch: one try per flush, one more for what failed, nothing without a count."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from lambda_streaming.tracing.export.buffer import MAX_KEPT_SPANS, SpanBuffer
from lambda_streaming.tracing.export.one_try import Outcome
from tests.fakes.spans import MemoryExporter

_numbers = iter(range(10**9))


def spans(count: int) -> list[ReadableSpan]:
    return [ReadableSpan(name=f"span{next(_numbers)}") for _ in range(count)]


def buffer_to(exporter: MemoryExporter, **options: Any) -> SpanBuffer:
    return SpanBuffer(lambda: exporter, flush_seconds=5, **options)


def add(buffer: SpanBuffer, *ended: ReadableSpan) -> None:
    for span in ended:
        buffer.add(span)


def test_a_flush_hands_over_everything_once() -> None:
    exporter = MemoryExporter()
    buffer = buffer_to(exporter)
    batch = spans(3)
    add(buffer, *batch)

    buffer.flush()
    buffer.flush()

    assert exporter.batches == [batch]
    assert buffer.last_outcome is Outcome.DELIVERED
    assert buffer.take_counts() == (0, 0)


def test_nothing_to_send_makes_no_wire() -> None:
    def no_wire() -> MemoryExporter:
        raise AssertionError("an unsampled process never needs one")

    buffer = SpanBuffer(no_wire, flush_seconds=5)

    assert not buffer.has_work
    buffer.flush()


def test_what_failed_goes_along_with_the_next_flush() -> None:
    exporter = MemoryExporter([Outcome.FAILED, Outcome.DELIVERED])
    buffer = buffer_to(exporter)
    first, second = spans(2), spans(1)

    add(buffer, *first)
    buffer.flush()
    has_work_left = buffer.has_work
    add(buffer, *second)
    buffer.flush()

    assert exporter.batches == [first, first + second]
    assert (has_work_left, buffer.has_work) == (True, False)
    assert buffer.take_counts() == (0, 1)


def test_what_failed_twice_is_lost_and_what_came_later_has_its_second_try() -> None:
    exporter = MemoryExporter([Outcome.FAILED])
    buffer = buffer_to(exporter)
    first, second = spans(2), spans(3)

    add(buffer, *first)
    buffer.flush()
    add(buffer, *second)
    buffer.flush()
    buffer.flush()

    assert exporter.batches == [first, first + second, second]
    assert buffer.take_counts() == (5, 3)
    assert buffer.take_counts() == (0, 0), "a loss is handed out once"


def test_no_answer_in_time_is_not_sent_again() -> None:
    """The collector has the batch and goes on with it: twice would cost the trace twice."""
    exporter = MemoryExporter([Outcome.UNCONFIRMED, Outcome.DELIVERED])
    buffer = buffer_to(exporter)
    add(buffer, *spans(2))

    buffer.flush()
    buffer.flush()

    assert len(exporter.batches) == 1
    assert buffer.last_outcome is Outcome.UNCONFIRMED
    assert buffer.take_counts() == (0, 0)


def test_what_is_rejected_is_lost_at_once_and_spares_what_comes_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Kept, it would take the next stream's spans down with it."""
    exporter = MemoryExporter([Outcome.REJECTED, Outcome.DELIVERED])
    buffer = buffer_to(exporter)
    poison, innocent = spans(2), spans(1)

    add(buffer, *poison)
    buffer.flush()
    add(buffer, *innocent)
    buffer.flush()

    assert exporter.batches == [poison, innocent]
    assert buffer.take_counts() == (2, 1)
    assert [one.getMessage() for one in caplog.records] == [
        "the collector rejected 2 of 2 spans for good: lost"
    ]


def test_what_a_collector_would_not_have_of_a_batch_is_lost() -> None:
    exporter = MemoryExporter(rejected_spans=2)
    buffer = buffer_to(exporter)
    add(buffer, *spans(3))

    buffer.flush()
    buffer.flush()

    assert len(exporter.batches) == 1
    assert buffer.take_counts() == (2, 0)


def test_of_too_many_kept_spans_the_oldest_are_dropped_and_counted() -> None:
    exporter = MemoryExporter([Outcome.FAILED, Outcome.DELIVERED])
    buffer = buffer_to(exporter)
    batch = spans(MAX_KEPT_SPANS + 7)
    add(buffer, *batch)

    buffer.flush()
    buffer.flush()

    assert exporter.batches[1] == batch[7:]
    assert buffer.take_counts() == (7, 1)


def test_a_collector_that_takes_nothing_is_told_once_until_it_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outage = [Outcome.FAILED] * 4
    exporter = MemoryExporter([*outage, Outcome.DELIVERED, *outage])
    buffer = buffer_to(exporter, tells_outages_once=True)

    for _ in range(9):
        add(buffer, *spans(1))
        buffer.flush()

    said = "the collector did not take the spans: 1 kept for one more try, "
    assert caplog.messages == [said + "0 lost", said + "1 lost"] * 2
    assert buffer.take_counts() == (6, 8)


def test_spans_that_nobody_flushes_stay_bounded_and_one_line_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    buffer = buffer_to(MemoryExporter())
    add(buffer, *spans(4 * MAX_KEPT_SPANS + 10))

    assert buffer.take_counts() == (10, 0)
    assert len(caplog.records) == 1
    buffer.flush()


def test_what_is_left_when_the_process_exits_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    buffer = buffer_to(MemoryExporter([Outcome.FAILED]))
    add(buffer, *spans(2))
    buffer.flush()  # kept for one more try, which will not be
    add(buffer, *spans(1))
    buffer.give_up()
    buffer.give_up()

    assert buffer.take_counts() == (3, 1)
    assert not buffer.has_work
    assert caplog.messages[1:] == ["the collector did not take 3 spans before the exit: lost"]


def test_a_flush_for_which_there_is_no_thread_is_left_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    exporter = MemoryExporter()
    buffer = buffer_to(exporter)
    add(buffer, *spans(2))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        buffer.flush_in_background()
    buffer.flush()

    assert [len(batch) for batch in exporter.batches] == [2]


def test_a_wire_with_a_defect_breaks_nothing() -> None:
    exporter = MemoryExporter()
    buffer = buffer_to(exporter)

    def fail() -> None:
        raise RuntimeError("a defect")

    exporter.on_export = fail
    batch = spans(1)
    add(buffer, *batch)
    buffer.flush()
    exporter.on_export = lambda: None
    buffer.flush()

    assert exporter.batches == [batch, batch]


def test_a_wire_that_cannot_be_made_breaks_nothing() -> None:
    def no_wire() -> MemoryExporter:
        raise ImportError("the package is not in the zip")

    buffer = SpanBuffer(no_wire, flush_seconds=5)
    add(buffer, *spans(1))
    buffer.flush()
    buffer.flush()

    assert buffer.take_counts() == (1, 2)


def test_losses_of_others_are_counted_along() -> None:
    buffer = buffer_to(MemoryExporter())
    buffer.lose(3, trace_id=1)

    assert buffer.lost_spans == 3
    assert buffer.take_counts() == (3, 0)


def spans_of(trace_id: int, count: int) -> list[ReadableSpan]:
    context = SpanContext(trace_id, 1, is_remote=False)
    return [ReadableSpan(name=f"span{next(_numbers)}", context=context) for _ in range(count)]


def test_each_trace_has_its_own_count_of_losses() -> None:
    buffer = buffer_to(MemoryExporter([Outcome.FAILED]))
    add(buffer, *spans_of(7, 2), *spans_of(8, 1))
    buffer.flush()
    add(buffer, *spans_of(9, MAX_KEPT_SPANS + 4))
    buffer.flush()

    assert [buffer.lost_spans_of(trace_id) for trace_id in (7, 8, 9, 10)] == [2, 1, 4, 0]
    assert buffer.take_counts() == (7, 2)
    assert buffer.lost_spans_of(7) == 2, "what the environment hands out leaves the trace's own"


def test_what_is_rejected_is_lost_by_the_traces_it_is_of() -> None:
    buffer = buffer_to(MemoryExporter([Outcome.REJECTED]))
    add(buffer, *spans_of(7, 2), *spans_of(8, 1))
    buffer.flush()

    assert [buffer.lost_spans_of(trace_id) for trace_id in (7, 8)] == [2, 1]
    assert buffer.take_counts() == (3, 1)


def test_a_part_that_is_rejected_is_lost_by_the_trace_that_most_of_its_batch_is_of() -> None:
    exporter = MemoryExporter()
    exporter.rejected_spans = 2
    buffer = buffer_to(exporter)
    add(buffer, *spans_of(7, 1), *spans_of(8, 3))
    buffer.flush()

    assert [buffer.lost_spans_of(trace_id) for trace_id in (7, 8)] == [0, 2]
    assert buffer.take_counts() == (2, 0)


def test_what_is_remembered_of_traces_is_bounded() -> None:
    buffer = buffer_to(MemoryExporter())
    for trace_id in range(10_000):
        buffer.lose(1, trace_id)

    assert buffer.lost_spans_of(9_999) == 1
    assert buffer.lost_spans_of(0) == 0
    assert sum(buffer.lost_spans_of(trace_id) for trace_id in range(10_000)) <= 1_000


def test_full_detail_sends_every_full_batch_at_once() -> None:
    exporter = MemoryExporter()
    sent = threading.Event()
    exporter.on_export = sent.set
    buffer = buffer_to(exporter, batch_spans=5)

    add(buffer, *spans(5))

    assert sent.wait(5)
    buffer.flush()
    assert [len(batch) for batch in exporter.batches] == [5]


# A exporter that hangs


@contextmanager
def hanging(exporter: MemoryExporter) -> Iterator[tuple[threading.Event, threading.Event]]:
    """(a post has begun, let it go on)."""
    begun, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        go_on.wait(10)

    exporter.on_export = hang
    try:
        yield begun, go_on
    finally:
        go_on.set()


def test_a_flush_waits_for_one_in_the_background_and_then_sends_the_rest() -> None:
    exporter = MemoryExporter()
    buffer = buffer_to(exporter)
    first, second = spans(1), spans(1)
    with hanging(exporter) as (begun, go_on):
        add(buffer, *first)
        buffer.flush_in_background()
        assert begun.wait(5)
        add(buffer, *second)
        flushing = threading.Thread(target=buffer.flush)
        flushing.start()
        go_on.set()
        flushing.join(5)

    assert exporter.batches == [first, second]
    assert not buffer.has_work


def test_a_background_flush_under_way_is_not_doubled() -> None:
    exporter = MemoryExporter()
    buffer = buffer_to(exporter)
    with hanging(exporter) as (begun, go_on):
        add(buffer, *spans(1))
        buffer.flush_in_background()
        assert begun.wait(5)
        add(buffer, *spans(1))
        buffer.flush_in_background()
        go_on.set()
    buffer.flush()

    assert [len(batch) for batch in exporter.batches] == [1, 1]


def test_a_hanging_background_flush_costs_the_next_one_its_budget_and_no_more() -> None:
    exporter = MemoryExporter()
    buffer = buffer_to(exporter)
    with hanging(exporter) as (begun, _):
        add(buffer, *spans(1))
        buffer.flush_in_background()
        assert begun.wait(5)
        add(buffer, *spans(1))

        started = time.monotonic()
        buffer.flush(0.05)

        assert time.monotonic() - started < 1
        assert len(exporter.batches) == 1
        assert buffer.has_work, "what it could not send waits for the next flush"


def test_the_wire_gets_no_more_time_than_the_flush_has_left() -> None:
    exporter = MemoryExporter()
    buffer = buffer_to(exporter)
    add(buffer, *spans(1))

    buffer.flush(0.25)

    assert 0 < exporter.timeouts[0] <= 0.25


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.UNCONFIRMED])
def test_what_a_late_background_flush_learns_is_kept_to(outcome: Outcome) -> None:
    exporter = MemoryExporter([outcome, Outcome.DELIVERED])
    buffer = buffer_to(exporter)
    batch = spans(2)
    with hanging(exporter) as (begun, go_on):
        add(buffer, *batch)
        buffer.flush_in_background()
        assert begun.wait(5)
        buffer.flush(0.01)
        go_on.set()
        buffer.flush()
    buffer.flush()

    assert exporter.batches == ([batch, batch] if outcome is Outcome.FAILED else [batch])
