"""Many uneventful steps in one span: counts, sums, the maximum, and the slowest one's attributes.

X-Ray accepts a bounded amount per trace and drops the rest without a word, so a long stream says
per minute what it did instead of losing its last ten minutes.
"""

from __future__ import annotations

from lambdas.sse_streaming.tracing.operation import Operation, Scalar

WINDOW_NS = 60 * 1_000_000_000


class Rollup:
    """What became of steps of one name and error type within one window.

    Numeric attributes are added up under their own name; `count` says how many steps, and
    `request_count` how many AWS requests, are inside. Its span has kind INTERNAL: a CLIENT span
    would put a minute's latency on the service map.
    """

    def __init__(self, name: str, error_type: str | None, is_fault: bool, started_ns: int) -> None:
        self.name = name
        self.error_type = error_type
        self.is_fault = is_fault
        self.started_ns = started_ns
        self.ended_ns = started_ns
        self.count = 0
        self.request_count = 0
        self._request_ms = 0.0
        self._request_ms_max = 0.0
        self._duration_ms = 0.0
        self._duration_ms_max = -1.0
        self._sums: dict[str, float] = {}
        self._slowest: dict[str, Scalar] = {}

    def add(self, step: Operation) -> None:
        duration_ms = step.duration_ms
        self.count += 1
        self.ended_ns = max(self.ended_ns, step.ended_ns)
        self._duration_ms += duration_ms
        sums = self._sums
        for name, value in step.attributes.items():
            if type(value) is int or type(value) is float:
                sums[name] = sums.get(name, 0) + value
        if duration_ms > self._duration_ms_max:
            self._duration_ms_max = duration_ms
            self._slowest = step.attributes
        for request in step.requests:
            self.request_count += 1
            self._request_ms += request.duration_ms
            self._request_ms_max = max(self._request_ms_max, request.duration_ms)

    def is_over(self, now_ns: int) -> bool:
        return now_ns - self.started_ns >= WINDOW_NS

    def attributes(self) -> dict[str, Scalar]:
        merged: dict[str, Scalar] = {
            name: round(total, 3) if isinstance(total, float) else total
            for name, total in self._sums.items()
        }
        merged |= {
            "rolled_up": True,
            "count": self.count,
            "duration_ms_sum": round(self._duration_ms, 3),
            "duration_ms_max": round(self._duration_ms_max, 3),
        }
        if self.request_count:
            merged |= {
                "request_count": self.request_count,
                "request_ms_sum": round(self._request_ms, 3),
                "request_ms_max": round(self._request_ms_max, 3),
            }
        if self.error_type is not None:
            merged["error_type"] = self.error_type
        merged |= {f"slowest_{name}": value for name, value in self._slowest.items()}
        return merged
