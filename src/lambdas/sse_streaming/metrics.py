"""Metrics as they are collected during streams, in the form in which CloudWatch takes them.

Distributions go out as values with counts, rounded to two digits, so that percentiles work and a
minute of events is one datum (CloudWatch API reference, MetricDatum: at most 150 values).
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

MAX_VALUES_PER_DATUM = 150

_MILLISECONDS = ("EventLatencyMs", "PollDurationMs")


class Metrics:
    """What happened since the last `take`. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str | None]] = Counter()
        self._values: dict[str, Counter[float]] = {}

    def count(self, name: str, by: float = 1, *, reason: str | None = None) -> None:
        """Add to a sum. `reason` becomes the dimension Reason."""
        with self._lock:
            self._counts[name, reason] += by  # type: ignore[assignment]  # Counter holds floats

    def observe(self, name: str, values: float | Mapping[int, int]) -> None:
        """Add to a distribution: one value, or values with how often each came."""
        counted = values if isinstance(values, Mapping) else {values: 1}
        with self._lock:
            distribution = self._values.setdefault(name, Counter())
            for value, count in counted.items():
                distribution[two_digits(value)] += count

    def take(self, timestamp_seconds: float) -> list[dict[str, Any]]:
        """The data collected since the last call, as MetricDatum structures."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            distributions, self._values = self._values, {}
        datums: list[dict[str, Any]] = []
        for (name, reason), total in counts.items():
            datum: dict[str, Any] = {
                "MetricName": name,
                "Timestamp": timestamp_seconds,
                "Value": float(total),
                "Unit": "Seconds" if name.endswith("Seconds") else "Count",
            }
            if reason is not None:
                datum["Dimensions"] = [{"Name": "Reason", "Value": reason}]
            datums.append(datum)
        for name, values in distributions.items():
            pairs = sorted(values.items())
            for at in range(0, len(pairs), MAX_VALUES_PER_DATUM):
                part = pairs[at : at + MAX_VALUES_PER_DATUM]
                datums.append(
                    {
                        "MetricName": name,
                        "Timestamp": timestamp_seconds,
                        "Values": [value for value, _ in part],
                        "Counts": [float(count) for _, count in part],
                        "Unit": "Milliseconds" if name in _MILLISECONDS else "None",
                    }
                )
        return datums

    def put_back(self, datums: Sequence[Mapping[str, Any]]) -> None:
        """Take back data that could not be put, and add them to what came since."""
        with self._lock:
            for datum in datums:
                name = datum["MetricName"]
                if "Value" in datum:
                    dimensions = datum.get("Dimensions")
                    reason = dimensions[0]["Value"] if dimensions else None
                    self._counts[name, reason] += datum["Value"]
                else:
                    known = self._values.setdefault(name, Counter())
                    for value, count in zip(datum["Values"], datum["Counts"], strict=True):
                        known[value] += int(count)


def two_digits(value: float) -> float:
    """Two significant digits: at most 90 distinct values per power of ten."""
    if value <= 0 or not math.isfinite(value):
        return 0.0
    magnitude = math.floor(math.log10(value))
    return round(value, 1 - magnitude)
