"""How much of X-Ray's allowance for a trace one stream may spend, and on what.

AWS says a trace may hold about 500 KB when its documents come in bulk and about 100 KB when they
trickle in over minutes (repost.aws/knowledge-center/x-ray-trace-quota-error). A stream's bulk
comes minutes after its first documents, so the small figure counts. It is divided beforehand, so
that an outage in the last minute still finds room for its errors.
"""

from __future__ import annotations

from lambdas.sse_streaming.tracing.operation import Operation

OWN_BYTES = 60_000
EVENTFUL_BYTES = 14_000
ROLLUP_BYTES = 16_000
MAX_EVENTFUL_STEPS = 20
MAX_ROLLUPS = 20

_STEP_BYTES = 400
_REQUEST_BYTES = 640
"""Measured on documents that the collector's exporter made of such spans, names and ids inside."""


def estimated_bytes(step: Operation, with_stacks: bool = True) -> int:
    """About how large the X-Ray documents of a step and its requests will be."""
    total = _STEP_BYTES + len(step.name)
    for name, value in step.attributes.items():
        total += len(name) + len(str(value)) + 6
    total += _REQUEST_BYTES * len(step.requests)
    for failure in (step.failure, *(request.failure for request in step.requests)):
        if failure is not None:
            for link in failure.chain:
                total += 120 + len(link.message) + (len(link.stack) if with_stacks else 0)
    return total


class SpanBudget:
    """Own spans until spans or bytes are spent; afterwards only eventful steps, up to a limit."""

    def __init__(self, max_spans: int) -> None:
        self._spans_left = max_spans
        self._own_bytes_left = OWN_BYTES
        self._eventful_bytes_left = EVENTFUL_BYTES
        self._eventful_left = MAX_EVENTFUL_STEPS
        self._is_spent = False
        self._seen_places: set[tuple[str, str]] = set()

    def allows(self, step: Operation, is_eventful: bool) -> bool:
        """Spend on the step's own span and its requests', or say that it has to be rolled up."""
        size = estimated_bytes(step, with_stacks=not self._all_stacks_known(step))
        if not self._is_spent:
            if step.span_count <= self._spans_left and size <= self._own_bytes_left:
                self._spans_left -= step.span_count
                self._own_bytes_left -= size
                return True
            self._is_spent = True
        if is_eventful and self._eventful_left > 0 and size <= self._eventful_bytes_left:
            self._eventful_left -= 1
            self._eventful_bytes_left -= size
            return True
        return False

    def wants_stack(self, error_type: str, place: str) -> bool:
        """The stack goes along once per exception type and place."""
        key = (error_type, place)
        if key in self._seen_places:
            return False
        if len(self._seen_places) < 100:
            self._seen_places.add(key)
        return True

    def _all_stacks_known(self, step: Operation) -> bool:
        return step.failure is None or all(
            (link.type, link.place) in self._seen_places for link in step.failure.chain
        )


class UnlimitedBudget:
    """For backends without X-Ray's limit: every step has its own span, every error its stack."""

    def allows(self, step: Operation, is_eventful: bool) -> bool:
        return True

    def wants_stack(self, error_type: str, place: str) -> bool:
        return True
