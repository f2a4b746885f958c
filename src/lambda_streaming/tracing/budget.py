"""How much of X-Ray's allowance for a trace one stream may spend, and on what.

AWS says a trace may hold about 500 KB when its documents come in bulk and about 100 KB when they
trickle in over minutes (repost.aws/knowledge-center/x-ray-trace-quota-error). A stream's bulk
comes minutes after its first documents, so the small figure counts.

There is one count of bytes and a ceiling for each thing they are spent on, the next one higher
than the one before. So an outage in the last minute finds room for each kind of its errors, the
steps that end a stream find room after the errors, then roll-ups, and the root after all of them.
"""

from __future__ import annotations

import enum

from lambda_streaming.tracing.drafts import SpanDraft, Stacks
from lambda_streaming.tracing.size import estimated_bytes

MAX_EVENTFUL_STEPS = 20
MAX_SLOW_STEPS = 6
"""Of the eventful ones: a slow hour must not leave an outage without spans."""
RESERVED_KINDS = 10
"""Kinds of failure, by name and error type, whose first one finds a place in any case."""
KIND_BYTES = 800
"""A failed poll that says no more than it must (drafts.smaller_drafts)."""
LAST_STEPS = ("session_record_save", "connection_release", "cloudwatch_put_metric")
_BEFORE_THE_END = "session_record_save"
LAST_STEP_BYTES = 1_150
"""Any of them with its AWS request."""
OWN_CEILING_BYTES = 70_500
EVENTFUL_CEILING_BYTES = OWN_CEILING_BYTES + RESERVED_KINDS * KIND_BYTES
LAST_CEILING_BYTES = EVENTFUL_CEILING_BYTES + len(LAST_STEPS) * LAST_STEP_BYTES
ROLLUP_CEILING_BYTES = 88_000
TRACE_CEILING_BYTES = 90_000


class Claim(enum.Enum):
    """On what grounds a step may have its own span."""

    ORDINARY = enum.auto()
    SLOW = enum.auto()
    FAILED = enum.auto()
    FIRST_OF_ITS_KIND = enum.auto()
    ONCE = enum.auto()


class SpanBudget:
    """Own spans until spans or bytes are spent; afterwards what has a better claim, up to a limit.

    Slots and bytes are kept back for the first failure of each kind, and bytes for the steps that
    end the stream; what these did not need is for roll-ups.
    """

    def __init__(self, max_spans: int) -> None:
        self._spans_left = max_spans
        self._slots_left = MAX_EVENTFUL_STEPS
        self._slow_left = MAX_SLOW_STEPS
        self._kinds: set[tuple[str, str]] = set()
        self._last_to_come = set(LAST_STEPS)
        self._bytes = 0
        self._last_ceiling = LAST_CEILING_BYTES
        self._is_spent = False
        self.stacks = Stacks()

    def claim(self, name: str, error_type: str | None, *, is_slow: bool) -> Claim | None:
        """What a step may be charged to. None: it has to be rolled up, drafting it is no use."""
        if error_type is None:
            claim = Claim.SLOW if is_slow else Claim.ORDINARY
        elif self._kinds_left > 0 and (name, error_type) not in self._kinds:
            claim = Claim.FIRST_OF_ITS_KIND
        else:
            claim = Claim.FAILED
        return claim if not self._is_spent or self._has_slot(claim) else None

    def allows(self, draft: SpanDraft, claim: Claim) -> bool:
        """Spend on the step's own span and its requests', or say that there is no room for it."""
        size = estimated_bytes(draft)
        if not self._is_spent:
            if draft.span_count <= self._spans_left and self._fits(size, OWN_CEILING_BYTES):
                self._spans_left -= draft.span_count
                self._spend(size, draft, claim)
                return True
            # For good: own spans after roll-ups have begun would leave holes nobody can read.
            self._is_spent = True
        if not self._has_slot(claim) or not self._fits(size, self._ceiling(claim, draft.name)):
            return False
        if claim is not Claim.ONCE:
            self._slots_left -= 1
            self._slow_left -= claim is Claim.SLOW
        self._spend(size, draft, claim)
        return True

    def spend(self, size_bytes: int) -> None:
        """What was made to fit: roll-ups."""
        self._bytes += size_bytes

    def close(self) -> None:
        """Roll-ups are spent. What they were asked to leave is for last steps that come yet."""
        self._last_to_come.discard(_BEFORE_THE_END)
        self._last_ceiling = ROLLUP_CEILING_BYTES

    @property
    def rollup_bytes(self) -> int:
        """What is left for roll-ups, when last steps that did not come may still do so."""
        return ROLLUP_CEILING_BYTES - self._bytes - self._kept_for_last_but(_BEFORE_THE_END)

    @property
    def root_bytes(self) -> int:
        """What is left for the root, when everything else is spent."""
        return TRACE_CEILING_BYTES - self._bytes

    @property
    def _kinds_left(self) -> int:
        return RESERVED_KINDS - len(self._kinds)

    def _has_slot(self, claim: Claim) -> bool:
        match claim:
            case Claim.ORDINARY:
                return False
            case Claim.ONCE:
                return True
            case Claim.FIRST_OF_ITS_KIND:
                return self._slots_left > 0
            case Claim.SLOW if self._slow_left <= 0:
                return False
        return self._slots_left > self._kinds_left

    def _ceiling(self, claim: Claim, name: str) -> int:
        if claim is Claim.ONCE:
            return self._last_ceiling - self._kept_for_last_but(name)
        others = self._kinds_left - (claim is Claim.FIRST_OF_ITS_KIND)
        return EVENTFUL_CEILING_BYTES - KIND_BYTES * others

    def _kept_for_last_but(self, name: str) -> int:
        return LAST_STEP_BYTES * len(self._last_to_come - {name})

    def _fits(self, size_bytes: int, ceiling_bytes: int) -> bool:
        return self._bytes + size_bytes <= ceiling_bytes

    def _spend(self, size_bytes: int, draft: SpanDraft, claim: Claim) -> None:
        self._bytes += size_bytes
        if claim is Claim.ONCE:
            self._last_to_come.discard(draft.name)
        elif claim is Claim.FIRST_OF_ITS_KIND:
            self._kinds.add((draft.name, str(draft.attributes["error_type"])))


class UnlimitedBudget:
    """For backends without X-Ray's limit: every step has its own span, every error its stack."""

    rollup_bytes = root_bytes = TRACE_CEILING_BYTES

    def __init__(self) -> None:
        self.stacks = Stacks(once_each=False)

    def claim(self, name: str, error_type: str | None, *, is_slow: bool) -> Claim:
        return Claim.ORDINARY

    def allows(self, draft: SpanDraft, claim: Claim) -> bool:
        return True

    def spend(self, size_bytes: int) -> None: ...

    def close(self) -> None: ...
