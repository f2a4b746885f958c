"""Which steps have a span of their own.

AWS says a trace may hold about 500 KB when its documents come in bulk and about 100 KB when they
trickle in over minutes, and drops the rest without a word
(repost.aws/knowledge-center/x-ray-trace-quota-error). A stream's bulk comes minutes after its
first documents, so the small figure counts. TRACE_BYTES is divided once:

- OWN_BYTES: every step has its own span, until the first one that does not fit;
- then failed and slow steps have places of PLACE_BYTES each: FIRST_PLACES for the first failure of
  a kind (name and error type), OTHER_PLACES for the rest, of these at most SLOW_PLACES for steps
  that were slow and succeeded;
- MAX_ROLLUPS roll-ups of ROLLUP_BYTES hold all other steps;
- LAST_PLACES are for steps that the app wants to see in any case (Keep.LAST);
- ROOT_BYTES are the root's.

A span that is too large for its place says less (planned.py), so counting places bounds the bytes.
"""

from __future__ import annotations

from lambda_streaming.tracing.budget.planned import PlannedSpan, Stacks
from lambda_streaming.tracing.budget.rollup import MAX_ROLLUPS, ROLLUP_BYTES

TRACE_BYTES = 90_000
PLACE_BYTES, FIRST_PLACES, OTHER_PLACES, SLOW_PLACES = 800, 10, 10, 6
LAST_BYTES, LAST_PLACES = 1_200, 4
"""A step with one AWS request."""
ROOT_BYTES, ROOT_EXTRA_BYTES = 2_500, 200
"""The extra ones are for its link and its annotations."""
OWN_BYTES = (
    TRACE_BYTES
    - PLACE_BYTES * (FIRST_PLACES + OTHER_PLACES)
    - ROLLUP_BYTES * MAX_ROLLUPS
    - LAST_BYTES * LAST_PLACES
    - ROOT_BYTES
)
_LARGEST_OWN_BYTES = 10_000


class SpanBudget:
    def __init__(self, max_spans: int) -> None:
        self._spans_left = max_spans
        self._bytes_left = OWN_BYTES
        self.is_spent = False
        """Whether ordinary steps are rolled up from now on."""
        self._first_left = FIRST_PLACES
        self._other_left = OTHER_PLACES
        self._slow_left = SLOW_PLACES
        self._last_left = LAST_PLACES
        self._kinds: set[tuple[str, str]] = set()
        self.stacks = Stacks()

    def has_place(self, name: str, error_type: str | None, *, is_slow: bool) -> bool:
        """Whether it is worth planning a span: False for what has to be rolled up."""
        if not self.is_spent:
            return True
        if error_type is None:
            return is_slow and self._other_left > 0 and self._slow_left > 0
        return self._other_left > 0 or self._is_first(name, error_type)

    def place(
        self, span: PlannedSpan, error_type: str | None, *, is_slow: bool
    ) -> PlannedSpan | None:
        """The span as it may be made, or None if it has to be rolled up."""
        if not self.is_spent:
            own, size = span, span.max_bytes
            if size > _LARGEST_OWN_BYTES:
                own = span.within(_LARGEST_OWN_BYTES) or span
                size = own.max_bytes
            if own.span_count <= self._spans_left and size <= self._bytes_left:
                self._spans_left -= own.span_count
                self._bytes_left -= size
                if error_type is not None:
                    self._kinds.add((span.name, error_type))
                return self._sent(own)
            # For good: own spans after roll-ups have begun would leave holes nobody can read.
            self.is_spent = True
        smaller = span.within(PLACE_BYTES)
        if smaller is None or not self.has_place(span.name, error_type, is_slow=is_slow):
            return None
        if error_type is not None and self._is_first(span.name, error_type):
            self._first_left -= 1
            self._kinds.add((span.name, error_type))
        else:
            self._other_left -= 1
            self._slow_left -= error_type is None
        return self._sent(smaller)

    def claim(self) -> bool:
        """A place for a span that begins, of PLACE_BYTES until its size is known."""
        if self.is_spent or self._spans_left < 1 or self._bytes_left < PLACE_BYTES:
            self.is_spent = True
            return False
        self._spans_left -= 1
        self._bytes_left -= PLACE_BYTES
        return True

    def charge(self, span: PlannedSpan) -> None:
        """The span that has a claimed place has ended."""
        self._bytes_left -= span.max_bytes - PLACE_BYTES

    def last_place(self, span: PlannedSpan) -> PlannedSpan | None:
        """For a step whose app wants its span in any case (Keep.LAST)."""
        smaller = span.within(LAST_BYTES) if self._last_left > 0 else None
        if smaller is None:
            return None
        self._last_left -= 1
        return self._sent(smaller)

    def root(self, span: PlannedSpan) -> PlannedSpan | None:
        return span.within(ROOT_BYTES - ROOT_EXTRA_BYTES)

    def _is_first(self, name: str, error_type: str) -> bool:
        return self._first_left > 0 and (name, error_type) not in self._kinds

    def _sent(self, span: PlannedSpan) -> PlannedSpan:
        if span.chain or span.children:
            self.stacks.sent(span)
        return span


class UnlimitedBudget(SpanBudget):
    """For backends without X-Ray's limit: every step has its own span, every error its stack."""

    def __init__(self) -> None:
        super().__init__(0)
        self.stacks = Stacks(once_each=False)

    def has_place(self, name: str, error_type: str | None, *, is_slow: bool) -> bool:
        return True

    def place(self, span: PlannedSpan, error_type: str | None, *, is_slow: bool) -> PlannedSpan:
        return span

    def claim(self) -> bool:
        return True

    def last_place(self, span: PlannedSpan) -> PlannedSpan:
        return span

    def root(self, span: PlannedSpan) -> PlannedSpan:
        return span
