"""Many steps in one span: counts, sums, the maximum, and the slowest one's attributes.

X-Ray accepts a bounded amount per trace and drops the rest without a word, so a long stream says
per minute what it did instead of losing its last ten minutes. Where a minute is too fine for what
is left of the allowance, windows are widened until everything fits: coarser, but never less.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from lambda_streaming.tracing.drafts import SpanDraft, milliseconds, shortened
from lambda_streaming.tracing.failures import ExceptionRecord
from lambda_streaming.tracing.size import estimated_bytes
from lambda_streaming.tracing.step import Scalar, Step

WINDOW_NS = 60 * 1_000_000_000
MAX_ROLLUPS = 64
"""Kept in memory; twice what a quarter of an hour of polls and dispatches needs."""
MAX_ERROR_TYPES = 16
OTHER_ERRORS = "other"
_NO_AMOUNTS = frozenset({"max_connections", "current_count"})
"""States, not amounts: their sum over many steps would be nonsense."""


class Rollup:
    """What became of steps of one name and error type within one window.

    Numeric attributes are added up under their own name; `count` says how many steps, and
    `request_count` how many AWS requests, are inside. One of failures carries the first one's
    exception, without its stack, since X-Ray shows what an error was by its cause alone. Its span
    has kind INTERNAL: a CLIENT span would put a minute's latency on the service map.
    """

    __slots__ = (
        "_duration_max_ns",
        "_duration_ns",
        "_request_max_ns",
        "_request_ns",
        "_slowest",
        "_sums",
        "count",
        "ended_ns",
        "error_type",
        "example",
        "is_fault",
        "name",
        "request_count",
        "started_ns",
    )

    def __init__(self, name: str, error_type: str | None, started_ns: int) -> None:
        self.name = name
        self.error_type = error_type
        self.example: ExceptionRecord | None = None
        self.is_fault = False
        self.started_ns = started_ns
        self.ended_ns = started_ns
        self.count = 0
        self.request_count = 0
        self._request_ns = 0
        self._request_max_ns = 0
        self._duration_ns = 0
        self._duration_max_ns = -1
        self._sums: dict[str, float] = {}
        self._slowest: dict[str, Scalar] = {}

    def add(self, step: Step) -> None:
        ended_ns = step.ended_ns
        duration_ns = ended_ns - step.started_ns
        attributes = step.attributes
        self.count += 1
        self._duration_ns += duration_ns
        if ended_ns > self.ended_ns:
            self.ended_ns = ended_ns
        if step.started_ns < self.started_ns:  # a step that took longer than those begun after it
            self.started_ns = step.started_ns
        if duration_ns > self._duration_max_ns:
            self._duration_max_ns = duration_ns
            self._slowest = attributes
        sums = self._sums
        for name, value in attributes.items():
            if (type(value) is int or type(value) is float) and name not in _NO_AMOUNTS:
                sums[name] = sums.get(name, 0) + value
        if step.requests:
            for request in step.requests:
                request_ns = request.ended_ns - request.started_ns
                self.request_count += 1
                self._request_ns += request_ns
                self._request_max_ns = max(self._request_max_ns, request_ns)
        if step.failure is not None:
            if step.failure.is_fault:
                self.is_fault = True
            if self.example is None and step.failure.chain:
                self.example = shortened(step.failure.chain[-1])

    def merge(self, other: Rollup) -> None:
        """Take in another one, of the same name."""
        self.count += other.count
        self.request_count += other.request_count
        self._request_ns += other._request_ns
        self._request_max_ns = max(self._request_max_ns, other._request_max_ns)
        self._duration_ns += other._duration_ns
        self.started_ns = min(self.started_ns, other.started_ns)
        self.ended_ns = max(self.ended_ns, other.ended_ns)
        self.is_fault = self.is_fault or other.is_fault
        self.example = self.example or other.example
        for name, value in other._sums.items():
            self._sums[name] = self._sums.get(name, 0) + value
        if other._duration_max_ns > self._duration_max_ns:
            self._duration_max_ns = other._duration_max_ns
            self._slowest = other._slowest

    def attributes(self, *, names_slowest: bool = True) -> dict[str, Scalar]:
        merged: dict[str, Scalar] = {
            name: round(total, 3) if isinstance(total, float) else total
            for name, total in self._sums.items()
        }
        merged |= {
            "rolled_up": True,
            "count": self.count,
            "duration_ms_sum": milliseconds(self._duration_ns),
            "duration_ms_max": milliseconds(self._duration_max_ns),
        }
        if self.request_count:
            merged |= {
                "request_count": self.request_count,
                "request_ms_sum": milliseconds(self._request_ns),
                "request_ms_max": milliseconds(self._request_max_ns),
            }
        if self.error_type is not None:
            merged["error_type"] = self.error_type
        if names_slowest:
            merged |= {f"slowest_{name}": value for name, value in self._slowest.items()}
        return merged

    def draft(self, *, names_slowest: bool) -> SpanDraft:
        return SpanDraft(
            self.name,
            self.started_ns,
            self.ended_ns,
            self.attributes(names_slowest=names_slowest),
            (self.example,) if self.example else (),
            is_fault=self.is_fault,
        )


class Rollups:
    """All of a stream's, by name, error type and window. Nothing that was added is ever left out.

    Memory is bounded, whatever comes: by MAX_ROLLUPS through wider windows, and by
    MAX_ERROR_TYPES, beyond which an error type is one of the others.
    """

    def __init__(self, began_ns: int) -> None:
        self._began_ns = began_ns
        self._window_ns = WINDOW_NS
        self._latest: dict[tuple[str, str | None], tuple[int, Rollup]] = {}
        self._earlier: list[Rollup] = []
        self._error_types: set[str] = set()
        self.span_count = 0
        """Spans that steps and their AWS requests would have had."""

    def __len__(self) -> int:
        return len(self._latest) + len(self._earlier)

    def add(self, step: Step) -> None:
        self.span_count += 1 + len(step.requests)
        failure = step.failure
        key = (step.name, None if failure is None else self._bounded_type(failure.error_type))
        until_and_rollup = self._latest.get(key)
        if until_and_rollup is not None and step.started_ns < until_and_rollup[0]:
            until_and_rollup[1].add(step)
            return
        if until_and_rollup is not None:
            self._earlier.append(until_and_rollup[1])
        rollup = Rollup(*key, step.started_ns)
        rollup.add(step)
        self._latest[key] = (self._window_end_ns(step.started_ns), rollup)
        while len(self) > MAX_ROLLUPS and self._earlier:
            self._widen()

    def drafts(self, max_bytes: int) -> list[SpanDraft]:
        """Their spans, within so many bytes: in wider windows where they would be too many, then
        without the slowest one's attributes, then with the rarest error types of a name in one,
        and with no more than the exceptions' types at last."""
        while True:
            drafts = self._drafts(names_slowest=True)
            if sum(map(estimated_bytes, drafts)) <= max_bytes:
                return drafts
            if not self._earlier:
                break
            self._widen()
        kept_types = len(self._error_types)
        while True:
            drafts = self._drafts(names_slowest=False)
            if sum(map(estimated_bytes, drafts)) <= max_bytes:
                return drafts
            if kept_types == 0:
                break
            kept_types //= 2
            self._join_error_types(kept_types)
        for rollup in self._all():
            rollup.example = rollup.example and replace(rollup.example, message="")
        return self._drafts(names_slowest=False)

    def _drafts(self, *, names_slowest: bool) -> list[SpanDraft]:
        found = sorted(self._all(), key=lambda rollup: rollup.started_ns)
        return [rollup.draft(names_slowest=names_slowest) for rollup in found]

    def _all(self) -> Iterator[Rollup]:
        yield from self._earlier
        for _, rollup in self._latest.values():
            yield rollup

    def _widen(self) -> None:
        """Windows of twice the width; what falls into the same one becomes one."""
        self._window_ns *= 2
        self._regroup(list(self._all()))

    def _join_error_types(self, kept_count: int) -> None:
        """All but the most frequent ones become one."""
        rollups = list(self._all())
        counts = Counter[str]()
        for rollup in rollups:
            if rollup.error_type not in (None, OTHER_ERRORS):
                counts[rollup.error_type] += rollup.count
        kept = {error_type for error_type, _ in counts.most_common(kept_count)}
        for rollup in rollups:
            if rollup.error_type is not None and rollup.error_type not in kept:
                rollup.error_type = OTHER_ERRORS
        self._regroup(rollups)
        while self._earlier:  # types that never met before may do so in other windows
            self._widen()

    def _regroup(self, rollups: list[Rollup]) -> None:
        self._earlier, self._latest = [], {}
        for rollup in sorted(rollups, key=lambda one: one.started_ns):
            key = (rollup.name, rollup.error_type)
            until_and_rollup = self._latest.get(key)
            if until_and_rollup is not None:
                if rollup.started_ns < until_and_rollup[0]:
                    until_and_rollup[1].merge(rollup)
                    continue
                self._earlier.append(until_and_rollup[1])
            self._latest[key] = (self._window_end_ns(rollup.started_ns), rollup)

    def _window_end_ns(self, started_ns: int) -> int:
        # A wall clock that was set back must not make windows that never meet however wide.
        passed = max(0, started_ns - self._began_ns) // self._window_ns
        return self._began_ns + (passed + 1) * self._window_ns

    def _bounded_type(self, error_type: str) -> str:
        if error_type not in self._error_types:
            if len(self._error_types) >= MAX_ERROR_TYPES:
                return OTHER_ERRORS
            self._error_types.add(error_type)
        return error_type
