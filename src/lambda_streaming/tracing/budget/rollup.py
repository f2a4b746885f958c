"""Many steps in one span: counts, sums, the maximum, and the slowest one's attributes.

One roll-up per name, error type and window of a minute. There are at most MAX_ROLLUPS of at most
ROLLUP_BYTES each: where there would be more, windows double until one is left per name and error
type, then the rarest error types of a name become one (`other`), then the rarest names. Coarser,
but every step stays counted.
"""

from __future__ import annotations

from collections.abc import Callable

from lambda_streaming.tracing.budget.planned import PlannedSpan, milliseconds, shortened
from lambda_streaming.tracing.failures import ExceptionRecord
from lambda_streaming.tracing.step import Scalar, Step

MAX_ROLLUPS = 14
ROLLUP_BYTES = 900
WINDOW_NS = 60 * 1_000_000_000
OTHER = "other"
_MAX_SUMS = 12
_MAX_NAME_LENGTH = 60
_STATES = frozenset({"max_connections", "current_count"})
"""Numeric attributes of which a sum means nothing."""


class Rollup:
    """Steps of one name and error type within one window.

    Numeric attributes are added up under their own name; `count` says how many steps, and
    `request_count` how many AWS requests, are inside. Its span has kind INTERNAL: a CLIENT span
    would put a window's latency on the service map. A roll-up of failures carries the first
    failure's exception, because X-Ray shows an error by its cause.
    """

    def __init__(self, name: str, error_type: str | None, step: Step) -> None:
        self.name = name
        self.error_type = error_type
        self.started_ns = step.started_ns
        self.ended_ns = step.ended_ns
        self.count = 0
        self._example: ExceptionRecord | None = None
        self._is_fault = False
        self._request_count = 0
        self._request_ns = 0
        self._request_max_ns = 0
        self._duration_ns = 0
        self._duration_max_ns = -1
        self._sums: dict[str, float] = {}
        self._slowest: dict[str, Scalar] = {}

    def add(self, step: Step) -> None:
        duration_ns = step.ended_ns - step.started_ns
        self.count += 1
        self._duration_ns += duration_ns
        if step.ended_ns > self.ended_ns:
            self.ended_ns = step.ended_ns
        if step.started_ns < self.started_ns:  # longer than steps begun after it
            self.started_ns = step.started_ns
        if duration_ns > self._duration_max_ns:
            self._duration_max_ns, self._slowest = duration_ns, step.attributes
        sums = self._sums
        for name, value in step.attributes.items():
            if (type(value) is int or type(value) is float) and name not in _STATES:
                if name in sums:
                    sums[name] += value
                elif len(sums) < _MAX_SUMS:
                    sums[name] = value
        for request in step.requests:
            request_ns = request.ended_ns - request.started_ns
            self._request_count += 1
            self._request_ns += request_ns
            self._request_max_ns = max(self._request_max_ns, request_ns)
        if step.failure is not None:
            self._is_fault |= step.failure.is_fault
            if self._example is None and step.failure.chain:
                self._example = shortened(step.failure.chain[-1])

    def merge(self, other: Rollup) -> None:
        self.count += other.count
        self.started_ns = min(self.started_ns, other.started_ns)
        self.ended_ns = max(self.ended_ns, other.ended_ns)
        self._example = self._example or other._example
        self._is_fault |= other._is_fault
        self._request_count += other._request_count
        self._request_ns += other._request_ns
        self._request_max_ns = max(self._request_max_ns, other._request_max_ns)
        self._duration_ns += other._duration_ns
        for name, value in other._sums.items():
            if name in self._sums or len(self._sums) < _MAX_SUMS:
                self._sums[name] = self._sums.get(name, 0) + value
        if other._duration_max_ns > self._duration_max_ns:
            self._duration_max_ns, self._slowest = other._duration_max_ns, other._slowest

    def span(self) -> PlannedSpan:
        attributes: dict[str, Scalar] = {
            "rolled_up": True,
            "count": self.count,
            "duration_ms_sum": milliseconds(self._duration_ns),
            "duration_ms_max": milliseconds(self._duration_max_ns),
        }
        if self.error_type is not None:
            attributes["error_type"] = self.error_type
        if self._request_count:
            attributes["request_count"] = self._request_count
            attributes["request_ms_sum"] = milliseconds(self._request_ns)
            attributes["request_ms_max"] = milliseconds(self._request_max_ns)
        for name, total in self._sums.items():
            attributes.setdefault(name, round(total, 3) if isinstance(total, float) else total)
        for name, value in self._slowest.items():
            attributes[f"slowest_{name}"] = value
        chain = (self._example,) if self._example else ()
        full = PlannedSpan(
            self.name, self.started_ns, self.ended_ns, attributes, chain, is_fault=self._is_fault
        )
        span = full.within(ROLLUP_BYTES)
        assert span is not None, "a name of _MAX_NAME_LENGTH fits"
        return span


class Rollups:
    """A trace's roll-ups. Every step that was added is counted in one of them."""

    def __init__(self, began_ns: int) -> None:
        self._began_ns = began_ns
        self._window_ns = WINDOW_NS
        self._rollups: dict[tuple[str, str | None, int], Rollup] = {}
        self.span_count = 0
        """Spans that the steps and their AWS requests would have had."""

    def add(self, step: Step) -> None:
        self.span_count += 1 + len(step.requests)
        error_type = None if step.failure is None else step.failure.error_type
        key = (step.name[:_MAX_NAME_LENGTH], error_type, self._window(step.started_ns))
        rollup = self._rollups.get(key)
        if rollup is None:
            rollup = self._rollups[key] = Rollup(key[0], error_type, step)
        rollup.add(step)
        while len(self._rollups) > MAX_ROLLUPS:
            self._make_coarser()

    def spans(self) -> list[PlannedSpan]:
        found = sorted(self._rollups.values(), key=lambda rollup: rollup.started_ns)
        return [rollup.span() for rollup in found]

    def _window(self, started_ns: int) -> int:
        # A wall clock that was set back must not make windows that never meet however wide.
        return max(0, started_ns - self._began_ns) // self._window_ns

    def _make_coarser(self) -> None:
        rollups = list(self._rollups.values())
        if any(window for _, _, window in self._rollups):
            self._window_ns *= 2
        elif not self._join_rarest(rollups, lambda one: one.error_type not in (None, OTHER)):
            self._join_rarest(rollups, lambda one: one.name != OTHER)
        self._rollups = {}
        for rollup in rollups:
            key = (rollup.name, rollup.error_type, self._window(rollup.started_ns))
            known = self._rollups.setdefault(key, rollup)
            if known is not rollup:
                known.merge(rollup)

    def _join_rarest(self, rollups: list[Rollup], is_apart: Callable[[Rollup], bool]) -> bool:
        apart = [rollup for rollup in rollups if is_apart(rollup)]
        if not apart:
            return False
        rarest = min(apart, key=lambda rollup: rollup.count)
        if rarest.error_type not in (None, OTHER):
            rarest.error_type = OTHER
        else:
            rarest.name = OTHER
        return True
