"""Metrics as they are collected."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.sse_streaming.metrics import (
    MAX_VALUES_PER_DATUM,
    Metrics,
    two_digits,
)


def by_name(datums: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {datum["MetricName"]: datum for datum in datums}


def test_counts_are_summed_with_their_unit() -> None:
    metrics = Metrics()
    metrics.count("EventsSent")
    metrics.count("EventsSent", 2)
    metrics.count("ConnectionSeconds", 1.5)

    datums = by_name(metrics.take(123.0))

    assert datums["EventsSent"] == {
        "MetricName": "EventsSent",
        "Timestamp": 123.0,
        "Value": 3.0,
        "Unit": "Count",
    }
    assert (datums["ConnectionSeconds"]["Value"], datums["ConnectionSeconds"]["Unit"]) == (
        1.5,
        "Seconds",
    )


def test_reasons_are_a_dimension() -> None:
    metrics = Metrics()
    metrics.count("StreamsEnded", reason="rotate")
    metrics.count("StreamsEnded", reason="error")
    metrics.count("StreamsEnded", reason="rotate")

    assert sorted(
        (datum["Dimensions"][0]["Value"], datum["Value"]) for datum in metrics.take(0)
    ) == [("error", 1.0), ("rotate", 2.0)]


def test_a_distribution_is_values_with_counts() -> None:
    metrics = Metrics()
    for value in (5.04, 12.3, 5.0):
        metrics.observe("PollDurationMs", value)

    (datum,) = metrics.take(0)

    assert datum["Values"] == [5.0, 12.0]
    assert datum["Counts"] == [2.0, 1.0]
    assert datum["Unit"] == "Milliseconds"


def test_values_may_come_with_how_often_each_came() -> None:
    metrics = Metrics()
    metrics.observe("EventLatencyMs", {503: 2, 504: 1, 7: 4})
    metrics.observe("EventLatencyMs", {})

    (datum,) = metrics.take(0)

    assert (datum["Values"], datum["Counts"]) == ([7.0, 500.0], [4.0, 3.0])


def test_nothing_observed_is_no_datum() -> None:
    metrics = Metrics()
    metrics.observe("EventLatencyMs", {})

    assert metrics.take(0) == []


def test_a_take_leaves_a_clean_slate() -> None:
    metrics = Metrics()
    metrics.count("EventsSent")
    metrics.take(0)

    assert metrics.take(0) == []


def test_no_datum_has_more_values_than_cloudwatch_takes() -> None:
    metrics = Metrics()
    for exponent in range(5):
        for digits in range(10, 100):
            metrics.observe("EventLatencyMs", digits * 10**exponent)

    datums = metrics.take(0)

    assert len(datums) == 3
    assert all(len(datum["Values"]) <= MAX_VALUES_PER_DATUM for datum in datums)
    assert sum(sum(datum["Counts"]) for datum in datums) == 450


def test_what_was_put_back_is_added_to_what_came_since() -> None:
    metrics = Metrics()
    metrics.count("EventsSent", 3)
    metrics.count("StreamsEnded", reason="rotate")
    metrics.observe("EventLatencyMs", 5)
    datums = metrics.take(0)
    metrics.count("EventsSent", 4)
    metrics.observe("EventLatencyMs", 5)
    metrics.put_back(datums)

    again = by_name(metrics.take(1))

    assert again["EventsSent"]["Value"] == 7.0
    assert again["StreamsEnded"]["Dimensions"] == [{"Name": "Reason", "Value": "rotate"}]
    assert again["EventLatencyMs"]["Counts"] == [2.0]


def test_no_count_is_lost_between_threads() -> None:
    metrics = Metrics()

    def work() -> float:
        taken = 0.0
        for _ in range(500):
            metrics.count("EventsSent")
            taken += sum(datum["Value"] for datum in metrics.take(0))
        return taken

    with ThreadPoolExecutor(4) as pool:
        total = sum(done.result() for done in [pool.submit(work) for _ in range(4)])

    assert total + sum(datum["Value"] for datum in metrics.take(0)) == 2000


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        (0, 0),
        (-3, 0),
        (float("nan"), 0),
        (float("inf"), 0),
        (1, 1),
        (9.96, 10),
        (123, 120),
        (0.0234, 0.023),
        (987654, 990000),
    ],
)
def test_values_have_two_digits(value: float, rounded: float) -> None:
    assert two_digits(value) == rounded


@given(st.floats(min_value=1e-6, max_value=1e12))
def test_two_digits_are_within_five_percent(value: float) -> None:
    assert abs(two_digits(value) - value) <= 0.05 * value
