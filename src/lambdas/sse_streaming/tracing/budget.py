"""How much of X-Ray's allowance for a trace one stream may spend, and on what.

AWS says a trace may hold about 500 KB when its documents come in bulk and about 100 KB when they
trickle in over minutes (repost.aws/knowledge-center/x-ray-trace-quota-error). A stream's bulk
comes minutes after its first documents, so the small figure counts.

There is one count of bytes and a ceiling for each thing they are spent on, the next one higher
than the one before. So an outage in the last minute finds room for its errors, roll-ups find room
after the errors, and the root after all of them.
"""

from __future__ import annotations

from lambdas.sse_streaming.tracing.drafts import SpanDraft, Stacks
from lambdas.sse_streaming.tracing.size import estimated_bytes

OWN_CEILING_BYTES = 74_500
"""Room for 120 spans of the largest ordinary kind: poll cycles of three queries."""
EVENTFUL_CEILING_BYTES = 78_500
ROLLUP_CEILING_BYTES = 88_000
TRACE_CEILING_BYTES = 90_000
MAX_EVENTFUL_STEPS = 20


class SpanBudget:
    """Own spans until spans or bytes are spent; afterwards only eventful steps, up to a limit."""

    def __init__(self, max_spans: int) -> None:
        self._spans_left = max_spans
        self._eventful_left = MAX_EVENTFUL_STEPS
        self._bytes = 0
        self._is_spent = False
        self.stacks = Stacks()

    def considers(self, is_eventful: bool) -> bool:
        """Whether drafting a span is worth the time: False once all of its kind are spent."""
        return not self._is_spent or (is_eventful and self._eventful_left > 0)

    def allows(self, draft: SpanDraft, is_eventful: bool) -> bool:
        """Spend on the step's own span and its requests', or say that it has to be rolled up."""
        size = estimated_bytes(draft)
        if not self._is_spent:
            if draft.span_count <= self._spans_left and self._fits(size, OWN_CEILING_BYTES):
                self._spans_left -= draft.span_count
                self._bytes += size
                return True
            # For good: own spans after roll-ups have begun would leave holes nobody can read.
            self._is_spent = True
        if is_eventful and self._eventful_left > 0 and self._fits(size, EVENTFUL_CEILING_BYTES):
            self._eventful_left -= 1
            self._bytes += size
            return True
        return False

    def spend(self, size_bytes: int) -> None:
        """What was made to fit: roll-ups."""
        self._bytes += size_bytes

    @property
    def rollup_bytes(self) -> int:
        """What is left for roll-ups."""
        return ROLLUP_CEILING_BYTES - self._bytes

    @property
    def root_bytes(self) -> int:
        """What is left for the root, when everything else is spent."""
        return TRACE_CEILING_BYTES - self._bytes

    def _fits(self, size_bytes: int, ceiling_bytes: int) -> bool:
        return self._bytes + size_bytes <= ceiling_bytes


class UnlimitedBudget:
    """For backends without X-Ray's limit: every step has its own span, every error its stack."""

    rollup_bytes = root_bytes = TRACE_CEILING_BYTES

    def __init__(self) -> None:
        self.stacks = Stacks(once_each=False)

    def considers(self, is_eventful: bool) -> bool:
        return True

    def allows(self, draft: SpanDraft, is_eventful: bool) -> bool:
        return True

    def spend(self, size_bytes: int) -> None: ...
